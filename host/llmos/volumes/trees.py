"""Git trees as mappings from paths to leaves: read, changed, and merged path by path."""

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

import pygit2
from pygit2.enums import FileMode

from .errors import Diverged, PathEscape, VolumeError

_SHOWN = 3  # paths of a message
_FILES = (FileMode.BLOB, FileMode.BLOB_EXECUTABLE)
_META = (".git", ".gitattributes", ".gitmodules")  # they would change how git reads the rest


class Leaf(NamedTuple):
    """A file of a tree."""

    oid: pygit2.Oid
    mode: FileMode = FileMode.BLOB


def leaf(tree: pygit2.Tree | None, path: str) -> Leaf | None:
    """Return a file of a tree; None where it has none."""
    try:
        found = tree[path] if tree is not None else None
    except KeyError:
        return None
    return Leaf(found.id, found.filemode) if isinstance(found, pygit2.Blob) else None


def contents(repo: pygit2.Repository, files: Mapping[str, Leaf | None]) -> dict[str, bytes | None]:
    """Return files' bytes; None for one that is removed."""
    return {path: blob(repo, leaf.oid) if leaf else None for path, leaf in files.items()}


def blob(repo: pygit2.Repository, oid: pygit2.Oid) -> bytes:
    """Return the bytes of a file.

    Raises:
        VolumeError: the repository has lost it.
    """
    found = repo.get(oid)
    if not isinstance(found, pygit2.Blob):
        raise VolumeError(f"the repository {repo.path} lacks the file {oid}: look at it with `git fsck`")
    return found.data


def changes(before: pygit2.Tree | None, after: pygit2.Tree | None) -> dict[str, Leaf | None]:
    """Return what leads from one tree to another: each path that differs with its leaf, None if it goes.

    Folders that both have in common are not looked into.
    """
    return dict(_changes(before, after, ""))


def _changes(
    before: pygit2.Tree | None, after: pygit2.Tree | None, folder: str
) -> Iterator[tuple[str, Leaf | None]]:
    old = {str(item.name): item for item in before} if before is not None else {}
    new = {str(item.name): item for item in after} if after is not None else {}
    for name in sorted({*old, *new}):
        was, now, path = old.get(name), new.get(name), f"{folder}{name}"
        if was is not None and now is not None and (was.id, was.filemode) == (now.id, now.filemode):
            continue
        yield from _changes(
            was if isinstance(was, pygit2.Tree) else None,
            now if isinstance(now, pygit2.Tree) else None,
            f"{path}/",
        )
        if now is not None and not isinstance(now, pygit2.Tree):
            yield path, Leaf(now.id, now.filemode)
        elif was is not None and not isinstance(was, pygit2.Tree):
            yield path, None


def changed(
    repo: pygit2.Repository, base: pygit2.Tree | None, files: Mapping[str, Leaf | None]
) -> pygit2.Oid:
    """Write a tree with other files, and return its id; None removes one, and folders that are empty then.

    Raises:
        VolumeError: a file stands where a folder is needed, or a folder where a file is.
    """
    new = _changed(repo, base, {tuple(path.split("/")): leaf for path, leaf in files.items()})
    return new or repo.TreeBuilder().write()


def _changed(
    repo: pygit2.Repository, base: pygit2.Tree | None, files: Mapping[tuple[str, ...], Leaf | None]
) -> pygit2.Oid | None:
    builder = repo.TreeBuilder(base) if base is not None else repo.TreeBuilder()
    below: dict[str, dict[tuple[str, ...], Leaf | None]] = {}
    for (name, *rest), leaf in files.items():
        below.setdefault(name, {})[tuple(rest)] = leaf
    for name, parts in below.items():
        there = base[name] if base is not None and name in base else None
        folder = there if isinstance(there, pygit2.Tree) else None
        if () not in parts:
            if there is not None and folder is None and any(parts.values()):
                raise VolumeError(
                    f"{name} is a file, and a folder of this name is needed: rename one of them"
                )
            made = _changed(repo, folder, parts)
            new = Leaf(made, FileMode.TREE) if made else None
        elif folder is not None or len(parts) > 1:
            raise VolumeError(
                f"{name} is a folder, and a file of this name is to be written: rename one of them"
            )
        else:
            new = parts[()]
        if new:
            builder.insert(name, new.oid, new.mode)
        elif there is not None:
            builder.remove(name)
    return builder.write() if len(builder) else None


def merged(
    base: pygit2.Tree | None, ours: pygit2.Tree | None, theirs: pygit2.Tree | None, what: str
) -> dict[str, Leaf | None]:
    """Return what has to change in ours, so that it has what changed in theirs since the base.

    A path is taken from the side that changed it. Its lines are not merged: half of one skill and half of
    another is neither.

    Args:
        what: what theirs is, for the error.

    Raises:
        Diverged: both changed the same path differently.
        PathEscape: theirs holds what no volume may hold.
    """
    our, their = changes(base, ours), changes(base, theirs)
    taken = {path: leaf for path, leaf in their.items() if path not in our or our[path] != leaf}
    if both := sorted(path for path in taken if path in our):
        raise Diverged(f"{what} and this volume both changed {_listed(both)}")
    safe(taken)
    return taken


def safe(files: Mapping[str, Leaf | None]) -> None:
    """Refuse files from elsewhere that no volume may hold.

    Raises:
        PathEscape: a link, another repository, or a name that leaves the folder or has a meaning for git.
    """
    for path, leaf in files.items():
        parts = path.split("/")
        odd = (
            any(part in ("", ".", "..") or part.lower() in _META for part in parts) or not path.isprintable()
        )
        if leaf and (odd or "\\" in path):
            raise PathEscape(
                f"the path {path!r} from elsewhere is none that a volume may hold; nothing was taken"
            )
        if leaf and leaf.mode not in _FILES:
            raise PathEscape(f"{path!r} from elsewhere is a link or a repository, no file; nothing was taken")


def _listed(paths: Iterable[str]) -> str:
    first, rest = list(paths)[:_SHOWN], len(list(paths)) - _SHOWN
    return ", ".join(first) + (f" and {rest} more" if rest > 0 else "")
