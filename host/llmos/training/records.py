"""Examples of decisions from the black boxes of one's own runs, where the true map is not known.

The map that the robot had at the end of a run takes its place, and only runs that reached their goals count:
what they saw on the way is most of what there was to decide by. Ground that was still unknown then counts as
impassable. Frames are disguised as those of arenas are.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from pydantic import ValidationError

from llmos.blackbox import Record, RecordError, read_record, record_in
from llmos.blackbox._identity import version
from llmos.blackbox.why import Moment, moments
from llmos.disk import write_whole
from llmos.errors import LlmosError
from llmos.kernel.frame import NavigationFrame
from llmos.manifest import Manifest
from llmos.report import GOOD
from llmos.sim.arena import Arena, Start
from llmos.teacher import Seen, Teacher, regrets, to_choose
from llmos.training import DATA
from llmos.training.decisions import taught
from llmos.world.grid import LEAST, MOST, STATES, Grid
from llmos.world.serialize import States

PREFIX = "run"  # of the files' names
WALLS, UNSEEN = ("obstacle", "wall"), ("unknown",)
VALIDATED = 10  # one run in so many is for validation, and of two runs one


def learn(work: Path, places: Iterable[Path], seed: int, tell: Callable[[str], None]) -> int:
    """Make the examples of some records, a file for each run, and return how many there are.

    Args:
        work: the folder of the training.
        places: records, folders of runs, or folders of such folders.
        seed: of the disguises.
        tell: hears a line for each record: how many examples, or why none.

    Raises:
        OSError: a file cannot be written.
    """
    found: dict[str, list[dict[str, Any]]] = {}
    for path in sorted(path for place in places for path in records(place)):
        try:
            record = read_record(path)
            some = list(examples(record, Random(f"run {record.name} {seed}")))
            if not some:
                raise RecordError(
                    f"record {path}: its frames leave nothing to choose, or are an older LLMos's"
                )
            found[record.name] = some
        except (LlmosError, ValidationError) as error:
            tell(f"{' '.join(str(error).split())[:300]}; left out")
    for number, (name, some) in enumerate(sorted(found.items())):
        split = "val" if number % VALIDATED == 1 else "train"
        lines = (json.dumps(one | {"split": split}, ensure_ascii=False) for one in some)
        write_whole(work / DATA / f"{PREFIX}-{name}.jsonl", "".join(f"{one}\n" for one in lines).encode())
        tell(f"{name}: {len(some)} examples, for {split}")
    return sum(map(len, found.values()))


def records(place: Path) -> Iterator[Path]:
    """Yield the records in a place: a file, a run's folder, or a folder of those."""
    if place.is_file():
        yield place
    elif record_in(place).is_file():
        yield record_in(place)
    else:
        for folder in place.iterdir():
            if folder.is_dir() and record_in(folder).is_file():
                yield record_in(folder)


def examples(record: Record, chance: Random) -> Iterator[dict[str, Any]]:
    """Yield the examples of a run.

    Raises:
        RecordError: it was made by another SPEC, did not reach its goal, or is not as records are.
    """
    require_usable(record)
    steps = [moment for moment in moments(record) if moment.states is not None]
    if not steps:
        raise RecordError(f"record {record.path}: no frame of it has a map")
    setting = record.one("setting") or {}
    try:
        manifest = Manifest.model_validate_json(json.dumps(setting["manifest"]))
        size_m = Arena.model_validate_json(json.dumps(setting["arena"])).size_m
    except (KeyError, ValidationError):
        raise RecordError(f"record {record.path}: its robot or its room cannot be read") from None
    teacher = teacher_of(steps, size_m, manifest)
    about = {"tongue": "decisions", "source": f"{PREFIX}:{record.name}"}
    for moment in steps:
        seen = judged(moment, teacher)
        if seen:
            yield from (about | one for one in taught(seen, chance))


def require_usable(record: Record) -> None:
    """Refuse a record of another SPEC, and one of a run that did not reach its goal.

    Raises:
        RecordError: it is such a one.
    """
    spec, now = record.header.get("spec"), version()["spec"]
    if spec != now:
        raise RecordError(f"record {record.path}: made with SPEC {spec}, and this is {now}")
    outcome = (record.one("end") or record.one("ending") or {}).get("outcome")
    if outcome not in GOOD:
        raise RecordError(f"record {record.path}: the run did not reach its goal ({outcome or 'cut off'})")


def judged(moment: Moment, teacher: Teacher) -> Seen | None:
    """Return a frame with the teacher's word; None where there is nothing to choose."""
    frame = NavigationFrame.model_validate(moment.step["frame"])
    if len(frame.candidates) < 2 or moment.states is None:
        return None
    if frame.goal_m and all(one.onward_m is None for one in frame.candidates):
        return None  # recorded before frames told the way on, or there is none
    goal = frame.goal_m and teacher.free_near(frame.goal_m)
    grid = grid_of(moment.states, frame.world_model.cell_m)
    lost = regrets(teacher.costs(frame.model_copy(update={"goal_m": goal}), grid))
    return Seen(frame, lost) if to_choose(lost) else None


def teacher_of(steps: list[Moment], size_m: tuple[float, float], manifest: Manifest) -> Teacher:
    """Return the teacher who knows the map of the last step.

    A wall may stand anywhere in its cell, so the robot is taken for half a cell slimmer than it is.
    """
    states, frame = steps[-1].states, NavigationFrame.model_validate(steps[0].step["frame"])
    if states is None:
        raise RecordError("the last step has no map")
    cell_m = frame.world_model.cell_m
    x, y = frame.state.position_m
    arena = Arena(name="map", size_m=size_m, start=Start(x=x, y=y), walls=tuple(walls(states, cell_m)))
    slim = manifest.model_copy(update={"radius_m": max(0.01, manifest.radius_m - cell_m / 2)})
    return Teacher(arena, slim)


def grid_of(states: States, cell_m: float) -> Grid:
    """Return a grid whose cells measure as a frame's map says."""
    rows, columns = states.shape
    grid = Grid((columns * cell_m, rows * cell_m), cell_m)
    grid.logodds[:] = np.where(among(states, WALLS), MOST, np.where(among(states, UNSEEN), 0.0, LEAST))
    return grid


def among(states: States, names: tuple[str, ...]) -> np.ndarray:
    """Return which cells have one of some states."""
    return np.isin(states, [STATES.index(name) for name in names])


def walls(states: States, cell_m: float) -> Iterator[tuple[float, float, float, float]]:
    """Yield walls, x1, y1, x2, y2 in m, through the cells beside free ground that are not free themselves."""
    free = ~among(states, WALLS + UNSEEN)
    padded = np.pad(free, 1)
    beside = np.zeros_like(free)
    for down in range(3):
        for right in range(3):
            beside |= padded[down : down + free.shape[0], right : right + free.shape[1]]
    edge, alone = beside & ~free, beside & ~free
    places = grid_of(states, cell_m)
    for flip in (False, True):
        for row, line in enumerate(edge.T if flip else edge):
            ends = np.flatnonzero(np.diff(line.astype(np.int8), prepend=0, append=0))
            for first, after in zip(ends[::2].tolist(), ends[1::2].tolist(), strict=True):
                if after - first > 1:
                    cells = [(n, row) if flip else (row, n) for n in (first, after - 1)]
                    (alone.T if flip else alone)[row, first:after] = False
                    yield (*places.centre(cells[0]), *places.centre(cells[1]))
    for row, column in np.argwhere(alone).tolist():
        x, y = places.centre((row, column))
        yield x - cell_m / 4, y, x + cell_m / 4, y
