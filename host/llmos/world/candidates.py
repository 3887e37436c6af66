"""Places worth going to: the goal or the way to it, the edges of the known world, and ways out when stuck.

Frontiers are free cells that the robot can reach beside unknown ones that it could enter (Yamauchi 1997). The
best of them are chosen one after the other, each at least SPACING_M from those before.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from llmos.planning import astar, geodesics
from llmos.world.grid import FREE, OCCUPIED, UNKNOWN, Cell, Grid

Kind = Literal["subgoal", "frontier", "recovery"]
Point = tuple[float, float]
Mask = NDArray[np.bool_]
Field = NDArray[np.float32]

SPACING_M = 0.5
GOAL_REACH_M = 0.2  # a goal that the footprint does not fit on is served by a cell this near to it
VIEW_CELLS = 8  # by the unknown cells this near a frontier is scored
SIGHT_M = 2.0  # how far a robot sees that does not say it
LOOKS = 72  # rays of a look all around
NEAR_CELLS = 2  # so near nothing unknown lies behind a wall: the footprint would not fit between
LEAST_NEAR = 4  # unknown cells; fewer are a gap between rays, not ground
LEAST_SEEN = 8  # the same where the robot has stood within NEAR_CELLS and looked
SUBGOAL_SCORE, TOWARDS_SCORE = 0.98, 0.95
RECOVERY_M = (0.3, 1.0)
RECOVERIES = 2
DIRECTIONS = ("ahead", "left ahead", "left", "left behind", "behind", "right behind", "right", "right ahead")


@dataclass(frozen=True)
class Strategy:
    """How frontiers are scored.

    Args:
        halving_m: a detour of this length halves a frontier's score.
        view_weight: how much of the score, 0 to 1, depends on the unknown ground that a frontier promises.
    """

    halving_m: float = 1.0
    view_weight: float = 0.8


STRATEGIES = {
    "direct": Strategy(halving_m=0.5, view_weight=0.4),  # near ones first, however little they promise
    "balanced": Strategy(),
    "sweep": Strategy(halving_m=2.0, view_weight=0.95),  # the widest unknown ground first
}


@dataclass(frozen=True)
class Candidate:
    """A place that the next decision may choose.

    Args:
        id: what the decision names it by.
        type: what the place is.
        pos_m: where it is.
        score: how good it is, 0 to 1, best first.
        path_m: length of the way from the robot.
        note: what it promises, in a few words.
        cell: the same place on the map.
        onward_m: length of the way on to the goal if all unknown ground were free; None without such a way.
    """

    id: str
    type: Kind
    pos_m: Point
    score: float
    path_m: float
    note: str
    cell: Cell
    onward_m: float | None = None


@dataclass(frozen=True)
class View:
    """What the search for candidates looks at."""

    grid: Grid
    cost: Field  # of entering a cell, infinite where the footprint does not fit
    reach: Field  # cost of the way to a cell, infinite where there is none
    pose: tuple[float, float, float]
    goal: Point | None
    allowed: Mask  # cells that are not to be left alone
    strategy: Strategy = Strategy()
    sight_m: float = SIGHT_M

    @property
    def start(self) -> Cell:
        """The cell where all ways begin."""
        return as_cell(self.reach, int(self.reach.argmin()))


def candidates(
    grid: Grid,
    cost: Field,
    reach: Field,
    pose: tuple[float, float, float],
    goal: Point | None,
    stuck: bool,
    blacklist: Mapping[Cell, int],
    limit: int = 5,
    strategy: Strategy = STRATEGIES["balanced"],
    sight_m: float = SIGHT_M,
) -> list[Candidate]:
    """Return at most `limit` places to go to, best first; none when all that can be reached has been seen.

    Args:
        grid: the map.
        cost: cost of entering each cell for the robot's footprint, infinite where it does not fit.
        reach: cost of the best way from the robot to each cell, infinite where there is none.
        pose: m, m, rad counter-clockwise from east.
        goal: where to go in the end, in metres, or None to explore.
        stuck: whether to offer ways out as well.
        blacklist: cells to leave alone, with their neighbours.
        limit: most candidates.
        strategy: how frontiers are scored.
        sight_m: how far the robot sees.
    """
    if not np.isfinite(reach).any():
        return []
    allowed = ~dilate(cells_mask(grid.shape, blacklist), 1)
    view = View(grid, cost, reach, pose, goal, allowed, strategy, sight_m)
    found = [*subgoals(view), *frontiers(view, limit), *(recoveries(view) if stuck else [])]
    kept: list[Candidate] = []
    for one in sorted(found, key=lambda c: -c.score):
        if all(math.dist(one.pos_m, other.pos_m) >= SPACING_M for other in kept):
            kept.append(one)
    return [replace(one, id=f"c{number}") for number, one in enumerate(kept[:limit], 1)]


def subgoals(view: View) -> list[Candidate]:
    """Return the goal, or the last known cell on the best way to it if all that is unknown were free."""
    end = goal_cell(view)
    if end is None:
        return []
    way = cells_to(view, end)
    occupancy = view.grid.measured()
    known = next((i for i, cell in enumerate(way) if occupancy[cell] == UNKNOWN and i), len(way))
    if known == len(way):
        at = view.goal if view.goal and view.grid.cell(*view.goal) == end else None
        return [candidate(view, "subgoal", end, SUBGOAL_SCORE, "goal", way, at)]
    # Where the unknown begins beside the robot, the first unknown cell itself: to turn to it is to see it.
    last = known - 1 if known > 2 else known
    if not view.allowed[way[last]]:
        return []
    return [candidate(view, "subgoal", way[last], TOWARDS_SCORE, "towards goal", way[: last + 1])]


def goal_cell(view: View) -> Cell | None:
    """Return the reachable cell that serves the goal best: its own, or the nearest within GOAL_REACH_M."""
    return serving(view.grid, view.goal, np.isfinite(view.reach) & view.allowed) if view.goal else None


def serving(grid: Grid, goal: Point, fit: Mask) -> Cell | None:
    """Return the goal's own cell where that is fit, else the fit one nearest to it within GOAL_REACH_M."""
    own = grid.cell(*goal)
    if own is not None and fit[own]:
        return own
    away = distances(grid, goal)
    fit = fit & (away <= GOAL_REACH_M)
    return as_cell(fit, int(np.where(fit, away, np.inf).argmin())) if fit.any() else None


