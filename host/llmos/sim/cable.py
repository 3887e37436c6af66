"""A real line's faults, at the host's end: what passes goes through the same wires as the virtual robot's."""

import time
from collections.abc import Callable
from typing import Any

from llmos.sim.faults import Faults
from llmos.sim.uart import Wire

_READ = 65536


def _wall_ms() -> int:
    return int(time.monotonic() * 1000)


class Cable:
    """An open pyserial line, led through two wires with faults; whoever has it must ask it now and then.

    It has no file descriptor, as bytes that are late are not yet at the descriptor of anything.
    """

    def __init__(self, line: Any, faults: Faults, seed: int, wall_ms: Callable[[], int] = _wall_ms) -> None:
        """Take over a line that never blocks on reading; the faults' time begins now."""
        self._line, self._wall_ms = line, wall_ms
        self._began_ms = wall_ms()
        self._to_robot, self._to_host = (Wire(faults, seed, direction) for direction in (0, 1))
        self._arrived = b""

    @property
    def in_waiting(self) -> int:
        """How many bytes can be read now."""
        self._pass()
        return len(self._arrived)

    def read(self, size: int) -> bytes:
        """Return up to so many bytes that have arrived, perhaps none."""
        self._pass()
        data, self._arrived = self._arrived[:size], self._arrived[size:]
        return data

    def write(self, data: bytes) -> None:
        """Put bytes on their way."""
        self._to_robot.send(data, self._wall_ms() - self._began_ms)
        self._pass()

    def close(self) -> None:
        """Close the line; what is on its way is lost."""
        self._line.close()

    def _pass(self) -> None:
        now = self._wall_ms() - self._began_ms
        if data := self._to_robot.arrived(now):
            self._line.write(data)
        if data := self._line.read(_READ):
            self._to_host.send(data, now)
        self._arrived += self._to_host.arrived(now)
