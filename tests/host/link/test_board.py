"""The virtual board as a process: what it says when it cannot start, and that it never stays behind."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from llmos.errors import LlmosError
from llmos.link import LinkError, VirtualBoard
from llmos.manifest import manifest_hash

from .conftest import LIMITS, MakeDesk, nothing_left, read_truth, standstill, write_room
from .test_robot import GOOD, LONG, RAMP_MS, SLACK_MS


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"arena": "nowhere"}, "arena 'nowhere'"),
        ({"robot": "nobody"}, "robot 'nobody'"),
        ({"faults": ["gremlins"]}, "fault 'gremlins'"),
        ({"truth_path": "/nowhere/truth"}, "/nowhere/truth"),
    ],
)
def test_a_board_that_cannot_start_says_why_in_one_line(options: dict[str, object], message: str) -> None:
    with pytest.raises(LlmosError, match=message) as caught:
        VirtualBoard(**options)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)


def test_no_micropython(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLMOS_MICROPYTHON", "/nowhere/micropython")
    with pytest.raises(LlmosError, match="/nowhere/micropython, which is no program"):
        VirtualBoard()


def test_a_firmware_that_does_not_start(desk: MakeDesk, tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text("raise ValueError('no such luck')")
    with pytest.raises(LinkError, match="no such luck"):
        desk(firmware=tmp_path).robot.connect()


def test_a_board_that_is_killed(desk: MakeDesk) -> None:
    table = desk()
    table.robot.connect()
    os.kill(table.board._process.pid, signal.SIGKILL)
    with pytest.raises(LinkError, match="killed"):
        table.robot.run(GOOD)
    table.robot.close()


def test_closing_twice_and_after_the_robot(desk: MakeDesk) -> None:
    table = desk()
    table.robot.connect()
    table.robot.close()
    table.board.close()
    table.board.close()


HOST = """
import os, signal, sys
from llmos.link import Robot, VirtualBoard
arena, truth, manifest, container, kill_ms = sys.argv[1:]

def watch(telemetry):
    if telemetry.ms >= int(kill_ms) >= 0:
        print(board.clock.now(), flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
    if int(kill_ms) < 0 and 0 < telemetry.x_mm < 100:
        print(telemetry.ms, flush=True)
        sys.stdin.readline()  # the drive is faster than whoever wants to interrupt it

with VirtualBoard(arena, truth_path=truth) as board, Robot(board.port, board.clock, int(manifest)) as robot:
    robot.connect()
    robot.run(bytes.fromhex(container), watch)
"""


@pytest.fixture
def marked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, micropython64: Path) -> Path:
    """A folder whose name every process started from here carries in its environment."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    return tmp_path


def _host(folder: Path, kill_ms: int) -> "subprocess.Popen[bytes]":
    """Start a host that drives, in a process group of its own as in a terminal."""
    arena = write_room(folder)
    arguments = [arena, folder / "truth.jsonl", str(manifest_hash(LIMITS)), LONG.hex(), str(kill_ms)]
    command = [sys.executable, "-c", HOST, *arguments]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, process_group=0)


@pytest.mark.parametrize("kill_ms", [300, 1234, 5001, 20_000])
def test_a_killed_host_stops_the_robot_within_lease_and_ramp(marked: Path, kill_ms: int) -> None:
    process = _host(marked, kill_ms)
    output, errors = process.communicate()
    assert process.returncode == -signal.SIGKILL, errors
    assert nothing_left(marked)
    killed_ms = int(output)
    assert killed_ms >= kill_ms
    standstill_ms = standstill(read_truth(marked / "truth.jsonl"))
    assert killed_ms < standstill_ms <= killed_ms + LIMITS.lease_ms + RAMP_MS + SLACK_MS


def test_ctrl_c_in_the_terminal_stops_the_robot_and_ends_everything(marked: Path) -> None:
    process = _host(marked, -1)
    assert process.stdout
    process.stdout.readline()  # it drives
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate()
    assert process.returncode != 0
    assert b"KeyboardInterrupt" in errors
    assert nothing_left(marked)
    truth = read_truth(marked / "truth.jsonl")
    assert not truth[-1]["moving"]
    assert -5 < truth[-1]["x"] < -4.8  # it did not drive to the end of its block


def test_a_host_that_ends_without_closing_leaves_no_process(marked: Path) -> None:
    script = "from llmos.link import VirtualBoard; VirtualBoard(); raise SystemExit(3)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 3
    assert nothing_left(marked)
