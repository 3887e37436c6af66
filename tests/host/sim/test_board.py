"""The board: lockstep to the byte, a host that leaves, a firmware that dies, a port for any tool."""

import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import pytest

from llmos import micropython
from llmos.__main__ import main
from llmos.sim import child
from llmos.sim.judge import Truth, read_truth

SQUARE = Path(__file__).parent / "scripted" / "square"
PATIENCE_S = 20


class Host:
    """The least host that there can be: a pty and the clock channel."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self.process = process
        assert process.stdin
        assert process.stdout
        self.to_board, self.from_board = process.stdin, process.stdout
        try:
            self.port = os.open(json.loads(self.from_board.readline())["pty"], os.O_RDWR | os.O_NOCTTY)
        except FileNotFoundError:  # it has ended since, and its last words tell why
            self.port = os.open(os.devnull, os.O_RDWR)
        self.now = self.sent = self.received = 0

    def wait(self, until_ms: int, data: bytes = b"") -> bytes:
        """Send bytes, wait until a moment or an answer; returns the answer."""
        self.sent += os.write(self.port, data) if data else 0
        self.to_board.write(b"W %d %d\n" % (until_ms, self.sent))
        line = self.from_board.readline()
        if not line:
            raise EOFError
        self.now, total = map(int, line.split()[1:])
        answer = b""
        while len(answer) < total - self.received:
            answer += os.read(self.port, total - self.received - len(answer))
        self.received = total
        return answer


@contextmanager
def board(truth: Path | None = None, *options: str, firmware: Path = SQUARE) -> Iterator[Host]:
    """A board in lockstep with the scripted firmware; whatever happens, it is gone afterwards."""
    command = [sys.executable, "-m", "llmos", "board", "--lockstep", "--speed", "0", *options]
    command += ["--firmware", str(firmware)] + (["--truth", str(truth)] if truth else [])
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0
    )
    host = None
    try:
        host = Host(process)
        yield host
    finally:
        process.terminate()
        process.wait(PATIENCE_S)
        for stream in (process.stdin, process.stdout, process.stderr):
            assert stream
            stream.close()
        if host:
            os.close(host.port)


def leave(host: Host) -> int:
    """The host goes; returns the board's exit status."""
    host.to_board.close()
    return host.process.wait(PATIENCE_S)


def children(process: "subprocess.Popen[bytes]") -> list[int]:
    """The processes that a process has started."""
    return [int(pid) for pid in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()]


def talk(truth: Path, *options: str) -> tuple[list[tuple[int, bytes]], bytes]:
    """Half a minute with the board; returns what came when, and the truth log."""
    heard = []
    with board(truth, *options) as host:
        for moment in range(0, 30_000, 170):
            data = b"%d," % moment
            while host.now < moment:
                answer, data = host.wait(moment, data), b""
                heard.append((host.now, answer))
        assert leave(host) == 0
    return heard, truth.read_bytes()


def test_same_seed_is_the_same_to_the_byte(tmp_path: Path) -> None:
    """Times, bytes and truth repeat; another seed's faults differ."""
    one, again, other = tmp_path / "one", tmp_path / "again", tmp_path / "other"
    faults = ("--fault", "lose=0.02", "--fault", "slip=0.2")
    assert talk(one, "--seed", "3", *faults) == talk(again, "--seed", "3", *faults)
    assert talk(other, "--seed", "4", *faults) != (None, one.read_bytes())
    assert other.read_bytes() != one.read_bytes()


def test_bytes_need_their_time_and_wake_the_host(tmp_path: Path) -> None:
    """A byte takes a millisecond each way, and the host hears of it at once."""
    with board(tmp_path / "truth") as host:
        host.wait(1000)
        assert (host.wait(5000, b"a"), host.now) == (b"b", 1002)


def test_the_32_bit_build_behaves_alike(tmp_path: Path) -> None:
    """The word size of MicroPython changes nothing that one can see."""
    assert talk(tmp_path / "a", "--bits", "32") == talk(tmp_path / "b", "--bits", "64")


