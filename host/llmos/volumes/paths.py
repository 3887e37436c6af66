"""Paths within a volume: checked by name, and opened component by component without following a link."""

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from llmos.document import LARGEST, Document, DocumentError, decoded, parse
from llmos.text import plain

from .errors import PathEscape, VolumeError

LONGEST = 200  # characters of a path
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC  # a pipe must not block


def checked(path: str) -> str:
    """Return the path of a markdown file in a volume: relative, with `/`.

    Raises:
        PathEscape: it is no such path.
    """
    shown = repr(plain(path)[:LONGEST])
    if len(path) > LONGEST:
        raise PathEscape(f"the path {shown}… is longer than {LONGEST} characters: shorten it")
    if not path.isprintable() or "\\" in path:
        raise PathEscape(f"the path {shown} holds a character that no path here may have: use plain names")
    if any(part.startswith(".") or not part.strip() for part in path.split("/")):
        raise PathEscape(
            f"the path {shown} leaves its volume or is hidden: write it from the volume on, as skills/x.md"
        )
    if any(part.endswith(".md") for part in path.split("/")[:-1]):
        raise PathEscape(f"the path {shown} has a folder that ends in .md: only files do")
    if not path.endswith(".md"):
        raise PathEscape(f"the path {shown} is no markdown file: volumes hold .md files only")
    return path


def read_bytes(root: Path, path: str, most: int = LARGEST + 1) -> bytes:
    """Return a file's bytes, at most so many; -1 for all.

    Raises:
        FileNotFoundError: it is not there.
        PathEscape: a component is a link, or the file is none.
        VolumeError: it cannot be read.
    """
    with folder_of(root, path) as (folder, name):
        try:
            file = os.open(name, _FILE, dir_fd=folder)
        except OSError as error:
            raise _refused(error, root, path) from None
        with os.fdopen(file, "rb") as opened:
            if not stat.S_ISREG(os.fstat(file).st_mode):
                raise PathEscape(f"{root / path} is no regular file: remove it")
            return opened.read(most)


def read_file(root: Path, path: str) -> Document:
    """Read a markdown file of a volume.

    Raises:
        DocumentError: it is not there, cannot be read, or its front matter is wrong.
        PathEscape: a component is a link, or the file is none.
    """
    file = root / path
    try:
        return parse(decoded(read_bytes(root, path), file), file)
    except FileNotFoundError as error:
        raise DocumentError(f"{file} cannot be read: {error.strerror}; name a markdown file") from None


@contextlib.contextmanager
def folder_of(root: Path, path: str, make: bool = False) -> Iterator[tuple[int, str]]:
    """Open the folder of a path, and give its file descriptor and the file's name.

    Raises:
        FileNotFoundError: a folder on the way is not there, and none is made.
        PathEscape: one is a link.
        VolumeError: one cannot be opened.
    """
    *folders, name = path.split("/")
    opened = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for folder in folders:
            try:
                if make:
                    with contextlib.suppress(FileExistsError):
                        os.mkdir(folder, dir_fd=opened)
                below = os.open(folder, _FOLDER, dir_fd=opened)
            except OSError as error:
                raise _refused(error, root, path) from None
            os.close(opened)
            opened = below
        yield opened, name
    finally:
        os.close(opened)


def _refused(error: OSError, root: Path, path: str) -> OSError | VolumeError:
    if isinstance(error, FileNotFoundError):
        return error
    if error.errno in (errno.ELOOP, errno.ENOTDIR):
        return PathEscape(
            f"{root / path}: a link or a file stands on the way; volumes follow none: remove it"
        )
    return VolumeError(f"{root / path} cannot be used: {error.strerror}; look at the folder's permissions")
