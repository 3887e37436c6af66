"""Rotation: old records are compressed, and leave when they are too old or the runs take too much room.

The rules are those of `volumes/system/kernel/records.md`.
"""

import gzip
import os
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

from pydantic import Field

from llmos.blackbox._file import NAME, PACKED, RecordError, record_in
from llmos.blackbox.check import in_progress, outcome_of
from llmos.blackbox.index import CLOSED, note, read_index
from llmos.disk import locked
from llmos.kernel.prompt import Rules, read_rules
from llmos.state import runs_folder

KEEP = "keep"  # a file in a run's folder: the run never leaves
DAY_S = 86_400.0
_GONE = ".gone-"  # how the name of a folder begins that is being removed
Days = Annotated[float, Field(ge=0, le=36_500)]


class Rotation(Rules):
    """How long records are kept; see the file for what each rule means."""

    total_bytes: Annotated[int, Field(ge=0, le=10**15)]
    keep_days: Days
    failure_days: Days
    pack_days: Days


class Kept(NamedTuple):
    """A run that has a record.

    Args:
        name: of the run and its folder.
        age_days: since its record was last written.
        bytes: of all files in its folder.
        failed: whether it failed, or was killed.
        marked: whether it must be kept.
        running: whether it is in progress.
        packed: whether its record is compressed.
    """

    name: str
    age_days: float
    bytes: int
    failed: bool = False
    marked: bool = False
    running: bool = False
    packed: bool = False


class Act(NamedTuple):
    """What becomes of a run, and why."""

    run: str
    what: Literal["remove", "pack"]
    reason: str


def load_rotation() -> Rotation:
    """Return the rules.

    Raises:
        DocumentError: the file is wrong.
    """
    return read_rules("records", Rotation)


def planned(runs: Sequence[Kept], rules: Rotation) -> list[Act]:
    """Say what the rules want of runs; the newest, and one in progress, are never touched."""
    newest = min(runs, key=lambda run: run.age_days, default=None)
    free = [run for run in runs if not run.running and run is not newest]
    acts = [_aged(run, rules) for run in free if not run.marked and run.age_days > _most_days(run, rules)]
    gone = {act.run for act in acts}
    size = sum(run.bytes for run in runs if run.name not in gone)
    for run in sorted(free, key=lambda run: (run.failed, -run.age_days)):
        if size > rules.total_bytes and run.name not in gone and not run.marked:
            acts.append(Act(run.name, "remove", f"all runs had more than {rules.total_bytes} bytes"))
            gone.add(run.name)
            size -= run.bytes
    for run in free:
        if run.name not in gone and not run.packed and run.age_days > rules.pack_days:
            acts.append(Act(run.name, "pack", f"older than {rules.pack_days:g} days"))
    return acts


def _most_days(run: Kept, rules: Rotation) -> float:
    return rules.failure_days if run.failed else rules.keep_days


def _aged(run: Kept, rules: Rotation) -> Act:
    kind = "failed and is" if run.failed else "is"
    return Act(run.name, "remove", f"it {kind} older than {_most_days(run, rules):g} days")


def kept_runs(now_s: float | None = None) -> list[Kept]:
    """Return the runs that have a record, by name.

    Args:
        now_s: the wall clock's time, to tell their ages by.
    """
    from llmos.report import GOOD

    now, index = time.time() if now_s is None else now_s, read_index()
    found = []
    with os.scandir(runs_folder()) as folders:
        for folder in folders:
            if not folder.is_dir(follow_symlinks=False) or folder.name.startswith(_GONE):
                continue
            with os.scandir(folder) as files:
                files_of = {file.name: file.stat(follow_symlinks=False) for file in files}
            name = NAME if NAME in files_of else PACKED
            if name not in files_of:
                continue
            sealed, path = index.sealed.get(folder.name), Path(folder) / name
            outcome = sealed["outcome"] if sealed else outcome_of(path)
            found.append(
                Kept(
                    folder.name,
                    (now - files_of[name].st_mtime) / DAY_S,
                    sum(file.st_size for file in files_of.values()),
                    outcome not in (*GOOD, CLOSED),
                    KEEP in files_of,
                    sealed is None and in_progress(path),
                    name == PACKED,
                )
            )
    return sorted(found)


def rotate(rules: Rotation | None = None) -> list[Act]:
    """Do what the rules want; return what was done. Where another process does so now, nothing is.

    Raises:
        DocumentError: the file of the rules is wrong.
        OSError: a run's folder cannot be changed.
    """
    rules = rules or load_rotation()
    with _alone() as alone:
        if not alone:
            return []
        for rest in runs_folder().glob(_GONE + "*"):  # of a program that was killed
            shutil.rmtree(rest)
        acts = planned(kept_runs(), rules)
        for act in acts:
            folder = runs_folder() / act.run
            if act.what == "pack":
                pack(folder)
            else:
                remove(folder, act.reason)
    return acts


@contextmanager
def _alone() -> Iterator[bool]:
    """Tell whether no other process rotates the runs meanwhile."""
    handle = os.open(runs_folder(), os.O_RDONLY)
    try:
        yield locked(handle)
    finally:
        os.close(handle)


def pack(folder: Path) -> None:
    """Compress a run's record; a kill leaves the plain one, or both, of which the plain one counts."""
    plain, packed = folder / NAME, folder / PACKED
    part = folder / f"{PACKED}.part"
    with part.open("wb") as file:
        file.write(gzip.compress(plain.read_bytes(), mtime=0))
        file.flush()
        os.fsync(file.fileno())
    times = plain.stat()
    os.utime(part, ns=(times.st_atime_ns, times.st_mtime_ns))  # its age is the run's
    part.replace(packed)
    plain.unlink()


def remove(folder: Path, reason: str) -> None:
    """Remove a run, and leave a line in the index; a kill leaves the run, or a rest that goes next time."""
    rest = folder.with_name(_GONE + folder.name)
    folder.rename(rest)
    note("gone", folder.name, reason=reason)
    shutil.rmtree(rest)


def mark(folder: Path, kept: bool) -> None:
    """Mark a run to be kept, or take the mark away.

    Raises:
        RecordError: the folder is none of a run's that a rule could remove.
    """
    if folder.resolve().parent != runs_folder().resolve() or not record_in(folder).is_file():
        raise RecordError(
            f"{folder} is no run's folder in {runs_folder()}: name a run as `llmos blackbox ls` does"
        )
    if kept:
        (folder / KEEP).touch()
    else:
        (folder / KEEP).unlink(missing_ok=True)
