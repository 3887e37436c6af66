"""The truth log: where the robot really was, one JSON object a line, for the judge."""

import json
from typing import Any, TextIO

from llmos.errors import LlmosError
from llmos.sim.body import World

EVERY_MS = 100  # while the robot moves


class TruthError(LlmosError):
    """A truth log that cannot be written or read."""


class TruthLog:
    """Writes the log; without a path it writes nothing."""

    def __init__(self, path: str | None, world: World, seed: int) -> None:
        self._file = _opened(path) if path else None
        self._world = world
        self._state: tuple[object, ...] | None = None
        self._due_ms = self._pushed = 0
        arena = world.arena.model_dump(mode="json")
        self._write({"arena": arena, "robot": world.manifest.name, "seed": seed})
        self.note()

    @property
    def due_ms(self) -> int:
        """When the next line is due while the robot moves."""
        return self._due_ms

    def note(self) -> None:
        """Write a line where something but the pose has changed, or the robot moves and a line is due."""
        world = self._world
        for record in world.pushed[self._pushed :]:
            self._pushed += 1
            self._write(record)
        state = (world.collisions, world.motions, world.moving, world.led)
        if state == self._state and not (world.moving and world.now >= self._due_ms):
            return
        self._state, self._due_ms = state, world.now - world.now % EVERY_MS + EVERY_MS
        if self._file:
            self._file.write(
                f'{{"ms":{world.now},"x":{world.x:.6f},"y":{world.y:.6f},"heading":{world.heading:.6f},'
                f'"rate":{world.rate:.0f},"collisions":{world.collisions},"moving":{int(world.moving)},'
                f'"led":{list(world.led)}}}\n'
            )

    def event(self, **fields: Any) -> None:
        """Write a line about something else than the body."""
        self._write({"ms": self._world.now, **fields})

    def close(self) -> None:
        """Close the file."""
        if self._file:
            self._file.close()

    def _write(self, record: dict[str, Any]) -> None:
        if self._file:
            self._file.write(json.dumps(record, separators=(",", ":")) + "\n")


def _opened(path: str) -> TextIO:
    try:  # line by line, so that a board that is killed leaves what it knew
        return open(path, "w", encoding="utf-8", buffering=1)
    except OSError as error:
        raise TruthError(f"truth log {path}: {error.strerror}") from None
