"""A folder for a while."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from llmos.link.interrupts import deferred_interrupts


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """Have a folder for a while; Ctrl-C does not keep it from being removed."""
    made: list[str] = []
    try:
        with deferred_interrupts():  # which raises at its end
            made.append(tempfile.mkdtemp(prefix="llmos-"))
        yield Path(made[0])
    finally:
        with deferred_interrupts():
            for folder in made:
                shutil.rmtree(folder, ignore_errors=True)
