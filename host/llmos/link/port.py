"""A serial port: any URL that pyserial opens, every failure a LinkError with its remedy."""

import errno
import select
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Protocol

import serial

from llmos.link.errors import LinkError
from llmos.link.pairing import SCHEME, paired_line

BAUD = 115200  # of MicroPython's REPL where the port is a UART; USB knows no speed
_POLL_S = 0.002  # for ports without a file descriptor
_FILL_S = 10.0  # wall time in which announced bytes must come
_READ = 65536

_DENIED = "permission denied; join the port's group (`sudo usermod -aG dialout $USER`) and log in again"
_BUSY = "it is in use; end the other program (a terminal, mpremote, another llmos)"
_NO_PORT = "it is no serial port; name one such as /dev/ttyACM0"
_REMEDIES = {
    errno.ENOENT: "there is no such port; plug the robot in, `llmos doctor` shows the ports that there are",
    errno.EACCES: _DENIED,
    errno.EPERM: _DENIED,
    errno.EBUSY: _BUSY,
    errno.EAGAIN: _BUSY,
    errno.ENOTTY: _NO_PORT,
    errno.EISDIR: _NO_PORT,
    errno.EINVAL: _NO_PORT,
    errno.ECONNREFUSED: "nothing listens there; start the board, or correct the address",
}
_VANISHED = "it has vanished; check the cable and the robot's power, then start again"


@contextmanager
def _mapped(url: str, otherwise: Callable[[], str]) -> Iterator[None]:
    try:
        yield
    except serial.SerialTimeoutException:
        raise LinkError(f"port {url}: it takes no more bytes; check the cable, then start again") from None
    except (OSError, ValueError) as error:  # SerialException is an OSError
        raise LinkError(f"port {url}: {_remedy(error) or otherwise()}") from None


def _remedy(error: Exception) -> str | None:
    text = str(error)  # pyserial puts some causes only into its message
    for number, remedy in _REMEDIES.items():
        if getattr(error, "errno", None) == number or f"[Errno {number}]" in text or f"({number}, " in text:
            return remedy
    return None


def open_port(
    url: str,
    baud: int = BAUD,
    gone: Callable[[], str] = lambda: _VANISHED,
    through: Callable[[Any], Any] = lambda line: line,
) -> "Port":
    """Open a port by name or pyserial URL (`/dev/ttyACM0`, `socket://HOST:PORT`, `rfc2217://HOST:PORT`), or a
    robot in the network (`tcp://HOST[:PORT]`), which must hold the same key.

    `gone` says why the port has vanished, where the opener knows more than the port; `through` is what the
    open line is led through, such as a bad cable.

    Raises:
        LinkError: it is missing, busy, not permitted or no port, or the keys differ.
    """
    if url.startswith(SCHEME):
        return Port(through(paired_line(url)), url, gone)
    with _mapped(
        url, lambda: "it cannot be opened; name a serial port such as /dev/ttyACM0 or socket://HOST:PORT"
    ):
        line = serial.serial_for_url(url, baudrate=baud, timeout=0, do_not_open=True)
        if isinstance(line, serial.Serial):
            line.exclusive, line.write_timeout = True, 5  # RFC 2217's refuses the latter
        line.open()
    return Port(through(line), url, gone)


class Line(Protocol):
    """What a client needs of a port."""

    url: str
    tx_total: int

    def read(self) -> bytes:
        """Return the bytes that have arrived, perhaps none."""

    def write(self, data: bytes) -> None:
        """Write all of `data`."""

    def close(self) -> None:
        """Close it."""


class Port:
    """An open serial port that never blocks on reading; counts its bytes."""

    def __init__(self, line: Any, url: str, gone: Callable[[], str]) -> None:
        """Take over an open pyserial object."""
        self.url = url
        self.tx_total = 0
        self.rx_total = 0
        self._line = line
        self._gone = gone
        self._buffer = bytearray()
        try:
            self._fd: int | None = line.fileno()
        except (AttributeError, OSError):  # not every URL has one
            self._fd = None

    def read(self) -> bytes:
        """Return the bytes that have arrived, perhaps none."""
        self._take()
        data = bytes(self._buffer)
        self._buffer.clear()
        return data

    def write(self, data: bytes) -> None:
        """Write all of `data`."""
        with _mapped(self.url, self._gone):
            self._line.write(data)
        self.tx_total += len(data)

    def fill(self, total: int) -> None:
        """Wait until `total` bytes have come since the port was opened; `read` returns them."""
        while self.rx_total < total:
            before = self.rx_total
            self.await_bytes(_FILL_S)
            self._take()
            if self.rx_total == before:
                raise LinkError(f"port {self.url}: {total - before} of {total} bytes are lost; start again")

    def await_bytes(self, seconds: float) -> bool:
        """Wait until bytes are there or `seconds` have passed; return whether they are."""
        with _mapped(self.url, self._gone):
            if self._fd is not None:
                return bool(select.select([self._fd], [], [], seconds)[0])
            end = time.monotonic() + seconds
            while not self._line.in_waiting:
                left = end - time.monotonic()
                if left <= 0:
                    return False
                time.sleep(min(left, _POLL_S))
            return True

    def close(self) -> None:
        """Close the port; what goes wrong with a port that is gone anyway is no news."""
        with suppress(OSError):
            self._line.close()

    def _take(self) -> None:
        with _mapped(self.url, self._gone):
            data = self._line.read(_READ)
        self.rx_total += len(data)
        self._buffer += data
