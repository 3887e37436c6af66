"""A way is driven only as far as the ground is known to be free."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmos.planning.route import clear_length, clearances, cut, length, samples, straighten

CELL = 0.1
WALL = np.array(
    [[1.0, y / 10] for y in range(-20, 21)]
)  # a column of blocked cells whose near edge is x = 0.95
point = st.tuples(st.floats(-0.5, 0.5), st.floats(-0.5, 0.5))


@pytest.mark.parametrize("clearance", [0.05, 0.095, 0.2])
def test_a_way_ends_a_clearance_before_the_wall(clearance: float) -> None:
    """Driving straight at a wall stops within one sample of the clearance."""
    far = clear_length([(0.0, 0.0), (2.0, 0.0)], WALL, CELL, clearance, 3.0)
    assert far == pytest.approx(0.95 - clearance, abs=0.021)


def test_a_robot_that_stands_too_near_may_leave_but_not_come_nearer() -> None:
    """From inside the clearance, or from inside a cell, the way out is open and the way in is not."""
    assert clear_length([(1.0, 0.0), (0.0, 0.0)], WALL, CELL, 0.095, 3.0) == pytest.approx(1.0)
    assert clear_length([(0.9, 0.0), (0.0, 0.0)], WALL, CELL, 0.095, 3.0) == pytest.approx(0.9)
    assert clear_length([(0.9, 0.0), (1.5, 0.0)], WALL, CELL, 0.095, 3.0) < 0.05


@given(st.lists(point, min_size=2, max_size=6), st.floats(0.01, 3.0))
def test_cut_keeps_the_length(way: list[tuple[float, float]], limit: float) -> None:
    """A cut way is as long as asked, or as the whole."""
    assert length(cut(way, limit)) == pytest.approx(min(limit, length(way)), abs=1e-6)


@given(st.lists(point, min_size=2, max_size=6), st.lists(point, min_size=1, max_size=5))
def test_straightening_shortens_and_never_comes_nearer(
    way: list[tuple[float, float]], cells: list[tuple[float, float]]
) -> None:
    """A straightened way has the same ends, is no longer, and keeps the old way's least clearance."""
    blocked = np.array(cells)
    new = straighten(way, blocked, CELL, 0.1, math.inf)
    assert (new[0], new[-1]) == (way[0], way[-1])
    assert length(new) <= length(way) + 1e-9
    before = clearances(samples(way, math.inf), blocked, CELL, 0.1).min()
    assert clearances(samples(new, math.inf), blocked, CELL, 0.1).min() >= before - 1e-6
