"""Which cells rays cross, and how far they run in each: all crossings of grid lines, for all rays at once."""

import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
PARALLEL = 1e-9  # a ray whose direction has less than this along an axis crosses no line of that axis


def line_crossings(start: float, direction: Floats, count: int) -> Floats:
    """Return the distances to the next `count` whole numbers along one axis, shape (rays, count).

    Args:
        start: common start of the rays, in cells.
        direction: each ray's component along the axis, within -1..1.
        count: crossings to return for each ray; infinity where the ray is parallel to the lines.
    """
    steps = np.arange(count)
    ahead = (math.floor(start) + 1 - start) + steps
    behind = (start - math.ceil(start) + 1) + steps
    parallel = np.abs(direction) < PARALLEL
    speed = np.where(parallel, 1.0, np.abs(direction))
    distance = np.where((direction > 0)[:, None], ahead, behind) / speed[:, None]
    distance[parallel] = np.inf
    return distance


def lengths_in_cells(x: float, y: float, angles: Floats, lengths: Floats, shape: tuple[int, int]) -> Floats:
    """Return the summed length of rays from one point in each cell, in cells, shape `shape`.

    Args:
        x: east of the grid's south-western corner, in cells.
        y: north of it, in cells.
        angles: directions in rad, counter-clockwise from east.
        lengths: how far each ray runs, in cells.
        shape: rows and columns of the grid; what runs outside it is left out.
    """
    rows, cols = shape
    east, north = np.cos(angles), np.sin(angles)
    count = math.ceil(float(lengths.max(initial=0.0))) + 1
    at = np.zeros((len(angles), 2 * count + 2))
    at[:, 1 : count + 1] = line_crossings(x, east, count)
    at[:, count + 1 : -1] = line_crossings(y, north, count)
    at[:, -1] = np.inf
    np.minimum(at, lengths[:, None], out=at)
    at.sort(axis=1)
    chords = at[:, 1:] - at[:, :-1]
    middles = at[:, :-1] + chords / 2
    col = np.floor(x + middles * east[:, None]).astype(np.intp)
    row = np.floor(y + middles * north[:, None]).astype(np.intp)
    inside = (col >= 0) & (col < cols) & (row >= 0) & (row < rows)
    cells = np.where(inside, row * cols + col, 0)
    crossed = np.bincount(cells.ravel(), (chords * inside).ravel(), rows * cols)
    return crossed.reshape(shape).astype(np.float64, copy=False)
