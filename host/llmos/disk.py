"""Files that are there whole or not at all, and folders that one process at a time uses."""

import fcntl
import os
import time
from contextlib import suppress
from pathlib import Path

POLL_S = 0.005


def write_whole(path: Path, data: bytes) -> None:
    """Write a file beside its place and move it there, so that a kill leaves the old or the new one.

    Raises:
        OSError: it cannot be written; what was there stays.
    """
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        with part.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        with suppress(OSError):
            part.unlink()


def locked(handle: int, patience_s: float = 0.0) -> bool:
    """Lock an open file or folder for this process alone; return whether it came free in time.

    What cannot be locked at all does not count as free. The lock goes with the handle: it ends when that is
    closed, or its process killed.
    """
    until = time.monotonic() + patience_s
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            if time.monotonic() >= until:
                return False
            time.sleep(POLL_S)
        else:
            return True
