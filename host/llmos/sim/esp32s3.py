"""The virtual ESP32-S3: a chip that any tool can reset, flash and talk to, at the pace of the wall clock.

Its serial line is a pty, and an RFC 2217 port that has DTR and RTS as well. A reset starts what is in the
flash, or the ROM loader. A MicroPython image there starts MicroPython's unix port (tools/board) with the
flash's partition `vfs` as its file system: boot.py, main.py and the REPL, as on a board.
"""

import select
import signal
import subprocess
import tempfile
import time
from pathlib import Path

from llmos.errors import LlmosError
from llmos.micropython import has_repl, version, word_size
from llmos.sim.board import SerialPort
from llmos.sim.child import HEAP_KB, Firmware, installed
from llmos.sim.faults import NEVER
from llmos.sim.flash import Flash
from llmos.sim.image import Image, NoImage, boot_image, virtual_image
from llmos.sim.reset import ResetCircuit
from llmos.sim.rfc2217 import Rfc2217Server
from llmos.sim.rig import ADVANCE, READY, Rig, Setting
from llmos.sim.rom import Rom

ONBOARD = Path(__file__).parent / "onboard"
RESET, DOWNLOAD, SOFT_RESET, SOFT_RESET_RAW = range(64, 68)  # exit statuses of onboard/
_BOOT_LOOP_MS = 500  # from one attempt to start what does not start to the next
_NAP_S = 0.25  # the longest sleep
_CTRL_C = b"\x03"


class NoBoard(LlmosError):
    """The MicroPython at hand cannot be a board."""


