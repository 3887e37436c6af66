"""The link over Wi-Fi: the robot's half, on MicroPython, and the host's, over real sockets."""

import os
import select
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from llmbytecode import Outcome, assemble, write_container
from llmos.link import Robot, WallClock, pairing
from llmos.link.errors import LinkError
from llmos.link.pairing import pairing_key
from llmos.link.port import Port, open_port
from llmos.manifest import manifest_hash

from .conftest import LIMITS, refusal

ROOT = Path(__file__).parents[3]
KEY = "correct horse battery staple"
WAIT_S = 20.0  # for what comes at once on a machine that is not busy


class Afar:
    """A robot in the network."""

    def __init__(self, micropython: Path, key: str, end: str) -> None:
        """Start it, and wait until it listens, where its key is good."""
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port = int(free.getsockname()[1])
        self.url = f"tcp://127.0.0.1:{self._port}"
        command = [micropython, "tests/firmware/wifi_robot.py", str(self._port), key, end]
        self._process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, text=True)
        if len(key) >= pairing.LEAST_KEY:
            _until(self._listens)

    def _listens(self) -> bool:
        """Ask the kernel; nobody is connected to."""
        assert self._process.poll() is None
        lines = Path("/proc/net/tcp").read_text().splitlines()
        return any(f":{self._port:04X} 00000000:0000 0A" in line for line in lines)

    def skip(self, ms: int) -> None:
        """Have the robot's clock go on at once."""
        assert self._process.stdin
        self._process.stdin.write(f"{ms}\n")
        self._process.stdin.flush()

    def meet(self) -> tuple[socket.socket, bytes]:
        """Return a connection of somebody who knows nothing, and the greeting, once the place is free."""
        end = time.monotonic() + WAIT_S
        while time.monotonic() < end:
            connection = socket.create_connection(("127.0.0.1", self._port), WAIT_S)
            greeting = b""
            while len(greeting) < 24 and (some := connection.recv(24 - len(greeting))):
                greeting += some
            if len(greeting) == 24:
                return connection, greeting
            connection.close()
        raise AssertionError("the robot is busy")

    def rest(self, connection: socket.socket) -> bytes:
        """Return what comes until the robot closes, once its patience is over."""
        self.skip(60_000)
        data = b""
        with suppress(ConnectionResetError):
            while some := connection.recv(4096):
                data += some
        return data

    def end(self) -> None:
        """End it; it has had no trouble."""
        self._process.communicate()
        assert self._process.returncode == 0


Start = Callable[..., Afar]


def _until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.002)


@pytest.fixture
def start(micropython64: Path) -> Iterator[Start]:
    """Starts robots."""
    robots: list[Afar] = []

    def run(key: str = KEY, end: str = "echo") -> Afar:
        robots.append(Afar(micropython64, key, end))
        return robots[-1]

    yield run
    for robot in robots:
        robot.end()


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    """The host holds the robots' key."""
    monkeypatch.setenv("LLMOS_KEY", KEY)


def _failure(url: str) -> str:
    text = refusal(url)
    assert KEY not in text
    return text


def _open_in_time(url: str) -> Port:
    """Open the port as soon as the robot has seen that the host before has gone."""
    end = time.monotonic() + WAIT_S
    while True:
        try:
            return open_port(url)
        except LinkError as error:
            if "another host" not in str(error) or time.monotonic() > end:
                raise


def test_bytes_both_ways(start: Start) -> None:
    port = open_port(start().url)
    data = bytes(range(256)) * 400
    echo, at = b"", 0
    while len(echo) < len(data):
        if at - len(echo) < 4096:  # the robot's room
            port.write(data[at : at + 1000])
            at += 1000
        assert port.await_bytes(WAIT_S)
        echo += port.read()
    assert echo == data
    assert (port.tx_total, port.rx_total) == (len(data), len(data))
    port.close()


def test_the_link_over_the_air(start: Start) -> None:
    """The same session, the same frames and the same stops as on a cable."""
    url = start(end="drive").url
    limits = LIMITS._replace(actuators=7)
    port = open_port(url)
    container = write_container(assemble("LED 1, 2, 3\nMOVE 10mm, 40mm/s\nREPORT 7, r0\nEND"), limits)
    with Robot(port, WallClock(port), manifest_hash(limits)) as robot:
        robot.connect()
        done = robot.run(container)
        assert (done.outcome, round(done.path_mm, -1)) == (Outcome.COMPLETED, 10)
        assert [tuple(event) for event in robot.events] == [(7, 0)]
        robot.estop()
        assert robot.latched
    port.close()
    port = _open_in_time(url)
    with Robot(port, WallClock(port), manifest_hash(limits)) as robot:
        robot.connect()
        assert robot.latched
        robot.clear()
        assert robot.run(container).outcome == Outcome.COMPLETED
    port.close()


def test_a_host_may_come_back(start: Start) -> None:
    url = start().url
    for _ in range(3):
        port = _open_in_time(url)
        port.write(b"again")
        port.fill(5)
        assert port.read() == b"again"
        port.close()


