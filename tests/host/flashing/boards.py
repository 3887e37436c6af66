"""Virtual boards as processes of their own, and `llmos flash` on them, also killed in the middle."""

import io
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import IO

import pytest

from llmos.__main__ import main
from llmos.sim.image import virtual_image

LLMOS = [sys.executable, "-m", "llmos"]
PATIENCE_S = 60


class VirtualBoard:
    """`llmos board` with a flash file; ended with the block."""

    def __init__(self, flash: Path, *options: str) -> None:
        command = [*LLMOS, "board", "--json", "--flash", str(flash), *options]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert self._process.stdout
        line = self._process.stdout.readline()
        assert line, self._process.communicate()[1]
        ports = json.loads(line)
        self.pty, self.rfc2217 = ports["pty"], ports["rfc2217"]

    def kill(self) -> None:
        """Take its power away."""
        self._process.kill()

    def __enter__(self) -> "VirtualBoard":
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.communicate(timeout=10)


def flash(port: str, *options: str, code: int = 0) -> str:
    """What `llmos flash` prints, on both streams, in this process; it must end with the exit code."""
    said = io.StringIO()
    with redirect_stdout(said), redirect_stderr(said), pytest.raises(SystemExit) as ended:
        main(["flash", "--port", port, *options])
    assert ended.value.code == code, said.getvalue()
    return said.getvalue()


def kill_at(step: str, port: str, *options: str, delay_s: float = 0) -> list[str]:
    """Run `llmos flash`, SIGKILL it when the step begins or some time later; return the lines up to there."""
    process, stream = _start("--port", port, *options)
    try:
        lines = _until(step, stream)
        time.sleep(delay_s)
        return lines
    finally:
        os.kill(process, signal.SIGKILL)
        os.waitpid(process, 0)
        stream.close()


def cut_at(step: str, board: VirtualBoard, *options: str) -> str:
    """Run `llmos flash`, end the board when the step begins, and return what is said from there on."""
    process, stream = _start("--port", board.pty, *options)
    _until(step, stream)
    board.kill()
    said = stream.read()
    assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == 1, said
    stream.close()
    return said


def _start(*options: str) -> tuple[int, IO[str]]:
    """Start `llmos flash` in a fork of this process, which has imported it already; return what it prints."""
    reading, writing = os.pipe()
    process = os.fork()
    if process:
        os.close(writing)
        return process, os.fdopen(reading)
    try:
        sys.stdout = sys.stderr = os.fdopen(writing, "w", buffering=1)
        sys.stdin = open(os.devnull)
        main(["flash", *options])
    except SystemExit as ended:
        os._exit(ended.code if isinstance(ended.code, int) else 0)
    finally:
        os._exit(70)


def _until(step: str, stream: IO[str]) -> list[str]:
    lines = []
    for line in stream:
        lines.append(line.strip())
        if line.startswith("  ") and step in line:
            return lines
    raise AssertionError(f"no step {step!r}: {lines}")


def image(folder: Path) -> Path:
    """The MicroPython of the virtual board, as a file."""
    path = folder / "micropython.bin"
    path.write_bytes(virtual_image("v1.25.0"))
    return path


def mpremote(port: str, *words: str) -> str:
    """What mpremote prints."""
    command = [sys.executable, "-m", "mpremote", "connect", port, "resume", *words]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=PATIENCE_S)
    return done.stdout
