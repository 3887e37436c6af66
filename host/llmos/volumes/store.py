"""One volume's git repository: every change is a commit, and a kill at any moment leaves the old or the new.

pygit2, because a commit in a repository of 1,000 files takes it half the time of dulwich and less than that
of git's own program (`tools/bench_volumes.py libraries` compares them), because it builds, compares and
merges trees without a process for each step, because it is well kept, and because its licence (GPL 2 with an
exception for linking) lets a program of any licence use it. Only `sync` starts git's program.

A change goes in this order, each step on the disk before the next:

1. the new objects, which nothing refers to yet;
2. a note `.git/llmos/pending` of the branch, the old commit, the new one and the files;
3. the branch, by comparing and swapping: from here on the change is made;
4. each working file, by a temporary file that is renamed, where the file still is what the old commit says;
5. git's index, so that `git status` is clean; then the note goes.

Whoever comes after a kill finds the note, and does steps 4 and 5 again where 3 was made. A file that a person
saved in between stays as he left it: an edit by hand on top of the change. One lock per volume, which the
system takes from a process that dies, keeps writers apart.
"""

import contextlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import pygit2
from pygit2.enums import RepositoryState

from llmos.disk import locked
from llmos.document import LARGEST
from llmos.text import plain

from .errors import NoEntry, PathEscape, VolumeError
from .history import find_commit, found_at, message
from .paths import checked, folder_of, read_bytes
from .tiers import Change
from .trees import Leaf, blob, changed, changes, contents, leaf

pygit2.settings.enable_fsync_gitdir(True)

HAND = Change("by hand", "edited by hand")
MADE = Change("llmos", "made")
MAIN = "refs/heads/main"
_LOCK_S = 30.0  # at most, for the lock of another writer
_GIT_S = 5.0  # at most, for git's own lock files
_POLL_S = 0.002
Files = Mapping[str, bytes | Leaf | None]
Judge = Callable[
    [Mapping[str, bytes | None]], None
]  # gets the new bytes of each path, None for a removed one


