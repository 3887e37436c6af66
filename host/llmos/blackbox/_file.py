"""The record's file: written line by line as things happen, and read again whole."""

import fcntl
import gzip
import hashlib
import json
import threading
import zlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from llmos.blackbox._chain import Broken, breaks, is_chained, kind_of, linked
from llmos.errors import LlmosError
from llmos.state import find_run

VERSION = 2
CHAINED = 2  # the first version whose lines have tags
NAME = "record.jsonl"
PACKED = NAME + ".gz"  # an old run's
LONG = 80  # characters; a longer text is written once, and named by its digest wherever it comes again
# what reading a line of wrong form raises
MALFORMED = (KeyError, TypeError, ValueError, IndexError, AttributeError)
DIGITS = 16  # of a digest, in hexadecimal
_GZIP = b"\x1f\x8b"


class RecordError(LlmosError):
    """A record of a run that is not there, or cannot be read."""


def digest(text: str) -> str:
    """Return the name of a text: the start of its SHA-256."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:DIGITS]


class Writer:
    """Writes lines; once one cannot be written, no more are, and `trouble` says why."""

    def __init__(self, path: Path) -> None:
        self.trouble = ""
        self.lines = self.bytes = 0  # written
        self.sha256 = hashlib.sha256()  # of all of it
        self._tag = ""
        self._begun = False
        self._known: set[str] = set()
        self._lock = threading.Lock()  # kernels are asked from several threads
        try:
            self._file = path.open("wb", buffering=0)  # a killed program keeps each line that was written
            with suppress(OSError):  # who rotates the runs sees by it that this one is in progress
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self.trouble = error.strerror or str(error)

    def write(self, kind: str, **fields: Any) -> None:
        """Write a line of a kind."""
        with self._lock:
            if self._begun:  # the first line stands first
                fields = {name: self._short(value) for name, value in fields.items()}
            self._begun = True
            self._line({"kind": kind, **fields})

    def _line(self, line: dict[str, Any]) -> None:
        if self.trouble:
            return
        body, self._tag = linked(self._tag, json.dumps(line, separators=(",", ":")).encode())
        whole = body + b"\n"
        left = memoryview(whole)
        try:
            while left:  # a disk that is nearly full takes a part
                left = left[self._file.write(left) :]
            self.lines, self.bytes = self.lines + 1, self.bytes + len(whole)
            self.sha256.update(whole)
        except (OSError, ValueError) as error:  # full, or closed by now
            self.trouble = getattr(error, "strerror", None) or str(error)

    def _short(self, value: Any) -> Any:
        """Return a value with its long texts replaced by their digests; a new one gets its line first."""
        if isinstance(value, str) and len(value) > LONG:
            name = digest(value)
            if name not in self._known:
                self._known.add(name)
                self._line({"kind": "text", "id": name, "text": value})
            return {"$": name}
        if isinstance(value, dict):
            return {key: self._short(item) for key, item in value.items()}
        return [self._short(item) for item in value] if isinstance(value, list) else value

    def close(self) -> None:
        """End the file; what is written later is dropped."""
        with self._lock:
            if not self.trouble:
                self._file.close()
                self.trouble = "closed"


Line = dict[str, Any]


@dataclass
class Record:
    """A record that was read: its lines in order, with their long texts in place again."""

    path: Path
    lines: list[Line] = field(default_factory=list)
    torn: bool = False  # its last line was cut off, and is left out
    broken: list[Broken] = field(default_factory=list)  # its lines that are not as they were written

    def all(self, *kinds: str) -> Iterator[Line]:
        """Return the lines of some kinds, in order."""
        return (line for line in self.lines if line["kind"] in kinds)

    def one(self, kind: str) -> Line | None:
        """Return the last line of a kind."""
        return next((line for line in reversed(self.lines) if line["kind"] == kind), None)

    @property
    def header(self) -> Line:
        """The first line."""
        return self.lines[0]

    @property
    def name(self) -> str:
        """The name of the run: its folder's, or its file's where that has another name."""
        return self.path.parent.name if self.path.name in (NAME, PACKED) else self.path.name


def find_record(run: str) -> Path:
    """Return the record of a run: a file, a run's folder, the beginning of its name, or `last`.

    Raises:
        StateError: there is no such run, or there are several.
    """
    path = Path(run).expanduser()
    named = not path.exists() and path.name == run and not path.suffix
    folder = find_run(run, NAME, PACKED) if named else path
    return record_in(folder) if folder.is_dir() else folder


def record_in(folder: Path) -> Path:
    """Return the record in a run's folder, packed or not."""
    return folder / (PACKED if (folder / PACKED).is_file() and not (folder / NAME).is_file() else NAME)


def content(path: Path) -> bytes:
    """Return the bytes of a record, unpacked.

    Raises:
        RecordError: it cannot be read.
    """
    try:
        raw = path.read_bytes()
        return gzip.decompress(raw) if raw.startswith(_GZIP) else raw
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise RecordError(f"record {path}: {reason}; name a run's folder, its beginning, or `last`") from None


def malformed(record: Record, error: BaseException) -> RecordError:
    """Return the error by which a line of wrong form is told."""
    return RecordError(
        f"record {record.path}: a line is not as its kind has it ({type(error).__name__}: {error}); "
        "was it made by another version?"
    )


def read_record(path: Path) -> Record:
    """Read a record; a last line that was cut off is left out.

    Raises:
        RecordError: there is none, a line is damaged, or it was written by a newer LLMos.
    """
    raw = content(path)
    record, texts = Record(path), dict[str, str]()
    lines = raw.split(b"\n")
    for number, text in enumerate(lines, 1):
        line = _read(text)
        if line is None and number == len(lines) and number > 1:
            record.torn = bool(text)
        elif line is None or (number == 1 and line["kind"] != "run"):
            what = "is damaged" if number > 1 else "is no beginning of a run's record"
            where = Broken(number, kind_of(text))
            raise RecordError(f"record {path}: {where} {what}; name the record.jsonl of a run")
        elif line["kind"] == "text":
            texts[str(line.get("id"))] = str(line.get("text"))
        else:
            record.lines.append(_whole(line, texts))
        if number == 1:
            _check_version(record)
    record.broken = breaks(raw) if record.header["version"] >= CHAINED or is_chained(raw) else []
    return record


def _read(text: bytes) -> Line | None:
    """Return a line, None where it is none."""
    try:
        line = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(line, dict) or not isinstance(line.get("kind"), str):
        return None
    line.pop("#", None)
    return line


def _check_version(record: Record) -> None:
    version = record.header.get("version")
    if not isinstance(version, int) or not 1 <= version <= VERSION:
        raise RecordError(
            f"record {record.path}: its version is {version!r}, and this LLMos reads {VERSION}; "
            f"read it with LLMos {record.header.get('llmos')}"
        )


def _whole(value: Any, texts: dict[str, str]) -> Any:
    """Return a value with its long texts in place."""
    if isinstance(value, dict):
        if list(value) == ["$"] and value["$"] in texts:
            return texts[value["$"]]
        return {key: _whole(item, texts) for key, item in value.items()}
    return [_whole(item, texts) for item in value] if isinstance(value, list) else value
