"""A bare chip: the ROM loader over a flash file behind an RFC 2217 port, and no program that could run."""

import select
import threading
import time
from pathlib import Path
from types import TracebackType

from llmos.sim.flash import Flash
from llmos.sim.image import NoImage, boot_image
from llmos.sim.reset import ResetCircuit
from llmos.sim.rfc2217 import Rfc2217Server
from llmos.sim.rom import Rom


class BareChip:
    """Runs in a thread of its own while it is entered; `events` tells what its reset circuit did."""

    def __init__(self, path: Path) -> None:
        self.flash = Flash(path)
        self.rom = Rom(self.flash)
        self.server = Rfc2217Server()
        self.events: list[str] = []
        self._circuit = ResetCircuit()
        self._loads = False  # in the ROM loader
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
        self.server.close()
        self.flash.close()

    def _run(self) -> None:
        while not self._ended.is_set():
            select.select(self.server.sockets(), [], [], 0.02)
            data = self.server.read()
            for at_s, dtr, rts in self.server.changed():
                self._circuit.lines(at_s, dtr, rts)
            while event := self._circuit.due(time.monotonic()):
                self._obey(event)
            if data and self._loads:
                self.server.write(self.rom.receive(data))
                if self.rom.leave:
                    self._obey("run")

    def _obey(self, event: str) -> None:
        self.events.append(event)
        self._loads = event == "download"
        if event == "download":
            self.server.write(self.rom.start())
        elif event == "run":
            try:
                self.server.write(boot_image(self.flash).log.encode())
            except NoImage as error:
                self.server.write(error.log.encode())