def samples(path: Path) -> Truth:
    """The truth log."""
    return read_truth(path)


def test_truth_log_has_ten_lines_a_second_while_driving(tmp_path: Path) -> None:
    """The first line names arena and seed; then never more than 100 ms pass while the wheels turn."""
    with board(tmp_path / "truth", "--seed", "9", "--arena", "office") as host:
        host.wait(20_000)
        leave(host)
    truth = samples(tmp_path / "truth")
    assert (truth.arena["name"], truth.robot, truth.seed) == ("office", "cube", 9)
    gaps = [b.ms - a.ms for a, b in pairwise(truth.samples) if a.moving]
    assert max(gaps) <= 100
    assert truth.path_m > 0.3
    assert {sample.led[0] for sample in truth.samples} >= {1, 2, 3}


def test_board_goes_on_for_five_seconds_without_its_host_and_ends(tmp_path: Path) -> None:
    """So that the log shows what the robot does alone; nothing stays behind."""
    with board(tmp_path / "truth") as host:
        host.wait(1234)
        (firmware,) = children(host.process)
        assert leave(host) == 0
        assert not Path(f"/proc/{firmware}").exists()
    assert 6100 <= samples(tmp_path / "truth").samples[-1].ms <= 6234


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGKILL, signal.SIGHUP])
def test_firmware_never_outlives_its_board(signum: signal.Signals) -> None:
    """However the board ends, MicroPython ends with it."""
    with board() as host:
        host.wait(500)
        (firmware,) = children(host.process)
        watch = os.pidfd_open(firmware)
        host.process.send_signal(signum)
        assert select.select([watch], [], [], PATIENCE_S)[0]
        os.close(watch)


def test_interrupt_is_the_host_s_matter() -> None:
    """A Ctrl-C reaches all of a terminal's processes; the board waits for what the host does."""
    with board() as host:
        host.wait(500)
        host.process.send_signal(signal.SIGINT)
        host.wait(600)
        assert host.now == 600
        assert leave(host) == 0


def test_dead_firmware_is_told_in_one_line(tmp_path: Path) -> None:
    """The board ends with MicroPython's own last words, in the log too."""
    with board(tmp_path / "truth") as host:
        host.wait(500)
        with pytest.raises(EOFError):
            host.wait(1000, b"die")
        assert host.process.wait(PATIENCE_S) == 1
        assert host.process.stderr
        said = host.process.stderr.read().decode()
    assert said.startswith("llmos: board: the firmware ended with status 1: ")
    assert "ValueError: told to die" in said
    assert said.count("\n") == 1
    assert "told to die" in samples(tmp_path / "truth").events[-1]["died"]


def test_killed_firmware_is_told_in_one_line() -> None:
    """MicroPython killed from outside."""
    with board() as host:
        host.wait(500)
        os.kill(children(host.process)[0], signal.SIGKILL)
        with pytest.raises(EOFError):
            host.wait(1000, b"a")
        _, said = host.process.communicate()
    assert said == b"llmos: board: the firmware ended by signal SIGKILL\n"


@pytest.mark.parametrize(
    ("program", "reason"),
    [
        ("import nothing_such", "ImportError"),
        ("this is no Python", "SyntaxError"),
        ("x = bytearray(300000)", "MemoryError"),
        ("open(4, 'wb').write(b'\\x63' + bytes(19))", "unknown operation 99"),
        ("a, b = open(3, 'rb'), open(4, 'wb')\nwhile b.write(b'\\x01' + bytes(19)): a.read(44)", "it hangs"),
    ],
)
def test_firmware_that_cannot_start(tmp_path: Path, program: str, reason: str) -> None:
    """A broken firmware is an error of the board, before or after it has named its port."""
    (tmp_path / "main.py").write_text(program + "\nopen(3, 'rb').read(1)\n")
    with board(firmware=tmp_path) as host:
        with pytest.raises(EOFError):
            host.wait(1000)
        _, said = host.process.communicate()
    assert reason.encode() in said
    assert said.count(b"\n") == 1


