"""From a path over cells to straight legs that the robot can drive over ground known to be free."""

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Point = tuple[float, float]
SAMPLE_M = 0.02  # spacing at which a leg is checked
SLACK_M = 0.001


def length(points: Sequence[Point]) -> float:
    """Return the length of a polyline in metres."""
    return sum(math.dist(a, b) for a, b in pairwise(points))


def samples(points: Sequence[Point], limit_m: float) -> NDArray[np.float64]:
    """Return rows (x, y, distance along the polyline), SAMPLE_M apart, over its first `limit_m` metres."""
    rows, done = [(*points[0], 0.0)], 0.0
    for a, b in pairwise(points):
        leg = math.dist(a, b)
        count = max(1, math.ceil(leg / SAMPLE_M))
        rows += [
            (a[0] + (b[0] - a[0]) * i / count, a[1] + (b[1] - a[1]) * i / count, done + leg * i / count)
            for i in range(1, count + 1)
        ]
        done += leg
        if done >= limit_m:
            break
    table = np.array(rows)
    return table[table[:, 2] <= limit_m + 1e-9]


def clearances(
    table: NDArray[np.float64], blocked: NDArray[np.float64], cell_m: float, reach_m: float
) -> NDArray[np.float64]:
    """Return each sample's distance to the nearest blocked cell's square, at most `reach_m`.

    Args:
        table: samples, columns x and y first.
        blocked: centres of blocked cells, shape (n, 2).
        cell_m: side of a cell.
        reach_m: distances beyond this do not matter.
    """
    low, high = table[:, :2].min(axis=0) - reach_m - cell_m, table[:, :2].max(axis=0) + reach_m + cell_m
    near = blocked[((blocked >= low) & (blocked <= high)).all(axis=1)]
    if not len(near):
        return np.full(len(table), reach_m)
    gap = np.maximum(np.abs(table[:, None, :2] - near[None, :, :]) - cell_m / 2, 0.0)
    nearest: NDArray[np.float64] = np.sqrt((gap**2).sum(axis=2).min(axis=1))
    return np.minimum(nearest, reach_m)


def clear_length(
    points: Sequence[Point], blocked: NDArray[np.float64], cell_m: float, clearance_m: float, limit_m: float
) -> float:
    """Return how far along a polyline a robot keeps `clearance_m` to every blocked cell.

    Where the robot already stands nearer than that, it may only get away, never come nearer again.
    """
    table = samples(points, limit_m)
    distance = clearances(table, blocked, cell_m, clearance_m)
    needed = np.minimum(clearance_m, np.maximum.accumulate(distance)) - SLACK_M
    bad = np.flatnonzero(distance < needed)
    return float(table[bad[0] - 1, 2] if len(bad) else table[-1, 2])


def cut(points: Sequence[Point], limit_m: float) -> list[Point]:
    """Return the first `limit_m` metres of a polyline."""
    kept, left = [points[0]], limit_m
    for a, b in pairwise(points):
        leg = math.dist(a, b)
        if leg >= left:
            share = left / leg if leg else 0.0
            return [*kept, (a[0] + (b[0] - a[0]) * share, a[1] + (b[1] - a[1]) * share)]
        kept.append(b)
        left -= leg
    return kept


def straighten(
    points: Sequence[Point], blocked: NDArray[np.float64], cell_m: float, clearance_m: float, limit_m: float
) -> list[Point]:
    """Return the first `limit_m` metres of a polyline without the bends that a straight leg can skip.

    A leg may replace a part of the way where it keeps the clearance that the part did, at most `clearance_m`.
    """
    way = cut(points, limit_m)
    kept, at = [way[0]], 0
    while at < len(way) - 1:
        at = next(
            end
            for end in range(len(way) - 1, at, -1)
            if end == at + 1 or shortcut(way[at : end + 1], blocked, cell_m, clearance_m)
        )
        kept.append(way[at])
    return kept


def shortcut(part: Sequence[Point], blocked: NDArray[np.float64], cell_m: float, clearance_m: float) -> bool:
    """Tell whether the straight leg between a part's ends is as clear as the part itself."""
    own = clearances(samples(part, math.inf), blocked, cell_m, clearance_m).min()
    leg = clearances(samples([part[0], part[-1]], math.inf), blocked, cell_m, clearance_m).min()
    return bool(leg >= own - 1e-9)
