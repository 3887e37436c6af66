"""The occupancy grid: log-odds from range readings, visits and age, with the cells' named states on top.

Log-odds by inverse sensor model (Moravec & Elfes 1985; Thrun, Burgard & Fox, Probabilistic Robotics, ch. 9),
with one change for thin walls: a wall fills a small part of its cell, and rays that pass beside it do not
speak against it. Evidence for an obstacle therefore outweighs evidence for free ground: two hits in a row win
against any number of rays before them, and what was hit is lost only to many rays from different places.

What a model says of a cell is kept apart in `said`. It may make the map more careful; it never frees what a
sensor has hit, and it is no sight (`measured`).
"""

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from llmos.world.raycast import lengths_in_cells

UNKNOWN, FREE, OCCUPIED = 0, 1, 2
STATES = ("unknown", "free", "obstacle", "wall", "explored", "path", "collectible", "collected")

HIT = 1.4  # log-odds for a reading that ends in the cell
FROM = -1.9  # a hit counts from here at least: one leaves known free ground free, the second wins
MISS = 0.9  # against, for each cell length that a ray runs through the cell
DOUBT = 0.08  # the same where something was hit before, and only for rays from a new place
MOST, LEAST = 4.2, -2.9  # p of 0.985 and 0.052
OCCUPIED_ABOVE, FREE_BELOW = 0.0, -0.4  # one hit; a ray through about half the cell
SHORT_M = 0.025  # a ray frees no ground this near to what it hit: five sigma of the sensors' noise
DEEPER_M = 0.015  # a hit counts this far behind the face it measured, three sigma: faces lie on cell borders
BEYOND_M = 0.03  # a hit this far outside belongs to the rim: the room's border is often the grid's
NEW_PLACE_M, NEW_PLACE_RAD = 0.01, 0.01  # a pose further than this from the last one looks from a new place
WALL_CELLS = 6  # occupied cells in a row that make a wall

CORRECTION_LEAST = 0.6  # a correction with less confidence is skipped
CORRECTION_MOST = 0.7  # nor does one touch cells that the sensors are surer of

SILENT = 3  # in `said`: nothing is said of the cell
CAREFUL: NDArray[np.int8] = np.array([1, 0, 2, -1], np.int8)  # how careful UNKNOWN, FREE, OCCUPIED are

Cell = tuple[int, int]
Ints = NDArray[np.intp]
Floats = NDArray[np.float64]
State = Literal["free", "obstacle", "unknown"]


