"""The board in lockstep: the firmware on MicroPython, behind a serial port, driving a body in an arena.

The board owns the clock. Time passes only while the firmware waits and, in lockstep, while the host waits
too, so that a run is the same to the byte for a seed. Firmware and host never compute at the same moment;
where both are due, the firmware is first.
"""

import contextlib
import os
import pty
import re
import select
import time
import tty
from pathlib import Path
from typing import Protocol

from llmos.errors import LlmosError
from llmos.sim.child import PATIENCE_S, Firmware, FirmwareDied, installed
from llmos.sim.faults import NEVER
from llmos.sim.rig import ADVANCE, Rig, Setting

ALONE_MS = 5000  # how long the board goes on without its host, so that the log shows the lease and the latch
PATIENCE = 10_000  # looks at the clock without any time passing, after which a firmware counts as hung
_WAIT = re.compile(rb"W (\d{1,15}) (\d{1,15})")


class BoardError(LlmosError):
    """The host's side of the board broke the clock channel's protocol."""


class Host(Protocol):
    """Whoever is at the other end of the serial port."""

    until_ms: int  # wake it then, or when bytes have arrived
    gone_ms: int  # when the board ends because of it

    def begin(self, board: "Board") -> None:
        """Before any time passes."""

    def pace(self, now_ms: int, to_ms: int) -> int:
        """Let wall time pass as it should; returns how far the arena's clock may go."""

    def wake(self, now_ms: int) -> None:
        """Its turn."""


class Line(Protocol):
    """The board's end of its serial line."""

    def read(self) -> bytes:
        """What has come; empty where nothing has."""

    def write(self, data: bytes) -> None:
        """Write to the other end."""


def paced(started: float, speed: float, to_ms: int) -> None:
    """Sleep to a moment of the arena's clock, at a speed; not at all at 0, which is as fast as possible."""
    if speed:
        time.sleep(max(0.0, started + to_ms / 1000 / speed - time.monotonic()))


class SerialPort:
    """A pty in raw mode: the other end's path, and what passes through ours."""

    def __init__(self) -> None:
        self.master, self._slave = pty.openpty()  # the slave stays open, so that a client may come and go
        tty.setraw(self._slave)
        os.set_blocking(self.master, False)
        self.path = os.ttyname(self._slave)
        self.sent = self.received = 0

    def read(self) -> bytes:
        """What a client has written; empty where it has written nothing."""
        try:
            data = os.read(self.master, 65536)
        except BlockingIOError:
            return b""
        self.received += len(data)
        return data

    def write(self, data: bytes) -> None:
        """Write to the client; what does not fit is lost, as nobody reads it."""
        with contextlib.suppress(BlockingIOError):
            self.sent += os.write(self.master, data)

    def close(self) -> None:
        """Close both ends."""
        os.close(self.master)
        os.close(self._slave)


