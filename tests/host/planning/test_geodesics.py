"""Any-angle lengths are near the truth, never too short, and the same from both twins."""

import math
from types import ModuleType

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from llmos.planning import Cell, PlanningError, _astar_py, geodesics, reachable_costs

Mask = NDArray[np.bool_]
DISC, TOO_LONG = 8, 0.02


@st.composite
def problems(draw: st.DrawFn) -> tuple[Mask, Cell]:
    """A small grid, often blocked, with a start that may be blocked itself."""
    rows, cols = draw(st.integers(1, 20)), draw(st.integers(1, 20))
    chance = np.random.default_rng(draw(st.integers(0, 2**32)))
    passable = chance.random((rows, cols)) >= draw(st.sampled_from([0.0, 0.1, 0.3, 0.6]))
    return passable, (draw(st.integers(0, rows - 1)), draw(st.integers(0, cols - 1)))


def straight(shape: Cell, start: Cell) -> NDArray[np.float64]:
    """Each cell's straight distance to the start."""
    rows, cols = np.indices(shape)
    return np.asarray(np.hypot(rows - start[0], cols - start[1]))


@pytest.fixture(scope="module")
def fast() -> ModuleType:
    """The compiled twin."""
    module: ModuleType = pytest.importorskip("llmos.planning._astar")
    return module


@given(problems())
def test_both_twins_measure_alike(fast: ModuleType, problem: tuple[Mask, Cell]) -> None:
    """To the byte."""
    passable, start = problem
    given_ = passable.view(np.uint8)
    assert fast.geodesics(given_, *start).tobytes() == _astar_py.geodesics(given_, *start).tobytes()


@pytest.mark.parametrize(("rows", "cols"), [(60, 60), (200, 90), (1, 300)])
@pytest.mark.parametrize("share", [(0.0, 0.0), (0.5, 0.5), (0.3, 0.9)])
def test_in_the_open_lengths_are_straight_distances(rows: int, cols: int, share: tuple[float, float]) -> None:
    """Exact near the start, at most 2 % too long elsewhere."""
    start = (int(share[0] * rows), int(share[1] * cols))
    lengths, true = geodesics(np.ones((rows, cols), bool), start), straight((rows, cols), start)
    near = true <= DISC
    assert lengths[near] == pytest.approx(true[near], abs=1e-6)
    assert (lengths >= true * (1 - 1e-6)).all()
    assert (lengths <= true * (1 + TOO_LONG) + 1e-6).all()


@given(problems())
def test_lengths_are_never_too_short(problem: tuple[Mask, Cell]) -> None:
    """Not below the straight distance, and between neighbours they differ by a step at most."""
    passable, start = problem
    lengths = geodesics(passable, start).astype(float)
    assert lengths.shape == passable.shape
    assert lengths[start] == 0.0
    assert (lengths >= straight(passable.shape, start) * (1 - 1e-6)).all()
    for row, col in np.argwhere(np.isfinite(lengths)).tolist():
        for r, c in ((row + 1, col), (row, col + 1)):
            if r < len(lengths) and c < lengths.shape[1] and np.isfinite(lengths[r, c]):
                assert abs(lengths[r, c] - lengths[row, col]) <= 1 + 1e-5


@given(problems())
def test_there_is_a_way_where_astar_finds_one(problem: tuple[Mask, Cell]) -> None:
    """So no way squeezes between two blocked cells that touch at a corner."""
    passable, start = problem
    passable[start] = True
    paths = reachable_costs(np.where(passable, 1, np.inf).astype(np.float32), start)
    lengths = geodesics(passable, start)
    assert np.array_equal(np.isfinite(paths), np.isfinite(lengths))
    known = np.isfinite(paths)
    assert (lengths[known] <= paths[known] * 1.1 + 1e-5).all()


@given(st.integers(0, 2**32), st.sampled_from([0.1, 0.3, 0.5]))
def test_the_way_back_is_as_long(seed: int, share: float) -> None:
    """Among walls of four cells, up to what bends err by, which depends on the side they are met from."""
    chance = np.random.default_rng(seed)
    passable = np.kron(chance.random((5, 5)) >= share, np.ones((4, 4), bool)).astype(bool)
    row, col = (int(one) for one in chance.integers(0, 20, 2))
    passable[row, col] = True
    lengths = geodesics(passable, (row, col))
    for end in chance.permutation(np.argwhere(np.isfinite(lengths)))[:3].tolist():
        there, back = lengths[tuple(end)], geodesics(passable, tuple(end))[row, col]
        assert abs(there - back) <= 0.6 + 0.05 * there


@given(hnp.arrays(np.bool_, st.tuples(st.integers(1, 12), st.integers(1, 12))), st.data())
def test_more_room_makes_no_way_longer_than_by_rounding(passable: Mask, data: st.DataObject) -> None:
    """A cell that opens can only shorten ways."""
    cell = st.tuples(st.integers(0, len(passable) - 1), st.integers(0, passable.shape[1] - 1))
    start, opened = data.draw(cell), data.draw(cell)
    before = geodesics(passable, start)
    passable[opened] = True
    assert (geodesics(passable, start) <= before + 1e-4).all()


def test_a_wall_is_gone_round_by_its_ends() -> None:
    """The way bends at the wall's end and runs straight before and after it."""
    passable = np.ones((41, 41), bool)
    passable[20, :31] = False
    true = 2 * math.hypot(10, 21)  # from (10, 10) over (20, 31) to (30, 10)
    assert true <= geodesics(passable, (10, 10))[30, 10] <= 1.05 * true
    passable[20] = False
    assert not np.isfinite(geodesics(passable, (10, 10))[20:]).any()
    passable[20, 40] = True
    assert np.isfinite(geodesics(passable, (10, 10))[21:]).all()


def test_a_corner_between_two_blocked_cells_is_shut() -> None:
    """Neither a straight line nor a difference leads through it."""
    assert geodesics(np.eye(2, dtype=bool), (0, 0)).tolist() == [[0.0, math.inf], [math.inf, math.inf]]
    half_shut = np.array([[True, False], [True, True]])
    assert geodesics(half_shut, (0, 0)).tolist() == [[0.0, math.inf], [1.0, 2.0]]


def test_a_corridor_that_winds_is_measured_along_it() -> None:
    """One cell wide, so that every way is along the rows and columns."""
    maze = np.ones((41, 41), bool)
    maze[1::4, :-1] = maze[3::4, 1:] = False
    length = 40 * 21 + 40  # 21 corridors, and the steps between them
    assert geodesics(maze, (0, 0))[40, 40] == pytest.approx(length)


def test_what_is_no_grid_is_refused() -> None:
    """With what is wrong and what is wanted."""
    with pytest.raises(PlanningError, match="float64 of shape"):
        geodesics(np.ones((3, 3)), (0, 0))  # type: ignore[arg-type]
    with pytest.raises(PlanningError, match=r"\(0, 3\) is outside the grid of 3 rows and 3 columns"):
        geodesics(np.ones((3, 3), bool), (0, 3))
    with pytest.raises(PlanningError, match="outside the grid of 0 rows"):
        geodesics(np.ones((0, 3), bool), (0, 0))
