"""A serial port that a client opens over TCP, with its lines DTR and RTS (RFC 2217)."""

import contextlib
import socket
import struct
import time
from typing import Any

from serial import rfc2217

from llmos.errors import LlmosError

BUSY = b"This board's serial port is open already, by another program; close that one first.\r\n"
_LONGEST_OPTION = 64  # bytes; none of RFC 2217's is longer
_MOST_WAITING = 1 << 20  # bytes for a client that does not read; what comes then is lost, as on a serial line


class PortTaken(LlmosError):
    """The TCP port of a virtual serial port cannot be had."""


class _Line:
    """What `PortManager` takes for a serial port: the settings that the client makes, and the lines."""

    baudrate, bytesize, parity, stopbits = 115_200, 8, "N", 1
    xonxoff = rtscts = break_condition = ri = False
    cts = dsr = cd = True

    def __init__(self) -> None:
        self.dtr = self.rts = False
        self.received, self.waiting = bytearray(), bytearray()  # from the client; to the client

    def reset_input_buffer(self) -> None:
        """Nothing to clear: what the board has sent lies in TCP already."""

    def reset_output_buffer(self) -> None:
        """What the client has sent and the board has not read yet is forgotten."""
        self.received.clear()

    def write(self, data: bytes) -> None:
        """To the client, as it is; what `PortManager` calls a connection."""
        if len(self.waiting) < _MOST_WAITING:
            self.waiting += data


class _Protocol(rfc2217.PortManager):  # type: ignore[misc]  # pyserial has no types
    """pyserial's side of the server, which does not answer when asked for a line's state."""

    def _telnet_process_subnegotiation(self, suboption: bytes) -> None:
        asked = suboption[:3]
        port_control = rfc2217.COM_PORT_OPTION + rfc2217.SET_CONTROL
        for question, on, off, state in (
            (
                rfc2217.SET_CONTROL_REQ_DTR,
                rfc2217.SET_CONTROL_DTR_ON,
                rfc2217.SET_CONTROL_DTR_OFF,
                self.serial.dtr,
            ),
            (
                rfc2217.SET_CONTROL_REQ_RTS,
                rfc2217.SET_CONTROL_RTS_ON,
                rfc2217.SET_CONTROL_RTS_OFF,
                self.serial.rts,
            ),
            (
                rfc2217.SET_CONTROL_REQ_BREAK_STATE,
                rfc2217.SET_CONTROL_BREAK_ON,
                rfc2217.SET_CONTROL_BREAK_OFF,
                self.serial.break_condition,
            ),
        ):
            if asked == port_control + question:
                self.rfc2217_send_subnegotiation(rfc2217.SERVER_SET_CONTROL, on if state else off)
                return
        super()._telnet_process_subnegotiation(suboption)


class Rfc2217Server:
    """One end of a serial line whose other end a TCP client holds; nothing here blocks."""

    def __init__(self, host: str = "127.0.0.1", port: int = 0) -> None:
        """Listen; port 0 takes a free one.

        Raises:
            PortTaken: the port belongs to another program.
        """
        try:
            self._listener = socket.create_server((host, port))
        except OSError as error:
            why = str(error.strerror).partition(" (")[0]  # Python adds the address, in its own words
            raise PortTaken(f"rfc2217://{host}:{port} cannot be opened: {why}") from error
        self._listener.setblocking(False)
        self.url = f"rfc2217://{host}:{self._listener.getsockname()[1]}"
        self._client: socket.socket | None = None
        self._line = _Line()
        self._protocol: _Protocol | None = None
        self._changes: list[tuple[float, bool, bool]] = []

    @property
    def dtr(self) -> bool:
        """Whether the client has DTR on; False without a client."""
        return self._line.dtr

    @property
    def rts(self) -> bool:
        """Whether the client has RTS on; False without a client."""
        return self._line.rts

    @property
    def baud(self) -> int:
        """The client's speed in bit/s."""
        return self._line.baudrate

    @property
    def connected(self) -> bool:
        """Whether there is a client."""
        return self._client is not None

    def sockets(self) -> list[socket.socket]:
        """What to poll for reading: `read` has something to do when one of them is ready."""
        return [self._listener] if self._client is None else [self._listener, self._client]

    def changed(self) -> list[tuple[float, bool, bool]]:
        """Each change of the lines since last asked: when (s, `time.monotonic`), DTR, RTS."""
        changes, self._changes = self._changes, []
        return changes

    def read(self) -> bytes:
        """What the client has sent; takes a new client, and notices that one has gone."""
        self._receive()  # first, as a client who has gone makes room for the next
        self._accept()
        self._receive()
        self._flush()
        data = bytes(self._line.received)
        self._line.received.clear()
        return data

    def write(self, data: bytes) -> None:
        """Send to the client; without one the data are lost."""
        if self._client is not None:
            self._line.write(data.replace(rfc2217.IAC, rfc2217.IAC_DOUBLED))
            self._flush()

    def close(self) -> None:
        """Leave nothing behind."""
        if self._client is not None:
            self._client.close()
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # nobody, or one who has gone already
            while True:
                client, _ = self._listener.accept()
                client.setblocking(False)
                if self._client is None:
                    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
                    self._client, self._line = client, _Line()
                    self._protocol = _Protocol(self._line, self._line)
                else:
                    with contextlib.suppress(OSError):
                        client.send(BUSY)
                    client.close()

    def _receive(self) -> None:
        while self._client is not None:
            try:
                data = self._client.recv(65536)
            except BlockingIOError:
                return
            except OSError:
                data = b""
            if data:
                self._take(data)
            else:
                self._hang_up()

    def _take(self, data: bytes) -> None:
        """Sort the line's own bytes from the protocol's, and follow DTR and RTS."""
        protocol: Any = self._protocol
        while data:
            if protocol.mode == rfc2217.M_NORMAL and protocol.suboption is None:
                plain, mark, data = data.partition(rfc2217.IAC)
                self._line.received += plain
                data = mark + data
            before = self._line.dtr, self._line.rts
            try:
                self._line.received += b"".join(protocol.filter(data[:1]))
                senseless = protocol.suboption is not None and len(protocol.suboption) > _LONGEST_OPTION
            except (ValueError, KeyError, TypeError, struct.error):
                senseless = True
            if senseless:  # bytes that are no option of RFC 2217
                protocol.mode, protocol.suboption = rfc2217.M_NORMAL, None
            data = data[1:]
            if before != (self._line.dtr, self._line.rts):
                self._changes.append((time.monotonic(), self._line.dtr, self._line.rts))

    def _flush(self) -> None:
        try:
            while self._client is not None and self._line.waiting:
                del self._line.waiting[: self._client.send(self._line.waiting)]
        except BlockingIOError:
            pass
        except OSError:
            self._hang_up()

    def _hang_up(self) -> None:
        """The client has gone: both lines fall at once, as a computer's do when it closes a port."""
        if self._client is not None:
            self._client.close()
        if self._line.dtr or self._line.rts:
            self._changes.append((time.monotonic(), False, False))
        self._client, received = None, self._line.received
        self._line = _Line()
        self._line.received = received
