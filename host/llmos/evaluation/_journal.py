"""The rows of an evaluation as they come, kept so that it goes on where it was stopped.

`runs.jsonl` has a row a line. A row counts as done where its `key`, a hash of all that its task says and of
the files that it names, and its `code`, a hash of the sources, are still the same. Rows of other sources are
moved to `runs.old.jsonl`; a line that a kill has torn is left out, and its task done again.
"""

import hashlib
import json
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

import llmbytecode
import llmos
from llmos.disk import locked, write_whole
from llmos.inference._adapter import adapter_path
from llmos.resources import firmware_dir, system_volume

from ._jobs import EvaluationError, Row

RUNS, OLD = "runs.jsonl", "runs.old.jsonl"
SOURCES = (".py", ".pyx", ".md", ".toml", ".json", ".gbnf")
SHOWING = (  # what makes nothing of a row
    "llmos/cli/",
    *(
        f"llmos/evaluation/_{name}."
        for name in ["choice_figures", "drives", "figures", "kind", "page", "results", "table", "taught"]
    ),
)


@cache
def fingerprint() -> str:
    """Return a hash of what a row depends on: sources of host, bytecode, firmware, volumes; the adapter."""
    digest = hashlib.sha256()
    packages = (Path(module.__file__ or "").parent for module in (llmos, llmbytecode))
    for folder in (*packages, firmware_dir(), system_volume()):
        for path in sorted(folder.rglob("*")):
            name = f"{folder.name}/{path.relative_to(folder).as_posix()}"
            if path.suffix in SOURCES and path.is_file() and not name.startswith(SHOWING):
                digest.update(name.encode() + b"\0" + path.read_bytes())
    taught = adapter_path()
    digest.update(taught.read_bytes() if taught and taught.is_file() else b"")
    return digest.hexdigest()[:16]


def key_of(task: Any) -> str:
    """Return what tells a task from all others: a hash of its fields and of the files that they name."""
    fields = asdict(task)
    files = [[part, *_stamp(part)] for part in _files(fields)]
    text = json.dumps([type(task).__name__, fields, files], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _files(value: object) -> Iterator[str]:
    """The files that fields name, as in `room.toml` or `dual:gguf:MODEL+PROJECTOR`."""
    if isinstance(value, dict):
        for part in value.values():
            yield from _files(part)
    elif isinstance(value, str) and len(value) < 4096:
        parts = {value, *re.split("[:+]", value)}
        yield from sorted(part for part in parts if part and Path(part).is_file())


def _stamp(name: str) -> tuple[int, int]:
    found = Path(name).stat()
    return found.st_size, found.st_mtime_ns


class Journal:
    """The rows of a folder, which no other process may add to until this one is closed.

    Args:
        folder: where they lie; made where it is not there.
        code: hash of the sources that rows are made with now.

    Raises:
        EvaluationError: the folder cannot be used, or another evaluation is using it.
    """

    def __init__(self, folder: Path, code: str) -> None:
        self.folder, self.code = folder, code
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._lock = os.open(folder, os.O_RDONLY)
        except OSError as error:
            raise EvaluationError(f"{folder} cannot be used ({error.strerror}): name another --out") from None
        if not locked(self._lock):
            os.close(self._lock)
            raise EvaluationError(f"another evaluation is writing to {folder}: wait, or name another --out")
        rows = list(_read(folder / RUNS))
        self.rows: dict[str, Row] = {row["key"]: row for row in rows if row["code"] == code}
        self.stale = [row for row in rows if row["code"] != code]
        if self.stale:
            with (folder / OLD).open("a", encoding="utf-8") as old:
                old.writelines(_line(row) for row in self.stale)
        write_whole(folder / RUNS, "".join(_line(row) for row in self.rows.values()).encode())
        self._file = (folder / RUNS).open("a", encoding="utf-8")

    def add(self, row: Row) -> None:
        """Keep a row."""
        row["code"] = self.code
        self._file.write(_line(row))
        self._file.flush()
        self.rows[row["key"]] = row

    def close(self) -> None:
        """Let others use the folder."""
        self._file.close()
        os.close(self._lock)


def _line(row: Row) -> str:
    return json.dumps(row, separators=(",", ":")) + "\n"


def _read(path: Path) -> Iterable[Row]:
    """The rows of a file that can be read."""
    text = path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
    for line in text.splitlines():
        try:
            row = json.loads(line)
        except ValueError:
            continue
        if isinstance(row, dict) and {"key", "code"} <= row.keys():
            yield row
