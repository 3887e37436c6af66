"""The state folder: everything that the program keeps lies below it."""

import time
from pathlib import Path

from llmos.errors import LlmosError
from llmos.resources import state_dir


class StateError(LlmosError):
    """The state folder cannot be used."""


def writable(path: Path) -> Path:
    """Return a path after trying that a file can be written there.

    Raises:
        StateError: it cannot; said before a run instead of after it.
    """
    try:
        path.open("ab").close()
    except OSError as error:
        raise StateError(
            f"{path} cannot be written ({error.strerror}): name a file in a folder of yours"
        ) from None
    return path


def new_run_folder(label: str) -> Path:
    """Make and return a fresh folder for one run.

    Raises:
        StateError: the folder cannot be made.
    """
    runs, stamp = state_dir() / "runs", time.strftime("%Y%m%d-%H%M%S")
    try:
        runs.mkdir(parents=True, exist_ok=True)
        for number in range(1000):
            folder = runs / (f"{stamp}-{label}" + (f"-{number}" if number else ""))
            try:
                folder.mkdir()
            except FileExistsError:
                continue
            return folder
    except OSError as error:
        raise StateError(
            f"the state folder {runs} cannot be written ({error}): set LLMOS_HOME to a folder of yours"
        ) from None
    raise StateError(f"a thousand runs of this second lie in {runs}: wait a second")