class Store:
    """The repository of a volume; made at its first change.

    Args:
        root: the volume's folder, the repository's working tree.
        state: the folder for the lock.
        seed: a folder whose markdown files a new volume begins with.
    """

    def __init__(self, root: Path, state: Path, seed: Path | None = None) -> None:
        self.root, self._state, self._seed = root, state, seed
        self._git = root / ".git"
        self._note = self._git / "llmos" / "pending"

    @contextlib.contextmanager
    def held(self) -> Iterator[pygit2.Repository]:
        """Hold the volume's lock, with the repository made, mended and opened.

        Raises:
            VolumeError: another program holds the lock too long, or the repository cannot be used.
        """
        with self._told():
            self._state.mkdir(parents=True, exist_ok=True)
            lock = self._state / f"{self.root.name}.lock"
            handle = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
            try:
                if not locked(handle, _LOCK_S):
                    raise VolumeError(f"another program writes for {_LOCK_S:.0f} s already ({lock}): end it")
                if not self.exists():
                    self._make()
                repo = pygit2.Repository(str(self._git))
                self._mend(repo)
                if self.head(repo) is None:
                    self._begin(repo)
                yield repo
            finally:
                os.close(handle)  # and with it the lock

    @contextlib.contextmanager
    def reading(self) -> Iterator[pygit2.Repository]:
        """Open the repository for reading; what a killed process left is mended before.

        Raises:
            NoEntry: nothing was written there yet.
            VolumeError: it cannot be read.
        """
        if not self.exists():
            raise NoEntry(f"the volume {self.root} has no history yet: nothing was written there")
        self.mended()
        with self._told():
            yield pygit2.Repository(str(self._git))

    def mended(self) -> None:
        """Finish what a killed process left; wait for one that is at work."""
        if self._note.exists():
            with self.held():
                pass

    def exists(self) -> bool:
        """Return whether anything was written there yet."""
        return self._git.exists()

    def edited(self) -> list[str]:
        """Return the files that a person edited since the last commit."""
        with self.reading() as repo:
            return sorted(self._edits(repo, self.head(repo), ()))

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        """Tell what fails in the repository or on the disk as this program tells it."""
        try:
            yield
        except OSError as error:
            if error.strerror:
                where = error.filename or self.root
                raise VolumeError(f"{where} cannot be written: {error.strerror}; look at the disk") from None
            raise self._damaged(error) from None
        except (pygit2.GitError, KeyError) as error:  # KeyError: an object that is missing
            raise self._damaged(error) from None

    def _damaged(self, error: Exception) -> VolumeError:
        problem, advice = plain(str(error)), "look at it with `git fsck`"
        if "lock" in problem:
            advice = "another git program is at work there; if none is, remove the lock file"
        return VolumeError(f"{self.root} is no git repository in order ({problem}): {advice}")

    def head(self, repo: pygit2.Repository) -> pygit2.Oid | None:
        """Return the newest commit of the branch that is checked out; None where it has none."""
        reference = repo.references.get(self.branch(repo))
        return _target(reference)

    def branch(self, repo: pygit2.Repository) -> str:
        """Return the name of the branch that is checked out.

        Raises:
            VolumeError: a person is in the middle of something with git, and no branch is.
        """
        name = repo.references["HEAD"].target
        if not isinstance(name, str) or repo.state() != RepositoryState.NONE:
            raise VolumeError(
                f"{self.root} is in the middle of a merge, or on no branch: finish that with git"
            )
        return name

    def write(self, files: Files, change: Change) -> str:
        """Commit files' new bytes, None removes one, and return the commit's id."""
        with self.held() as repo:
            return str(self.made(repo, files, change))

    def restore(self, to: str, path: str | None, change: Change, judge: Judge) -> str:
        """Commit files as an older commit has them, and return the new commit's id.

        Args:
            path: one file or folder; None for all.
            judge: refuses what may not be changed.

        Raises:
            NoEntry: there is no such commit, or neither it nor the newest has the path.
        """
        with self.held() as repo:
            old, now = find_commit(repo, to), repo[self.saved(repo)].peel(pygit2.Commit)
            if path is not None and found_at(old.tree, path) is None and found_at(now.tree, path) is None:
                raise NoEntry(
                    f"neither {to} nor the newest commit has {plain(path)!r}: `llmos volume ls` lists files"
                )
            files = {
                name: leaf
                for name, leaf in changes(now.tree, old.tree).items()
                if path is None or name == path or name.startswith(f"{path}/")
            }
            judge(contents(repo, files))
            return str(self.made(repo, files, change))

    def made(self, repo: pygit2.Repository, files: Files, change: Change) -> pygit2.Oid:
        """Make a commit of files on top of what a person edited; the newest commit where nothing changes."""
        while True:
            head = self.saved(repo, files)
            new = self.commit(repo, [head], files, change)
            if new == head or self.advance(repo, self.branch(repo), head, new, files):
                return new

    def saved(self, repo: pygit2.Repository, also: Collection[str] = ()) -> pygit2.Oid:
        """Commit what a person edited by hand, and return the newest commit.

        Args:
            also: files that are looked at even where git ignores them.
        """
        while True:
            head = self.head(repo)
            edits = self._edits(repo, head, also)
            if head is not None and not edits:
                return head
            new = self.commit(repo, [head] if head else [], edits, HAND)
            if self.advance(repo, self.branch(repo), head, new, edits):
                return new

    def prepared(self, repo: pygit2.Repository, files: Collection[str]) -> None:
        """Refuse files that could not be put into the working tree.

        Raises:
            PathEscape: a link stands on the way to one.
            VolumeError: a person's own file, not yet committed, stands in its place.
        """
        if edits := self._edits(repo, self.head(repo), files):
            raise VolumeError(f"{self.root / min(edits)} was changed by hand a moment ago: try again")

    def commit(
        self, repo: pygit2.Repository, parents: list[pygit2.Oid], files: Files, change: Change
    ) -> pygit2.Oid:
        """Write a commit that nothing refers to yet; return the only parent where nothing would change."""
        base = repo[parents[0]].tree if parents else None
        new = {
            path: Leaf(repo.create_blob(to)) if isinstance(to, bytes) else to for path, to in files.items()
        }
        tree = changed(repo, base, new)
        if len(parents) == 1 and base is not None and tree == base.id:
            return parents[0]
        who = pygit2.Signature(_name(change.author), "llmos@localhost")
        return repo.create_commit(
            None, who, who, message(change, self.root.name, sorted(files)), tree, parents
        )

    def advance(
        self,
        repo: pygit2.Repository,
        branch: str,
        old: pygit2.Oid | None,
        new: pygit2.Oid | None,
        paths: Collection[str] = (),
    ) -> bool:
        """Let a branch name another commit, and put its files into the working tree; False if it moved since.

        Args:
            old: the commit that it names; None makes it.
            new: the one that it shall name; None removes it.
            paths: the files that differ; none for a branch that is not checked out.
        """
        ids = [str(oid) if oid else None for oid in (old, new)]
        os.replace(self._beside(json.dumps([branch, *ids, sorted(paths)]).encode()), self._note)
        moved = False
        try:
            moved = _move(repo, branch, old, new)
        finally:
            if not moved:
                self._note.unlink()
        if moved:
            self._finish(repo, old, new, paths)
            self._note.unlink()
        return moved

    def _make(self) -> None:
        """Make the repository in a folder beside, and move it here in one step."""
        self.root.mkdir(parents=True, exist_ok=True)
        for left in self._state.glob(f"{self.root.name}.new-*"):
            shutil.rmtree(left, ignore_errors=True)
        folder = Path(tempfile.mkdtemp(prefix=f"{self.root.name}.new-", dir=self._state))
        repo = pygit2.init_repository(str(folder), initial_head="main")
        repo.config["core.autocrlf"] = False  # files lie as they were written
        (folder / ".git" / "llmos").mkdir()
        (folder / ".git").rename(self._git)
        shutil.rmtree(folder, ignore_errors=True)

    def _begin(self, repo: pygit2.Repository) -> None:
        """Make the first commit: what a volume of its tier begins with, beside what a person put there."""
        seeds = sorted(self._seed.rglob("*.md")) if self._seed else []
        files = {path.relative_to(self._seed or path).as_posix(): path.read_bytes() for path in seeds}
        new = self.commit(
            repo, [], {path: to for path, to in files.items() if not (self.root / path).exists()}, MADE
        )
        self.advance(repo, self.branch(repo), None, new, files)

    def _mend(self, repo: pygit2.Repository) -> None:
        """Finish, or clear away, what a killed process left."""
        (self._git / "llmos").mkdir(exist_ok=True)
        for left in (self._git / "llmos").glob("new-*"):
            left.unlink()
        try:
            branch, *ids, paths = json.loads(self._note.read_bytes())
            old, new = (pygit2.Oid(hex=oid) if oid else None for oid in ids)
        except FileNotFoundError:
            return
        except ValueError:  # none of ours
            self._note.unlink()
            return
        for pattern in ("*.lock", "refs/**/*.lock", "logs/**/*.lock"):
            for left in self._git.glob(pattern):  # nobody holds them: the one who did held our lock
                left.unlink(missing_ok=True)
        reference = repo.references.get(branch)
        if new and _target(reference) == new:
            self._finish(repo, old, new, paths)
        self._note.unlink()

    def _finish(
        self, repo: pygit2.Repository, old: pygit2.Oid | None, new: pygit2.Oid | None, paths: Collection[str]
    ) -> None:
        """Put a commit's files into the working tree and into git's index."""
        if not paths:
            return
        before, after = (repo[oid].tree if oid else None for oid in (old, new))
        index = _index(repo, after)
        for path in sorted(paths):
            was, now = leaf(before, path), leaf(after, path)
            with contextlib.suppress(PathEscape, IsADirectoryError):  # what a person made there stays
                self._place(repo, path, was, now)
            if now is None:
                with contextlib.suppress(OSError):
                    index.remove(path)
                continue
            with contextlib.suppress(OSError, pygit2.GitError):
                index.add(path)
            if path not in index or index[path].id != now.oid:
                index.add(pygit2.IndexEntry(path, now.oid, now.mode))
        _patiently(index.write)

    def _place(self, repo: pygit2.Repository, path: str, was: Leaf | None, now: Leaf | None) -> None:
        """Write or remove a working file, where it is what the old commit says."""
        have = self._working(path)
        there = pygit2.hash(have) if have is not None else None
        if there == (now.oid if now else None) or there != (was.oid if was else None):
            return
        if now:
            self._put(path, blob(repo, now.oid), now.mode & 0o777)
            return
        with folder_of(self.root, path) as (folder, name):
            os.unlink(name, dir_fd=folder)
        for parent in (self.root / path).parents:
            if parent == self.root:
                break
            with contextlib.suppress(OSError):  # it holds more
                parent.rmdir()

    def _put(self, path: str, data: bytes, mode: int) -> None:
        """Write a working file in one step: the old or the new is there at any moment."""
        with folder_of(self.root, path, make=True) as (folder, name):
            os.rename(self._beside(data, mode), name, dst_dir_fd=folder)

    def _beside(self, data: bytes, mode: int = 0o644) -> str:
        """Write a file that is not yet in its place; the file system keeps the order of what follows."""
        handle, path = tempfile.mkstemp(prefix="new-", dir=self._git / "llmos")
        with os.fdopen(handle, "wb") as opened:
            opened.write(data)
            os.fchmod(handle, mode)
            opened.flush()
            os.fsync(handle)
        return path

    def _working(self, path: str, most: int = -1) -> bytes | None:
        try:
            return read_bytes(self.root, path, most)
        except FileNotFoundError:
            return None

    def _edits(
        self, repo: pygit2.Repository, head: pygit2.Oid | None, also: Collection[str]
    ) -> dict[str, bytes | Leaf | None]:
        """Return the files that a person changed, by their bytes; None for what he removed."""
        tree = repo[head].tree if head else None
        _index(repo, tree)
        found: dict[str, bytes | Leaf | None] = {}
        for path in {*repo.status(untracked_files="all"), *also}:
            was = leaf(tree, path)
            if was is None and path not in also and not _ours(path):
                continue
            try:
                data = self._working(path, LARGEST + 1)
            except PathEscape:
                if path in also:
                    raise
                continue
            if data is not None and len(data) > LARGEST:
                if path in also:
                    raise VolumeError(f"{self.root / path} is longer than {LARGEST} bytes: move it away")
                continue
            if data is None and was:
                found[path] = None
            elif data is not None and (was is None or pygit2.hash(data) != was.oid):
                found[path] = data
        return found


