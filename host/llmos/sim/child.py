"""The firmware's process: MicroPython, its serial port on stdin and stdout, the arena on pipes 3 and 4."""

import contextlib
import ctypes
import os
import select
import shutil
import signal
import struct
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

from llmos.errors import LlmosError
from llmos.manifest import Manifest, robot_json

REQUEST = struct.Struct("<B3xiiii")
HEAP_KB = 200  # what the board has left for Python, about
PATIENCE_S = 30.0  # wall time after which a firmware that neither waits nor ends counts as hung
_PR_SET_PDEATHSIG = 1
_NOT_COPIED = shutil.ignore_patterns("__pycache__", "*.ini", "*.toml")


class FirmwareDied(LlmosError):
    """The firmware has ended, hangs, or broke the protocol."""


def installed(firmware: Path, manifest: Manifest) -> tempfile.TemporaryDirectory[str]:
    """Make a folder with the firmware and its robot.json, which is removed by its `cleanup`."""
    home = tempfile.TemporaryDirectory(prefix="llmos-board-")
    shutil.copytree(firmware, home.name, dirs_exist_ok=True, ignore=_NOT_COPIED)
    Path(home.name, "robot.json").write_text(robot_json(manifest, "arena"))
    return home


class Firmware:
    """A running MicroPython. All reads and writes are unbuffered."""

    def __init__(self, micropython: Path, home: Path, arguments: list[str], heap_kb: int = HEAP_KB) -> None:
        """Start it in the folder `home`, where it may leave its last words."""
        self._micropython, self.home = micropython, home
        self._arguments = ["-X", f"heapsize={heap_kb}k", *arguments]
        self._process: subprocess.Popen[bytes] | None = None
        _occupy_low_descriptors()
        self.start()

    def start(self) -> None:
        """Start it from its beginning."""
        (serial_in, self._stdin), (replies, self._replies) = os.pipe(), os.pipe()
        (self._stdout, serial_out), (self._requests, requests) = os.pipe(), os.pipe()
        try:
            with open(self.home / "stderr", "wb") as stderr:
                self._process = subprocess.Popen(
                    [self._micropython, *self._arguments],
                    cwd=self.home,
                    env={"MICROPYPATH": ".frozen", "HOME": str(self.home)},
                    stdin=serial_in,
                    stdout=serial_out,
                    stderr=stderr,
                    pass_fds=(3, 4),
                    preexec_fn=_in_child(replies, requests),
                    process_group=0,  # a Ctrl-C at the terminal must not reach it: the board decides
                )
        except OSError as error:
            raise FirmwareDied(f"{self._micropython} cannot be started: {error.strerror}") from None
        for child_end in (serial_in, serial_out, replies, requests):
            os.close(child_end)
        os.set_blocking(self._stdin, False)
        os.set_blocking(self._stdout, False)
        self._poll = select.poll()
        self._poll.register(self._requests, select.POLLIN)
        self._poll.register(self._stdout, select.POLLIN)
        self._pending = self._serial = b""
        self._open = True  # its standard output
        self.ready = False  # it has come to boot.py
        self.sent = self.received = 0  # bytes written to its stdin, read from its stdout

    def kill(self) -> None:
        """End the process; nothing of it stays behind."""
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        process.wait()
        for ours in (self._stdin, self._stdout, self._replies, self._requests):
            os.close(ours)

    def request(self) -> tuple[int, int, int, int, int]:
        """Wait for the next request: operation and four numbers.

        Raises:
            FirmwareDied: it ended, or hangs.
        """
        while len(self._pending) < REQUEST.size:
            ready = self._poll.poll(PATIENCE_S * 1000)
            if not ready:
                raise FirmwareDied(f"the firmware has not waited for {PATIENCE_S:g} s of wall time; it hangs")
            for descriptor, _ in ready:
                if descriptor == self._stdout:
                    self._drain()
                else:
                    self._pending += self._more()
        request, self._pending = self._pending[: REQUEST.size], self._pending[REQUEST.size :]
        return REQUEST.unpack(request)

    def _more(self) -> bytes:
        data = os.read(self._requests, 4096)
        if not data:
            raise FirmwareDied(self._obituary())
        return data

    def _drain(self) -> None:
        with contextlib.suppress(BlockingIOError):
            data = os.read(self._stdout, 65536)
            self._serial += data
            self.received += len(data)
            if not data and self._open:
                self._open = False
                self._poll.unregister(self._stdout)

    def written(self, total: int) -> bytes:
        """What it has written to its serial port since the last call, at least up to `total` in all."""
        while self.received < total:
            if not self._poll.poll(PATIENCE_S * 1000):
                raise FirmwareDied(f"the firmware announced {total} bytes and wrote {self.received}")
            before = self.received
            self._drain()
            if self.received == before and self._exited():
                raise FirmwareDied(self._obituary())
        data, self._serial = self._serial, b""
        return data

    # Without waiting, for a board that goes by the wall's clock.

    def sources(self) -> list[int]:
        """What to poll for reading."""
        return [self._stdout, self._requests]

    def requests(self) -> list[tuple[int, int, int, int, int]]:
        """The requests that have come."""
        while select.select([self._requests], [], [], 0)[0]:
            data = os.read(self._requests, 4096)
            if not data:
                break
            self._pending += data
        whole = len(self._pending) // REQUEST.size * REQUEST.size
        data, self._pending = self._pending[:whole], self._pending[whole:]
        return list(REQUEST.iter_unpack(data))

    def said(self) -> bytes:
        """What it has written to its serial port since the last call."""
        self._drain()
        data, self._serial = self._serial, b""
        return data

    def status(self) -> int | None:
        """How it has ended; None while it runs."""
        return self._process.poll() if self._process else None

    def catches(self, number: signal.Signals) -> bool:
        """Whether it is ready and has a handler for a signal; only Linux tells."""
        if self._process is None or not self.ready:
            return False
        try:
            text = Path(f"/proc/{self._process.pid}/status").read_text()
        except OSError:
            return False
        caught = next((line.split()[1] for line in text.splitlines() if line.startswith("SigCgt:")), "0")
        return bool(int(caught, 16) >> (number - 1) & 1)

    def interrupt(self) -> None:
        """Raise KeyboardInterrupt in it."""
        if self._process:
            self._process.send_signal(signal.SIGINT)

    def last_words(self) -> str:
        """The last lines that it wrote beside its serial port."""
        lines = (self.home / "stderr").read_bytes()[-4000:].decode(errors="replace").split("\n")
        return " | ".join(line.strip() for line in lines[-8:] if line.strip())

    def deliver(self, data: bytes) -> None:
        """Write to its serial port; what does not fit is lost, as in any UART."""
        with contextlib.suppress(BlockingIOError, BrokenPipeError):
            self.sent += os.write(self._stdin, data)

    def reply(self, data: bytes) -> None:
        """Answer its request to let time pass."""
        try:
            os.write(self._replies, data)
        except BrokenPipeError:
            raise FirmwareDied(self._obituary()) from None

    def _exited(self) -> bool:
        return self._process is None or self._process.poll() is not None

    def _obituary(self) -> str:
        """Why it ended, from its exit status and the last lines that it wrote."""
        if self._process is None:
            return "the firmware is not running"
        try:
            status = self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            return "the firmware has closed its channel to the arena"
        said = self.last_words()
        how = f"by signal {signal.Signals(-status).name}" if status < 0 else f"with status {status}"
        return f"the firmware ended {how}{': ' + said if said else ''}"


def _occupy_low_descriptors() -> None:
    """Keep 3 and 4 taken here, so that no pipe of ours has the number that the child's end will get."""
    while (descriptor := os.open(os.devnull, os.O_RDONLY)) <= 4:
        pass
    os.close(descriptor)


def _in_child(replies: int, requests: int) -> Callable[[], None]:
    """What the child does before it becomes MicroPython: take its descriptors, and die with the board."""
    libc = ctypes.CDLL(None, use_errno=True)
    prctl = getattr(libc, "prctl", None)
    board = os.getpid()

    def prepare() -> None:
        os.dup2(replies, 3)
        os.dup2(requests, 4)
        if prctl:
            prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != board:  # it died before the call
                os._exit(1)

    return prepare
