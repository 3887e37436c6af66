"""The chip's own bootloader through esptool: what the chip is, what its flash holds, and writing it.

It needs a port with control lines (DTR, RTS), by which esptool resets the chip into its bootloader.
"""

import contextlib
import functools
from collections.abc import Callable, Iterator
from typing import Any, ClassVar, NamedTuple

import esptool
from esptool.logger import TemplateLogger, log
from esptool.util import FatalError, flash_size_bytes
from serial import rfc2217

from llmos.flashing.errors import FlashError, NoAnswer, WrongChip
from llmos.flashing.image import Image, read_image
from llmos.flashing.ports import is_pty

CHIP = "ESP32-S3"
BAUD = 460800  # of the bootloader while it writes; more is not safe on every bridge
_ATTEMPTS = 3


class Chip(NamedTuple):
    """What the bootloader says of its chip; `image` is None where the flash holds no program."""

    name: str
    revision: str
    mac: str
    flash_bytes: int
    image: Image | None


class _Quiet(TemplateLogger):  # type: ignore[misc]  # esptool has no types
    """esptool's logger, one for the whole program: silent but for its progress, which `heard` is told."""

    heard: ClassVar[Callable[[int, int], None]] = staticmethod(lambda done, total: None)

    def print(self, *args: Any, **kwargs: Any) -> None:
        """Print nothing."""

    def note(self, message: str) -> None:
        """Print nothing."""

    def warning(self, message: str) -> None:
        """Print nothing; what matters comes as an error."""

    def error(self, message: str) -> None:
        """Print nothing; it is raised, too."""

    def stage(self, finish: bool = False) -> None:
        """Print nothing."""

    def progress_bar(
        self, cur_iter: int, total_iters: int, prefix: str = "", suffix: str = "", bar_length: int = 30
    ) -> None:
        """Pass on how much is done."""
        type(self).heard(cur_iter, total_iters)

    def set_verbosity(self, verbosity: str) -> None:
        """Stay silent."""


@functools.cache
def _silence() -> None:
    """Keep esptool from printing, from now on; it takes another logger once."""
    log.set_logger(_Quiet())


class _Line(rfc2217.Serial):  # type: ignore[misc]  # pyserial has no types
    """An RFC 2217 port that takes a new timeout as it is.

    pyserial's own negotiates the whole line anew, 0.1 s, and esptool sets two timeouts for each command.
    """

    @property
    def timeout(self) -> float | None:
        """How long a read waits, in s."""
        return self._timeout

    @timeout.setter
    def timeout(self, seconds: float | None) -> None:
        self._timeout = seconds


class Rom:
    """A chip in its bootloader; ends in a reset that runs what the flash holds."""

    def __init__(self, port: str) -> None:
        """Reset the chip into its bootloader.

        Raises:
            FlashError: the port has no control lines.
            NoAnswer: no bootloader answers.
        """
        if is_pty(port):
            raise FlashError(
                f"port {port} is a pseudo-terminal without the control lines by which a chip gets into its "
                "bootloader; name the board's rfc2217:// address or its real port to write MicroPython"
            )
        _silence()
        self._port = port
        with self._mapped():
            line = _Line(port) if port.startswith("rfc2217://") else port
            self._esp = esptool.detect_chip(line, connect_attempts=_ATTEMPTS)
        self._stub = False

    def close(self) -> None:
        """Run what the flash holds, and close the port."""
        with contextlib.suppress(FatalError, OSError):
            esptool.reset_chip(self._esp, "hard-reset")
        with contextlib.suppress(OSError):
            self._esp._port.close()

    def identify(self) -> Chip:
        """Say what the chip is and what its flash holds.

        Raises:
            NoAnswer: it has stopped answering.
        """
        with self._mapped():
            name = str(self._esp.CHIP_NAME)
            major, minor = divmod(self._esp.get_chip_revision(), 100)
            mac = ":".join(f"{byte:02x}" for byte in self._esp.read_mac("BASE_MAC"))
            if name != CHIP:
                return Chip(name, f"v{major}.{minor}", mac, 0, None)
            self._run_stub()
            size = flash_size_bytes(esptool.detect_flash_size(self._esp) or "0MB")
            return Chip(name, f"v{major}.{minor}", mac, size, read_image(self._read_head))

    def write(self, data: bytes, erase: bool, on_progress: Callable[[int, int], None]) -> None:
        """Write a whole image from the flash's beginning on; esptool compares its MD5 afterwards.

        Args:
            data: the image, checked already.
            erase: whether all else that the flash holds is erased first.
            on_progress: hears (done, total) in esptool's own units.

        Raises:
            WrongChip: it is no ESP32-S3.
            NoAnswer: it has stopped answering.
        """
        if self._esp.CHIP_NAME != CHIP:
            raise WrongChip(wrong_chip(self._esp.CHIP_NAME))
        with self._mapped():
            self._run_stub()
            self._esp.change_baud(BAUD)
            _Quiet.heard = on_progress
            esptool.write_flash(self._esp, [(0, data)], erase_all=erase)

    def _run_stub(self) -> None:
        if not self._stub:
            self._esp = esptool.run_stub(self._esp)
            esptool.attach_flash(self._esp)
            self._stub = True

    def _read_head(self, offset: int, size: int) -> bytes:
        return bytes(self._esp.read_flash(offset, size))

    @contextlib.contextmanager
    def _mapped(self) -> Iterator[None]:
        try:
            yield
        except (FatalError, OSError) as error:
            reason = " ".join(str(error).split())
            raise NoAnswer(
                f"port {self._port}: the chip's bootloader does not answer ({reason}); hold BOOT, press and "
                "release RESET, release BOOT, then run this again"
            ) from None


def wrong_chip(name: str) -> str:
    """The sentence about a chip that the firmware does not run on."""
    return f"the board's chip is {name}, and the firmware runs on {CHIP} only; take another board"
