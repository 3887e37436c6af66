"""Lengths of ways that may run at any angle, which tell places apart that an 8-connected path cannot."""

import numpy as np
from numpy.typing import NDArray

from llmos.planning.astar import Cell, PlanningError, core


def geodesics(passable: NDArray[np.bool_], start: Cell) -> NDArray[np.float32]:
    """Return the length in cells of the shortest any-angle way from `start` to each cell, or inf.

    A way runs over passable cells and never squeezes between two blocked ones that touch at a corner, so it
    exists where `astar` finds a path. Lengths are exact within 8 cells of the start in straight sight of it.
    Beyond, they are never below the straight distance; they err by 2 % at most in the open, round walls by
    1 % in the median and 7 % at most on maps of 30 by 30 cells.

    Args:
        passable: shape (rows, columns); the start counts as passable.
        start: row and column.

    Raises:
        PlanningError: no such grid, or a start outside it.
    """
    if not isinstance(passable, np.ndarray) or passable.dtype != np.bool_ or passable.ndim != 2:
        kind = (
            f"{passable.dtype} of shape {passable.shape}"
            if isinstance(passable, np.ndarray)
            else type(passable)
        )
        raise PlanningError(f"the passable cells are {kind}: give a two-dimensional array of bool")
    row, col = start
    rows, cols = passable.shape
    if not (0 <= row < rows and 0 <= col < cols):
        raise PlanningError(f"cell ({row}, {col}) is outside the grid of {rows} rows and {cols} columns")
    lengths: NDArray[np.float32] = core.geodesics(np.ascontiguousarray(passable).view(np.uint8), row, col)
    return lengths
