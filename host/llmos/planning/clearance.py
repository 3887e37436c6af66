"""From an occupancy grid to the costs that keep a robot's footprint off obstacles."""

import numpy as np
from numpy.typing import NDArray

from llmos.planning.astar import MAX_COST, PlanningError, core

UNKNOWN, FREE, OCCUPIED = 0, 1, 2
MAX_SIDE = 8192  # cells; squared distances in half cells stay below 2^31


def costmap(
    occupancy: NDArray[np.uint8],
    radius_cells: float,
    *,
    clearance_cells: float = 3.0,
    clearance_weight: float = 3.0,
    unknown_cost: float = 5.0,
) -> NDArray[np.float32]:
    """Return the cost of entering each cell, 1 or more, +inf where the robot's disc would touch an obstacle.

    A cell is impassable when its centre is nearer than `radius_cells` to the edge of an occupied cell or of
    the grid. Nearer than `clearance_cells` it costs up to `clearance_weight` more, in proportion.

    Args:
        occupancy: 0 unknown, 1 free, 2 occupied; shape (rows, columns).
        radius_cells: radius of the robot's footprint, in cells.
        clearance_cells: distance from which an obstacle no longer matters, in cells.
        clearance_weight: the extra cost right at an obstacle.
        unknown_cost: cost of an unknown cell before clearance; +inf forbids them.
    """
    _check(occupancy, radius_cells, clearance_cells, clearance_weight, unknown_cost)
    occupied = occupancy == OCCUPIED
    distance = clearance(occupied)
    cost = np.where(occupancy == UNKNOWN, unknown_cost, 1.0)
    if clearance_cells > 0:
        cost += clearance_weight * np.maximum(0.0, clearance_cells - distance) / clearance_cells
    cost[occupied | (distance < radius_cells)] = np.inf
    return cost.astype(np.float32)


def clearance(occupied: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return each cell centre's distance, in cells, to the edge of the nearest set cell or of the grid."""
    squared: NDArray[np.int32] = core.clearance_squared(np.ascontiguousarray(occupied).view(np.uint8))
    return 0.5 * np.sqrt(squared)


def _check(
    occupancy: NDArray[np.uint8], radius: float, clearance: float, weight: float, unknown: float
) -> None:
    if not isinstance(occupancy, np.ndarray) or occupancy.dtype != np.uint8 or occupancy.ndim != 2:
        raise PlanningError("occupancy is not a two-dimensional uint8 array: give one of 0, 1 and 2")
    if not occupancy.size or max(occupancy.shape) > MAX_SIDE or occupancy.max() > OCCUPIED:
        shape = occupancy.shape
        raise PlanningError(f"occupancy of shape {shape}: give 1 to {MAX_SIDE} cells a side, each 0, 1 or 2")
    if not (radius >= 0 and clearance >= 0 and 0 <= weight < MAX_COST):
        raise PlanningError(
            f"radius {radius}, clearance {clearance}, weight {weight}: "
            f"give none below 0, and a weight below {MAX_COST}"
        )
    if not (1 <= unknown <= MAX_COST - weight or unknown == np.inf):
        raise PlanningError(f"unknown cost {unknown}: give 1 to {MAX_COST - weight}, or +inf")
