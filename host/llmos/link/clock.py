"""The link's clocks: the wall's, and the virtual robot's, which moves only while both ends wait."""

import os
import select
import time
from collections.abc import Callable
from typing import Protocol

from llmos.link.errors import LinkError
from llmos.link.port import Port

_SILENCE_S = 60.0  # wall time after which a board that does not tell the time counts as hung


class Clock(Protocol):
    """Tells the time and lets it pass."""

    simulated: bool

    def now(self) -> int:
        """Return the time in ms since the clock began."""

    def wait(self, until_ms: int) -> None:
        """Return at `until_ms`, or earlier when bytes have arrived at the port."""


class WallClock:
    """Real time."""

    simulated = False

    def __init__(self, port: Port) -> None:
        """Begin at 0 ms."""
        self._port = port
        self._begin = time.monotonic()

    def now(self) -> int:
        """Return the time in ms since the clock began."""
        return int((time.monotonic() - self._begin) * 1000)

    def wait(self, until_ms: int) -> None:
        """Return at `until_ms`, or earlier when bytes have arrived at the port."""
        end = self._begin + until_ms / 1000
        while True:
            left = end - time.monotonic()
            if left <= 0 or self._port.await_bytes(left):
                return


class LockstepClock:
    """The virtual robot's time: `W until tx_total` to the board, answered by `T now rx_total`."""

    simulated = True

    def __init__(self, port: Port, to_board: int, from_board: int, explain: Callable[[], str]) -> None:
        """Speak over two file descriptors; `explain` says why the board is gone."""
        self._port = port
        self._to, self._from = to_board, from_board
        self._explain = explain
        self._now = 0
        self._buffer = b""

    def now(self) -> int:
        """Return the simulated time in ms."""
        return self._now

    def wait(self, until_ms: int) -> None:
        """Let simulated time pass to `until_ms`, or to the moment when bytes arrive."""
        try:
            os.write(self._to, b"W %d %d\n" % (until_ms, self._port.tx_total))
        except OSError:
            raise LinkError(self._explain()) from None
        line = self._line()
        words = line.split()
        if len(words) != 3 or words[0] != b"T" or not (words[1] + words[2]).isdigit():
            raise LinkError(f"the board says {line[:80]!r} and not the time; use one version of LLMos")
        self._now = int(words[1])
        self._port.fill(int(words[2]))

    def _line(self) -> bytes:
        while b"\n" not in self._buffer:
            if not select.select([self._from], [], [], _SILENCE_S)[0]:
                raise LinkError(f"the board has not answered for {_SILENCE_S:.0f} s; end it and start again")
            data = os.read(self._from, 4096)
            if not data:
                raise LinkError(self._explain())
            self._buffer += data
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line
