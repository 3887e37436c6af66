"""Paths are cheapest, drivable and the same from both twins."""

import heapq
import math
import os
from itertools import pairwise
from types import ModuleType

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from llmos.planning import (
    Cell,
    Path,
    PlanningError,
    _astar_py,
    astar,
    compiled,
    nearest_passable,
    reachable_costs,
)

Costs = NDArray[np.float32]
INF = np.float32(np.inf)
PER_STEP = 1 / 985  # a step's cost is rounded by less than this


@st.composite
def problems(draw: st.DrawFn) -> tuple[Costs, Cell, Cell]:
    """A small grid, often blocked, of equal or of very different costs, with a start and a goal."""
    rows, cols = draw(st.integers(1, 9)), draw(st.integers(1, 9))
    dearest = draw(st.sampled_from([1.0, 1.5, 12.0, 1000.0]))
    values = st.one_of(st.just(1.0), st.just(math.inf), st.floats(1.0, dearest, width=32))
    cost = draw(hnp.arrays(np.float32, (rows, cols), elements=values))
    cells = st.tuples(st.integers(0, rows - 1), st.integers(0, cols - 1))
    return cost, draw(cells), draw(cells)


def neighbours(cost: Costs, cell: Cell) -> list[tuple[Cell, float]]:
    """The legal steps from a cell, with their costs."""
    rows, cols = cost.shape
    found = []
    for row in range(max(cell[0] - 1, 0), min(cell[0] + 2, rows)):
        for col in range(max(cell[1] - 1, 0), min(cell[1] + 2, cols)):
            diagonal = row != cell[0] and col != cell[1]
            cuts = diagonal and np.isinf((cost[cell[0], col], cost[row, cell[1]])).any()
            if (row, col) != cell and not cuts and np.isfinite(cost[row, col]):
                found.append(((row, col), math.dist(cell, (row, col)) * float(cost[row, col])))
    return found


def dijkstra(cost: Costs, start: Cell) -> dict[Cell, float]:
    """The cheapest cost of every cell in reach, by the textbook."""
    settled: dict[Cell, float] = {}
    waiting = [(0.0, start)]
    while waiting:
        paid, cell = heapq.heappop(waiting)
        if cell not in settled:
            settled[cell] = paid
            for beside, step in neighbours(cost, cell):
                heapq.heappush(waiting, (paid + step, beside))
    return settled


def price(path: Path, cost: Costs) -> float:
    """What a path's steps cost; every step must be a legal one."""
    cells: list[Cell] = [(row, col) for row, col in path.cells.tolist()]
    return sum((dict(neighbours(cost, cell))[beside] for cell, beside in pairwise(cells)), 0.0)


@pytest.fixture(scope="module")
def fast() -> ModuleType:
    """The compiled twin."""
    module: ModuleType = pytest.importorskip("llmos.planning._astar")
    return module


def test_the_extension_is_used_unless_it_is_forbidden() -> None:
    """`make setup` builds it; LLMOS_NO_EXTENSIONS turns it off."""
    assert compiled() == (not os.environ.get("LLMOS_NO_EXTENSIONS"))


@given(problems())
def test_both_twins_find_the_same_path(fast: ModuleType, problem: tuple[Costs, Cell, Cell]) -> None:
    """Status, cells and cost agree to the byte."""
    cost, start, goal = problem
    status, cells, total = fast.search(cost, *start, *goal)
    plain_status, plain_cells, plain_total = _astar_py.search(cost, *start, *goal)
    assert (status, total) == (plain_status, plain_total)
    assert (cells is None) == (plain_cells is None)
    if cells is not None:
        assert cells.dtype == plain_cells.dtype
        assert cells.tolist() == plain_cells.tolist()


@given(problems())
def test_both_twins_flood_alike(fast: ModuleType, problem: tuple[Costs, Cell, Cell]) -> None:
    """The costs to all cells agree to the byte."""
    cost, start, _ = problem
    status, costs = fast.flood(cost, *start)
    plain_status, plain_costs = _astar_py.flood(cost, *start)
    assert status == plain_status
    assert costs.tobytes() == plain_costs.tobytes()


@pytest.mark.parametrize("size", [60, 150])
def test_both_twins_agree_on_large_grids(fast: ModuleType, size: int) -> None:
    """Buffers that have grown, and many entries left open, change nothing."""
    rng = np.random.default_rng(size)
    for dearest in (1, 5, 900):
        cost = np.where(rng.random((size, size)) < 0.25, INF, 1 + rng.random((size, size)) * (dearest - 1))
        ours = fast.search(cost.astype(np.float32), 0, 0, size - 1, size - 1)
        plain = _astar_py.search(cost.astype(np.float32), 0, 0, size - 1, size - 1)
        assert ours[0] == plain[0]
        assert ours[2] == plain[2]
        assert np.array_equal(ours[1], plain[1])


@given(problems())
def test_paths_are_legal_and_cheapest(problem: tuple[Costs, Cell, Cell]) -> None:
    """A textbook search finds nothing cheaper, and finds a path when and only when we do."""
    cost, start, goal = problem
    path, cheapest = astar(cost, start, goal), dijkstra(cost, start)
    assert (path is None) == (goal not in cheapest)
    if path:
        rounding = PER_STEP * cost.size
        assert [tuple(cell) for cell in path.cells[[0, -1]].tolist()] == [start, goal]
        assert price(path, cost) == pytest.approx(path.cost, abs=rounding)
        assert path.cost == pytest.approx(cheapest[goal], abs=rounding)


