"""`llmos monitor` on a real pty with keys typed, and without a terminal; the robot behind it is real."""

import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from llmos import monitor as monitoring
from llmos.connection import in_session
from llmos.link import Robot
from llmos.manifest import load_manifest
from llmos.monitor import Monitor
from llmos.report import Order
from llmos.skills import find_skill

PATIENCE_S = 15
LLMOS = [sys.executable, "-m", "llmos"]
CUBE = load_manifest("cube")


class Typist:
    """A terminal with the monitor on it: what it shows now, and keys for it."""

    def __init__(self, *words: str, errors: int | None = None) -> None:
        self.master, self.slave = pty.openpty()
        self.resize(80, 24)
        self.before = termios.tcgetattr(self.slave)
        self.text = ""
        self.process = subprocess.Popen(
            [*LLMOS, "monitor", *words], stdin=self.slave, stdout=self.slave,
            stderr=errors or self.slave,
            preexec_fn=self._own, env={**os.environ, "TERM": "xterm"},
        )  # fmt: skip

    def _own(self) -> None:
        os.setsid()
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    def resize(self, columns: int, rows: int) -> None:
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def type(self, keys: str) -> None:
        os.write(self.master, keys.encode())

    def until(self, done: Callable[[list[str]], object]) -> list[str]:
        """Return the first page for which `done` holds."""
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            self._read(0.2)
            pages = re.findall(r"\x1b\[H(.*?)\x1b\[J", self.text, re.DOTALL)
            for number, page in enumerate(pages):
                lines = [re.sub(r"\x1b\[[0-9;]*[mK]", "", line) for line in page.split("\r\n")]
                if done(lines):
                    rest = self.text.split("\x1b[J", number + 1)[-1]
                    self.text = rest
                    return lines
        raise AssertionError(self.text[-2000:])

    def ended(self) -> tuple[int, str]:
        """Return the exit code, and what was written last."""
        end = time.monotonic() + PATIENCE_S
        while self.process.poll() is None and time.monotonic() < end:
            self._read(0.05)
        self._read(0.2)
        return self.process.wait(1), self.text

    def _read(self, seconds: float) -> None:
        while select.select([self.master], [], [], seconds)[0]:
            self.text += os.read(self.master, 65536).decode()
            seconds = 0

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(PATIENCE_S)
        os.close(self.master)
        os.close(self.slave)


@contextmanager
def terminal(*words: str, errors: int | None = None) -> Iterator[Typist]:
    """The monitor on a terminal of its own, which it must leave as it was."""
    typist = Typist(*words, errors=errors)
    try:
        yield typist
        _, text = typist.ended()
        assert text.count("\x1b[?1049l") == 1
        assert text.index("\x1b[?25h") < text.index("\x1b[?1049l")
        assert termios.tcgetattr(typist.slave) == typist.before
    finally:
        typist.close()


def shows(*texts: str) -> Callable[[list[str]], bool]:
    """Hold for a page with all these texts."""
    return lambda lines: all(text in "\n".join(lines) for text in texts)


def x_of(lines: list[str]) -> float:
    """Return the robot's place east of where it began, in metres."""
    return float(re.search(r"x (-?[\d.]+) m", "\n".join(lines))[1])  # type: ignore[index]


# of the skill's file
LINE = 1 + find_skill("forward").text.split("\n").index("        MOVE    distance, speed")


@pytest.fixture
def board(micropython64: Path) -> Iterator[tuple[str, "subprocess.Popen[str]"]]:
    """A virtual robot at the wall's pace, in a process of its own: its port and its process."""
    command = [*LLMOS, "board", "--json", "--arena", "empty"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, process_group=0) as process:
        assert process.stdout
        yield json.loads(process.stdout.readline())["pty"], process
        process.terminate()


def test_the_space_bar_stops_the_robot_until_it_is_cleared(board: tuple[str, object]) -> None:
    """Typed while a block drives: latched, the block is over; `c` asks, and nothing moves again by itself."""
    with terminal("--port", board[0], "--run", "forward") as typist:
        typist.until(
            shows("running, navigating, moving", f"forward, round 1, line {LINE}: MOVE distance, speed")
        )
        typist.type(" ")
        stopped = typist.until(shows("LATCHED", f"stopped at line {LINE}: the e-stop was latched"))
        typist.type("c")
        typist.until(shows("release the e-stop? See that the robot's way is free"))
        typist.type("n")
        typist.until(lambda lines: "space e-stop" in lines[-1])
        typist.type("r")  # a latched robot runs nothing
        assert x_of(typist.until(shows("LATCHED"))) == x_of(stopped)
        typist.type("cy")
        released = typist.until(shows("e-stop    released", "the e-stop is released", "ready"))
        assert x_of(released) == x_of(stopped)
        typist.type("r")
        typist.until(shows("running, navigating, moving"))
        typist.type("q")
        assert typist.ended()[0] == 0
        assert "the robot is stopped" in typist.text


