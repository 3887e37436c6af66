"""Cheapest paths on a grid; `_astar` (Cython) does the work, or `_astar_py` where that is not built."""

import importlib
import os
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from llmos.errors import LlmosError
from llmos.planning import _astar_py

Cell = tuple[int, int]  # (row, column)


def _load_core() -> Any:
    if not os.environ.get("LLMOS_NO_EXTENSIONS"):
        try:
            return importlib.import_module("llmos.planning._astar")
        except ImportError:
            pass  # the extension is optional
    return _astar_py


core = _load_core()
UNIT, MAX_COST = _astar_py.UNIT, _astar_py.MAX_COST


class PlanningError(LlmosError):
    """A grid, cell or cost that cannot be planned on."""


class Path(NamedTuple):
    """A cheapest path over grid cells."""

    cells: NDArray[np.int32]  # shape (n, 2), rows (row, column), start and goal included
    cost: float  # sum over the steps of length (1 or the square root of 2) times the cost of the cell entered


def compiled() -> bool:
    """Whether the Cython twin is in use."""
    return core is not _astar_py


def astar(cost: NDArray[np.float32], start: Cell, goal: Cell) -> Path | None:
    """Return a cheapest 8-connected path, or None if there is none.

    `cost` is the cost of entering each cell, 1 to 1000, +inf where impassable; the start is never charged and
    may be impassable. A diagonal step needs both cells beside it passable. Costs are counted in whole 1/985,
    for which the path is optimal and the choice among equals always the same.

    A* (Hart, Nilsson and Raphael 1968) with the octile distance at the lowest cost in the grid.
    """
    _check(cost, start, goal)
    status, cells, total = core.search(np.ascontiguousarray(cost), *start, *goal)
    if status == _astar_py.NO_PATH:
        return None
    if status != _astar_py.FOUND:
        raise _failure(status, cost)
    return Path(cells, total / UNIT)


def reachable_costs(cost: NDArray[np.float32], start: Cell) -> NDArray[np.float32]:
    """Return what `astar` would pay from `start` to every cell, +inf where it finds no path (Dijkstra)."""
    _check(cost, start)
    status, totals = core.flood(np.ascontiguousarray(cost), *start)
    if status != _astar_py.FOUND:
        raise _failure(status, cost)
    return np.where(totals < 0, np.inf, totals / UNIT).astype(np.float32)


def nearest_passable(cost: NDArray[np.float32], cell: Cell, max_cells: float) -> Cell | None:
    """Return the passable cell nearest to `cell` within `max_cells`, ties by row and column."""
    _check(cost, cell)
    cells = np.argwhere(np.isfinite(cost))
    squares = ((cells - cell) ** 2).sum(axis=1)
    if not squares.size or squares.min() > max_cells**2:
        return None
    row, col = cells[squares.argmin()].tolist()
    return row, col


def _check(cost: NDArray[np.float32], *cells: Sequence[int]) -> None:
    if not isinstance(cost, np.ndarray) or cost.dtype != np.float32 or cost.ndim != 2 or not cost.size:
        kind = f"{cost.dtype} of shape {cost.shape}" if isinstance(cost, np.ndarray) else type(cost).__name__
        raise PlanningError(f"costs are {kind}: give a two-dimensional float32 array, as costmap() returns")
    rows, cols = cost.shape
    for row, col in cells:
        if not (0 <= row < rows and 0 <= col < cols):
            raise PlanningError(f"cell ({row}, {col}) is outside the grid of {rows} rows and {cols} columns")


def _failure(status: int, cost: NDArray[np.float32]) -> PlanningError:
    if status == _astar_py.BAD_COST:
        row, col = np.argwhere(~(cost >= 1) | (cost > MAX_COST) & (cost != np.inf))[0]
        value = cost[row, col]
        return PlanningError(f"the cost of cell ({row}, {col}) is {value}: give 1 to {MAX_COST}, or +inf")
    if status == _astar_py.TOO_LONG:
        limit = _astar_py.LIMIT // UNIT
        return PlanningError(f"a path would cost more than {limit}: give a smaller grid or lower costs")
    return PlanningError(f"not enough memory to search {cost.shape[0]} by {cost.shape[1]} cells")
