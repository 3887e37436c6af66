"""The judge of a finished run: what the truth log says, how short the way could have been, how much was seen.

The only reader of the truth besides the drawing of a finished run.
"""

import functools
import json
import math
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from llmos.eyes.names import words
from llmos.planning import reachable_costs
from llmos.sim.arena import Arena, clearance, ground
from llmos.sim.ground import Grid
from llmos.sim.route import Point, route
from llmos.sim.truth import TruthError
from llmos.world.grid import Grid as Belief

VIEW_M = 2.0  # how far one looks from reachable ground
_DIRECTIONS = 64


class Sample(NamedTuple):
    """The body at one moment: ms, metres, radians; the faster wheel's half-steps/s."""

    ms: int
    x: float
    y: float
    heading: float
    collisions: int
    moving: int
    led: list[int]
    rate: int = 0


@dataclass
class Truth:
    """What a truth log says."""

    arena: dict[str, Any]
    robot: str
    seed: int
    samples: list[Sample] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)

    @property
    def collisions(self) -> int:
        """How often the body ran into something."""
        return self.samples[-1].collisions if self.samples else 0

    @property
    def way(self) -> list[Point]:
        """Where the body was, in metres."""
        return [(sample.x, sample.y) for sample in self.samples]

    @property
    def path_m(self) -> float:
        """Length of the driven way."""
        return length(self.way)


def read_truth(path: Path | str) -> Truth:
    """Read a board's truth log; a last line that was cut off is left out.

    Raises:
        TruthError: the file cannot be read, or is no truth log.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except OSError as error:
        raise TruthError(f"truth log {path}: {error.strerror}") from None
    records = [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]
    if not records or "arena" not in records[0]:
        raise TruthError(f"truth log {path}: its first line does not name an arena")
    truth = Truth(**records[0])
    for record in records[1:]:
        if "x" in record:
            truth.samples.append(Sample(**record))
        else:
            truth.events.append(record)
    return truth


def between(truth: Truth, began_ms: int, ended_ms: int) -> Truth:
    """Return what happened after one moment and up to another; its first sample is the state before that.

    Collisions are counted from the beginning of this part.
    """
    before = [sample for sample in truth.samples if sample.ms <= began_ms][-1:]
    hits = before[0].collisions if before else 0
    within = [sample for sample in truth.samples if began_ms < sample.ms <= ended_ms]
    samples = [sample._replace(collisions=sample.collisions - hits) for sample in before + within]
    events = [event for event in truth.events if began_ms < event["ms"] <= ended_ms]
    return Truth(truth.arena, truth.robot, truth.seed, samples, events)


def nearest_m(truth: Truth, arena: Arena, radius_m: float) -> float:
    """Return how near the body of a robot of `radius_m` came to an obstacle: 0 where it touched one."""
    return max(0.0, min(clearance(arena, sample.x, sample.y) for sample in truth.samples) - radius_m)


def length(way: list[Point]) -> float:
    """Length of a polyline."""
    return sum(math.dist(here, there) for here, there in pairwise(way))


@functools.lru_cache(maxsize=64)
def shortest_way(arena: Arena, radius_m: float) -> tuple[Point, ...]:
    """The shortest way of a robot of `radius_m` to the goal's tolerance; empty where there is none."""
    if arena.goal is None:
        return ()
    goal = (arena.goal.x, arena.goal.y)
    way = route(arena, radius_m, (arena.start.x, arena.start.y), goal)
    return tuple(_until_near(way, goal, arena.criteria.goal_tolerance_m))


def shortest_m(arena: Arena, radius_m: float) -> float | None:
    """Length of the shortest way to the goal's tolerance, or None where there is no goal or no way."""
    way = shortest_way(arena, radius_m)
    return length(list(way)) if way else None


@functools.lru_cache(maxsize=64)
def shortest_to_m(arena: Arena, radius_m: float, label: str) -> float | None:
    """Length of the shortest way to within the goal's tolerance of a thing's edge, by the thing's label.

    The end is the cell of the fine grid with the shortest way over cells, which may be some centimetres
    longer than the best. None where nothing is called so, or no way leads to it.
    """
    where, start = ground(arena, radius_m), (arena.start.x, arena.start.y)
    ends = np.zeros_like(where.reached)
    for thing in arena.objects:
        if words(label) <= words(thing.label):
            away = np.hypot(where.xs[None, :] - thing.x, where.ys[:, None] - thing.y)
            ends |= where.reached & (away <= thing.radius_m + arena.criteria.goal_tolerance_m)
    first = where.nearest_free(*start)
    if first is None or not ends.any():
        return None
    far = reachable_costs(np.where(where.blocked, np.inf, 1.0).astype(np.float32), first)
    row, column = divmod(int(np.where(ends, far, np.inf).argmin()), where.width)
    return length(route(arena, radius_m, start, (float(where.xs[column]), float(where.ys[row]))))


