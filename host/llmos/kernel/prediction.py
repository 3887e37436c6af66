"""Step 10: what the unseen cells probably hold, from the walls that are seen."""

import numpy as np
from numpy.typing import NDArray

UNKNOWN, OCCUPIED = 0, 2
REACH = 5  # cells that a wall is continued
CONFIDENCE = 0.3  # of the first predicted cell, falling by a tenth of it with each further one
DIRECTIONS = ((0, 1), (0, -1), (1, 0), (-1, 0))


def shifted(mask: NDArray[np.bool_], rows: int, cols: int) -> NDArray[np.bool_]:
    """Return a mask moved by some cells; what leaves the grid is lost."""
    out = np.zeros_like(mask)
    height, width = mask.shape
    out[max(rows, 0) : height + min(rows, 0), max(cols, 0) : width + min(cols, 0)] = mask[
        max(-rows, 0) : height + min(-rows, 0), max(-cols, 0) : width + min(-cols, 0)
    ]
    return out


def continue_walls(occupancy: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the confidence, 0…1, that each unknown cell is a wall: straight walls of two cells go on.

    Args:
        occupancy: 0 unknown, 1 free, 2 occupied.
    """
    wall, unknown = occupancy == OCCUPIED, occupancy == UNKNOWN
    confidence = np.zeros(occupancy.shape, np.float32)
    for rows, cols in DIRECTIONS:
        front = wall & shifted(wall, rows, cols)
        for step in range(REACH):
            front = shifted(front, rows, cols) & unknown
            confidence[front] = np.maximum(confidence[front], CONFIDENCE * (1 - step / 10))
    return confidence


def dearer(
    cost: NDArray[np.float32], confidence: NDArray[np.float32], weight: float = 10.0
) -> NDArray[np.float32]:
    """Return planning costs in which cells that are probably walls cost more; none becomes impassable."""
    return cost * (1 + np.float32(weight) * confidence)
