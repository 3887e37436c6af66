"""Finds the MicroPython that runs the firmware on this machine (its unix port, 64-bit or 32-bit)."""

import os
import re
import shutil
import subprocess
from pathlib import Path

from llmos.errors import LlmosError
from llmos.resources import cache_dir

PINNED = "1.25"  # what `make setup` builds
OLDEST = (1, 22)  # the first whose viper and .mpy format serve the firmware
_ARCH = {64: "x64", 32: "x86"}
_OVERRIDE = {64: "LLMOS_MICROPYTHON", 32: "LLMOS_MICROPYTHON32"}


class MicroPythonNotFound(LlmosError, FileNotFoundError):
    """No usable MicroPython of the asked word size."""


def cached(bits: int = 64) -> Path:
    """Where `make setup` puts its build of `bits`; the file need not exist."""
    return cache_dir() / f"micropython-{PINNED}-board-{_ARCH[bits]}"


def mpremote_dir() -> Path:
    """Where `make setup` puts MicroPython's own mpremote with its test scripts."""
    return cache_dir() / f"mpremote-{PINNED}"


def version(path: Path) -> str:
    """The version that the MicroPython at `path` reports ("1.25.0"), or "" where it reports none."""
    program = "import sys; print('.'.join(map(str, sys.implementation[1][:3])), sys.maxsize)"
    return _ask(path, program).partition(" ")[0]


def word_size(path: Path) -> int:
    """The word size in bits of the MicroPython at `path`, or 0 where it does not run."""
    answer = _ask(path, "import sys; print(sys.maxsize)")
    return int(answer).bit_length() + 1 if answer.isdigit() else 0


def has_repl(path: Path) -> bool:
    """Whether the MicroPython at `path` was built as a board (tools/board), with a board's REPL."""
    return _ask(path, "import repl; print(True)") == "True"


def recent(path: Path) -> bool:
    """Whether the MicroPython at `path` runs and is at least `OLDEST`."""
    numbers = re.findall(r"\d+", version(path))
    return len(numbers) >= 2 and (int(numbers[0]), int(numbers[1])) >= OLDEST


def overridden(bits: int = 64) -> str | None:
    """The path in the environment that stands for every other one, or None."""
    return os.environ.get(_OVERRIDE[bits]) or None


def find(bits: int = 64) -> Path:
    """The MicroPython to use: the environment's, else the one `make setup` built, else the one on PATH.

    Raises MicroPythonNotFound.
    """
    override = overridden(bits)
    if override:
        return _checked(Path(override), _OVERRIDE[bits])
    if os.access(cached(bits), os.X_OK):
        return cached(bits)
    on_path = shutil.which("micropython")
    if on_path and recent(Path(on_path)) and word_size(Path(on_path)) == bits:
        return Path(on_path)
    raise MicroPythonNotFound(
        f"no {bits}-bit MicroPython: {cached(bits)} does not exist and PATH has none of version "
        f"{'.'.join(map(str, OLDEST))} or newer; run `make setup`, or set {_OVERRIDE[bits]} to one"
    )


def _checked(path: Path, variable: str) -> Path:
    if not (os.access(path, os.X_OK) and path.is_file()):
        raise MicroPythonNotFound(f"{variable} is {path}, which is no program; correct it, or unset it")
    if not recent(path.absolute()):
        oldest = ".".join(map(str, OLDEST))
        raise MicroPythonNotFound(
            f"{variable} is {path}, which does not run as MicroPython {oldest} or newer; "
            "correct it, or unset it"
        )
    return path.absolute()


def _ask(path: Path, program: str) -> str:
    try:
        done = subprocess.run([path, "-c", program], capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip()
