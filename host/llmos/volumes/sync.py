"""A volume exchanged with a git remote: fetched, merged path by path, pushed.

git's own program talks to the remote, because it knows a person's keys, helpers and settings; it runs without
hooks, and may not ask. What comes from elsewhere holds files only, or is refused as a whole.
"""

import os
import re
import subprocess
from pathlib import Path
from typing import NamedTuple

import pygit2

from llmos.document import LARGEST
from llmos.text import plain

from .errors import Diverged, RemoteGone, VolumeError
from .store import MADE, Store
from .tiers import Change
from .trees import blob, changes, merged, safe

REMOTE = "origin"
_GIT_S = 120.0  # for one exchange
_TRIES = 5  # while others push, too
_PROTOCOLS = "file:git:http:https:ssh"
_HEADS = "refs/heads/"
_OWN = {"GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_NAMESPACE"}  # another's
_SHOWN = 200
_USER = re.compile(r"//[^/@\s]*@")


class Synced(NamedTuple):
    """What an exchange did.

    Args:
        remote: the URL.
        branch: the remote's branch.
        received: how many commits came.
        sent: how many went.
        head: the newest commit of both, 40 hex digits.
    """

    remote: str
    branch: str
    received: int
    sent: int
    head: str


def sync(store: Store, remote: str | None, change: Change) -> Synced:
    """Fetch what a remote has, merge it, and push what it lacks.

    Args:
        remote: a URL or a path; kept for the next time. None for the one that was kept.
        change: who merges, and why, where both have changed.

    Raises:
        Diverged: both changed the same path; nothing is changed, and theirs is on the branch origin/….
        PathEscape: the remote holds what no volume may hold; nothing is changed.
        RemoteGone: it cannot be reached, or refuses.
        VolumeError: no remote is known, or git is missing.
    """
    git, received = _Git(store, _remote(store, remote)), 0
    for _ in range(_TRIES):
        branch, there = git.fetch()
        with store.held() as repo:
            _keep(repo, git.url)
            came, sent, head = _merged(store, repo, f"{REMOTE}/{branch}" if there else None, change)
        received += came
        if not sent or git.push(head, branch):
            return Synced(git.shown, branch, received, sent, str(head))
    raise RemoteGone(f"others push to {git.shown} all the time: try again later")


def _remote(store: Store, url: str | None) -> str:
    """Return the remote's URL: the one that is named, or the one that was kept."""
    with store.held() as repo:
        known = {remote.name: remote.url for remote in repo.remotes}
    if url is None:
        if REMOTE not in known:
            raise VolumeError(f"{store.root} has no remote yet: name one with --remote URL")
        return str(known[REMOTE])
    if not url or url.startswith("-") or "::" in url or not url.isprintable():
        raise VolumeError(f"{plain(url)[:_SHOWN]!r} is no remote: name a URL or a folder")
    folder = Path(url).expanduser()
    return str(folder.resolve()) if folder.exists() else url


def _keep(repo: pygit2.Repository, url: str) -> None:
    """Keep a URL that answered as the repository's remote."""
    if REMOTE in repo.remotes.names():
        repo.remotes.set_url(REMOTE, url)
    else:
        repo.remotes.create(REMOTE, url)