def onward(found: list[Candidate], grid: Grid, cost: Field, reach: Field, goal: Point) -> list[Candidate]:
    """Return the candidates with the lengths of the ways on from them to the goal, where there are any."""
    end = serving(grid, goal, np.isfinite(reach))
    if end is None:
        return found
    ways = geodesics(np.isfinite(cost), end) * grid.cell_m
    return [
        replace(one, onward_m=round(float(ways[one.cell]), 3)) if np.isfinite(ways[one.cell]) else one
        for one in found
    ]


def frontiers(view: View, limit: int) -> list[Candidate]:
    """Return the best frontiers: near ones first, or with a goal those on the least detour to it."""
    promise = promised(view)
    unit = view.grid.cell_m
    way = np.where(np.isfinite(view.reach), view.reach, 0.0) * unit
    if view.goal is not None:
        away = distances(view.grid, view.goal)
        way = way + away - away[view.start]
    detour = np.maximum(way, 0.0)
    half_the_view = (2 * VIEW_CELLS + 1) ** 2 / 2  # what lies beyond a straight edge
    weight = view.strategy.view_weight
    worth = 1 - weight + weight * np.minimum(1.0, promise / half_the_view)
    worth /= 1 + detour / view.strategy.halving_m
    worth[promise == 0] = 0.0
    return [
        candidate(view, "frontier", cell, 0.9 * score, f"{to_see(view, cell)} cells", cells_to(view, cell))
        for cell, score in best_apart(view.grid, worth, limit)
    ]


def best_apart(grid: Grid, worth: NDArray[np.float64], limit: int) -> list[tuple[Cell, float]]:
    """Return the cells of most worth above 0, each at least SPACING_M from those before, with their worth."""
    left = worth.copy()
    found: list[tuple[Cell, float]] = []
    while len(found) < limit and left.max() > 0:
        cell = as_cell(left, int(left.argmax()))
        found.append((cell, float(left[cell])))
        left[distances(grid, grid.centre(cell)) < SPACING_M] = 0.0
    return found


def promised(view: View) -> NDArray[np.int32]:
    """Return for each frontier cell how many unknown cells lie around it, 0 for all other cells."""
    occupancy = view.grid.measured()
    unknown = (occupancy == UNKNOWN) & np.isfinite(view.cost)
    edge = (occupancy == FREE) & np.isfinite(view.reach) & view.allowed & beside(unknown)
    seen = dilate(view.grid.visits > 0, NEAR_CELLS)
    edge &= box_sum(unknown, NEAR_CELLS) >= np.where(seen, LEAST_SEEN, LEAST_NEAR)
    return np.where(edge, box_sum(unknown, VIEW_CELLS), 0)


