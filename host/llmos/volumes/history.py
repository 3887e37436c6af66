"""What a volume's commits say: their messages written and read, the log, and differences."""

import re
from collections.abc import Sequence

import pygit2
from pygit2.enums import DiffOption, SortMode

from llmos.text import plain

from .errors import NoEntry
from .tiers import Change, Commit
from .trees import changes

_REASON = 120  # characters of a reason in a subject
_NAME = re.compile(r"(?:[0-9a-f]{4,40}|HEAD|[a-z0-9][\w./-]*)(?:[~^]\d*)*")
_SHOWN = 60
_UNTRACKED = (
    DiffOption.INCLUDE_UNTRACKED | DiffOption.RECURSE_UNTRACKED_DIRS | DiffOption.SHOW_UNTRACKED_CONTENT
)


def message(change: Change, tier: str, paths: Sequence[str]) -> str:
    """Return a commit's message: `path: reason`, and as trailers the tier, the agent and the run."""
    more = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
    reason = " ".join(plain(change.reason).split())
    subject = f"{paths[0] if paths else tier}{more}: {reason[:_REASON]}"
    body = f"{reason}\n\n" if len(reason) > _REASON else ""
    trailers = {"Tier": tier, "Agent": change.agent, "Project": change.project, "Run": change.run}
    lines = [f"{key}: {plain(value)}" for key, value in trailers.items() if value]
    return f"{subject}\n\n{body}" + "\n".join(lines) + "\n"


def find_commit(repo: pygit2.Repository, name: str) -> pygit2.Commit:
    """Return a commit by its id, the first four digits of it or more, a branch's name, or `HEAD~2`.

    Raises:
        NoEntry: there is none, or several.
    """
    try:
        found = repo.revparse_single(name) if _NAME.fullmatch(name) else None
        commit = found.peel(pygit2.Commit) if found is not None else None
    except (KeyError, ValueError, pygit2.GitError):
        commit = None
    if commit is None:
        raise NoEntry(f"no commit is called {plain(name)[:_SHOWN]!r}: `llmos volume log` lists them")
    return commit


def read_log(
    repo: pygit2.Repository, head: pygit2.Oid, path: str | None = None, limit: int | None = None
) -> list[Commit]:
    """Return the commits up to one, the newest first; with a path those that changed it."""
    found: list[Commit] = []
    for commit in repo.walk(head, SortMode.TOPOLOGICAL | SortMode.TIME):
        if limit is not None and len(found) >= limit:
            break
        before = commit.parents[0].tree if commit.parents else None
        if path is None or found_at(before, path) != found_at(commit.tree, path):
            found.append(told(commit, before))
    return found


def told(commit: pygit2.Commit, before: pygit2.Tree | None) -> Commit:
    """Return what a commit says and changed since an older tree."""
    subject, _, rest = commit.message.partition("\n")
    trailers = {key: value for key, _, value in (line.partition(": ") for line in rest.splitlines())}
    return Commit(
        str(commit.id),
        commit.commit_time,
        commit.author.name,
        subject,
        trailers.get("Run", ""),
        trailers.get("Agent", ""),
        tuple(changes(before, commit.tree)),
    )


def difference(
    repo: pygit2.Repository, old: pygit2.Commit, new: pygit2.Commit | None, path: str | None = None
) -> str:
    """Return how two commits differ, or a commit and the files as they are now, in git's unified form."""
    if new is not None:
        found = old.tree.diff_to_tree(new.tree)
    else:
        found = old.tree.diff_to_workdir(_UNTRACKED)
    parts = []
    for patch in found:
        if patch is None:
            continue
        names = (patch.delta.old_file.path, patch.delta.new_file.path)
        if path is None or any(name == path or name.startswith(f"{path}/") for name in names):
            parts.append(patch.data.decode("utf-8", "replace"))
    return "".join(parts)


def found_at(tree: pygit2.Tree | None, path: str) -> pygit2.Oid | None:
    """Return what a tree has at a path: a file or a folder."""
    try:
        return tree[path].id if tree is not None else None
    except KeyError:
        return None