def _merged(
    store: Store, repo: pygit2.Repository, branch: str | None, change: Change
) -> tuple[int, int, pygit2.Oid]:
    """Bring the fetched branch into the volume; return how many commits came and go, and the head."""
    while True:
        head = store.saved(repo)
        there = repo.branches.remote.get(branch) if branch else None
        if there is None:
            return 0, _count(repo, head, None), head
        theirs = there.peel(pygit2.Commit)
        came = _count(repo, theirs.id, head)
        if not came:
            return 0, _count(repo, head, theirs.id), head
        ours, root = repo[head].peel(pygit2.Commit), _untouched(repo, head)
        base = repo.merge_base(head, theirs.id)
        if base == head or (base is None and root is not None and root.id == head):
            new, files = theirs.id, changes(ours.tree, theirs.tree)
            safe(files)
        else:
            common = repo[base].peel(pygit2.Tree) if base else root.tree if root else None
            try:
                files = merged(common, ours.tree, theirs.tree, f"the remote ({branch})")
                if base is None:  # it never had what a new volume begins with
                    files = {path: leaf for path, leaf in files.items() if leaf}
            except Diverged as error:
                raise Diverged(
                    f"{error}; neither is lost: look with `git -C {store.root} diff HEAD {branch}`, "
                    f"then `git -C {store.root} merge {branch}`, and sync again"
                ) from None
            new = store.commit(repo, [head, theirs.id], files, change)
        for path, leaf in files.items():
            if leaf and len(blob(repo, leaf.oid)) > LARGEST:
                raise VolumeError(
                    f"{path} of the remote is longer than {LARGEST} bytes, which no document is: nothing was "
                    "taken; remove it there"
                )
        store.prepared(repo, files)
        if store.advance(repo, store.branch(repo), head, new, files):
            return came, _count(repo, new, theirs.id), new


def _untouched(repo: pygit2.Repository, head: pygit2.Oid) -> pygit2.Commit | None:
    """Return the first commit of a volume, if it is what a new volume begins with."""
    first = [commit for commit in repo.walk(head) if not commit.parents]
    return first[0] if len(first) == 1 and first[0].author.name == MADE.author else None


def _count(repo: pygit2.Repository, head: pygit2.Oid, without: pygit2.Oid | None) -> int:
    walk = repo.walk(head)
    if without is not None:
        walk.hide(without)
    return sum(1 for _ in walk)


class _Git:
    """git's program, in one repository, with one remote."""

    def __init__(self, store: Store, url: str) -> None:
        self._folder, self.url = store.root / ".git", url
        self.shown = _USER.sub("//", plain(url))  # without a password

    def fetch(self) -> tuple[str, bool]:
        """Fetch the remote's branch; return its name, and whether it is there: an empty remote has none."""
        heads = self._run("ls-remote", "--symref", "--", self.url)
        names = re.findall(r"^[0-9a-f]{40,64}\trefs/heads/(\S+)$", heads, re.MULTILINE)
        first = re.search(r"^ref: refs/heads/(\S+)\tHEAD$", heads, re.MULTILINE)
        branch = first[1] if first and first[1] in names else "main"
        if branch in names:
            refs = f"+{_HEADS}{branch}:refs/remotes/{REMOTE}/{branch}"
            self._run("fetch", "--quiet", "--no-tags", "--no-auto-gc", "--", self.url, refs)
        return branch, branch in names

    def push(self, head: pygit2.Oid, branch: str) -> bool:
        """Push a commit; False where the remote has moved since it was fetched."""
        try:
            self._run("push", "--quiet", "--", self.url, f"{head}:{_HEADS}{branch}")
        except RemoteGone as error:
            if re.search(r"fetch first|non-fast-forward|cannot lock ref|failed to update ref", str(error)):
                return False
            raise
        return True

    def _run(self, *words: str) -> str:
        options = ("core.hooksPath=/dev/null", "fetch.fsckObjects=true")
        command = ["git", "--git-dir", str(self._folder), *(part for one in options for part in ("-c", one))]
        own = {
            "GIT_TERMINAL_PROMPT": "0", "GIT_ALLOW_PROTOCOL": _PROTOCOLS, "LC_ALL": "C",
        }  # fmt: skip
        kept = {name: value for name, value in os.environ.items() if name not in _OWN}
        try:
            run = subprocess.run(
                [*command, *words], env={**kept, **own}, stdin=subprocess.DEVNULL, capture_output=True,
                text=True, errors="replace", timeout=_GIT_S, check=False,
            )  # fmt: skip
        except FileNotFoundError:
            raise VolumeError("git is not installed, and sync needs it: install git") from None
        except subprocess.TimeoutExpired:
            raise RemoteGone(f"{self.shown} does not answer within {_GIT_S:.0f} s: try again later") from None
        if run.returncode:
            said = _USER.sub("//", plain(" ".join(run.stderr.split())))[:_SHOWN]
            raise RemoteGone(
                f"{self.shown} cannot be used ({said}): look at the address and at your rights there"
            )
        return run.stdout