def _until_near(way: list[Point], goal: Point, tolerance: float) -> list[Point]:
    """Cut a way off where it comes within `tolerance` of its end."""
    for index, (x, y) in enumerate(way):
        if math.dist((x, y), goal) > tolerance:
            continue
        if index == 0:
            return [(x, y)]
        (x0, y0), low, high = way[index - 1], 0.0, 1.0
        for _ in range(40):  # the distance falls along the last leg: halve to where it is the tolerance
            middle = (low + high) / 2
            near = math.dist((x0 + middle * (x - x0), y0 + middle * (y - y0)), goal) <= tolerance
            low, high = (low, middle) if near else (middle, high)
        return [*way[:index], (x0 + high * (x - x0), y0 + high * (y - y0))]
    return way


@functools.lru_cache(maxsize=16)
def visible_points(arena: Arena, radius_m: float) -> NDArray[np.float64]:
    """Points (n, 2) on a fine grid over the free area that can be seen from ground that the robot reaches."""
    where = ground(arena, radius_m)
    # wide enough that no ray slips between two cells of a wall
    opaque = ground(arena, 0.75 * where.cell_m).blocked
    seen = where.reached | _seen_from(_rim(where.reached), opaque, where.cell_m)
    rows, columns = np.nonzero(seen & ~opaque)
    return np.column_stack((where.xs[columns], where.ys[rows]))


def _rim(reached: Grid) -> Grid:
    """The reached cells beside others; whatever else reached ground sees, one of these sees."""
    inner = reached.copy()
    inner[1:] &= reached[:-1]
    inner[:-1] &= reached[1:]
    inner[:, 1:] &= reached[:, :-1]
    inner[:, :-1] &= reached[:, 1:]
    return reached & ~inner


def _seen_from(viewpoints: Grid, opaque: Grid, cell_m: float) -> Grid:
    seen = np.zeros_like(opaque)
    rows, columns = np.nonzero(viewpoints)
    for angle in np.arange(_DIRECTIONS) * (2 * math.pi / _DIRECTIONS):
        row, column = rows + 0.5, columns + 0.5
        for _ in range(int(VIEW_M / cell_m)):
            row, column = row + math.sin(angle), column + math.cos(angle)
            r, c = row.astype(int), column.astype(int)
            clear = (row >= 0) & (column >= 0) & (r < opaque.shape[0]) & (c < opaque.shape[1])
            clear[clear] = ~opaque[r[clear], c[clear]]
            if not clear.any():
                break
            row, column = row[clear], column[clear]
            seen[r[clear], c[clear]] = True
    return seen


def coverage(arena: Arena, radius_m: float, belief: Belief) -> float:
    """Share of the free area visible from reachable ground that the robot's sensors have told it about."""
    seen = _at_points(arena, radius_m, belief, belief.measured() != 0)  # a model's word is no sight
    return float(seen.mean()) if len(seen) else 0.0


def known_ms(arena: Arena, radius_m: float, belief: Belief) -> list[float]:
    """When the points of that area were first known, in ms, sorted; infinite for those that never were."""
    moments = np.where(belief.known_ms < 0, np.inf, belief.known_ms)
    return sorted(_at_points(arena, radius_m, belief, moments).tolist())


def _at_points(arena: Arena, radius_m: float, belief: Belief, cells: NDArray[Any]) -> NDArray[Any]:
    """What a value of each of the map's cells is at the points of that area."""
    points = visible_points(arena, radius_m)
    rows, columns = cells.shape
    row = np.floor(points[:, 1] / belief.cell_m + rows / 2).astype(int).clip(0, rows - 1)
    column = np.floor(points[:, 0] / belief.cell_m + columns / 2).astype(int).clip(0, columns - 1)
    return np.asarray(cells[row, column])