class Grid:
    """An occupancy grid centred on the origin; arrays are [row, column] from the south-western corner.

    Args:
        size_m: east-west and north-south extent in metres.
        cell_m: side of a cell in metres.
    """

    def __init__(self, size_m: tuple[float, float] = (5.0, 5.0), cell_m: float = 0.10) -> None:
        cols, rows = (max(1, math.ceil(side / cell_m - 1e-6)) for side in size_m)
        self.shape: Cell = (rows, cols)
        self.cell_m = cell_m
        self.logodds: NDArray[np.float32] = np.zeros(self.shape, np.float32)
        self.visits: NDArray[np.uint16] = np.zeros(self.shape, np.uint16)
        self.updated_ms: NDArray[np.int32] = np.full(self.shape, -1, np.int32)  # -1: never
        self.known_ms: NDArray[np.int32] = np.full(self.shape, -1, np.int32)  # when it was first measured
        self.said: NDArray[np.uint8] = np.full(self.shape, SILENT, np.uint8)  # by a model
        self._west, self._south = -cols * cell_m / 2, -rows * cell_m / 2
        self._looked_from = (math.inf, math.inf, math.inf)
        self._stands_on: Cell | None = None

    def cell(self, x: float, y: float) -> Cell | None:
        """Return the row and column of the cell that holds a point in metres, None outside the grid."""
        if not (math.isfinite(x) and math.isfinite(y)):
            return None
        row, col = math.floor((y - self._south) / self.cell_m), math.floor((x - self._west) / self.cell_m)
        return (row, col) if 0 <= row < self.shape[0] and 0 <= col < self.shape[1] else None

    def centre(self, cell: Cell) -> tuple[float, float]:
        """Return the middle of a cell in metres."""
        return self._west + (cell[1] + 0.5) * self.cell_m, self._south + (cell[0] + 0.5) * self.cell_m

    def rays(self, place: tuple[float, float], count: int, length_m: float) -> tuple[Ints, Ints, Floats]:
        """Return the cells along rays all around a place, and how far from it they are looked at.

        Args:
            place: where they begin, in metres.
            count: rays.
            length_m: how far they run.

        Returns:
            Rows and columns, each (rays, points), -1 outside the grid; the points' distances in m, (points,),
            half a cell apart.
        """
        angles = np.arange(count)[:, None] * (math.tau / count)
        along = np.arange(0.0, length_m, self.cell_m / 2)
        cols = np.floor((place[0] + along * np.cos(angles) - self._west) / self.cell_m).astype(np.intp)
        rows = np.floor((place[1] + along * np.sin(angles) - self._south) / self.cell_m).astype(np.intp)
        outside = (rows < 0) | (rows >= self.shape[0]) | (cols < 0) | (cols >= self.shape[1])
        return np.where(outside, -1, rows), np.where(outside, -1, cols), along

    def update(
        self,
        pose: tuple[float, float, float],
        ranges_m: Sequence[float | None],
        angles: Sequence[float],
        max_m: float,
        now_ms: int,
    ) -> None:
        """Take in one set of range readings.

        Args:
            pose: where they were measured: m, m, rad counter-clockwise from east.
            ranges_m: distances; None for no reading; `max_m` or more where nothing was seen.
            angles: the sensors' directions in rad, counter-clockwise from straight ahead.
            max_m: how far the sensors see.
            now_ms: time of the readings.
        """
        x, y, heading = pose
        rays = [(heading + a, r) for r, a in zip(ranges_m, angles, strict=True) if r is not None and r >= 0]
        if not rays:
            return
        hits = [(a, r + DEEPER_M) for a, r in rays if r < max_m]
        reach = [r - SHORT_M if r < max_m else max_m for _, r in rays]
        crossed = lengths_in_cells(
            (x - self._west) / self.cell_m,
            (y - self._south) / self.cell_m,
            np.array([a for a, _ in rays]),
            np.maximum(reach, 0.0) / self.cell_m,
            self.shape,
        ).astype(np.float32)
        self._free(crossed, self._is_new_place(pose), now_ms)
        for a, r in hits:
            self._hit(x + r * math.cos(a), y + r * math.sin(a), now_ms)
        self._note_known(now_ms)

    def _note_known(self, now_ms: int) -> None:
        """Keep for each cell when it was first measured."""
        self.known_ms[(self.known_ms < 0) & (self.measured() != UNKNOWN)] = now_ms

    def _is_new_place(self, pose: tuple[float, float, float]) -> bool:
        """Whether readings from a pose tell more than those before; from one place they depend."""
        x, y, heading = self._looked_from
        if math.hypot(pose[0] - x, pose[1] - y) < NEW_PLACE_M and abs(pose[2] - heading) < NEW_PLACE_RAD:
            return False
        self._looked_from = pose
        return True

    def _free(self, crossed: NDArray[np.float32], new_place: bool, now_ms: int) -> None:
        against = np.where(self.logodds > 0, DOUBT if new_place else 0.0, MISS).astype(np.float32)
        self.logodds -= against * crossed
        np.maximum(self.logodds, LEAST, out=self.logodds)
        self.updated_ms[crossed > 0] = now_ms
        self.said[crossed > 0] = SILENT

    def _hit(self, x: float, y: float, now_ms: int) -> None:
        cell = self.cell(x, y) or self._rim(x, y)
        if cell:
            self.logodds[cell] = min(max(float(self.logodds[cell]), FROM) + HIT, MOST)
            self.updated_ms[cell] = now_ms
            self.said[cell] = SILENT

    def _rim(self, x: float, y: float) -> Cell | None:
        """Return the outermost cell nearest to a point that lies just outside the grid."""
        inside_x = min(max(x, self._west), -self._west - self.cell_m / 2)
        inside_y = min(max(y, self._south), -self._south - self.cell_m / 2)
        near = abs(x) <= -self._west + BEYOND_M and abs(y) <= -self._south + BEYOND_M
        return self.cell(inside_x, inside_y) if near else None

    def mark_visited(self, x: float, y: float, radius_m: float, now_ms: int) -> None:
        """Take the ground under the robot as free unless something was hit there; count visits of cells."""
        cell = self.cell(x, y)
        if cell is None:
            return
        reach = math.ceil(radius_m / self.cell_m)
        for row in range(max(0, cell[0] - reach), min(self.shape[0], cell[0] + reach + 1)):
            for col in range(max(0, cell[1] - reach), min(self.shape[1], cell[1] + reach + 1)):
                under = math.dist(self.centre((row, col)), (x, y)) <= radius_m or (row, col) == cell
                if under and self.logodds[row, col] <= 0:
                    self.logodds[row, col] = LEAST
                    self.updated_ms[row, col] = now_ms
                    self.said[row, col] = SILENT
        if cell != self._stands_on and self.visits[cell] < np.iinfo(np.uint16).max:
            self.visits[cell] += 1
        self._stands_on = cell

    def correct(self, x: float, y: float, state: State, confidence: float) -> str | None:
        """Note a model's word on the cell that holds a point; return why not where it is refused.

        It stands until a sensor looks at the cell; meanwhile only a more careful word replaces it.
        """
        cell = self.cell(x, y)
        if cell is None:
            return "outside the room"
        if not CORRECTION_LEAST <= confidence <= 1:
            return f"confidence below {CORRECTION_LEAST:g}"
        if self.visits[cell]:
            return "the robot has been there"
        word = {"unknown": UNKNOWN, "free": FREE, "obstacle": OCCUPIED}[state]
        if self.logodds[cell] > OCCUPIED_ABOVE and word != OCCUPIED:
            return "a sensor has hit something there"
        if abs(math.tanh(float(self.logodds[cell]) / 2)) > CORRECTION_MOST:
            return "the sensors are sure of it"
        if CAREFUL[word] < CAREFUL[self.said[cell]]:
            return "an earlier, more careful word stands until a sensor looks"
        self.said[cell] = word
        return None

    def measured(self) -> NDArray[np.uint8]:
        """Return UNKNOWN, FREE or OCCUPIED for each cell by the sensors alone."""
        occupied = (self.logodds > OCCUPIED_ABOVE).astype(np.uint8) * np.uint8(OCCUPIED)
        return occupied + (self.logodds <= FREE_BELOW)

    def occupancy(self) -> NDArray[np.uint8]:
        """Return UNKNOWN, FREE or OCCUPIED for each cell by the sensors and by what is said.

        Of a cell that no sensor knows, what is said holds; of free ground, what is said more carefully; of a
        measured obstacle, nothing.
        """
        measured = self.measured()
        holds = CAREFUL[self.said] > np.where(measured == UNKNOWN, CAREFUL[SILENT], CAREFUL[measured])
        return np.where(holds, self.said, measured)

    def passable(self) -> NDArray[np.bool_]:
        """Tell of each cell whether a block may drive over it: measured free, and nobody doubts it."""
        return np.asarray((self.measured() == FREE) & (self.occupancy() == FREE))

    def confidence(self) -> NDArray[np.float32]:
        """Return |2p - 1| for each cell: 0 for no knowledge, 1 for certainty."""
        return np.abs(np.tanh(self.logodds / 2))

    def states(self) -> NDArray[np.uint8]:
        """Return each cell's state as an index into STATES.

        Occupied cells in a straight row are a wall, others an obstacle; free ground that the robot's middle
        has been on is explored.
        """
        states = self.occupancy()
        occupied = states == OCCUPIED
        states[occupied & (in_row(occupied) | in_row(occupied.T).T)] = STATES.index("wall")
        states[(states == FREE) & (self.visits > 0)] = STATES.index("explored")
        return states


def in_row(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Tell for each cell whether it is one of at least WALL_CELLS set cells in its row without a gap."""
    rows, cols = mask.shape
    found = np.zeros_like(mask)
    if cols < WALL_CELLS:
        return found
    starts = np.ones((rows, cols - WALL_CELLS + 1), bool)
    for shift in range(WALL_CELLS):
        starts &= mask[:, shift : shift + starts.shape[1]]
    for shift in range(WALL_CELLS):
        found[:, shift : shift + starts.shape[1]] |= starts
    return found