def test_firmware_that_never_waits_is_found_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has so much wall time between two looks at the arena."""
    monkeypatch.setattr(child, "PATIENCE_S", 0.05)
    (tmp_path / "main.py").write_text("while True:\n    pass\n")
    firmware = child.Firmware(micropython.find(), tmp_path, ["main.py"])
    try:
        with pytest.raises(child.FirmwareDied, match="it hangs"):
            firmware.request()
    finally:
        firmware.kill()


@pytest.mark.parametrize("line", [b"hello\n", b"W 1\n", b"W x 0\n", b"W -5 0\n", b"\n"])
def test_broken_clock_channel_is_refused(line: bytes) -> None:
    """A host that does not speak the protocol is told so."""
    with board() as host:
        host.to_board.write(line)
        _, said = host.process.communicate()
    assert said.startswith(b"llmos: board: clock channel: ")
    assert host.process.returncode == 1


def test_cut_cable_lets_time_go_on(tmp_path: Path) -> None:
    """No byte passes, and nothing hangs."""
    with board(None, "--fault", "cut@2000") as host:
        host.wait(1900)
        assert host.wait(1990, b"a") == b"b"
        host.wait(2500)
        assert (host.wait(4000, b"a"), host.now) == (b"", 4000)


def test_brownout_starts_the_firmware_again(tmp_path: Path) -> None:
    """The robot stops, and begins from its beginning."""
    with board(tmp_path / "truth", "--fault", "brownout@9000") as host:
        host.wait(8900)
        assert host.wait(8990, b"a") == b"b"
        host.wait(9500)
        assert host.wait(9600, b"c") == b"d"
        assert leave(host) == 0
    truth = samples(tmp_path / "truth")
    assert truth.events == [{"ms": 9000, "brownout": True}]
    after = [sample.led for sample in truth.samples if sample.ms >= 9000]
    assert after[0] == [1, 0, 0] or after[1] == [1, 0, 0]


def test_many_bytes_at_once_pass() -> None:
    """More than a pty holds at a time, in both directions, none lost."""
    data = bytes(range(256)) * 7
    with board() as host:
        host.wait(100)
        answer = host.wait(200, data)
        while len(answer) < len(data):
            answer += host.wait(host.now + 100)
    assert answer == bytes((byte + 1) & 255 for byte in data)


def test_any_tool_may_use_the_port() -> None:
    """Without lockstep the clock is the wall's, and a byte is answered."""
    command = [sys.executable, "-m", "llmos", "board", "--json", "--speed", "20", "--firmware", str(SQUARE)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0) as process:
        try:
            assert process.stdout
            port = os.open(json.loads(process.stdout.readline())["pty"], os.O_RDWR | os.O_NOCTTY)
            _until(port, b"entry 0x")  # what the loader prints
            os.write(port, b"a")
            assert _until(port, b"b").endswith(b"b")
            os.close(port)
            process.send_signal(signal.SIGINT)
            _, said = process.communicate(timeout=PATIENCE_S)
            assert said == b""
        finally:
            process.kill()


def _until(port: int, mark: bytes) -> bytes:
    said = b""
    while mark not in said:
        assert select.select([port], [], [], PATIENCE_S)[0], said
        said += os.read(port, 1)
    return said


@pytest.mark.parametrize(
    ("options", "reason", "status"),
    [
        (["--arena", "nowhere"], "arena 'nowhere': unknown; name one of", 1),
        (["--robot", "nobody"], "robot 'nobody'", 1),
        (["--fault", "melt"], "fault 'melt': unknown", 2),
        (["--speed", "0"], "--speed", 2),
        (["--bits", "16"], "--bits", 2),
        (["--truth", "/dev/null/log"], "truth log /dev/null/log: Not a directory", 1),
    ],
)
def test_wrong_options_are_one_line(
    options: list[str], reason: str, status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing starts, and the message says what is wrong."""
    with pytest.raises(SystemExit) as end:
        main(["board", *options])
    said = capsys.readouterr().err
    assert (reason in said, end.value.code) == (True, status)
    assert "Traceback" not in said
