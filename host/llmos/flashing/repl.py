"""A board's REPL through mpremote, and through ampy: run a program, write a file."""

import ast
import contextlib
import io
import json
import struct
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any, Literal, Protocol

from mpremote.transport import TransportError, TransportExecError
from mpremote.transport_serial import SerialTransport

from llmos.flashing.errors import BoardLost, FlashError, NoAnswer, NoRoom, PortBusy
from llmos.flashing.ports import holders, is_pty
from llmos.link import LinkError, open_port
from llmos.link.port import BAUD

Via = Literal["mpremote", "ampy"]
ENTER_S = 5.0  # for a board that is starting
_TRY_S = 1.0
_RESET_S = 10.0
_NOTHING_RUNS = (b"invalid header:", b"waiting for download", b"No bootable app")  # the bootloader's words
_ANSWER_S = 1.0  # for a few bytes of raw paste
_CHUNK = 2048
_FULL = ("ENOSPC", "[Errno 28]")
_QUIET = 5.0


class Repl(Protocol):
    """The raw REPL of a board."""

    def run(self, program: str) -> str:
        """Run a program and return what it prints."""

    def prepare(self, program: str) -> None:
        """Run a program that later ones build on."""

    def put(self, path: str, data: bytes, on_bytes: Callable[[int], None]) -> None:
        """Write a file; `on_bytes` hears how many bytes more are written."""

    def reset(self) -> None:
        """Restart the board as at power-on, and close the port."""

    def close(self) -> None:
        """Leave the REPL so that boot.py and main.py run again, and close the port."""


def open_repl(port: str, via: Via = "mpremote", wait_s: float = ENTER_S) -> "Repl":
    """Interrupt what runs on the board and return its raw REPL.

    Raises:
        LinkError: the port is missing, not permitted or no port.
        PortBusy: another program has it open.
        NoAnswer: there is no MicroPython, or it does not listen.
    """
    if via == "mpremote":
        return MpremoteRepl(port, wait_s)
    return AmpyRepl(port)


def answer(repl: Repl, program: str) -> Any:
    """Run a program whose last line of output is JSON, and return that.

    Raises:
        BoardLost: it is not; the board has restarted, or it is another program's output.
    """
    lines = repl.run(program).strip().splitlines()
    try:
        return json.loads(lines[-1])
    except (ValueError, IndexError):
        said = lines[-1][:80] if lines else ""
        raise BoardLost(
            f"the board answers {said!r} where an answer in JSON belongs; it may have restarted: run this "
            "again"
        ) from None


