"""How far a robot has really turned on the spot, by what its range sensors saw meanwhile.

Two sensors that look the same way one after the other must see the same. So each share of the turn that the
wheels' steps promise is tried: the true one is where the sensors agree best about the room.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

BINS = 60  # directions that are told apart
LEAST, MOST, STEP = 0.3, 1.3, 0.02  # shares that are tried
FAR_MM = 400  # two readings that differ more are of different things: how much more says nothing


def share_turned(
    headings_deg: Sequence[float], ranges_mm: Sequence[Sequence[int]], angles_deg: Sequence[float]
) -> float:
    """Return the true turn over the believed one.

    Args:
        headings_deg: believed headings, one for each look; together about a whole turn.
        ranges_mm: for each sensor its reading at each look.
        angles_deg: for each sensor its direction from straight ahead.
    """
    headings, ranges = np.asarray(headings_deg, float), np.asarray(ranges_mm, float)
    shares = np.arange(LEAST, MOST + STEP / 2, STEP)
    costs = [_disagreement(share * headings, ranges, angles_deg) for share in shares]
    return float(shares[int(np.argmin(costs))])


def _disagreement(
    headings: NDArray[np.float64], ranges: NDArray[np.float64], angles: Sequence[float]
) -> float:
    """Return by how many mm the sensors differ about a direction; infinite where they share none."""
    means = np.full((len(angles), BINS), np.nan)
    for sensor, angle in enumerate(angles):
        bins = ((angle + headings) % 360 * BINS / 360).astype(int) % BINS
        count = np.bincount(bins, minlength=BINS)
        total = np.bincount(bins, ranges[sensor], minlength=BINS)
        means[sensor, count > 0] = total[count > 0] / count[count > 0]
    shared = np.count_nonzero(~np.isnan(means), axis=0) >= 2
    if not shared.any():
        return float("inf")
    apart = np.nanmax(means[:, shared], axis=0) - np.nanmin(means[:, shared], axis=0)
    return float(np.minimum(apart, FAR_MM).mean())