def to_see(view: View, cell: Cell) -> int:
    """Return how many unknown cells a look all around from a cell shows, if no unknown one is in its way."""
    grid, occupancy = view.grid, view.grid.measured()
    rows, cols, _ = grid.rays(grid.centre(cell), LOOKS, view.sight_m)
    met = occupancy[rows, cols]
    ends = np.logical_or.accumulate((met == OCCUPIED) | (rows < 0), axis=1)
    seen = ~ends & (met == UNKNOWN)
    return len(np.unique(rows[seen] * grid.shape[1] + cols[seen]))


def recoveries(view: View) -> list[Candidate]:
    """Return free places a short way off, those with the most room first."""
    occupancy = view.grid.measured()
    away = distances(view.grid, view.pose[:2])
    fit = (occupancy == FREE) & np.isfinite(view.reach) & view.allowed
    fit &= (away >= RECOVERY_M[0]) & (away <= RECOVERY_M[1])
    room = box_sum(fit, 2) / 25
    worth = np.where(fit, 0.6 + 0.3 * room - 0.02 * np.minimum(view.grid.visits, 20), 0.0)
    return [
        candidate(view, "recovery", cell, score, bearing(view, cell), cells_to(view, cell))
        for cell, score in best_apart(view.grid, worth, RECOVERIES)
    ]


def candidate(
    view: View, kind: Kind, cell: Cell, score: float, note: str, way: list[Cell], at: Point | None = None
) -> Candidate:
    """Return a candidate at a cell's centre, or at the point `at` in it, without its final id."""
    steps = sum(math.dist(a, b) for a, b in pairwise(way))
    x, y = at or view.grid.centre(cell)
    place = (round(x, 3) + 0.0, round(y, 3) + 0.0)
    return Candidate("", kind, place, round(score, 2), round(steps * view.grid.cell_m, 3), note, cell)


def bearing(view: View, cell: Cell) -> str:
    """Return in words in which direction a cell lies, as the robot sees it."""
    x, y = view.grid.centre(cell)
    angle = math.atan2(y - view.pose[1], x - view.pose[0]) - view.pose[2]
    return DIRECTIONS[round(angle / (math.pi / 4)) % 8]


def cells_to(view: View, cell: Cell) -> list[Cell]:
    """Return the best way from the robot to a cell that can be reached."""
    found = astar(view.cost, view.start, cell)
    return [(int(row), int(col)) for row, col in found.cells] if found else [view.start]


def as_cell(field: NDArray[np.generic], index: int) -> Cell:
    """Return the row and column of a flat index."""
    return index // field.shape[1], index % field.shape[1]


def distances(grid: Grid, point: Point) -> NDArray[np.float64]:
    """Return each cell centre's straight distance to a point in metres."""
    west, south = grid.centre((0, 0))
    xs = west + np.arange(grid.shape[1]) * grid.cell_m - point[0]
    ys = south + np.arange(grid.shape[0]) * grid.cell_m - point[1]
    return np.asarray(np.hypot(xs[None, :], ys[:, None]))


def cells_mask(shape: Cell, cells: Mapping[Cell, int]) -> Mask:
    """Return a mask with the given cells set."""
    mask = np.zeros(shape, bool)
    for cell in cells:
        mask[cell] = True
    return mask


def beside(mask: Mask) -> Mask:
    """Tell for each cell whether one of its four neighbours is set."""
    wide = np.pad(mask, 1)
    return wide[:-2, 1:-1] | wide[2:, 1:-1] | wide[1:-1, :-2] | wide[1:-1, 2:]


def box_sum(mask: Mask, reach: int) -> NDArray[np.int32]:
    """Count the set cells in the square of 2 * reach + 1 cells around each cell."""
    sums: NDArray[np.int32] = np.pad(mask, (reach + 1, reach)).cumsum(0, np.int32).cumsum(1, np.int32)
    side = 2 * reach + 1
    return sums[side:, side:] - sums[:-side, side:] - sums[side:, :-side] + sums[:-side, :-side]


def dilate(mask: Mask, reach: int) -> Mask:
    """Set every cell within a square of 2 * reach + 1 cells around a set one."""
    return box_sum(mask, reach) > 0
