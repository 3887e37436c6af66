"""What the camera says of the ground: a layer of its own that fades, and only ever makes the robot careful.

A detection, and the end of the free ground in a column of the picture, speak for an obstacle; free ground
speaks against what the camera itself has said before, and against nothing else. Range readings are another
layer, which this one never touches.
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from llmos.world.raycast import lengths_in_cells

Floats = NDArray[np.float32]
Pose = tuple[float, float, float]

FREE = 0.7  # confidence of ground that is seen to be free
BLOCKED = 0.48  # of the place where it ends
DETECTED = 0.8  # of a detection, times its own
OPENING_M, BLOCKED_M = 1.0, 0.5  # what a word about a third of the picture means, where no column is measured
REACH_M = 2.0  # ends of the ground further away are too uncertain
MOST = 2 * math.atanh(0.9)  # log-odds
FADE_AFTER_MS, FADE_PER_S, LEAST, GONE_MS = 5000, 0.05, 0.2, 30_000
CAUTION = 4.0  # how much more a cell costs that surely holds something


class VisionLayer:
    """Log-odds of an obstacle in each cell of a grid, from pictures alone."""

    def __init__(self, shape: tuple[int, int], cell_m: float) -> None:
        self._cell_m = cell_m
        self._west, self._south = -shape[1] * cell_m / 2, -shape[0] * cell_m / 2
        self._logodds: Floats = np.zeros(shape, np.float32)
        self._told_ms = np.full(shape, -GONE_MS, np.int64)

    def see(self, pose: Pose, free: Sequence[tuple[float, float, bool]], now_ms: int) -> None:
        """Take in free ground: bearing from ahead (rad), how far it is free (m), whether it ends there."""
        if not free:
            return
        angles = np.array([pose[2] + bearing for bearing, _, _ in free])
        reach = np.array([min(away, REACH_M) for _, away, _ in free])
        inside = np.maximum(reach - self._cell_m, 0) / self._cell_m
        x, y = (pose[0] - self._west) / self._cell_m, (pose[1] - self._south) / self._cell_m
        crossed = lengths_in_cells(x, y, angles, inside, self._logodds.shape) > 0.5
        self._tell(crossed, -2 * math.atanh(FREE), now_ms)
        for angle, (_, away, ends) in zip(angles, free, strict=True):
            if ends and away < REACH_M:
                self.put(
                    (pose[0] + away * math.cos(angle), pose[1] + away * math.sin(angle)), BLOCKED, now_ms
                )

    def put(self, place: tuple[float, float], confidence: float, now_ms: int) -> None:
        """Take in an obstacle at a place."""
        row = math.floor((place[1] - self._south) / self._cell_m)
        col = math.floor((place[0] - self._west) / self._cell_m)
        if 0 <= row < self._logodds.shape[0] and 0 <= col < self._logodds.shape[1]:
            cell = np.zeros(self._logodds.shape, bool)
            cell[row, col] = True
            self._tell(cell, 2 * math.atanh(min(max(confidence, 0.0), 0.9)), now_ms)

    def _tell(self, cells: NDArray[np.bool_], change: float, now_ms: int) -> None:
        fresh = self.confidence(now_ms) * np.sign(self._logodds)
        faded = 2 * np.arctanh(np.clip(fresh, -0.99, 0.99))
        self._logodds[cells] = np.clip(faded[cells] + change, -MOST, MOST)
        self._told_ms[cells] = now_ms

    def confidence(self, now_ms: int) -> Floats:
        """Return how sure the layer is of each cell now, free or not: 0 to 1, fading with age."""
        age = now_ms - self._told_ms
        faded = np.abs(np.tanh(self._logodds / 2)) - FADE_PER_S * np.maximum(age - FADE_AFTER_MS, 0) / 1000
        return np.where((faded >= LEAST) & (age < GONE_MS), faded, 0.0).astype(np.float32)

    def obstacles(self, now_ms: int) -> Floats:
        """Return how sure the layer is that each cell holds an obstacle, 0 where it is not."""
        return np.where(self._logodds > 0, self.confidence(now_ms), np.float32(0))

    def heed(self, cost: Floats, now_ms: int) -> Floats:
        """Return planning costs with the camera's caution: nowhere lower, impassable where they were."""
        return cost * (1 + np.float32(CAUTION) * self.obstacles(now_ms))
