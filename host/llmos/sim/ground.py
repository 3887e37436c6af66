"""The ground of an arena as a fine grid: where a round robot fits, and what it reaches from its start."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

CELL_M = 0.025
MOST_CELLS = 500  # along the longer side, so that a look at the largest room stays a fraction of a second

Grid = NDArray[np.bool_]


class Ground:
    """A grid over the room, rows from the south; free where the robot's middle may be at a cell's centre."""

    def __init__(
        self,
        size_m: tuple[float, float],
        segments: Sequence[tuple[float, float, float, float]],
        discs: Sequence[tuple[float, float, float]],
        radius_m: float,
        start: tuple[float, float],
    ) -> None:
        self.cell_m = max(CELL_M, max(size_m) / MOST_CELLS)
        self.width = math.ceil(size_m[0] / self.cell_m)
        self.height = math.ceil(size_m[1] / self.cell_m)
        self.x0, self.y0 = -size_m[0] / 2, -size_m[1] / 2
        self.xs = self.x0 + (np.arange(self.width) + 0.5) * self.cell_m
        self.ys = self.y0 + (np.arange(self.height) + 0.5) * self.cell_m
        self.blocked: Grid = np.zeros((self.height, self.width), bool)
        for segment in segments:
            self._block_segment(segment, radius_m)
        for x, y, r in discs:
            self._block_segment((x, y, x, y), radius_m + r)
        self.reached: Grid = self._flood(start)

    def _block_segment(self, segment: tuple[float, float, float, float], reach: float) -> None:
        x1, y1, x2, y2 = segment
        columns = self._span(self.xs, min(x1, x2) - reach, max(x1, x2) + reach)
        rows = self._span(self.ys, min(y1, y2) - reach, max(y1, y2) + reach)
        xs, ys = self.xs[columns][None, :], self.ys[rows][:, None]
        ex, ey = x2 - x1, y2 - y1
        square = ex * ex + ey * ey or 1.0
        along = np.clip(((xs - x1) * ex + (ys - y1) * ey) / square, 0, 1)
        distance = np.hypot(x1 + along * ex - xs, y1 + along * ey - ys)
        self.blocked[rows, columns] |= distance < reach

    @staticmethod
    def _span(centres: NDArray[np.floating], low: float, high: float) -> slice:
        return slice(int(np.searchsorted(centres, low)), int(np.searchsorted(centres, high, "right")))

    def cell(self, x: float, y: float) -> tuple[int, int]:
        """Row and column of the cell that holds a point of the room."""
        row, column = int((y - self.y0) / self.cell_m), int((x - self.x0) / self.cell_m)
        return min(max(row, 0), self.height - 1), min(max(column, 0), self.width - 1)

    def nearest_free(self, x: float, y: float) -> tuple[int, int] | None:
        """The free cell next to a point: its own, or one of its eight neighbours; None where none is free."""
        row, column = self.cell(x, y)
        near = [(r, c) for r in range(row - 1, row + 2) for c in range(column - 1, column + 2)]
        free = [(r, c) for r, c in near if self.is_free(r, c)]
        return min(free, key=lambda rc: math.hypot(self.ys[rc[0]] - y, self.xs[rc[1]] - x), default=None)

    def is_free(self, row: int, column: int) -> bool:
        """Whether the robot's middle may be at the cell's centre."""
        return 0 <= row < self.height and 0 <= column < self.width and not self.blocked[row, column]

    def reaches(self, x: float, y: float) -> bool:
        """Whether the robot can get from its start to a point."""
        cell = self.nearest_free(x, y)
        return cell is not None and bool(self.reached[cell])

    def _flood(self, start: tuple[float, float]) -> Grid:
        """The free cells that are connected with the start over cell sides."""
        wide = self.width + 2  # a rim of blocked cells spares every bounds check
        rim = np.ones((self.height + 2, wide), np.uint8)
        rim[1:-1, 1:-1] = self.blocked
        todo = bytearray(rim.tobytes())
        first = self.nearest_free(*start)
        stack = [] if first is None else [(first[0] + 1) * wide + first[1] + 1]
        while stack:
            cell = stack.pop()
            if not todo[cell]:
                todo[cell] = 2
                stack += (cell - 1, cell + 1, cell - wide, cell + wide)
        flooded: Grid = np.frombuffer(todo, np.uint8).reshape(rim.shape)[1:-1, 1:-1] == 2
        return flooded


def to_segment(x: float, y: float, x1: float, y1: float, x2: float, y2: float) -> float:
    """Distance from a point to a segment."""
    ex, ey = x2 - x1, y2 - y1
    square = ex * ex + ey * ey
    along = ((x - x1) * ex + (y - y1) * ey) / square if square else 0.0
    along = min(1.0, max(0.0, along))
    return math.hypot(x1 + along * ex - x, y1 + along * ey - y)
