"""The board: the firmware on MicroPython, behind a serial port, driving a body in an arena.

The board owns the clock. Time passes only while the firmware waits and, in lockstep, while the host waits
too, so that a run is the same to the byte for a seed. Firmware and host never compute at the same moment;
where both are due, the firmware is first.
"""

import contextlib
import os
import pty
import re
import select
import struct
import time
import tty
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from llmos.errors import LlmosError
from llmos.manifest import Manifest
from llmos.sim.arena import Arena
from llmos.sim.body import World
from llmos.sim.child import PATIENCE_S, Firmware, FirmwareDied
from llmos.sim.faults import NEVER, Faults
from llmos.sim.truth import TruthLog
from llmos.sim.uart import Wire

ADVANCE, DRIVE, HALT, LED, TONE = range(1, 6)
REPLY = struct.Struct("<IIiiBBH6H6H")
ALONE_MS = 5000  # how long the board goes on without its host, so that the log shows the lease and the latch
PATIENCE = 10_000  # looks at the clock without any time passing, after which a firmware counts as hung
LONGEST_NAP_MS = 60_000
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


@dataclass
class Setting:
    """What a board is started with."""

    arena: Arena
    manifest: Manifest
    firmware: Path
    micropython: Path
    seed: int = 0
    speed: float = 1.0  # simulated over wall time; 0 for as fast as possible
    truth: str | None = None
    faults: Faults = field(default_factory=Faults)


class Board:
    """The arbiter of the clock between body, firmware, serial line and host."""

    def __init__(self, setting: Setting, host: Host, port: SerialPort) -> None:
        self.host, self.port = host, port
        self.world = World(setting.arena, setting.manifest, setting.seed, setting.faults)
        self.truth = TruthLog(setting.truth, self.world, setting.seed)
        self.to_robot = Wire(setting.faults, setting.seed, 0)
        self.to_host = Wire(setting.faults, setting.seed, 1)
        self._brownout_ms = setting.faults.when("brownout")
        self._until_ms = 0  # the firmware's
        self.firmware = Firmware(setting.micropython, setting.firmware, setting.manifest)

    def close(self) -> None:
        """Leave nothing behind."""
        self.firmware.close()
        self.truth.close()

    def run(self) -> None:
        """Until the host is gone.

        Raises:
            FirmwareDied: the firmware ended.
        """
        try:
            self._firmware_turn()
            self.host.begin(self)
            while self.world.now < self.host.gone_ms:
                self._step()
        except FirmwareDied as error:
            self.truth.event(died=str(error))
            raise

    def _step(self) -> None:
        """Let time pass to the next thing that happens, and give the turn to whom it concerns."""
        world, host = self.world, self.host
        rest_ms = world.rest_ms
        goal = min(
            self._until_ms, host.until_ms, self.to_robot.next_ms, self.to_host.next_ms, rest_ms,
            self._brownout_ms, host.gone_ms,
        )  # fmt: skip
        now = self._pass_time(host.pace(world.now, goal))
        if now >= self._brownout_ms:
            self._restart()
        data = self.to_robot.arrived(now)
        if data:
            self.firmware.deliver(data)
        if data or now >= self._until_ms or now >= rest_ms:
            self._reply()
            self._firmware_turn()
        data = self.to_host.arrived(now)
        if data:
            self.port.write(data)
        if data or now >= host.until_ms:
            host.wake(now)

    def _pass_time(self, to_ms: int) -> int:
        world, truth = self.world, self.truth
        while world.now < to_ms:
            world.advance(min(to_ms, truth.due_ms, world.rest_ms) if world.moving else to_ms)
            truth.note()
        return world.now

    def _restart(self) -> None:
        """What a loss of power does."""
        self._brownout_ms = NEVER
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
                self._obey(*request)
            _, until_ms, total, _, _ = request
            data = self.firmware.written(total)
            if data:
                self.to_host.send(data, self.world.now)
            if until_ms > self.world.now:
                self._until_ms = until_ms
                self.truth.note()
                return
            self._reply()
        at = f"at {self.world.now} ms"
        raise FirmwareDied(f"the firmware asked {PATIENCE} times for the time {at} without waiting; it hangs")

    def _obey(self, operation: int, first: int, second: int, third: int, fourth: int) -> None:
        if operation == DRIVE:
            self.world.drive(first, second, third, fourth)
        elif operation == HALT:
            self.world.halt(at_once=first == 1)
        elif operation == LED:
            self.world.led = (first & 255, second & 255, third & 255)
        elif operation == TONE:
            self.truth.event(tone_hz=first, tone_ms=second)
        else:
            raise FirmwareDied(f"the firmware asked for the unknown operation {operation}")

    def _reply(self) -> None:
        world = self.world
        wheels = world.left_pos, world.right_pos, world.moving
        readings = world.battery_mv, *world.ranges(), *world.ages()
        self.firmware.reply(REPLY.pack(world.now, self.firmware.sent, *wheels, 0, *readings))


class LockstepHost:
    """A host on the clock channel: `W until tx` comes in, `T now rx` goes out, one line each."""

    def __init__(self, reader: int, writer: int, speed: float) -> None:
        self._reader, self._writer, self._speed = reader, writer, speed
        self.until_ms = 0
        self.gone_ms = NEVER
        self._line = b""

    def begin(self, board: Board) -> None:
        """Wait for the host's first word."""
        self._board = board
        self._poll = select.poll()
        self._poll.register(self._reader, select.POLLIN)
        self._poll.register(board.port.master, select.POLLIN)
        self._started = time.monotonic()
        self._listen()

    def pace(self, now_ms: int, to_ms: int) -> int:
        """Sleep where a speed is set."""
        if self._speed and to_ms > now_ms:
            time.sleep(max(0.0, self._started + to_ms / 1000 / self._speed - time.monotonic()))
        return to_ms

    def wake(self, now_ms: int) -> None:
        """Tell the host the time, and wait until it waits again."""
        if self.gone_ms != NEVER:
            return
        with contextlib.suppress(BrokenPipeError):  # listening finds its end, too
            os.write(self._writer, b"T %d %d\n" % (now_ms, self._board.port.sent))
        self._listen()

    def _listen(self) -> None:
        port, data = self._board.port, b""
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


class FreeHost:
    """Any tool that opens the port: the clock runs at the wall's pace, and bytes are taken when they come."""

    def __init__(self, speed: float) -> None:
        self._speed = speed
        self.until_ms = self.gone_ms = NEVER

    def begin(self, board: Board) -> None:
        """Start the clock."""
        self._board = board
        self._poll = select.poll()
        self._poll.register(board.port.master, select.POLLIN)
        self._started = time.monotonic()

    def pace(self, now_ms: int, to_ms: int) -> int:
        """Wait for the wall clock or for bytes, whichever is first."""
        to_ms = min(to_ms, now_ms + LONGEST_NAP_MS)
        due = self._started + to_ms / 1000 / self._speed
        if self._poll.poll(max(0.0, due - time.monotonic()) * 1000):
            reached = int((time.monotonic() - self._started) * 1000 * self._speed)
            to_ms = min(to_ms, max(now_ms, reached))
            self._board.to_robot.send(self._board.port.read(), to_ms)
        return to_ms

    def wake(self, now_ms: int) -> None:
        """Nobody waits here."""
