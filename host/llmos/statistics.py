"""What can be said from few runs: intervals of shares, and differences between two on the same tasks."""

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

Z95 = 1.959964  # standard normal, two-sided 95 %
DRAWS = 4000

Floats = NDArray[np.float64]


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


def bootstrap(parts: Floats, figure: Callable[[Floats], Floats]) -> tuple[float, float, float]:
    """Return a figure of sums and its 95 % interval by the cluster bootstrap (Field & Welsh 2007).

    Whole groups are drawn with replacement, as values of one group (an arena's seeds) depend on each other.
    The draws are always the same.

    Args:
        parts: shape (groups, k): each group's share of the k sums.
        figure: from sums, shape (…, k), to figures, shape (…).
    """
    count = len(parts)
    drawn = np.random.default_rng(0).integers(0, count, (DRAWS, count))
    often = np.zeros((DRAWS, count))
    np.add.at(often, (np.arange(DRAWS)[:, None], drawn), 1)
    low, high = np.percentile(figure(often @ parts), (2.5, 97.5), method="inverted_cdf")
    return float(figure(parts.sum(axis=0))), float(low), float(high)


def ratio_between(
    above: Sequence[Sequence[float]], below: Sequence[Sequence[float]]
) -> tuple[float, float, float]:
    """Return the ratio of two sums over the same groups, and its interval; infinite over nothing."""
    parts = np.array([[sum(one), sum(other)] for one, other in zip(above, below, strict=True)], float)

    def ratio(sums: Floats) -> Floats:
        nothing = np.full(sums.shape[:-1], np.inf)
        return np.asarray(np.divide(sums[..., 0], sums[..., 1], where=sums[..., 1] > 0, out=nothing))

    return bootstrap(parts, ratio)


def mean_between(groups: Sequence[Sequence[float]]) -> tuple[float, float, float]:
    """Return the mean of all values and its interval; see `bootstrap`."""
    return ratio_between(groups, [[1.0] * len(group) for group in groups])