class Esp32s3(Rig):
    """The chip, its body, and everything that is plugged in. `run` goes on until it is interrupted."""

    def __init__(self, setting: Setting, flash: Flash, port: SerialPort, server: Rfc2217Server) -> None:
        """Raises NoBoard."""
        if not has_repl(setting.micropython):
            raise NoBoard(
                f"{setting.micropython} has no board's REPL; `make setup` in a checkout of LLMos builds one"
            )
        super().__init__(setting)
        self._setting, self._flash, self._port, self._server = setting, flash, port, server
        self._rom, self._circuit = Rom(flash), ResetCircuit()
        self._home = tempfile.TemporaryDirectory(prefix="llmos-board-")
        self._firmware: Firmware | None = None
        self._image: Image  # that runs, or has run
        self._downloads = False  # in the ROM loader
        self._waits: tuple[int, int] | None = None  # the firmware: until when, or until the wheels rest
        # on a 64-bit machine all that Python has is twice as large
        self._heap_kb = HEAP_KB * word_size(setting.micropython) // 32
        self._told = 0  # bytes that it knows to have arrived
        self._retry_ms = NEVER  # when the chip starts again by itself
        self._begun_s = 0.0

    def close(self) -> None:
        """Leave nothing behind."""
        self._stop()
        self._home.cleanup()
        self.truth.close()

    def run(self) -> None:
        """Power on, and live."""
        self._begun_s = time.monotonic()
        self._start()
        while True:
            self._sleep()
            now = self.pass_time(self._now())
            data = self._port.read() + self._server.read()
            self._follow_lines()
            if now >= min(self._retry_ms, self.brownout_ms):
                self._power_cycle(now)
            if data:
                self.to_robot.send(data, now)
            data = self.to_robot.arrived(now)
            if data:
                self._deliver(data)
            self._serve(now)
            data = self.to_host.arrived(now)
            if data:
                self._port.write(data)
                self._server.write(data)

    def _now(self) -> int:
        return int((time.monotonic() - self._begun_s) * 1000 * self._setting.speed)

    def _sleep(self) -> None:
        """Until something comes, or is due."""
        due_ms = min(self.to_robot.next_ms, self.to_host.next_ms, self._retry_ms, self.brownout_ms)
        if self._waits:
            due_ms = min(due_ms, *self._waits)
        due_s = self._begun_s + (due_ms + 1) / 1000 / self._setting.speed
        if self._circuit.due_s is not None:
            due_s = min(due_s, self._circuit.due_s)
        poll = select.poll()
        sources = [self._port.master, *(socket.fileno() for socket in self._server.sockets())]
        for source in sources + (self._firmware.sources() if self._firmware else []):
            poll.register(source, select.POLLIN)
        poll.poll(max(0.0, min(_NAP_S, due_s - time.monotonic())) * 1000)

    def _follow_lines(self) -> None:
        for changed in self._server.changed():
            self._circuit.lines(*changed)
        while event := self._circuit.due(time.monotonic()):
            self._stop()
            if event == "download":
                self._load()
            elif event == "run":
                self._start()

    def _print(self, text: bytes) -> None:
        self.to_host.send(text, self.world.now)

    def _stop(self) -> None:
        """Hold the chip in reset: nothing computes, and the coils are off."""
        self.world.halt(at_once=True)
        self._downloads, self._waits, self._retry_ms = False, None, NEVER
        if self._firmware:
            self._firmware.kill()
            self._firmware = None

    def _load(self) -> None:
        self._downloads = True
        self._print(self._rom.start())

    def _start(self, again: bool = False) -> None:
        """Start what is in the flash; what does not start is tried again and again, as the ROM does."""
        try:
            image = boot_image(self._flash)
        except NoImage as error:
            self._print((error.again if again else error.log).encode())
            self._retry_ms = self.world.now + _BOOT_LOOP_MS
            return
        self._print(image.log.encode())
        if image.project == "micropython":
            self._image = image
            self._run_image(raw=False)
        else:
            self._print(f"a virtual board runs MicroPython, and no {image.project!r}\r\n".encode())

    def _run_image(self, raw: bool) -> None:
        disk = str(self._flash.path.resolve()), self._image.vfs_offset, self._image.vfs_size
        place = *disk, self._rom.mac, raw
        arguments = ["-c", _program("startup", "start", place)]
        home = Path(self._home.name)
        self._firmware = Firmware(self._setting.micropython, home, arguments, self._heap_kb)
        self._told, self._waits = 0, None

    def _power_cycle(self, now: int) -> None:
        """A loss of power, or the watchdog's reset of what does not start."""
        if lost := now >= self.brownout_ms:
            self.brownout_ms = NEVER
            self.truth.event(brownout=True)
            self.to_robot.clear()
        self._stop()
        self.world.power_cycle()
        self._start(again=not lost)

    def _deliver(self, data: bytes) -> None:
        """Bytes at the chip's serial port: to the ROM, or to the program, whom a Ctrl-C interrupts."""
        if self._downloads:
            self._print(self._rom.receive(data))
            if self._rom.leave:
                self._stop()
                self._start()
            return
        while data and self._firmware:
            if _CTRL_C not in data or not self._firmware.catches(signal.SIGUSR1):
                self._firmware.deliver(data)
                return
            before, _, data = data.partition(_CTRL_C)
            self._firmware.deliver(before)
            self._firmware.interrupt()

    def _serve(self, now: int) -> None:
        """What the program asks for and says, and its end."""
        firmware = self._firmware
        if firmware is None:
            return
        status = firmware.status()  # before its last words are read
        for request in firmware.requests():
            if request[0] == ADVANCE:
                self._waits = request[1], self.world.rest_ms
            elif request[0] == READY:
                firmware.ready = True
            else:
                self.obey(*request)
        self._print(firmware.said())
        if status is not None:
            self._ended(status)
        elif self._waits and (firmware.sent > self._told or now >= min(self._waits)):
            self._told, self._waits = firmware.sent, None
            firmware.reply(self.reply(firmware.sent))

    def _ended(self, status: int) -> None:
        words = self._firmware.last_words() if self._firmware else ""
        self._stop()
        if status in (SOFT_RESET, SOFT_RESET_RAW):
            self._run_image(raw=status == SOFT_RESET_RAW)
        elif status == DOWNLOAD:
            self._load()
        elif status == RESET:
            self._start()
        else:
            self.truth.event(died=words)
            self._print(f"\r\nabort() was called: {words}\r\nRebooting...\r\n".encode())
            self._retry_ms = self.world.now + _BOOT_LOOP_MS


def virtual_micropython(micropython: Path) -> bytes:
    """Return the image of the MicroPython that this machine runs a virtual board on, for offset 0."""
    return virtual_image(f"v{version(micropython)}")


def fill(flash: Flash, setting: Setting) -> None:
    """Put MicroPython and the robot's firmware into a flash, as `llmos flash` does.

    Raises:
        NoBoard: MicroPython cannot do it; carries its words.
    """
    flash.erase(0, flash.size)
    flash.write(0, virtual_micropython(setting.micropython))
    image = boot_image(flash)
    with installed(setting.firmware, setting.manifest) as home:
        place = str(flash.path.resolve()), image.vfs_offset, image.vfs_size, home
        program = _program("factory", "install", place)
        command: list[str | Path] = [setting.micropython, "-X", "heapsize=16m", "-c", program]
        done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
    if done.returncode:
        raise NoBoard(
            f"the firmware cannot be put into the flash: {done.stderr.strip() or done.stdout.strip()}"
        )


def _program(module: str, function: str, arguments: tuple[object, ...]) -> str:
    """Return what MicroPython is started with: a call of one of onboard's functions."""
    return (
        f"import sys; sys.path[:] = [{str(ONBOARD)!r}]; import {module}; {module}.{function}(*{arguments!r})"
    )
