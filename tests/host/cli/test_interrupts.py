"""Ctrl-C, SIGTERM and SIGHUP: the robot stops first, and no process and no folder is left behind."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

RUN = ["run", "explore", "--arena", "office", "--kernel", "rule", "--speed", "20", "--no-map"]
BEHAVE = ["run", "avoid walls", "--arena", "office", "--kernel", "random", "--speed", "5"]
EVAL = ["eval", "--arenas", "simple,office", "--kernels", "rule", "--seeds", "50"]


def started(words: list[str], folder: Path) -> subprocess.Popen[str]:
    """Start the command in a session and a temporary folder of its own, its two outputs in one."""
    (folder / "tmp").mkdir()
    return subprocess.Popen(
        [sys.executable, "-m", "llmos", *words],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
        env={**os.environ, "LLMOS_HOME": str(folder), "TMPDIR": str(folder / "tmp")},
    )  # fmt: skip


def session_of(leader: int, folder: Path) -> list[str]:
    """Return the processes of a session, and those that work below a folder."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            state = (entry / "stat").read_text().rpartition(")")[2].split()
            where = os.readlink(entry / "cwd")
        except OSError:
            continue
        if state[0] != "Z" and (int(state[3]) == leader or where.startswith(str(folder))):
            found.append(f"{entry.name} {where}")
    return found


def told(process: subprocess.Popen[str], lines: int) -> list[str]:
    """Wait for the first lines of the output: the run is under way then."""
    assert process.stdout
    return [process.stdout.readline() for _ in range(lines)]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_in_mid_drive_stops_the_robot_first(number: signal.Signals, tmp_path: Path) -> None:
    """Sent to the command alone, each ends the run in order, with what came of it and exit code 130."""
    run = started(RUN, tmp_path)
    told(run, 2)
    run.send_signal(number)
    out, _ = run.communicate(timeout=30)
    assert run.returncode == 130
    assert "stopped: interrupted; the robot was stopped first" in out
    assert session_of(run.pid, tmp_path) == []
    assert os.listdir(tmp_path / "tmp") == []


def test_ctrl_c_in_a_behaviour_stops_the_robot_first(tmp_path: Path) -> None:
    """While its program runs: what is on the wire has filled a file's buffer then."""
    wire = tmp_path / "wire"
    run = started([*BEHAVE, "--transcript", str(wire)], tmp_path)
    while run.poll() is None and not (wire.exists() and wire.stat().st_size):
        os.sched_yield()
    run.send_signal(signal.SIGINT)
    out, _ = run.communicate(timeout=30)
    assert run.returncode == 130, out
    assert "stopped: interrupted; the robot was stopped first" in out
    assert session_of(run.pid, tmp_path) == []
    assert os.listdir(tmp_path / "tmp") == []


@pytest.mark.parametrize("jobs", ["1", "2"])
@pytest.mark.parametrize("times", [1, 2])
def test_ctrl_c_ends_an_evaluation_and_its_workers(jobs: str, times: int, tmp_path: Path) -> None:
    """The whole evaluation ends, not one mission; a second Ctrl-C while it ends changes nothing."""
    evaluation = started([*EVAL, "--jobs", jobs], tmp_path)
    told(evaluation, 1)
    for _ in range(times):
        os.killpg(evaluation.pid, signal.SIGINT)
    out, _ = evaluation.communicate(timeout=30)
    assert evaluation.returncode in (130, -signal.SIGINT), out
    assert "Traceback" not in out
    assert session_of(evaluation.pid, tmp_path) == []
    if times == 1:
        assert os.listdir(tmp_path / "tmp") == []


def test_a_mission_that_cannot_begin_ends_the_evaluation_at_once(tmp_path: Path) -> None:
    """Its reason is told in one line, and the other missions do not go on."""
    evaluation = started(["eval", "--arenas", "office", "--kernels", "oracle,rule", "--jobs", "2"], tmp_path)
    out, _ = evaluation.communicate(timeout=30)
    assert evaluation.returncode == 1
    assert out.startswith("llmos: eval: oracle in office, seed ")
    assert "kernel 'oracle' is unknown" in out
    assert len(out.splitlines()) == 1


def test_a_board_killed_in_mid_run_fails_it(tmp_path: Path) -> None:
    """A robot's process that is gone is told with a remedy, and its firmware goes with it."""
    run = started(RUN, tmp_path)
    told(run, 2)
    os.kill(board_of(tmp_path), signal.SIGKILL)
    out, _ = run.communicate(timeout=30)
    assert run.returncode == 1
    # at the port or at the clock, whichever is used first after the kill
    assert re.search(r"failed: (port \S+: )?the board has ended without a word", out)
    assert session_of(run.pid, tmp_path) == []


def board_of(folder: Path) -> int:
    """Return the process of the board whose log lies below a folder."""
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            line = (entry / "cmdline").read_text()
        except OSError:
            continue
        if "--lockstep" in line and str(folder) in line:
            return int(entry.name)
    raise AssertionError("no board runs")
