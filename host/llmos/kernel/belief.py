"""What the robot believes: its pose and its map, from telemetry alone."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from llmos.eyes import Tracked
from llmos.link import Telemetry
from llmos.manifest import RANGE_CHANNELS, Manifest
from llmos.planning import costmap
from llmos.planning.route import Point
from llmos.world.grid import Grid

Pose = tuple[float, float, float]

NO_READING = 65535
MARGIN_M = 0.02  # kept beyond the footprint by every planned way
TRAIL_M = 0.05  # spacing of the remembered track


def between(before: tuple[int, Pose], after: tuple[int, Pose], ms: int) -> Pose:
    """Return the pose at a time between two known ones, by linear interpolation."""
    span = after[0] - before[0]
    share = min(1.0, max(0.0, (ms - before[0]) / span)) if span > 0 else 1.0
    x, y, heading = (a + (b - a) * share for a, b in zip(before[1], after[1], strict=True))
    return x, y, heading


class Belief:
    """Pose and occupancy grid in the arena's frame.

    Args:
        manifest: the robot.
        start: pose at which the session began: m, m, rad counter-clockwise from east.
        size_m: the room that the grid has to hold.
    """

    def __init__(self, manifest: Manifest, start: Pose, size_m: tuple[float, float]) -> None:
        self.manifest = manifest
        self.start = start
        self.grid = Grid(size_m)
        self.pose = start
        self.battery_mv = manifest.battery.full_mv
        self.age_ms = 0
        self.ranges_m: dict[str, float | None] = {}  # the newest by channel, whatever their age
        self.objects: tuple[Tracked, ...] = ()  # that a camera has seen, the surest first
        self.trail: list[Point] = [start[:2]]
        self._angles = manifest.range_angles
        self._last: tuple[int, Pose] | None = None
        self._scan_ms = -1
        self.grid.mark_visited(start[0], start[1], manifest.radius_m, 0)

    @property
    def clearance_m(self) -> float:
        """Distance from the robot's centre to a blocked cell that every planned way keeps."""
        return self.manifest.radius_m + MARGIN_M

    def place(self, reading: Telemetry) -> Pose:
        """Return a telemetry pose in the arena's frame."""
        x0, y0, h0 = self.start
        x, y = reading.x_mm / 1000, reading.y_mm / 1000
        return (
            x0 + x * math.cos(h0) - y * math.sin(h0),
            y0 + x * math.sin(h0) + y * math.cos(h0),
            h0 + reading.heading_mrad / 1000,
        )

    def hear(self, reading: Telemetry) -> None:
        """Take in one telemetry frame: the pose, and the ranges at the pose where they were measured."""
        self.pose = self.place(reading)
        self.battery_mv, self.age_ms = reading.battery, reading.age
        self.ranges_m = dict(zip(RANGE_CHANNELS, self.ranges(reading), strict=True))
        scan_ms = reading.ms - reading.age
        if scan_ms > self._scan_ms and reading.age <= self.manifest.range.stale_ms:
            here = (reading.ms, self.pose)
            at = between(self._last or here, here, scan_ms)
            ranges = list(self.ranges_m.values())
            self.grid.update(at, ranges, self._angles, self.manifest.range.max_m, reading.ms)
            self._scan_ms = scan_ms
        self._last = (reading.ms, self.pose)
        if math.dist(self.trail[-1], self.pose[:2]) >= TRAIL_M:
            self.trail.append(self.pose[:2])
            self.grid.mark_visited(self.pose[0], self.pose[1], self.manifest.radius_m, reading.ms)

    @staticmethod
    def ranges(reading: Telemetry) -> Sequence[float | None]:
        """Return the six ranges in m, None where there is no reading."""
        values = (getattr(reading, name) for name in RANGE_CHANNELS)
        return [None if value == NO_READING else value / 1000 for value in values]

    def costs(self) -> NDArray[np.float32]:
        """Return the cost of entering each cell, for the robot's footprint."""
        return costmap(self.grid.occupancy(), self.clearance_m / self.grid.cell_m)

    def blocked(self) -> NDArray[np.float64]:
        """Return the centres of all cells that are not known to be free, the rim around the grid included."""
        rows, cols = np.nonzero(~np.pad(self.grid.passable(), 1))
        west, south = self.grid.centre((0, 0))
        return np.column_stack((west + (cols - 1) * self.grid.cell_m, south + (rows - 1) * self.grid.cell_m))
