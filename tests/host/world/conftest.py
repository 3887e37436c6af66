"""A room to look at: segments, and the exact distance to them along a ray."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pytest

from llmos.world.grid import Grid

Segment = tuple[float, float, float, float]
FULL_TURN = [math.radians(a / 2) for a in range(720)]


@dataclass(frozen=True)
class Room:
    """A square room with a border of walls, and walls in it."""

    side: float
    walls: Sequence[Segment]

    @property
    def segments(self) -> list[Segment]:
        h = self.side / 2
        return [*self.walls, (-h, -h, h, -h), (h, -h, h, h), (h, h, -h, h), (-h, h, -h, -h)]

    def cast(self, x: float, y: float, angle: float, max_m: float) -> float:
        """The distance to the nearest wall along a ray, at most `max_m`."""
        dx, dy = math.cos(angle), math.sin(angle)
        best = max_m
        for x1, y1, x2, y2 in self.segments:
            ex, ey = x2 - x1, y2 - y1
            across = dx * ey - dy * ex
            if abs(across) < 1e-12:
                continue
            along = ((x1 - x) * ey - (y1 - y) * ex) / across
            part = ((x1 - x) * dy - (y1 - y) * dx) / across
            if along >= 0 and -1e-9 <= part <= 1 + 1e-9:
                best = min(best, along)
        return best

    def clearance(self, x: float, y: float) -> float:
        """The distance to the nearest wall in any direction."""
        return min(math.dist((x, y), nearest(x, y, segment)) for segment in self.segments)

    def scan(
        self,
        grid: Grid,
        pose: tuple[float, float, float],
        *,
        angles: Sequence[float] = FULL_TURN,
        max_m: float = 2.0,
        noise: Callable[[], float] = lambda: 0.0,
        now_ms: int = 0,
    ) -> None:
        """Let a grid see the room from a pose, ray by ray in sets of six, as a turning robot would."""
        for i in range(0, len(angles), 6):
            part = angles[i : i + 6]
            true = [self.cast(pose[0], pose[1], pose[2] + a, max_m) for a in part]
            ranges = [max_m if r >= max_m else max(0.0, r + noise()) for r in true]
            grid.update(pose, ranges, part, max_m, now_ms)


def nearest(x: float, y: float, segment: Segment) -> tuple[float, float]:
    """The point of a segment that is nearest to a place."""
    x1, y1, x2, y2 = segment
    ex, ey = x2 - x1, y2 - y1
    share = ((x - x1) * ex + (y - y1) * ey) / (ex * ex + ey * ey or 1.0)
    share = min(1.0, max(0.0, share))
    return x1 + share * ex, y1 + share * ey


@pytest.fixture(scope="session")
def room() -> Callable[..., Room]:
    """Make a room of a side in metres with walls in it."""
    return lambda side=3.0, walls=(): Room(side, walls)


@pytest.fixture(scope="session")
def noise() -> Callable[[int], Callable[[], float]]:
    """Make a source of sensor noise, sigma 5 mm, from a seed."""

    def source(seed: int) -> Callable[[], float]:
        random = np.random.default_rng(seed)
        return lambda: float(random.normal(0.0, 0.005))

    return source
