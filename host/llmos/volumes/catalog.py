"""What a folder of markdown files holds, read once and kept until a file changes.

Each call looks at every file's signature (times, size, inode), so that a file which a person saved is seen by
the next call without a watcher; only a file whose signature is new is read. What was read is kept in a cache
that other processes find too; a cache that is damaged or of another format is made again.
"""

import contextlib
import hashlib
import json
import os
import stat
import tempfile
import time
from pathlib import Path
from typing import Any

from llmos.document import Document, DocumentError, decoded, parse

from .errors import PathEscape, VolumeError
from .paths import checked, folder_of, read_bytes
from .tiers import Entry, Tier

_FORMAT = 2
_SETTLED_NS = 100_000_000  # a file changed less than this before it was read may change again unseen
_SHOWN = 200  # characters of a description
_Signature = tuple[int, int, int, int]  # mtime and ctime in nanoseconds, size, inode


class Catalog:
    """The markdown files below a folder."""

    def __init__(self, tier: Tier, root: Path, cache: Path) -> None:
        self.tier, self.root, self._cache = tier, root, cache
        self._known: dict[str, tuple[_Signature, Entry]] = {}
        self._loaded = False
        self._learned = False

    def listed(self, folder: str = "", below: bool = False) -> list[Entry]:
        """Return the files of a folder, in the order of their paths; with `below` those of its folders too.

        What is hidden, a link, or has a name that no path here may have, is left out.
        """
        if not self._loaded:
            self._load()
        found: list[Entry] = []
        self._scan(folder, below, found)
        if self._learned:
            self._save()
        return sorted(found, key=lambda entry: entry.path)

    def _scan(self, folder: str, below: bool, found: list[Entry]) -> None:
        prefix = f"{folder}/" if folder else ""
        folders = []
        try:
            with folder_of(self.root, f"{prefix}x") as (opened, _), os.scandir(opened) as scan:
                for item in scan:
                    if item.name.startswith("."):
                        continue
                    if not item.name.endswith(".md"):
                        folders += [item.name] if below and item.is_dir(follow_symlinks=False) else []
                    elif entry := self._entry(item, prefix + item.name):
                        found.append(entry)
        except (FileNotFoundError, NotADirectoryError, PathEscape):
            return
        for name in folders:
            self._scan(prefix + name, below, found)

    def _entry(self, item: os.DirEntry[str], path: str) -> Entry | None:
        try:
            seen = item.stat(follow_symlinks=False)
        except FileNotFoundError:  # gone since
            return None
        signature = (seen.st_mtime_ns, seen.st_ctime_ns, seen.st_size, seen.st_ino)
        kept = self._known.get(path)
        if kept and kept[0] == signature:
            return kept[1]
        return self._read(path, signature) if stat.S_ISREG(seen.st_mode) else None

    def _read(self, path: str, signature: _Signature) -> Entry | None:
        now_ns = time.time_ns()
        try:
            data = read_bytes(self.root, checked(path))
        except (FileNotFoundError, VolumeError):
            return None
        entry = described(self.tier, self.root, path, data, signature[0])
        if max(signature[:2]) + _SETTLED_NS < now_ns:
            self._known[path] = (signature, entry)
            self._learned = True
        return entry

    def _load(self) -> None:
        self._loaded = True
        with contextlib.suppress(OSError, UnicodeDecodeError):
            digest, _, data = self._cache.read_bytes().partition(b"\n")
            if digest.decode() == f"{_FORMAT} {hashlib.sha256(data).hexdigest()}":
                self._known = {row[0]: (tuple(row[1]), self._made(row)) for row in json.loads(data)}

    def _made(self, row: list[Any]) -> Entry:
        path, signature, version, kind, description, problem = row
        return _entry(self.tier, self.root, path, version, signature, kind, description, problem)

    def _save(self) -> None:
        """Keep what is known; a cache that cannot be written is only slower."""
        self._learned = False
        rows = [
            (path, signature, entry.version, entry.type, entry.description, entry.problem)
            for path, (signature, entry) in list(self._known.items())
            if os.path.lexists(entry.file)  # what was removed is forgotten
        ]
        data = json.dumps(rows, separators=(",", ":")).encode()
        head = f"{_FORMAT} {hashlib.sha256(data).hexdigest()}\n".encode()
        with contextlib.suppress(OSError):
            self._cache.parent.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=self._cache.parent)
            with os.fdopen(handle, "wb") as file:
                file.write(head + data)
            os.replace(name, self._cache)


def described(tier: Tier, root: Path, path: str, data: bytes, mtime_ns: int) -> Entry:
    """Return the entry of a file from its bytes."""
    file, problem = root / path, ""
    document = Document(file, data.decode("utf-8", "surrogateescape"))
    try:
        document = Document(file, decoded(data, file))
        document = parse(document.source, file)
    except DocumentError as error:
        problem = str(error)
    kind, about = (str(document.values.get(key) or "")[:_SHOWN] for key in ("type", "description"))
    return _entry(tier, root, path, document.version, (mtime_ns, 0, len(data), 0), kind, about, problem)


def _entry(
    tier: Tier, root: Path, path: str, version: str, signature: Any, kind: str, about: str, problem: str
) -> Entry:
    name = path.rpartition("/")[2].removesuffix(".md")
    file = root / path
    return Entry(tier, path, name, file, version, signature[0], signature[2], kind, about, problem)
