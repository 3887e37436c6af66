"""What can be said from few runs: intervals of shares, and differences between two on the same tasks."""

import math
from collections.abc import Sequence

import numpy as np

Z95 = 1.959964  # standard normal, two-sided 95 %
DRAWS = 4000


def wilson(good: int, count: int) -> tuple[float, float]:
    """Return the 95 % score interval of a share (Wilson 1927, JASA 22:209); (0, 1) of nothing."""
    if not count:
        return 0.0, 1.0
    share, square = good / count, Z95 * Z95
    middle = (share + square / (2 * count)) / (1 + square / count)
    reach = Z95 * math.sqrt(share * (1 - share) / count + square / (4 * count * count)) / (1 + square / count)
    low = 0.0 if good == 0 else middle - reach
    return max(0.0, low), 1.0 if good == count else min(1.0, middle + reach)


def sign_test(more: int, less: int) -> float:
    """Return the exact two-sided probability of so uneven a split by chance alone: binomial, without ties."""
    count = more + less
    tail: float = sum(math.comb(count, k) for k in range(min(more, less) + 1)) / 2**count
    return min(1.0, 2 * tail)


def mean_between(groups: Sequence[Sequence[float]]) -> tuple[float, float, float]:
    """Return the mean of all values and its 95 % interval by the cluster bootstrap (Field & Welsh 2007).

    Whole groups are drawn with replacement, as values of one group (an arena's seeds) depend on each other.
    The draws are always the same.
    """
    sums, counts = np.array([sum(group) for group in groups]), np.array([len(group) for group in groups])
    drawn = np.random.default_rng(0).integers(0, len(groups), (DRAWS, len(groups)))
    means = sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1)
    low, high = np.percentile(means, (2.5, 97.5))
    return float(sums.sum() / counts.sum()), float(low), float(high)
