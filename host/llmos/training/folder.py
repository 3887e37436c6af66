"""The folder of a training: one process at a time uses it; what a killed one left is cleared up."""

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from llmos.disk import locked, write_whole
from llmos.training import TrainingError
from llmos.training.data import Shard, files
from llmos.training.examples import Example

PATIENCE_S = 5.0  # workers of a process that was killed have the folder a moment longer
COMMANDS = "commands.json"  # by which what lies in the folder was made
# What an arena, a pair or a room takes: seconds of one core of a laptop, bytes on disk; `--dry-run` measures.
USUAL_S = {"decisions": 2.0, "programs": 0.0005, "subgoals": 0.01}
USUAL_BYTES = {"decisions": 8000, "programs": 300, "subgoals": 900}


@contextmanager
def held(work: Path) -> Iterator[Path]:
    """Have a folder of a training for this process alone; it is made where it is not there.

    Raises:
        TrainingError: it cannot be used, or another process uses it.
    """
    try:
        work.mkdir(parents=True, exist_ok=True)
        lock = os.open(work, os.O_RDONLY)
    except OSError as error:
        raise TrainingError(f"{work} cannot be used ({error.strerror}): name another --work") from None
    try:
        if not locked(lock, PATIENCE_S):
            raise TrainingError(f"{work} is used by another llmos train: wait for it, or name another --work")
        for part in work.glob("*/*.part"):  # of a process that was killed
            with suppress(OSError):
                part.unlink()
        yield work
    finally:
        os.close(lock)


def drop_damaged(work: Path) -> list[Path]:
    """Remove the shards that cannot be read, so that they are made again; return them."""
    dropped = [path for path in files(work) if not sound(path)]
    for path in dropped:
        path.unlink()
    return dropped


def sound(path: Path) -> bool:
    """Whether a shard is whole: examples line by line."""
    try:
        raw = path.read_bytes()
        for line in raw.splitlines():
            Example.model_validate_json(line)
    except (OSError, ValidationError):
        return False
    return not raw or raw.endswith(b"\n")


def require_room(work: Path, needed: float, what: str) -> None:
    """Refuse what the disk has no room for.

    Raises:
        TrainingError: it has not.
    """
    free = shutil.disk_usage(work).free
    if free < needed:
        raise TrainingError(
            f"{work}: {what} takes about {needed / 1e6:.0f} MB, and {free / 1e6:.0f} MB are free: make "
            "room, or name a folder on another disk by --work"
        )


def usual_bytes(todo: list[Shard]) -> float:
    """Return about what shards come to on disk, with some room to spare."""
    return 1.5 * sum(shard.count * USUAL_BYTES[shard.kind] for shard in todo)


def usual_s(shard: Shard) -> float:
    """Return about how long a shard takes on one core of a laptop."""
    return shard.count * USUAL_S[shard.kind]


def note_command(work: Path, name: str, options: Mapping[str, Any]) -> None:
    """Note the command by which a part of what the folder holds is made again.

    Args:
        work: the folder.
        name: of the sub-command.
        options: that it takes, with their values.

    Raises:
        TrainingError: it cannot be written.
    """
    words = [f"--{option} {value}" for option, value in options.items()]
    noted = commands(work) | {name: " ".join(["llmos train", name, *words])}
    path = work / COMMANDS
    try:
        write_whole(path, f"{json.dumps(noted, indent=1)}\n".encode())
    except OSError as error:
        raise TrainingError(f"{path} cannot be written: {error.strerror}; make room, then go on") from None


def commands(work: Path) -> dict[str, Any]:
    """Return the commands by which what a folder holds was made, by their names."""
    try:
        found = json.loads((work / COMMANDS).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
