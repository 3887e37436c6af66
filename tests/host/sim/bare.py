"""A bare chip: the ROM loader over a flash file, behind an RFC 2217 port or a pty, and no program to run."""

import contextlib
import os
import pty
import select
import threading
import time
import tty
from pathlib import Path
from types import TracebackType

from llmos.sim.flash import Flash
from llmos.sim.image import NoImage, boot_image
from llmos.sim.reset import ResetCircuit
from llmos.sim.rfc2217 import Rfc2217Server
from llmos.sim.rom import Rom


class Pty:
    """A serial port without DTR and RTS."""

    def __init__(self) -> None:
        self._master, self._slave = pty.openpty()
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        self.url = os.ttyname(self._slave)
        self._waiting = b""

    def sockets(self) -> list[int]:
        return [self._master]

    def changed(self) -> list[tuple[float, bool, bool]]:
        return []

    def read(self) -> bytes:
        self.write(b"")
        with contextlib.suppress(BlockingIOError):
            return os.read(self._master, 65536)
        return b""

    def write(self, data: bytes) -> None:
        self._waiting += data
        with contextlib.suppress(BlockingIOError):
            while self._waiting:
                self._waiting = self._waiting[os.write(self._master, self._waiting) :]

    def close(self) -> None:
        os.close(self._master)
        os.close(self._slave)


class BareChip:
    """Runs in a thread of its own while it is entered; `events` tells what its reset circuit did."""

    def __init__(self, path: Path, port: Rfc2217Server | Pty) -> None:
        self.flash = Flash(path)
        self.rom = Rom(self.flash)
        self.port = port
        self.events: list[str] = []
        self._circuit = ResetCircuit()
        self._loads = isinstance(port, Pty)  # in the ROM loader
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> "BareChip":
        self._thread.start()
        return self

    def __exit__(
        self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()
        self.port.close()
        self.flash.close()

    def _run(self) -> None:
        while not self._ended.is_set() or self._circuit.due_s is not None:
            select.select(self.port.sockets(), [], [], 0.005)
            data = self.port.read()
            for at_s, dtr, rts in self.port.changed():
                self._circuit.lines(at_s, dtr, rts)
            while event := self._circuit.due(time.monotonic()):
                self._obey(event)
            if data and self._loads:
                self.port.write(self.rom.receive(data))
                if self.rom.leave:
                    self._obey("run")

    def _obey(self, event: str) -> None:
        self.events.append(event)
        self._loads = event == "download"
        if event == "download":
            self.port.write(self.rom.start())
        elif event == "run":
            try:
                self.port.write(boot_image(self.flash).log.encode())
            except NoImage as error:
                self.port.write(error.log.encode())
