"""A board at the wall's pace, opened like any other serial port."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from llmbytecode import Flag, Outcome
from llmos.link import LinkError, LinkTimeout, Robot, Telemetry, WallClock, open_port
from llmos.manifest import manifest_hash

from .conftest import LIMITS, block, nothing_left


@pytest.fixture
def board(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, micropython64: Path
) -> Iterator["subprocess.Popen[str]"]:
    """A free-running `llmos board`."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    command = [sys.executable, "-m", "llmos", "board", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, process_group=0) as process:
        yield process
        process.send_signal(signal.SIGINT)
    assert nothing_left(tmp_path)


@pytest.fixture
def robot(board: "subprocess.Popen[str]") -> Iterator[Robot]:
    """The robot on that board, connected."""
    assert board.stdout
    port = open_port(json.loads(board.stdout.readline())["pty"])
    with Robot(port, WallClock(port), manifest_hash(LIMITS)) as robot:
        robot.connect()
        yield robot


def test_a_block_runs_in_real_time_while_the_host_thinks(robot: Robot) -> None:
    ready = threading.Event()
    seen: list[Telemetry] = []
    robot._on_telemetry = seen.append
    assert robot.think(lambda: ready.wait(0.8)) is False  # longer than the lease
    assert len(seen) > 3
    assert not any(one.flags & Flag.LEASE for one in seen)
    assert robot.run(block("MOVE 10mm, 40mm/s\nEND")).outcome == Outcome.COMPLETED
    assert not robot.latched
    with pytest.raises(ZeroDivisionError):
        robot.think(lambda: 1 / 0)


def test_a_port_that_vanishes_in_mid_drive(robot: Robot, board: "subprocess.Popen[str]") -> None:
    def kill(telemetry: Telemetry) -> None:
        os.kill(board.pid, signal.SIGKILL)

    with pytest.raises(LinkError, match="vanished"):
        robot.run(block("MOVE 1m, 40mm/s\nEND"), kill)


def _into_the_repl(robot: Robot) -> None:
    robot.hello = None  # no heartbeat more: when the lease is over, Ctrl-C is obeyed
    said = b""
    for _ in range(100):
        robot._port.write(b"\0\x03")
        robot._port.await_bytes(0.1)
        said += robot._port.read()
        if said.endswith(b">>> "):
            return
    raise AssertionError(said)


def test_a_robot_that_sits_in_its_repl_is_started(robot: Robot, monkeypatch: pytest.MonkeyPatch) -> None:
    _into_the_repl(robot)
    robot.connect()
    assert robot.run(block("MOVE 10mm, 40mm/s\nEND")).outcome == Outcome.COMPLETED
    _into_the_repl(robot)
    robot._port.write(b"import os; os.remove('main.py')\r")
    monkeypatch.setattr("llmos.link.robot.BOOT_MS", 500)
    with pytest.raises(
        LinkTimeout, match="REPL answers, and no robot begins after a soft reset; `llmos flash"
    ):
        robot.connect()
