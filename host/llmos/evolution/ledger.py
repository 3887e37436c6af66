"""What happened to versions of skills and agents: promoted, taken back, released; one line each, only added.

The volumes' git histories say the same in words; this is what the program decides by. It lies in the state
folder, as one robot's uses prove nothing about another's.
"""

import fcntl
import json
import os
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from llmos.resources import state_dir
from llmos.state import StateError
from llmos.volumes import Entry

What = Literal["promoted", "quarantined", "released"]


class Event(BaseModel):
    """One thing that happened to one version.

    Args:
        what: promoted, quarantined or released.
        kind: skill or agent.
        tier: into which it was promoted, or from which it was taken.
        version: the file's, as volumes tell it.
        at: seconds since 1970.
        who: the person or the part of the program.
        reason: one sentence.
        commit: in the tier's history, 40 hex digits; empty where none was made.
        good, uses: how many of how many uses went well, then.
        bound: the lower bound of its success, when it was promoted.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    what: What
    kind: str
    name: str
    tier: str
    version: str
    at: float
    who: str = ""
    reason: str = ""
    commit: str = ""
    good: int = 0
    uses: int = 0
    bound: float = 0.0


def ledger_path() -> Path:
    """Return where the events are kept; it need not exist yet."""
    return state_dir() / "evolution" / "ledger.jsonl"


def events(name: str = "", kind: str = "") -> list[Event]:
    """Return what happened, the oldest first; of one file, or of all.

    A line that a kill cut off is left out.
    """
    try:
        rows = ledger_path().read_text(encoding="utf-8", errors="replace").split("\n")
    except FileNotFoundError:
        return []
    except OSError as error:
        raise _unusable(error) from None
    found = [event for row in rows if (event := _read(row)) is not None]
    return [event for event in found if name in ("", event.name) and kind in ("", event.kind)]


def add(event: Event) -> Event:
    """Add an event.

    Raises:
        StateError: the state folder cannot be written.
    """
    with _held(ledger_path(), []) as file:
        torn = file.tell() > 0 and not ledger_path().read_bytes().endswith(b"\n")
        file.write(("\n" if torn else "") + event.model_dump_json() + "\n")
        file.flush()
        os.fsync(file.fileno())
    return event


@contextmanager
def turn() -> Iterator[bool]:
    """Have promotions and taking back to oneself; whoever comes second waits, and gets True.

    Raises:
        StateError: the state folder cannot be written.
    """
    waited: list[bool] = []
    with _held(ledger_path().with_name("turn.lock"), waited):
        yield bool(waited)


@contextmanager
def _held(path: Path, waited: list[bool]) -> Iterator[IO[str]]:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("a", encoding="utf-8")
    except OSError as error:
        raise _unusable(error) from None
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            waited.append(True)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield file


def quarantined() -> dict[str, Event]:
    """Return the versions that may not be used, each with why; one that was released since may be."""
    found: dict[str, Event] = {}
    for event in events():
        if event.what == "quarantined":
            found[event.version] = event
        else:
            found.pop(event.version, None)
    return found


def offered(entries: Iterable[Entry]) -> dict[str, Entry]:
    """Return, by name, the file that counts: of those in their volumes' order the first not quarantined."""
    held, found = quarantined(), dict[str, Entry]()
    for entry in entries:
        if entry.version not in held:
            found.setdefault(entry.name, entry)
    return found


def now() -> float:
    """Return the time, in seconds since 1970."""
    return time.time()


def _read(row: str) -> Event | None:
    try:
        return Event.model_validate(json.loads(row)) if row else None
    except (ValueError, ValidationError):
        return None


def _unusable(error: OSError) -> StateError:
    return StateError(
        f"{ledger_path()} cannot be used ({error.strerror}): set LLMOS_HOME to a folder of yours"
    )
