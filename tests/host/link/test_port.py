"""Every way in which a port can fail is one line that says what to do."""

import errno
import os
import pty
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from llmos.link.clock import LockstepClock, WallClock
from llmos.link.errors import LinkError
from llmos.link.port import _mapped, open_port

from .conftest import refusal


@pytest.fixture
def pair() -> Iterator[tuple[int, str]]:
    """A pty: its master and its slave's path."""
    master, slave = pty.openpty()
    yield master, os.ttyname(slave)
    os.close(slave)


def test_a_port_that_is_not_there() -> None:
    assert "no such port" in refusal("/dev/ttyNOWHERE")


def test_a_file_is_no_port(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"")
    assert "no serial port" in refusal(str(file))
    assert "no serial port" in refusal(str(tmp_path))


@pytest.mark.parametrize("url", ["nonsense://x", "socket://", "socket://nohost.invalid:1", "rfc2217://:x"])
def test_a_url_that_means_nothing(url: str) -> None:
    assert "name a serial port" in refusal(url)


def test_nothing_listens() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = free.getsockname()
    assert "nothing listens" in refusal(f"socket://127.0.0.1:{address[1]}")


def test_a_busy_port(pair: tuple[int, str]) -> None:
    port = open_port(pair[1])
    assert "in use" in refusal(pair[1])
    port.close()
    open_port(pair[1]).close()


def test_a_port_that_is_not_permitted() -> None:
    with pytest.raises(LinkError, match=r"dialout"), _mapped("/dev/ttyACM0", str):
        raise PermissionError(errno.EACCES, "Permission denied")


def test_a_port_that_vanishes(pair: tuple[int, str]) -> None:
    port = open_port(pair[1])
    os.close(pair[0])
    with pytest.raises(LinkError, match="vanished"):
        port.read()
    with pytest.raises(LinkError, match="vanished"):
        port.write(b"x")
    port.close()


def test_bytes_both_ways(pair: tuple[int, str]) -> None:
    data = bytes(range(256)) * 4
    port = open_port(pair[1])
    assert port.read() == b""
    port.write(data)
    assert os.read(pair[0], 4096) == data
    os.write(pair[0], data)
    port.fill(len(data))
    assert port.read() == data
    assert (port.tx_total, port.rx_total) == (len(data), len(data))
    port.close()


@pytest.mark.parametrize("url", ["loop://", "socket"])
def test_ports_that_are_no_device(url: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = open_port(f"socket://127.0.0.1:{server.getsockname()[1]}" if url == "socket" else url)
        if url == "socket":
            peer, _ = server.accept()
            with peer:
                peer.send(b"hello")
        else:
            port.write(b"hello")
        assert port.await_bytes(5)
        assert port.read() == b"hello"
        port.close()


def test_the_wall_clock_wakes_when_bytes_come(pair: tuple[int, str]) -> None:
    port = open_port(pair[1])
    clock = WallClock(port)
    before = clock.now()
    clock.wait(before + 5)
    assert clock.now() >= before + 5
    os.write(pair[0], b"x")
    clock.wait(before + 600_000)  # would be a hanging test
    assert port.read() == b"x"
    port.close()


@pytest.mark.parametrize(
    ("answer", "message"),
    [(b"", "died of old age"), (b"X 1 2\n", "not the time"), (b"T 1\n", "not the time")],
)
def test_a_board_that_does_not_tell_the_time(pair: tuple[int, str], answer: bytes, message: str) -> None:
    port = open_port(pair[1])
    (ours, theirs), (board_in, board_out) = os.pipe(), os.pipe()
    os.write(board_out, answer)
    os.close(board_out)
    clock = LockstepClock(port, theirs, board_in, lambda: "died of old age")
    with pytest.raises(LinkError, match=message):
        clock.wait(10)
    assert os.read(ours, 100) == b"W 10 0\n"
    for descriptor in (ours, theirs, board_in):
        os.close(descriptor)
    port.close()
