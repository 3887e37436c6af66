"""The teacher: sees the true map, plays each candidate out on it, and so knows what it really costs.

With a goal, that is the true way over the candidate to the goal; exploring, it is the way to the candidate
less what the ground is worth that is newly seen from there. A look at a frontier takes time, which counts as
the way that the robot could have driven meanwhile. The model that is taught sees none of this but the answer.
"""

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from llmos.kernel.blocks import LOOK, Pace
from llmos.kernel.frame import NavigationFrame, Point
from llmos.manifest import Manifest
from llmos.planning import geodesics
from llmos.sim.arena import Arena, clearance, ground
from llmos.sim.ranging import Rays
from llmos.world.candidates import LOOKS
from llmos.world.grid import UNKNOWN, Grid

TIE_M = 0.1  # a cell of the robot's map: ways that differ by less are as good as each other
CELL_M = 0.05  # of the ground that ways are measured on
OFF_M = 0.25  # a candidate stands for the ground that is this near to it
NEW_GROUND_M = 0.5  # way that a square metre of newly seen ground is worth
SPREAD_M = 0.1  # beyond a tie, this much more cost makes a candidate e times less probable


class Teacher:
    """Knows an arena.

    Args:
        arena: the true map.
        manifest: the robot, for its radius, its pace and how far it sees.
    """

    def __init__(self, arena: Arena, manifest: Manifest) -> None:
        self._arena = arena
        self._ground = ground(arena, manifest.radius_m)
        step = max(1, round(CELL_M / self._ground.cell_m))
        self._step, self._cell_m = step, step * self._ground.cell_m
        self._free = ~self._ground.blocked[step // 2 :: step, step // 2 :: step]
        self._rays, self._sight_m = Rays(arena), manifest.range.max_m
        pace = Pace.of(manifest.limits)
        self._look_m = pace.speed / 1000 * LOOK / (pace.look_rate / 1000)
        self._fields: dict[Point, NDArray[np.float32] | None] = {}

    def costs(self, frame: NavigationFrame, grid: Grid) -> dict[str, float]:
        """Return what each candidate costs in metres, infinite where no way leads over it; by id.

        Args:
            frame: what is to be decided.
            grid: the robot's map, of which the teacher sees what is not yet known.
        """
        here = self._ways(frame.state.position_m)
        goal = frame.goal_m and self._far(frame.goal_m)
        costs = {}
        for one in frame.candidates:
            look = self._look_m if one.type == "frontier" else 0.0
            if goal is None:
                worth = NEW_GROUND_M * self._new_ground_m2(one.pos_m, grid)
                costs[one.id] = self._near(here, one.pos_m) + look - worth
            else:
                costs[one.id] = self._near(here + goal, one.pos_m) + look
        return costs

    def state_of(self, place: Point, cell_m: float) -> str:
        """Return what a cell around a place really is: free or obstacle."""
        return "obstacle" if clearance(self._arena, *place) < cell_m / 2 else "free"

    def _far(self, goal: Point) -> NDArray[np.float32] | None:
        """Return each cell's way to a goal, kept for the next frame; None where nobody can stand on it."""
        if goal not in self._fields:
            row, column = self._cell(goal)
            self._fields[goal] = self._ways(goal) if self._free[row, column] else None
        return self._fields[goal]

    def _ways(self, place: Point) -> NDArray[np.float32]:
        """Return the way from a place, or from the free cell next to it, to every cell in metres."""
        return geodesics(self._free, self._free_cell(place)) * np.float32(self._cell_m)

    def free_near(self, place: Point) -> Point:
        """Return the middle of the free cell next to a place."""
        row, column = self._free_cell(place)
        ground, half = self._ground, self._step // 2
        return float(ground.xs[column * self._step + half]), float(ground.ys[row * self._step + half])

    def _free_cell(self, place: Point) -> tuple[int, int]:
        """Return the cell of a place, or the free one next to it."""
        row, column = self._cell(place)
        if not self._free[row, column]:
            cells = np.argwhere(self._free)
            row, column = cells[((cells - (row, column)) ** 2).sum(1).argmin()].tolist()
        return row, column

    def _cell(self, place: Point) -> tuple[int, int]:
        """Return the cell of a place, the nearest one where it lies outside."""
        row, column = (index // self._step for index in self._ground.cell(*place))
        return min(row, self._free.shape[0] - 1), min(column, self._free.shape[1] - 1)

    def _near(self, field: NDArray[np.float32], at: Point) -> float:
        """Return a field's value at a place, or where there is none right there, the least around it."""
        row, column = self._cell(at)
        if np.isfinite(field[row, column]):
            return float(field[row, column])
        reach = round(OFF_M / self._cell_m)
        around = field[max(0, row - reach) : row + reach + 1, max(0, column - reach) : column + reach + 1]
        return float(around.min(initial=np.inf))

    def _new_ground_m2(self, at: Point, grid: Grid) -> float:
        """Return how much of what the map does not know is really seen from a place."""
        rows, columns, along = grid.rays(at, LOOKS, self._sight_m)
        far = self._rays.cast(*at, np.linspace(0.0, math.tau, LOOKS, endpoint=False))
        inside = (along < far[:, None]) & (rows >= 0)
        seen = np.zeros(grid.shape, bool)
        seen[rows[inside], columns[inside]] = True
        return float((seen & (grid.measured() == UNKNOWN)).sum()) * grid.cell_m**2


def regrets(costs: Mapping[str, float]) -> dict[str, float]:
    """Return how much more than the best each costs; none where the teacher knows no way at all."""
    least = min(costs.values(), default=math.inf)
    return {} if math.isinf(least) else {name: cost - least for name, cost in costs.items()}


def best(lost: Mapping[str, float]) -> frozenset[str]:
    """Return the candidates of which none is better, by their regrets; ties are ties."""
    return frozenset(name for name, more in lost.items() if more <= TIE_M)


def to_choose(lost: Mapping[str, float]) -> bool:
    """Tell whether there is something to choose: some candidate is worse than another."""
    return 0 < len(best(lost)) < len(lost)


def wanted(lost: Mapping[str, float]) -> dict[str, float]:
    """Return how probable each choice should be, by the regrets: ties alike, worse ones less."""
    parts = {name: math.exp(-max(0.0, more - TIE_M) / SPREAD_M) for name, more in lost.items()}
    whole = sum(parts.values())
    return {name: part / whole for name, part in parts.items()}
