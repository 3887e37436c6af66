"""The state folder: everything that the program keeps lies below it."""

import errno
import os
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


def runs_folder() -> Path:
    """Make and return the folder that holds a folder for each run.

    Raises:
        StateError: it cannot be written.
    """
    runs = state_dir() / "runs"
    try:
        runs.mkdir(parents=True, exist_ok=True)
        if not os.access(runs, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except OSError as error:
        raise _unusable(runs, error) from None
    return runs


def _unusable(folder: Path, error: OSError) -> StateError:
    return StateError(
        f"the state folder {folder} cannot be written ({error.strerror}): set LLMOS_HOME to a folder of yours"
    )


def own_manifest(name: str) -> Path:
    """Return where the user's own manifest of a robot is kept; it need not exist yet."""
    return state_dir() / "robots" / f"{name}.toml"


def find_run(name: str, *files: str) -> Path:
    """Return the folder of a run that holds one of some files: by its beginning, or `last` for the newest.

    Raises:
        StateError: there is no such run, or there are several.
    """
    folder = runs_folder()
    runs = sorted({path.parent for file in files for path in folder.glob(f"*/{file}")}, key=_began)
    found = runs[-1:] if name == "last" else [run for run in runs if run.name.startswith(name)]
    exact = [run for run in found if run.name == name]
    if len(exact or found) == 1:
        return (exact or found)[0]
    some = ", ".join(run.name for run in (found or runs)[-5:])
    if found:
        raise StateError(f"run {name!r}: {len(found)} begin so: {some}; write more of the name")
    raise StateError(
        f"run {name!r}: none in {runs_folder()}; "
        + (f"the newest are {some}" if runs else "`llmos run` makes one")
    )


def _began(run: Path) -> tuple[str, int, str]:
    """Return by what runs are sorted: the second of their names, then the file system's time."""
    return run.name[:15], run.stat().st_mtime_ns, run.name


def new_run_folder(label: str) -> Path:
    """Make and return a fresh folder for one run.

    Raises:
        StateError: the folder cannot be made.
    """
    runs, stamp, label = runs_folder(), time.strftime("%Y%m%d-%H%M%S"), label.replace(":", "-")
    for number in range(1000):
        folder = runs / (f"{stamp}-{label}" + (f"-{number}" if number else ""))
        try:
            folder.mkdir()
        except FileExistsError:
            continue
        except OSError as error:
            raise _unusable(runs, error) from None
        return folder
    raise StateError(f"a thousand runs of this second lie in {runs}: wait a second")