class MpremoteRepl:
    """The raw REPL by mpremote's transport, after a soft reset.

    What an interrupted session has left open would else be closed later, by the collector, and its last
    bytes would land in the middle of another file.
    """

    def __init__(self, port: str, wait_s: float = ENTER_S) -> None:
        """Open the port and interrupt the board.

        Raises:
            LinkError, PortBusy, NoAnswer: as `open_repl`.
        """
        self._port = port
        self._wire = _opened(port)
        self._wire.is_pty = False  # else mpremote waits for ever on one that never falls silent
        try:
            self._interrupt(time.monotonic() + wait_s)
        except BaseException:
            self._hang_up()
            raise

    def __enter__(self) -> "MpremoteRepl":
        """Return it."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""
        self.close()

    def run(self, program: str) -> str:
        """Run a program and return what it prints.

        Raises:
            BoardLost: the board has stopped answering.
            NoRoom: its file system is full.
            FlashError: the program has failed.
        """
        with _mapped(self._port):
            return bytes(self._wire.exec(program)).decode(errors="replace")

    def prepare(self, program: str) -> None:
        """Run a program that later ones build on. Raises as `run` does."""
        self.run(program)

    def put(self, path: str, data: bytes, on_bytes: Callable[[int], None]) -> None:
        """Write a file; `on_bytes` hears how many bytes more are written. Raises as `run` does."""
        self.run(f"from binascii import a2b_base64 as _a\n_f=open({path!r},'wb')")
        for start in range(0, len(data), _CHUNK):
            chunk = data[start : start + _CHUNK]
            self.run(f"_f.write(_a({b64encode(chunk)!r}))")
            on_bytes(len(chunk))
        self.run("_f.close()")

    def reset(self) -> None:
        """Restart the board as at power-on, and close the port."""
        with contextlib.suppress(
            TransportError, OSError, struct.error
        ):  # it goes in the middle of its answer
            self._wire.exec_raw_no_follow("import machine\nmachine.reset()")
        self._hang_up()

    def close(self) -> None:
        """Leave the REPL so that boot.py and main.py run again, and close the port."""
        with contextlib.suppress(TransportError, OSError):
            self._wire.exit_raw_repl()
            self._wire.serial.write(b"\x04")
        self._hang_up()

    def _hang_up(self) -> None:
        with contextlib.suppress(OSError):
            self._wire.close()

    def _interrupt(self, end_s: float) -> None:
        """Get into the raw REPL; a board that is starting hears a Ctrl-C only later on."""
        heard = b""
        while True:
            said = io.StringIO()
            try:
                with contextlib.redirect_stdout(said):  # mpremote prints what it did not expect
                    self._wire.enter_raw_repl(soft_reset=False, timeout_overall=_TRY_S)
                    self._wire.enter_raw_repl(soft_reset=True, timeout_overall=_RESET_S)
                return
            except OSError as error:
                raise _lost(self._port, error) from None
            except TransportError:
                heard += _as_bytes(said.getvalue())
            if time.monotonic() >= end_s or any(mark in heard for mark in _NOTHING_RUNS):
                raise NoAnswer(
                    f"port {self._port}: nothing answers as MicroPython does; see that the board has power, "
                    "or write MicroPython onto it",
                    heard,
                )


class AmpyRepl:
    """The raw REPL by ampy, which soft-resets the board for each file."""

    def __init__(self, port: str) -> None:
        """Open the port.

        Raises:
            FlashError: the port is an address, which ampy cannot open.
            LinkError, PortBusy, NoAnswer: as `open_repl`.
        """
        from ampy.files import Files
        from ampy.pyboard import Pyboard, PyboardError

        if "://" in port:
            raise FlashError(
                f"ampy opens no addresses such as {port}; name a device, or leave out --via ampy"
            )
        _opened(port).close()  # which says why, where it cannot be opened
        self._port, self._error = port, PyboardError
        self._board = Pyboard(port, rawdelay=0)
        self._board.serial.timeout = _QUIET
        self._files = Files(self._board)
        self._raw, self._prelude = False, ""

    def run(self, program: str) -> str:
        """Run a program and return what it prints; raises as `MpremoteRepl.run`."""
        with self._caught():
            if not self._raw:
                self._board.enter_raw_repl()
                self._raw = True
                if self._prelude:  # an empty program is a soft reset
                    self._board.exec_(self._prelude)
            return bytes(self._board.exec_(program)).decode(errors="replace")

    def prepare(self, program: str) -> None:
        """Run a program that later ones build on: again whenever ampy has reset the board."""
        self._prelude = program
        if self._raw:
            self.run(program)

    def put(self, path: str, data: bytes, on_bytes: Callable[[int], None]) -> None:
        """Write a file; `on_bytes` hears of it when it is written. Raises as `run` does."""
        with self._caught():
            self._files.put(path, data)
            self._raw = False
        on_bytes(len(data))

    def reset(self) -> None:
        """Restart the board as at power-on, and close the port."""
        with contextlib.suppress(FlashError, OSError):
            self.run("import os")
            self._board.exec_raw_no_follow("import machine\nmachine.reset()")
        self._board.close()

    def close(self) -> None:
        """Leave the REPL so that boot.py and main.py run again, and close the port."""
        with contextlib.suppress(OSError):
            self._board.exit_raw_repl()
            self._board.serial.write(b"\x04")
            self._board.close()

    @contextlib.contextmanager
    def _caught(self) -> Iterator[None]:
        try:
            with contextlib.redirect_stdout(io.StringIO()):  # ampy prints what it did not expect
                yield
        except self._error as error:
            if len(error.args) == 3:
                raise _failed(error.args[2].decode(errors="replace")) from None
            raise BoardLost(f"port {self._port}: {error.args[0]}; run this again") from None
        except OSError as error:
            raise _lost(self._port, error) from None


def _opened(port: str) -> SerialTransport:
    """Open a port for mpremote, which alone would not say why it cannot be opened."""
    others = [] if "://" in port or is_pty(port) else holders(port)
    if others:
        raise _busy(port, others)
    try:
        return SerialTransport(port, BAUD, timeout=_ANSWER_S)
    except (TransportError, OSError, ValueError):
        pass
    try:
        open_port(port, BAUD).close()
        return SerialTransport(port, BAUD, timeout=_ANSWER_S)
    except LinkError as error:
        if "in use" in str(error) and holders(port):
            raise _busy(port, holders(port)) from None
        if port.startswith("rfc2217://") and "cannot be opened" in str(error):
            raise PortBusy(
                f"port {port}: something listens there and lets nobody in; it may serve another program: end "
                "that one, then run this again"
            ) from None
        raise
    except (TransportError, OSError, ValueError) as error:
        raise _lost(port, error) from None


def _as_bytes(printed: str) -> bytes:
    """The bytes that were printed as Python writes them."""
    try:
        return bytes(ast.literal_eval(printed.strip() or "b''"))
    except (ValueError, SyntaxError):
        return printed.encode()


def _busy(port: str, others: list[str]) -> PortBusy:
    return PortBusy(f"port {port} is in use by {' and '.join(others)}; end that program, then run this again")


def _lost(port: str, error: BaseException) -> BoardLost:
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return BoardLost(
        f"port {port}: the board has stopped answering ({reason}); it may have restarted or lost its cable: "
        "run this again"
    )


def _failed(traceback: str) -> FlashError:
    """The error that a program's traceback on the board stands for."""
    last = traceback.strip().splitlines()[-1] if traceback.strip() else "an error without a text"
    if any(mark in last for mark in _FULL):
        return NoRoom(
            "the board's file system is full; delete files that you do not need, then run this again"
        )
    return FlashError(f"the board says {last}; run this again, with --erase if it says so again")


@contextlib.contextmanager
def _mapped(port: str) -> Iterator[None]:
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    except TransportExecError as error:
        raise _failed(error.error_output) from None
    except (TransportError, OSError, struct.error, ValueError) as error:
        raise _lost(port, error) from None