def _ours(path: str) -> bool:
    try:
        return bool(checked(path))
    except PathEscape:
        return False


def _name(author: str) -> str:
    """Return an author's name as git takes it."""
    return plain(author).translate({ord(sign): None for sign in "<>"}).strip(" .,:;")[:100] or "nobody"


def _move(repo: pygit2.Repository, branch: str, old: pygit2.Oid | None, new: pygit2.Oid | None) -> bool:
    """Let a branch name another commit, if it still names the old one."""
    reference = repo.references.get(branch)
    if _target(reference) != old:
        return False
    try:
        if reference is not None and new is not None:
            _patiently(lambda: reference.set_target(new))
        elif reference is not None:
            _patiently(reference.delete)
        elif new is not None:
            _patiently(lambda: repo.references.create(branch, new))
    except (pygit2.GitError, OSError, ValueError):  # ValueError: it was made in between
        if _target(repo.references.get(branch)) != old:
            return False
        raise
    return True


def _patiently(step: Callable[[], object]) -> None:
    """Take a step that git's own program may be in the way of for a moment."""
    end = time.monotonic() + _GIT_S
    while True:
        try:
            step()
            return
        except (pygit2.GitError, OSError) as error:
            if "lock" not in str(error) or time.monotonic() > end:
                raise
            time.sleep(_POLL_S)


def _target(reference: pygit2.Reference | None) -> pygit2.Oid | None:
    """Return the commit that a branch names."""
    target = reference.target if reference is not None else None
    return target if isinstance(target, pygit2.Oid) else None


def _index(repo: pygit2.Repository, tree: pygit2.Tree | None) -> Any:
    """Return git's index; made again from a commit's tree where it is damaged."""
    try:
        index = repo.index
        index.read()
    except pygit2.GitError:
        Path(repo.path, "index").unlink(missing_ok=True)
        index = repo.index
        if tree is not None:
            index.read_tree(tree)
            index.write()
    return index
