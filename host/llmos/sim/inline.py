"""A board in this process: its host's port and clock, without a process, a pty or a clock channel between.

The board steps while its host waits, so that a run is the one that the board's own process would make, to the
byte, at a fraction of the time that a process takes to start.
"""

import time

from llmos.link.errors import LinkError
from llmos.sim.board import Board, paced
from llmos.sim.child import FirmwareDied
from llmos.sim.faults import NEVER
from llmos.sim.rig import Setting


class InlinePort:
    """The host's end of the serial line and, towards the board, the other one."""

    url = "inline"

    def __init__(self) -> None:
        self.tx_total = 0
        self._to_robot, self._to_host = b"", b""

    def write(self, data: bytes) -> None:
        """Send bytes to the robot with the next wait."""
        self._to_robot += data
        self.tx_total += len(data)

    def read(self) -> bytes:
        """Return the bytes that have arrived from the robot."""
        data, self._to_host = self._to_host, b""
        return data

    def take(self) -> bytes:
        """Return what the host has sent since the last call."""
        data, self._to_robot = self._to_robot, b""
        return data

    def deliver(self, data: bytes) -> None:
        """Put bytes from the robot where the host finds them."""
        self._to_host += data

    def close(self) -> None:
        """Nothing is held."""


class _RobotsEnd:
    """The same line as the board sees it."""

    def __init__(self, port: InlinePort) -> None:
        self._port = port

    def read(self) -> bytes:
        """Return what the host has sent since the last call."""
        return self._port.take()

    def write(self, data: bytes) -> None:
        """Send bytes to the host."""
        self._port.deliver(data)


class InlineBoard:
    """A virtual robot whose clock moves while its host waits; a context manager leaving nothing behind."""

    simulated = True

    def __init__(self, setting: Setting) -> None:
        self.port = InlinePort()
        self.until_ms, self.gone_ms = 0, NEVER
        self._speed, self._started = setting.speed, time.monotonic()
        self._awake = self._begun = False
        self._end = _RobotsEnd(self.port)
        self._board = Board(setting, self, self._end)

    def __enter__(self) -> "InlineBoard":
        """Return the board."""
        return self

    def __exit__(self, *_: object) -> None:
        """End the board; its log ends here too."""
        self._board.close()

    # The host's clock.

    def now(self) -> int:
        """Return the simulated time in ms."""
        return self._board.world.now

    def wait(self, until_ms: int) -> None:
        """Let simulated time pass to `until_ms`, or to the moment when bytes arrive.

        Raises:
            LinkError: the firmware has ended.
        """
        self.until_ms, self._awake = until_ms, False
        try:
            self._pass()
        except FirmwareDied as error:
            raise LinkError(f"the board has ended: {error}") from None

    def _pass(self) -> None:
        board = self._board
        if not self._begun:
            self._begun = True
            board.start()
        if data := self._end.read():
            board.to_robot.send(data, board.world.now)
        while not self._awake:
            board.step()

    # The board's host.

    def begin(self, board: Board) -> None:
        """It has begun to wait already."""

    def pace(self, now_ms: int, to_ms: int) -> int:
        """Sleep where a speed is set."""
        paced(self._started, self._speed, to_ms)
        return to_ms

    def wake(self, now_ms: int) -> None:
        """End the wait."""
        self._awake = True
