"""Cost maps keep a disc of the robot's size off obstacles, by exact distances."""

from types import ModuleType

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from llmos.planning import PlanningError, _astar_py, costmap

Grid = NDArray[np.uint8]
SHAPES = st.tuples(st.integers(1, 14), st.integers(1, 14))
MASKS = hnp.arrays(np.bool_, SHAPES).map(lambda mask: mask.astype(np.uint8))
OCCUPANCY = hnp.arrays(np.uint8, SHAPES, elements=st.sampled_from([0, 1, 1, 1, 2]))


def edge_distances(occupied: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Cells from each centre to the nearest edge of an occupied cell or of the grid, by trying them all."""
    squares = np.argwhere(np.pad(occupied, 1, constant_values=True)) - 1
    centres = np.argwhere(np.ones_like(occupied))
    gaps = np.maximum(np.abs(centres[:, None, :] - squares[None, :, :]) - 0.5, 0)
    distances: NDArray[np.float64] = np.sqrt((gaps**2).sum(axis=2)).min(axis=1)
    return distances.reshape(occupied.shape)


@given(MASKS)
def test_distances_are_exact(blocked: Grid) -> None:
    """The linear transform agrees with trying every obstacle."""
    squared = _astar_py.clearance_squared(blocked)
    assert np.allclose(0.5 * np.sqrt(squared), edge_distances(blocked > 0), rtol=1e-12)


@given(MASKS)
def test_both_twins_measure_alike(blocked: Grid) -> None:
    """To the byte."""
    fast: ModuleType = pytest.importorskip("llmos.planning._astar")
    assert fast.clearance_squared(blocked).tobytes() == _astar_py.clearance_squared(blocked).tobytes()


def test_both_twins_measure_large_grids_alike() -> None:
    """Few obstacles make far distances and long runs of the envelope."""
    fast: ModuleType = pytest.importorskip("llmos.planning._astar")
    blocked = (np.random.default_rng(1).random((90, 140)) < 0.001).astype(np.uint8)
    assert fast.clearance_squared(blocked).tobytes() == _astar_py.clearance_squared(blocked).tobytes()


@given(OCCUPANCY, st.floats(0, 4), st.floats(0, 5), st.floats(0, 20))
def test_costs_follow_from_the_distance(occupancy: Grid, radius: float, reach: float, weight: float) -> None:
    """Impassable inside the radius, dearer inside the clearance, 1 or the unknown cost beyond."""
    cost = costmap(occupancy, radius, clearance_cells=reach, clearance_weight=weight, unknown_cost=7.0)
    distance = edge_distances(occupancy == 2)
    closed = (distance < radius) | (occupancy == 2)
    share = np.maximum(0, reach - distance) / reach if reach else 0.0
    expected = np.where(occupancy == 0, 7.0, 1.0) + weight * share
    assert cost.dtype == np.float32
    assert np.isinf(cost).tolist() == closed.tolist()
    assert np.allclose(cost[~closed], expected[~closed], rtol=1e-6)


def test_a_gap_as_wide_as_the_robot_is_passable() -> None:
    """Two cells hold a disc of one cell's radius only between their centres, so three are needed."""
    occupancy = np.ones((7, 9), np.uint8)
    occupancy[:, 4] = 2
    occupancy[2:5, 4] = 1
    assert np.isfinite(costmap(occupancy, 1.5)[3, 4])
    assert np.isinf(costmap(occupancy, 1.51)[3, 4])


def test_unknown_cells_can_be_forbidden() -> None:
    """An infinite cost makes them impassable; they are no obstacle to their neighbours."""
    occupancy = np.ones((9, 9), np.uint8)
    occupancy[4, 4] = 0
    cost = costmap(occupancy, 0.5, clearance_cells=1.0, unknown_cost=np.inf)
    assert np.isinf(cost[4, 4])
    assert cost[4, 5] == 1


@pytest.mark.parametrize(
    ("occupancy", "options", "message"),
    [
        (np.ones((2, 2)), {}, "uint8"),
        (np.ones(4, np.uint8), {}, "two-dimensional"),
        (np.ones((0, 2), np.uint8), {}, "1 to 8192 cells a side"),
        (np.full((2, 2), 3, np.uint8), {}, "each 0, 1 or 2"),
        (np.ones((2, 2), np.uint8), {"radius_cells": -1.0}, "radius -1.0"),
        (np.ones((2, 2), np.uint8), {"radius_cells": np.nan}, "radius nan"),
        (np.ones((2, 2), np.uint8), {"clearance_cells": -1.0}, "clearance -1.0"),
        (np.ones((2, 2), np.uint8), {"clearance_weight": np.inf}, "weight inf"),
        (np.ones((2, 2), np.uint8), {"unknown_cost": 0.5}, "unknown cost 0.5: give 1 to 997"),
        (np.ones((2, 2), np.uint8), {"unknown_cost": 998.0}, "unknown cost 998.0: give 1 to 997"),
    ],
)
def test_bad_input_is_refused(occupancy: Grid, options: dict[str, float], message: str) -> None:
    """With what was given and what to give."""
    with pytest.raises(PlanningError, match=message):
        costmap(occupancy, **{"radius_cells": 0.5, **options})
