"""Virtual boards as processes of their own, and `llmos flash` on them, also killed in the middle."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import IO

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

    def __enter__(self) -> "VirtualBoard":
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.communicate(timeout=10)


def flash(port: str, *options: str, code: int = 0) -> str:
    """What `llmos flash` prints, on both streams; it must end with the exit code."""
    command = [*LLMOS, "flash", "--port", port, *options]
    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True,
        timeout=PATIENCE_S,
    )  # fmt: skip
    assert done.returncode == code, done.stdout
    return done.stdout


def kill_at(step: str, port: str, *options: str, delay_s: float = 0) -> list[str]:
    """Run `llmos flash`, SIGKILL it when the step begins or some time later; return the lines up to there."""
    command = [*LLMOS, "flash", "--port", port, *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert process.stdout
    lines = _until(step, process.stdout)
    time.sleep(delay_s)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    return lines


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
    if not path.exists():
        subprocess.run([*LLMOS, "board", "--image", str(path)], check=True, stdout=subprocess.DEVNULL)
    return path


def mpremote(port: str, *words: str) -> str:
    """What mpremote prints."""
    command = [sys.executable, "-m", "mpremote", "connect", port, "resume", *words]
    environment = os.environ | {"PYTHONUNBUFFERED": "1"}
    return subprocess.run(
        command, check=True, capture_output=True, text=True, timeout=PATIENCE_S, env=environment
    ).stdout