def test_one_host_at_a_time(start: Start) -> None:
    url = start().url
    first = open_port(url)
    assert "another host" in _failure(url)
    first.write(b"here")
    first.fill(4)
    first.close()


def test_a_silent_host_makes_room(start: Start) -> None:
    robot = start()
    first = open_port(robot.url)
    assert "another host" in _failure(robot.url)
    robot.skip(60_000)
    second = _open_in_time(robot.url)
    second.write(b"here")
    second.fill(4)
    assert first.await_bytes(WAIT_S)
    with pytest.raises(LinkError, match="vanished"):
        first.read()
    second.close()


def test_a_wrong_key(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    url = start().url
    monkeypatch.setenv("LLMOS_KEY", KEY + "!")
    assert "refuses the key of LLMOS_KEY" in _failure(url)
    monkeypatch.setenv("LLMOS_KEY", KEY)
    _open_in_time(url).close()


@pytest.mark.parametrize(
    "sent",
    [b"", b"x", bytes(48), os.urandom(48), os.urandom(47), b"GET / HTTP/1.1\r\nHost: robot\r\n\r\n" * 3],
    ids=["nothing", "a byte", "zeros", "a guess", "too little", "HTTP"],
)
def test_strangers_hear_the_greeting_and_no_more(start: Start, sent: bytes) -> None:
    """Nothing that they say comes back, which it would from the link; and after them a host can pair."""
    robot = start()
    stranger, greeting = robot.meet()
    with stranger:
        stranger.sendall(sent + b"\0frames\0" * (len(sent) >= 48))
        assert robot.rest(stranger) == b""
    assert greeting[:8] == b"llmos-1\n"
    _open_in_time(robot.url).close()


def test_no_challenge_is_given_twice(start: Start) -> None:
    robot, greetings = start(), set()
    for _ in range(3):
        stranger, greeting = robot.meet()
        stranger.close()
        greetings.add(greeting)
    assert len(greetings) == 3


def test_an_answer_cannot_be_used_again(start: Start) -> None:
    """What a host sent to one challenge opens nothing at the next one."""
    robot, heard = start(), bytearray()
    with socket.create_server(("127.0.0.1", 0)) as between:

        def relay() -> None:
            host = between.accept()[0]
            there, greeting = robot.meet()
            with host, there:
                host.sendall(greeting)
                while ready := select.select([host, there], [], [], WAIT_S)[0]:
                    data = ready[0].recv(100)
                    if not data:
                        return
                    if ready[0] is host:
                        heard.extend(data)
                    (there if ready[0] is host else host).sendall(data)

        thread = threading.Thread(target=relay)
        thread.start()
        open_port(f"tcp://127.0.0.1:{between.getsockname()[1]}").close()
        thread.join()
    assert len(heard) == 48
    thief, _ = robot.meet()
    with thief:
        thief.sendall(heard)
        assert robot.rest(thief) == b""


def test_nobody_there() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        assert "nobody answers there" in _failure(f"tcp://127.0.0.1:{free.getsockname()[1]}")
    assert "nobody answers there" in _failure("tcp://nohost.invalid")
    for url in ("tcp://", "tcp://:1", "tcp://robot:99999", "tcp://robot:x"):
        assert "names no host" in _failure(url)


def test_a_robot_without_a_key_does_not_listen(start: Start) -> None:
    robot = start(key="too short")
    robot.skip(60_000)
    time.sleep(0.2)
    assert "nobody answers there" in _failure(robot.url)


@pytest.mark.parametrize(
    ("says", "message"),
    [
        (b"HTTP/1.0 400\r\n\r\n", "no robot of ours"),
        (b"llmos-1\nshort", "no robot of ours"),
        (b"llmos-1\n" + bytes(16) + bytes(32), "cannot prove"),
        (b"llmos-1\n" + bytes(16), "refuses the key"),
        (b"", "says nothing"),
    ],
)
def test_something_else_there(monkeypatch: pytest.MonkeyPatch, says: bytes, message: str) -> None:
    monkeypatch.setattr(pairing, "_PATIENCE_S", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            peer = server.accept()[0]
            with peer, suppress(ConnectionResetError):
                peer.sendall(says)
                if says:
                    peer.recv(48)

        thread = threading.Thread(target=serve)
        thread.start()
        assert message in _failure(f"tcp://127.0.0.1:{server.getsockname()[1]}")
        thread.join()


def test_the_key_file(monkeypatch: pytest.MonkeyPatch, state_folder: Path) -> None:
    monkeypatch.delenv("LLMOS_KEY")
    assert "no key for a robot" in _failure("tcp://127.0.0.1:9")
    path = state_folder / "key"
    state_folder.mkdir()
    path.write_text(KEY + "\n")
    path.chmod(0o644)
    assert "chmod 600" in _failure("tcp://127.0.0.1:9")
    path.chmod(0o600)
    assert pairing_key() == (KEY.encode(), str(path))
    path.write_text("short")
    assert "at least 16" in _failure("tcp://127.0.0.1:9")
    path.write_bytes(b"\xff" * 20)
    assert "write it again" in _failure("tcp://127.0.0.1:9")
