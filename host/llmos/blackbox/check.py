"""Whether a record is as it was written, and what it has."""

import fcntl
import hashlib
import json
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from llmos.blackbox._chain import Broken, breaks, is_chained, kind_of
from llmos.blackbox._file import CHAINED, PACKED, Line, RecordError, content
from llmos.blackbox.index import Index, is_run, read_index

_ENDS = ("ending", "end")


class State(StrEnum):
    """What a record is found to be."""

    WHOLE = "whole"
    RUNNING = "in progress"
    KILLED = "without an end"
    UNCHAINED = "without a chain"
    CHANGED = "changed"
    CUT = "cut off"
    FORGED = "forged"


BAD = (State.CHANGED, State.CUT, State.FORGED)


@dataclass(frozen=True)
class Checked:
    """What a record is, and how large.

    Args:
        path: its file.
        state: what it is.
        said: what is wrong with it, in words; empty where nothing is.
        broken: the lines that are not as they were written, or do not follow the one before.
        lines: how many it has.
        bytes: how many it has, unpacked.
        stored: bytes of its file.
        sim_s: how long the run took, on the robot's clock; 0 where that is not known.
        outcome: how it ended; empty where that is not known.
    """

    path: Path
    state: State
    said: str = ""
    broken: tuple[Broken, ...] = ()
    lines: int = 0
    bytes: int = 0
    stored: int = 0
    sim_s: float = 0.0
    outcome: str = ""

    @property
    def bytes_per_minute(self) -> float:
        """Of the robot's time; 0 where that is not known."""
        return self.bytes / self.sim_s * 60 if self.sim_s else 0.0


def check(path: Path, index: Index | None = None) -> Checked:
    """Check a record against its chain, and against the index of the runs where it lies among them.

    Args:
        path: its file, packed or not.
        index: of the runs, if it is read already.

    Raises:
        RecordError: there is no such file, or it is none of a run.
    """
    try:
        raw = content(path)
    except RecordError as error:
        if path.is_file() and path.name == PACKED:
            return Checked(path, State.CHANGED, f"it cannot be unpacked: {error}", stored=path.stat().st_size)
        raise
    first, ours = raw.partition(b"\n")[0], is_run(path)
    if kind_of(first) != "run" and not is_chained(raw) and not ours:
        raise RecordError(f"record {path}: line 1 is no beginning of a run's record; name one")
    sealed = (index or read_index()).sealed.get(path.parent.name) if ours else None
    chained = is_chained(raw) or _version(first) >= CHAINED
    broken = tuple(breaks(raw)) if chained else ()
    state, said = _found(path, raw, chained, broken, sealed)
    end = _ends(raw)
    return Checked(
        path,
        state,
        said,
        broken,
        raw.count(b"\n"),
        len(raw),
        path.stat().st_size,
        float(end.get("sim_s") or 0.0),
        str(end.get("outcome") or ""),
    )


def outcome_of(path: Path) -> str:
    """Return how a record says that its run ended; empty where it does not."""
    try:
        return str(_ends(content(path)).get("outcome") or "")
    except RecordError:
        return ""


def warning(path: Path) -> str:
    """Say in a line that a record is not as it was written; empty where nothing speaks for that."""
    found = check(path)
    return f"record {found.path}: {found.state}: {found.said}" if found.state in BAD else ""


def _found(
    path: Path, raw: bytes, chained: bool, broken: tuple[Broken, ...], sealed: Line | None
) -> tuple[State, str]:
    """Return what a record is, and what is wrong with it."""
    if in_progress(path):
        return State.RUNNING, ""
    if broken:
        more = f", and {len(broken) - 1} more" if len(broken) > 1 else ""
        return State.CHANGED, f"{broken[0]}{more}: not what was written there"
    if sealed and sealed["sha256"] != hashlib.sha256(raw).hexdigest():
        lines = raw.count(b"\n")
        if lines < sealed["lines"]:
            return (
                State.CUT,
                f"line {lines + 1}: the end is missing, {lines} of {sealed['lines']} lines are there",
            )
        return State.FORGED, "its lines fit each other, but it is not the record that was closed"
    if raw and kind_of(raw) != "run":
        return State.CHANGED, "line 1 is no beginning of a run's record"
    if raw and not chained:
        return State.UNCHAINED, "it was written by an older LLMos, and cannot be checked"
    if not raw.endswith(b"\n") or kind_of(raw[:-1].rpartition(b"\n")[2]) != "end":
        return State.KILLED, "the run was killed, or the end was cut off"
    return State.WHOLE, ""


def _version(first: bytes) -> int:
    try:
        return int(json.loads(first)["version"])
    except (ValueError, KeyError, TypeError):
        return 0


def _ends(raw: bytes) -> dict[str, Any]:
    """Return the fields of a run's ends; those of the judge's word count more."""
    found: dict[str, Any] = {}
    for line in raw.split(b"\n"):
        if kind_of(line) in _ENDS:
            try:
                fields = json.loads(line)
            except ValueError:
                continue
            found |= {name: value for name, value in fields.items() if value is not None}
    return found


def in_progress(path: Path) -> bool:
    """Whether a run writes this record now."""
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False