@given(hnp.arrays(np.bool_, st.tuples(st.integers(1, 12), st.integers(1, 12))))
def test_equal_costs_leave_no_rounding(blocked: NDArray[np.bool_]) -> None:
    """Where every cell costs 1, the path's length is the shortest to a millionth."""
    cost = np.where(blocked, INF, np.float32(1))
    goal = (cost.shape[0] - 1, cost.shape[1] - 1)
    path, shortest = astar(cost, (0, 0), goal), dijkstra(cost, (0, 0))
    assert (path is None) == (goal not in shortest)
    if path:
        assert path.cost == pytest.approx(shortest[goal], rel=1e-6)


@given(problems())
def test_reachable_costs_are_what_astar_pays(problem: tuple[Costs, Cell, Cell]) -> None:
    """To the last bit, and infinite where there is no path."""
    cost, start, _ = problem
    costs = reachable_costs(cost, start)
    for goal in np.ndindex(cost.shape):
        path = astar(cost, start, goal)
        assert costs[goal] == (np.float32(path.cost) if path else INF)


def test_no_corner_is_cut() -> None:
    """Neither between two obstacles nor round one."""
    assert astar(np.array([[1, INF], [INF, 1]], np.float32), (0, 0), (1, 1)) is None
    path = astar(np.array([[1, INF], [1, 1]], np.float32), (0, 0), (1, 1))
    assert path is not None
    assert path.cells.tolist() == [[0, 0], [1, 0], [1, 1]]


def test_the_start_is_never_charged_and_may_be_impassable() -> None:
    """A robot that stands too near a wall can leave; it cannot come back."""
    cost = np.array([[INF, 2, 3]], np.float32)
    path = astar(cost, (0, 0), (0, 2))
    assert path is not None
    assert path.cost == 5
    assert astar(cost, (0, 2), (0, 0)) is None


def test_the_path_to_the_start_is_the_start() -> None:
    """Of no cost, wherever it is."""
    path = astar(np.full((1, 1), INF), (0, 0), (0, 0))
    assert path is not None
    assert (path.cells.tolist(), path.cost) == ([[0, 0]], 0.0)


def test_arrays_need_not_be_contiguous_or_writable() -> None:
    """A transposed, read-only view gives the transposed path."""
    cost = np.array([[1, 1, INF], [INF, 1, INF], [INF, 1, 1]], np.float32)
    view = cost.T
    view.flags.writeable = False
    path, turned = astar(cost, (0, 0), (2, 2)), astar(view, (0, 0), (2, 2))
    assert path is not None
    assert turned is not None
    assert turned.cells[:, ::-1].tolist() == path.cells.tolist()


@pytest.mark.parametrize("value", [math.nan, -math.nan, -1.0, 0.0, 0.999, 1000.5, -math.inf])
def test_costs_out_of_range_are_refused(value: float) -> None:
    """The message names the cell and the value."""
    cost = np.ones((3, 4), np.float32)
    cost[1, 2] = value
    with pytest.raises(PlanningError, match=r"cell \(1, 2\) is .*give 1 to 1000"):
        astar(cost, (0, 0), (0, 1))
    with pytest.raises(PlanningError, match=r"cell \(1, 2\)"):
        reachable_costs(cost, (0, 0))


@pytest.mark.parametrize("cell", [(-1, 0), (0, 4), (3, 0), (0, -1)])
def test_cells_outside_the_grid_are_refused(cell: Cell) -> None:
    """As start and as goal."""
    cost = np.ones((3, 4), np.float32)
    for start, goal in ((cell, (0, 0)), ((0, 0), cell)):
        with pytest.raises(PlanningError, match="outside the grid of 3 rows and 4 columns"):
            astar(cost, start, goal)


@pytest.mark.parametrize(
    "cost", [np.ones((2, 2)), np.ones(4, np.float32), np.ones((0, 3), np.float32), [[1.0]]]
)
def test_anything_but_a_float32_grid_is_refused(cost: Costs) -> None:
    """The message says what was given and what to give."""
    with pytest.raises(PlanningError, match="give a two-dimensional float32 array"):
        astar(cost, (0, 0), (0, 0))


@pytest.mark.parametrize("first", [1.0, 1000.0])
def test_costs_beyond_32_bits_are_refused(first: float) -> None:
    """In the heuristic and along the path, instead of a wrong answer."""
    cost = np.full((1, 2000), 1000, np.float32)
    cost[0, 0] = first
    with pytest.raises(PlanningError, match="a path would cost more than"):
        astar(cost, (0, 0), (0, 1999))


@given(problems(), st.floats(0, 6))
def test_nearest_passable_is_the_nearest(problem: tuple[Costs, Cell, Cell], reach: float) -> None:
    """Among all passable cells in reach, the first by distance, row and column."""
    cost, cell, _ = problem
    passable = [found for found in np.ndindex(cost.shape) if np.isfinite(cost[found])]
    near = [(math.dist(cell, found), found) for found in passable if math.dist(cell, found) <= reach]
    assert nearest_passable(cost, cell, reach) == (min(near)[1] if near else None)