def test_no_line_is_wider_than_the_terminal(micropython64: Path) -> None:
    """Whatever its size, and when it changes; the last line says which keys there are."""
    with terminal("--run", "square") as typist:
        for columns, rows in ((80, 24), (33, 7)):
            typist.resize(columns, rows)
            typist.text = ""
            typist.until(shows(""))  # one that was begun before
            lines = typist.until(shows("cube"))
            assert max(map(len, lines)) <= columns
            assert len(lines) <= rows
            assert lines[-1].startswith("space e-stop")
        typist.type("q")


@pytest.mark.parametrize("end", ["SIGTERM", "Ctrl-C", "robot"])
def test_the_terminal_is_left_as_it_was(end: str, board: tuple[str, "subprocess.Popen[str]"]) -> None:
    """After a signal, Ctrl-C, and a robot that is gone; Ctrl-Z does not hold what could stop the robot."""
    with terminal("--port", board[0], "--run", "square") as typist:
        typist.until(shows("running, navigating, moving"))
        typist.type("\x1a\x1c\x13")
        typist.text = ""
        typist.until(shows("running, navigating, moving"))
        if end == "robot":
            os.killpg(board[1].pid, signal.SIGKILL)
        elif end == "Ctrl-C":
            typist.type("\x03")
        else:
            typist.process.send_signal(getattr(signal, end))
        code, text = typist.ended()
        assert code == (1 if end == "robot" else 130)
        assert ("has vanished" in text) == (end == "robot")
        assert "Traceback" not in text


def test_a_terminal_that_shows_nothing_holds_nothing(micropython64: Path) -> None:
    """Its output is stopped: a signal is obeyed all the same, as it could not be in a write that waits."""
    with terminal("--run", "square", errors=subprocess.DEVNULL) as typist:
        typist.until(shows("running, navigating, moving"))
        termios.tcflow(typist.slave, termios.TCOOFF)
        typist.process.send_signal(signal.SIGTERM)
        assert typist.process.wait(PATIENCE_S) == 130
        termios.tcflow(typist.slave, termios.TCOON)
        typist.text += "\x1b[?25h\x1b[?1049l"  # it could not be told


def test_without_a_terminal_it_tells_a_line_a_second(micropython64: Path) -> None:
    """Lines for a log, or JSON objects; the robot is stopped at the end."""
    words = ["monitor", "--run", "square", "--seconds", "1.2"]
    log, told = (
        subprocess.Popen([*LLMOS, *words, *more], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for more in ([], ["--json"])
    )
    out, errors = log.communicate(timeout=PATIENCE_S)
    assert len(out.splitlines()) == 2
    assert "running, navigating, moving" in out
    assert errors == "the robot is stopped\n"
    objects = list(map(json.loads, told.communicate(timeout=PATIENCE_S)[0].splitlines()))
    assert len(objects) == 2
    assert {*objects[0]} == {
        *("ms", "robot", "place", "state", "mode", "flags", "estop", "pose", "ranges", "age_ms"),
        *("battery_mv", "battery_min_mv", "block", "lease", "link"),
    }
    assert objects[-1]["block"]["name"] == "square"
    assert objects[-1]["pose"]["x_mm"] > 0
    assert {*objects[0]["ranges"]} == {*CUBE.range.angles_deg}
    assert (log.returncode, told.returncode) == (0, 0)


def test_a_reader_that_leaves_ends_it(micropython64: Path) -> None:
    """As `head` does: no error is told, and the robot is stopped."""
    command = [*LLMOS, "monitor", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stderr
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode == 0


class Keys:
    """Keys at moments of the robot's clock, in ms."""

    def __init__(self, robot: Robot, keys: list[tuple[int, str]]) -> None:
        self._robot, self._keys = robot, keys

    def __call__(self) -> str:
        typed = ""
        while self._keys and self._keys[0][0] <= self._robot.clock.now():
            typed += self._keys.pop(0)[1]
        return typed


@pytest.mark.parametrize("fault", ["flip=0", "flip=0.002", "delay=150"])
def test_the_e_stop_wins_over_its_release(
    fault: str, monkeypatch: pytest.MonkeyPatch, micropython64: Path
) -> None:
    """The space bar at any moment after `y`: what is sent again of the release does not undo it."""
    with in_session(Order("", faults=(fault,)), CUBE, Path(os.devnull)) as robot:
        keys, checks, begin = [], [], robot.clock.now()
        for number in range(12):
            at = begin + 3000 * (number + 1)
            keys += [(at, " "), (at + 900, "c"), (at + 950, "y"), (at + 950 + 17 * number, " ")]
            checks.append(at + 2900)
        script, latched = Keys(robot, keys), []

        def looked() -> str:
            if checks and robot.clock.now() >= checks[0]:
                latched.append((checks.pop(0), robot.latched))
            return script()

        @contextmanager
        def keyboard() -> Iterator[Callable[[], str]]:
            yield looked

        monkeypatch.setattr(monitoring, "keyboard", keyboard)
        with open(os.devnull, "w") as out:
            Monitor(robot, CUBE, "the desk").watch(out, seconds=3 * 13)
    assert len(latched) == 12
    assert all(is_latched for _, is_latched in latched), latched
