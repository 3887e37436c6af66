"""Fetches MicroPython's image for the reference board by the `mpflash` package, where it is installed."""

import importlib.util
import subprocess
import sys
from pathlib import Path

from llmos.flashing.errors import ImageError
from llmos.micropython import PINNED
from llmos.resources import cache_dir

BOARD = "ESP32_GENERIC_S3"
_PATIENCE_S = 300


def fetch() -> Path:
    """Return the image, downloaded unless it is in the user's cache already.

    Raises:
        ImageError: mpflash is not installed, or does not get it.
    """
    folder = cache_dir() / "mpflash"
    cached = _newest(folder)
    if cached:
        return cached
    if importlib.util.find_spec("mpflash") is None:
        raise ImageError(
            "--fetch needs mpflash, which is not installed; run `pip install 'llmos[mpflash]'`, or name a "
            "file with --firmware"
        )
    folder.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-c", "from mpflash.cli_main import mpflash; mpflash()"]
    command += ["--no-interactive", "--dir", str(folder)]
    command += ["download", "--version", f"{PINNED}.0", "--board", BOARD, "--no-clean"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_PATIENCE_S, check=False)
        said = (done.stdout + done.stderr).strip().splitlines()
    except subprocess.TimeoutExpired:
        said = [f"no end within {_PATIENCE_S} s"]
    image = _newest(folder)
    if image is None:
        reason = said[-1].rpartition("| ")[2].strip(" ❌") if said else "it says nothing"
        raise ImageError(
            f"mpflash has not got MicroPython {PINNED} for {BOARD} ({reason}); see that this machine is "
            "online, or name a file with --firmware"
        )
    return image


def _newest(folder: Path) -> Path | None:
    images = [
        path for path in folder.rglob(f"{BOARD}-[v0-9]*.bin") if f"v{PINNED}" in path.name
    ]  # no variant
    return max(images, key=lambda path: path.stat().st_mtime, default=None)
