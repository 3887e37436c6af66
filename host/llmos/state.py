"""The state folder: everything that the program keeps lies below it."""

import time
from pathlib import Path

from llmos.errors import LlmosError
from llmos.resources import state_dir


class StateError(LlmosError):
    """The state folder cannot be used."""


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
