"""A* against pyastar2d, tcod and pathfinding: time per query, and the peers' paths at our costs.

Peers differ in what they can be told. pathfinding takes our whole cost model. tcod takes our costs but cuts
corners. pyastar2d cuts corners and charges a diagonal step like a straight one. A search that may cut corners
has the easier problem; the notes say how many of a peer's paths a robot cannot drive for that reason, and, of
the others, the lowest cost by our model as a multiple of our own path's.
"""

import math
import statistics
import sys
from collections.abc import Callable, Iterator
from functools import partial
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import pathfinding.core.diagonal_movement
import pathfinding.core.grid
import pathfinding.finder.a_star
import pyastar2d
import tcod.path
from benchlib import Row, print_table, race
from numpy.typing import NDArray

from llmos.planning import Cell, astar, compiled, costmap

SIZES = (50, 100, 256, 512, 1024)
MAPS = 5
LARGE = 512  # cells a side from which there are fewer rounds, and pathfinding, in plain Python, has one map
Costs = NDArray[np.float32]
Query = Callable[[], Any]


class Problem(NamedTuple):
    """One query."""

    cost: Costs
    start: Cell
    goal: Cell


def random_map(size: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """30 % of the cells are occupied."""
    occupancy = np.where(rng.random((size, size)) < 0.3, 2, 1).astype(np.uint8)
    occupancy[0, 0] = occupancy[-1, -1] = 1
    return occupancy


def room_map(size: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Rooms of 12 cells, walls of one, and a door of 5 cells in three of four walls."""
    occupancy = np.ones((size, size), np.uint8)
    pitch = 13
    occupancy[pitch - 1 :: pitch, :] = occupancy[:, pitch - 1 :: pitch] = 2
    for wall in range(pitch - 1, size, pitch):
        for room in range(0, size, pitch):
            for line in (occupancy[wall, room : room + pitch - 1], occupancy[room : room + pitch - 1, wall]):
                if rng.random() < 0.75:
                    door = int(rng.integers(0, pitch - 5))
                    line[door : door + 5] = 1
    return occupancy


def problems(kind: str, clearance: bool, size: int) -> Iterator[Problem]:
    """Seeded problems from corner to corner, each with a solution."""
    corner = 0 if kind == "random" else 3
    start, goal = (corner, corner), (size - 1 - corner, size - 1 - corner)
    found, seed = 0, 0
    while found < MAPS:
        rng = np.random.default_rng((size, seed))
        seed += 1
        occupancy = random_map(size, rng) if kind == "random" else room_map(size, rng)
        if clearance:
            cost = costmap(occupancy, 0.0 if kind == "random" else 0.95)
        else:
            cost = np.where(occupancy == 2, np.inf, 1).astype(np.float32)
        if np.isfinite(cost[goal]) and astar(cost, start, goal):
            found += 1
            yield Problem(cost, start, goal)


def with_pyastar2d(problem: Problem) -> Query:
    """pyastar2d answers one problem."""
    return lambda: pyastar2d.astar_path(problem.cost, problem.start, problem.goal, allow_diagonal=True)


def with_tcod(problem: Problem) -> Query:
    """tcod answers one problem; its map is made outside the clock."""
    blocked_is_0 = np.where(np.isfinite(problem.cost), problem.cost, 0).astype(np.float32)
    finder = tcod.path.AStar(blocked_is_0, diagonal=math.sqrt(2))
    return lambda: [problem.start, *finder.get_path(*problem.start, *problem.goal)]


def with_pathfinding(problem: Problem) -> Query:
    """pathfinding answers one problem; its grid is made outside the clock and cleaned inside."""
    grid = pathfinding.core.grid.Grid(matrix=np.where(np.isfinite(problem.cost), problem.cost, 0))
    strict = pathfinding.core.diagonal_movement.DiagonalMovement.only_when_no_obstacle
    finder = pathfinding.finder.a_star.AStarFinder(diagonal_movement=strict)
    start, goal = (grid.node(col, row) for row, col in (problem.start, problem.goal))

    def query() -> list[Cell]:
        grid.cleanup()
        return [(node.y, node.x) for node in finder.find_path(start, goal, grid)[0]]

    return query


PEERS = {"pyastar2d": with_pyastar2d, "tcod": with_tcod, "pathfinding": with_pathfinding}


def price(path: Any, cost: Costs) -> float:
    """What our cost model charges for a path of (row, column); infinite where it cuts a corner."""
    total = 0.0
    for (row, col), (to_row, to_col) in pairwise(np.asarray(path).tolist()):
        beside = cost[row, to_col], cost[to_row, col]
        diagonal = row != to_row and col != to_col
        total += math.hypot(to_row - row, to_col - col) * float(cost[to_row, to_col])
        if diagonal and not np.isfinite(beside).all():
            return math.inf
    return total


def compare(name: str, case: str, trials: list[Problem]) -> Row:
    """One peer against ours on some problems."""
    large = len(trials[0].cost) >= LARGE
    slow = name == "pathfinding"
    rounds = (1 if large else 3) if slow else (7 if large else 15)
    times, prices = [], []
    for problem in trials[:1] if slow and large else trials:
        ours, theirs = partial(astar, *problem), PEERS[name](problem)
        times.append(race({"ours": ours, name: theirs}, rounds))
        prices.append(price(theirs(), problem.cost) / price(ours().cells, problem.cost))
    mine, peers = (statistics.median(time[rival] for time in times) for rival in ("ours", name))
    return Row(case, mine, name, peers, note=_note(prices))


def _note(prices: list[float]) -> str:
    drivable = [ratio for ratio in prices if math.isfinite(ratio)]
    cut = len(prices) - len(drivable)
    parts = [f"{cut} of {len(prices)} paths cut corners"] if cut else []
    return ", ".join(parts + ([f"path cost x{min(drivable):.5f}"] if drivable else []))


def run(sizes: tuple[int, ...] = SIZES) -> list[Row]:
    """Every map kind, cost kind, size and peer; medians over seeded maps."""
    rows = []
    for kind in ("random", "rooms"):
        for clearance in (False, True):
            for size in sizes:
                trials = list(problems(kind, clearance, size))
                case = f"{kind} {size}x{size}, clearance {'on' if clearance else 'off'}"
                rows += [compare(name, case, trials) for name in PEERS]
    return rows


if __name__ == "__main__":
    if not compiled():
        print("the extension is not built: these are the plain twin's figures")
    chosen = tuple(int(size) for size in sys.argv[1:]) or SIZES
    sys.exit(0 if print_table("A*, one query, median over seeded maps", run(chosen)) else 1)
