"""The index of the runs: what each record was when it was finished, and which runs have left, in a chain.

`runs/index.jsonl`, one line for each:

    run     run, outcome, lines, bytes, sha256: of a record as it was closed, unpacked
    gone    run, reason
"""

import fcntl
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from llmos.blackbox._chain import Broken, breaks, linked, tag_of
from llmos.blackbox._file import Line
from llmos.resources import state_dir
from llmos.state import runs_folder

INDEX = "index.jsonl"
CLOSED = "closed"  # the outcome of a session that ended as it should


@dataclass
class Index:
    """What the index says."""

    sealed: dict[str, Line] = field(default_factory=dict)  # by run: its line
    gone: dict[str, str] = field(default_factory=dict)  # by run: why
    broken: list[Broken] = field(default_factory=list)


def read_index() -> Index:
    """Read the index; empty where there is none.

    Raises:
        StateError: the runs' folder cannot be used.
    """
    path, index = runs_folder() / INDEX, Index()
    raw = path.read_bytes() if path.is_file() else b""
    index.broken = breaks(raw)
    for text in raw.split(b"\n"):
        try:
            line = json.loads(text)
            if line["kind"] == "gone":
                index.gone[line["run"]] = str(line["reason"])
                index.sealed.pop(line["run"], None)
            else:
                index.sealed[line["run"]] = line
        except (ValueError, KeyError, TypeError):  # it is among the broken, or the beginning of a line
            continue
    return index


def note(kind: str, run: str, **fields: Any) -> None:
    """Write a line.

    Raises:
        OSError, StateError: it cannot be written.
    """
    with (runs_folder() / INDEX).open("a+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # runs may end at once
        file.seek(0)
        raw = file.read()
        whole = raw.rfind(b"\n") + 1
        file.truncate(whole)  # a line that a killed program began
        text = json.dumps({"kind": kind, "run": run, **fields}, separators=(",", ":"))
        line, _ = linked(tag_of(raw[:whole]), text.encode())
        file.write(line + b"\n")


def is_run(path: Path) -> bool:
    """Whether a record lies in a folder of a run, and so has a line in the index."""
    return path.resolve().parent.parent == (state_dir() / "runs").resolve()
