"""The journal of dreams: one file of JSON lines for each skill and dream, which is only ever added to."""

import json
import os
import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from llmos.errors import LlmosError
from llmos.resources import state_dir

_NAME = re.compile(r"(?P<stamp>(?P<second>\d{8}-\d{6})(?:-(?P<again>\d+))?)-(?P<skill>\w+)")

Event = dict[str, Any]


class DreamError(LlmosError):
    """A dream that cannot begin, or whose journal cannot be kept."""


def dreams_folder() -> Path:
    """Return where the journals lie; it need not exist yet."""
    return state_dir() / "evolution" / "dreams"


class Journal:
    """One dream of one skill as it goes: what was tried, what was refused, and what came of it."""

    def __init__(self, skill: str) -> None:
        """Begin a file of its own.

        Raises:
            DreamError: the state folder cannot be written.
        """
        folder, stamp = dreams_folder(), time.strftime("%Y%m%d-%H%M%S")
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for number in range(1000):
                self.stamp = stamp + (f"-{number}" if number else "")
                self.path = folder / f"{self.stamp}-{skill}.jsonl"
                if not self.path.exists():
                    self.path.touch(exist_ok=False)
                    return
        except FileExistsError:
            pass
        except OSError as error:
            raise _unwritable(folder, error) from None
        raise DreamError(f"another dream of {skill} begins in this second: try again")

    def add(self, event: str, **facts: Any) -> None:
        """Add a line, and see it on disk.

        Raises:
            DreamError: it cannot be written.
        """
        line = json.dumps({"event": event, "at": round(time.time(), 3), **facts}, ensure_ascii=False)
        try:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(line + "\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise _unwritable(self.path, error) from None


def _unwritable(path: Path, error: OSError) -> DreamError:
    return DreamError(f"{path} cannot be written ({error.strerror}): set LLMOS_HOME to a folder of yours")


class Dreamed:
    """A journal that is read: what one dream tried of one skill."""

    def __init__(self, path: Path) -> None:
        match = _NAME.fullmatch(path.stem)
        self.path, self.stamp = path, match["stamp"] if match else ""
        self.skill = match["skill"] if match else ""
        self.events = _read(path)

    def all(self, event: str) -> list[Event]:
        """Return the events of a kind, in order."""
        return [one for one in self.events if one.get("event") == event]

    def one(self, event: str) -> Mapping[str, Any]:
        """Return the last event of a kind; an empty one where there is none."""
        return next(iter(self.all(event)[-1:]), {})


def _read(path: Path) -> list[Event]:
    """Return a file's lines; one that was cut off, as when the machine went down, is left out."""
    events = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            event = json.loads(line)
        except ValueError:
            continue
        if isinstance(event, dict):
            events.append(event)
    return events


def dreams(skill: str = "") -> list[Dreamed]:
    """Return the dreams of a skill, or of all, the oldest first."""
    found = [
        (match, path) for path in dreams_folder().glob("*.jsonl") if (match := _NAME.fullmatch(path.stem))
    ]
    found.sort(key=lambda pair: (pair[0]["second"], int(pair[0]["again"] or 0), pair[0]["skill"]))
    return [Dreamed(path) for match, path in found if skill in ("", match["skill"])]