class Board(Rig):
    """The arbiter of the clock between body, firmware, serial line and host."""

    def __init__(self, setting: Setting, host: Host, port: Line) -> None:
        super().__init__(setting)
        self.host, self.port = host, port
        self._until_ms = 0  # the firmware's
        self._home = installed(setting.firmware, setting.manifest)
        self.firmware = Firmware(setting.micropython, Path(self._home.name), ["main.py"], setting.heap_kb)

    def close(self) -> None:
        """Leave nothing behind."""
        self.firmware.kill()
        self._home.cleanup()
        self.truth.close()

    def run(self) -> None:
        """Until the host is gone.

        Raises:
            FirmwareDied: the firmware ended.
        """
        try:
            self.start()
            self.host.begin(self)
            while self.world.now < self.host.gone_ms:
                self.step()
        except FirmwareDied as error:
            self.truth.event(died=str(error))
            raise

    def start(self) -> None:
        """Let the firmware compute until it waits for the first time."""
        self._firmware_turn()

    def step(self) -> None:
        """Let time pass to the next thing that happens, and give the turn to whom it concerns."""
        world, host = self.world, self.host
        rest_ms = world.rest_ms
        goal = min(
            self._until_ms, host.until_ms, self.to_robot.next_ms, self.to_host.next_ms, rest_ms,
            self.brownout_ms, host.gone_ms,
        )  # fmt: skip
        now = self.pass_time(host.pace(world.now, goal))
        if now >= self.brownout_ms:
            self._restart()
        data = self.to_robot.arrived(now)
        if data:
            self.firmware.deliver(data)
        if data or now >= self._until_ms or now >= rest_ms:
            self.firmware.reply(self.reply(self.firmware.sent))
            self._firmware_turn()
        data = self.to_host.arrived(now)
        if data:
            self.port.write(data)
        if data or now >= host.until_ms:
            host.wake(now)

    def _restart(self) -> None:
        """What a loss of power does."""
        self.brownout_ms = NEVER
        self.truth.event(brownout=True)
        self.firmware.kill()
        self.world.power_cycle()
        self.to_robot.clear()
        self.firmware.start()
        self._firmware_turn()

    def _firmware_turn(self) -> None:
        """Let the firmware compute until it waits."""
        for _ in range(PATIENCE):
            while (request := self.firmware.request())[0] != ADVANCE:
                self.obey(*request)
            _, until_ms, total, _, _ = request
            data = self.firmware.written(total)
            if data:
                self.to_host.send(data, self.world.now)
            if until_ms > self.world.now:
                self._until_ms = until_ms
                self.truth.note()
                return
            self.firmware.reply(self.reply(self.firmware.sent))
        at = f"at {self.world.now} ms"
        raise FirmwareDied(f"the firmware asked {PATIENCE} times for the time {at} without waiting; it hangs")


class LockstepHost:
    """A host on the clock channel: `W until tx` comes in, `T now rx` goes out, one line each."""

    def __init__(self, reader: int, writer: int, speed: float) -> None:
        self._reader, self._writer, self._speed = reader, writer, speed
        self.until_ms = 0
        self.gone_ms = NEVER
        self._line = b""

    def begin(self, board: Board) -> None:
        """Wait for the host's first word."""
        if not isinstance(board.port, SerialPort):
            raise BoardError("a host of another process needs a pty between; this is a bug")
        self._board, self._port = board, board.port
        self._poll = select.poll()
        self._poll.register(self._reader, select.POLLIN)
        self._poll.register(self._port.master, select.POLLIN)
        self._started = time.monotonic()
        self._listen()

    def pace(self, now_ms: int, to_ms: int) -> int:
        """Sleep where a speed is set."""
        if to_ms > now_ms:
            paced(self._started, self._speed, to_ms)
        return to_ms

    def wake(self, now_ms: int) -> None:
        """Tell the host the time, and wait until it waits again."""
        if self.gone_ms != NEVER:
            return
        with contextlib.suppress(BrokenPipeError):  # listening finds its end, too
            os.write(self._writer, b"T %d %d\n" % (now_ms, self._port.sent))
        self._listen()

    def _listen(self) -> None:
        port, data = self._port, b""
        while b"\n" not in self._line:
            for descriptor, _ in self._poll.poll():
                if descriptor == self._reader:
                    if not self._more():
                        self._gone()
                        return
                else:
                    data += port.read()
        line, _, self._line = self._line.partition(b"\n")
        self.until_ms, total = _read_wait(line)
        while port.received < total:
            if not self._poll.poll(PATIENCE_S * 1000):
                raise BoardError(f"clock channel: {line!r}, but only {port.received} bytes have come")
            data += port.read()
        if data:
            self._board.to_robot.send(data, self._board.world.now)

    def _more(self) -> bool:
        """Read what the clock channel has; False at its end."""
        data = os.read(self._reader, 4096)
        self._line += data
        return bool(data)

    def _gone(self) -> None:
        self._speed = 0.0
        self.until_ms = NEVER
        self.gone_ms = self._board.world.now + ALONE_MS


def _read_wait(line: bytes) -> tuple[int, int]:
    match = _WAIT.fullmatch(line)
    if match is None:
        raise BoardError(f"clock channel: {line[:40]!r} is not `W until_ms tx_total`")
    return int(match[1]), int(match[2])
