"""The virtual board's serial port over TCP behaves as pyserial's client and raw sockets expect."""

import re
import select
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import serial
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llmos.sim.rfc2217 import BUSY, PortTaken, Rfc2217Server

OPTION = b"\xff\xfa\x2c%b\xff\xf0"  # a command of RFC 2217
CONTROL = b"\x05"
DTR_ON, RTS_ON = b"\x08", b"\x0b"


@pytest.fixture
def server() -> Iterator[Rfc2217Server]:
    port = Rfc2217Server()
    yield port
    port.close()


@contextmanager
def client(server: Rfc2217Server) -> Iterator[socket.socket]:
    """A connection that speaks for itself."""
    host, port = re.fullmatch(r"rfc2217://(.*):(\d+)", server.url).groups()  # type: ignore[union-attr]
    with socket.create_connection((host, int(port)), timeout=5) as connection:
        yield connection


def serve(server: Rfc2217Server) -> bytes:
    """Wait for something to happen, and take it."""
    assert select.select(server.sockets(), [], [], 5)[0]
    return server.read()


def heard(connection: socket.socket, what: bytes) -> bytes:
    """What the server has sent up to something."""
    data = b""
    while what not in data:
        more = connection.recv(65536)
        assert more, data
        data += more
    return data


@contextmanager
def echo(server: Rfc2217Server) -> Iterator[None]:
    """Send back what comes."""
    ended = threading.Event()

    def run() -> None:
        while not ended.is_set():
            select.select(server.sockets(), [], [], 0.01)
            server.write(server.read())

    thread = threading.Thread(target=run)
    thread.start()
    yield
    ended.set()
    thread.join()


def test_pyserial(server: Rfc2217Server) -> None:
    """pyserial's client opens it; every byte passes, both ways; speed and lines arrive, in order."""
    with echo(server), serial.serial_for_url(server.url, 921_600, timeout=5) as port:
        data = bytes(range(256)) * 10 + b"\xff\xff\xfa\xff\xf0"
        port.write(data)
        assert port.read(len(data)) == data
        assert (server.baud, server.dtr, server.rts) == (921_600, True, True)
        port.rts = False
        port.baudrate = 115_200
        assert (server.baud, server.dtr, server.rts) == (115_200, True, False)
        assert (port.cts, port.dsr, port.cd, port.ri) == (True, True, True, False)
    while server.connected:
        serve(server)
    changes = server.changed()
    assert [lines for _, *lines in changes] == [[True, False], [True, True], [True, False], [False, False]]
    assert [at for at, *_ in changes] == sorted(at for at, *_ in changes)


def test_state_queries(server: Rfc2217Server) -> None:
    """A client may ask for the lines' and the break's state."""
    with client(server) as connection:
        connection.sendall(OPTION % (CONTROL + RTS_ON))
        for question, answer in ((b"\x07", b"\x09"), (b"\x0a", b"\x0b"), (b"\x04", b"\x06")):
            connection.sendall(OPTION % (CONTROL + question))
            serve(server)
            heard(connection, OPTION % (b"\x69" + answer))


def test_purge(server: Rfc2217Server) -> None:
    """A purge of what it has sent drops what the board has not read, and is answered."""
    with client(server) as connection:
        connection.sendall(b"old" + OPTION % b"\x0c\x02" + b"new" + OPTION % b"\x0c\x01")
        assert serve(server) + server.read() == b"new"
        heard(connection, OPTION % b"\x70\x01")


def test_one_client(server: Rfc2217Server) -> None:
    """A second client is told why it cannot be served; when the first has gone, the next one can."""
    with client(server) as first:
        first.sendall(OPTION % (CONTROL + DTR_ON))
        serve(server)
        with client(server) as second:
            serve(server)
            assert heard(second, b"\n") == BUSY
            assert second.recv(1) == b""
        first.sendall(b"still here")
        assert serve(server) == b"still here"
    with client(server) as third:
        third.sendall(b"hello")
        data = serve(server)
        while b"hello" not in data:
            data += serve(server)
    assert [lines for _, *lines in server.changed()] == [[True, False], [False, False]]


def test_a_client_that_dies(server: Rfc2217Server) -> None:
    """A connection that is reset ends like one that is closed; what is written then is lost."""
    with client(server) as connection:
        serve(server)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    server.write(b"to nobody")
    while server.connected:
        serve(server)
    server.write(b"to nobody")


def test_a_client_that_does_not_read(server: Rfc2217Server) -> None:
    """Writing never blocks, and holds no more than a bound for it."""
    with client(server):
        serve(server)
        for _ in range(100):
            server.write(bytes(1 << 18))
        assert len(server._line.waiting) < 1 << 21


def test_a_taken_port(server: Rfc2217Server) -> None:
    """A port that another program has is refused in a sentence."""
    port = int(server.url.rpartition(":")[2])
    with pytest.raises(
        PortTaken, match=f"^rfc2217://127.0.0.1:{port} cannot be opened: Address already in use$"
    ):
        Rfc2217Server(port=port)


pieces = st.sampled_from(
    [b"\xff", b"\xfa", b"\xf0", b"\x2c", b"\xfb", b"\xfd", CONTROL, DTR_ON, b"\x03\x63", b"\x0a", b"\x01"]
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(pieces | st.binary(max_size=5), max_size=30).map(b"".join))
def test_any_bytes(server: Rfc2217Server, data: bytes) -> None:
    """No bytes make it fail, and a client's last words can always be heard by the next one's first."""
    with client(server) as connection:
        serve(server)
        connection.sendall(b"." + data)
        serve(server)
    while server.connected:
        serve(server)
    with client(server) as connection:
        serve(server)
        connection.sendall(b"fine")
        assert serve(server) == b"fine"
    while server.connected:
        serve(server)
