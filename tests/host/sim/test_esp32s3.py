"""The virtual ESP32-S3 under the field's own tools, which a user runs the same way."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import serial

from llmbytecode import assemble, write_container
from llmos.link import Robot, WallClock, open_port
from llmos.manifest import load_manifest, manifest_hash
from llmos.micropython import MicroPythonNotFound, find, mpremote_dir

LIMITS = load_manifest("cube").limits
PATIENCE_S = 30
SCRIPTS = sorted(path.name for path in (mpremote_dir() / "tests").glob("test_*.sh"))
# What a machine says of its serial ports: only the board's, as if it were on USB.
SITE = """
import os
from serial.tools import list_ports, list_ports_common


def comports(include_links=False):
    port = list_ports_common.ListPortInfo(os.environ["BOARD_PORT"])
    port.vid, port.pid = 0x303A, 0x4001
    return [port]


list_ports.comports = comports
"""


@dataclass
class Board:
    """A free-running board and its ports."""

    pty: str
    rfc2217: str
    truth: Path
    process: "subprocess.Popen[str]"

    def tool(self, name: str, *words: str, port: str | None = None) -> str:
        """What mpremote or ampy prints; it must end well."""
        place = ["connect", port or self.pty] if name == "mpremote" else ["--port", port or self.pty]
        module = name if name == "mpremote" else "ampy.cli"
        command = [sys.executable, "-m", module, *place, *words]
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def moves(self) -> list[dict[str, Any]]:
        """The log of the true way so far."""
        records = map(json.loads, self.truth.read_text().splitlines())
        return [record for record in records if "x" in record]


@pytest.fixture
def bits() -> str:
    """The board's word size, unless a test says another one."""
    return "64"


@pytest.fixture
def board(tmp_path: Path, micropython64: Path, bits: str) -> Iterator[Board]:
    """A board that is flashed already."""
    try:
        find(int(bits))
    except MicroPythonNotFound as error:
        pytest.skip(str(error))
    truth = tmp_path / "truth.jsonl"
    command = [sys.executable, "-m", "llmos", "board", "--json", "--arena", "empty", "--bits", bits]
    command += ["--truth", str(truth)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        yield Board(**json.loads(process.stdout.readline()), truth=truth, process=process)
        process.terminate()


def test_mpremote_and_ampy_find_a_board(board: Board, tmp_path: Path) -> None:
    """Files go there and back by both tools, on both ports; a reset, hard or soft, brings the VM back."""
    source = tmp_path / "words.txt"
    source.write_text("as many words as a line has\n" * 200)
    board.tool("mpremote", "cp", str(source), ":words.txt")
    assert board.tool("ampy", "get", "words.txt").strip() == source.read_text().strip()
    board.tool("ampy", "put", str(source), "again.txt")
    assert board.tool("mpremote", "cat", ":again.txt", port=board.rfc2217) == source.read_text()
    board.tool("ampy", "rm", "again.txt")
    assert "again.txt" not in board.tool("mpremote", "ls")
    board.tool("mpremote", "sha256sum", ":words.txt")
    for word in ("reset", "soft-reset"):
        board.tool("mpremote", word)
        _alive(board)


def _alive(board: Board) -> None:
    port = open_port(board.pty)
    with Robot(port, WallClock(port), manifest_hash(LIMITS)) as robot:
        robot.connect()
        assert robot.at_rest


@pytest.mark.parametrize("bits", ["64", "32"])
def test_the_repl_has_words_about_the_robot(board: Board, bits: str) -> None:
    """What a person would ask first."""
    said = board.tool("mpremote", "exec", "import llmvm; llmvm.status(); llmvm.senses()")
    assert "robot cube on arena" in said
    assert "no sensor is open" in said
    said = board.tool("mpremote", "exec", "import machine; print(machine.unique_id())")
    assert said.startswith("b'")


def test_ctrl_c_stops_the_wheels_and_gives_the_port_to_the_repl(board: Board) -> None:
    """Also in the midst of a move of a block that needs no host, as soon as its host is silent."""
    block = write_container(replace(assemble("MOVE 300mm, 40mm/s\nEND"), autonomous_ms=8000), LIMITS)
    port = open_port(board.pty)
    robot = Robot(port, WallClock(port), manifest_hash(LIMITS))
    robot.connect()
    with pytest.raises(_Enough):
        robot.run(block, _leave)
    port.close()
    assert board.tool("mpremote", "exec", "print(1 + 1)") == "2\n"
    way = board.moves()
    assert not way[-1]["moving"]
    assert 0.01 < max(abs(one["x"] - way[0]["x"]) + abs(one["y"] - way[0]["y"]) for one in way) < 0.2
    board.tool("mpremote", "reset")
    _alive(board)


class _Enough(Exception):
    pass


def _leave(telemetry: Any) -> None:
    if telemetry.ms and telemetry.x_mm > 15:
        raise _Enough


def test_a_program_is_interrupted_and_the_repl_goes_on(board: Board) -> None:
    """Ctrl-C in an endless loop, as a person types it."""
    with serial.Serial(board.pty, 115200, timeout=5) as line:
        line.write(b"\x03")
        assert line.read_until(b">>> ").endswith(b">>> ")
        line.write(b"exec(\"print('on')\\nwhile True: pass\")\r")
        assert line.read_until(b"\r\non\r\n").endswith(b"\r\non\r\n")
        line.write(b"\x03")
        assert b"KeyboardInterrupt" in line.read_until(b"Interrupt: \r\n>>> ")
        line.write(b"40 + 2\r")
        assert line.read_until(b"42\r\n").endswith(b"42\r\n")


@pytest.mark.parametrize("script", SCRIPTS)
def test_mpremotes_own_tests(board: Board, tmp_path: Path, script: str) -> None:
    """MicroPython's scripts, unchanged, with the mpremote of the same package, as its runner runs them."""
    (tmp_path / "sitecustomize.py").write_text(SITE)
    folder = tmp_path / "tmp"
    folder.mkdir()
    tool = tmp_path / "mpremote"
    tool.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{mpremote_dir()}/mpremote.py" "$@"\n')
    tool.chmod(0o755)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    environment |= {
        "BOARD_PORT": board.pty, "PYTHONPATH": str(tmp_path), "MPREMOTE": str(tool), "TMP": str(folder),
    }  # fmt: skip
    path = mpremote_dir() / "tests" / script
    done = subprocess.run(
        ["bash", path],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
    )
    said = done.stdout.replace("\r", "").replace(str(folder), "${TMP}")
    assert said == path.with_name(f"{script}.exp").read_text()


def test_there_are_scripts() -> None:
    """As many as MicroPython 1.25 has, so that none is left out unseen."""
    assert len(SCRIPTS) == 6
