"""What can be said from few uses: a lower bound of success, and a test after every use.

**The lower bound** is Clopper and Pearson's (1934, Biometrika 26:404), one-sided: a skill whose true success
is below it would have done as well with a chance of at most 1 - confidence, whatever the success is. Wilson's
bound is shorter and promises this on the average only; near 100 %, where promotions happen, it promises too
much (Cai 2005, J. Stat. Plan. Inference 131:63).

**The test after every use** is Page's cumulative sum (1954, Biometrika 41:100): the logarithm of how many
times likelier the uses are when the skill is worse than when it is as good, begun anew whenever it falls
below zero, so that a skill that gets worse late is caught as soon as one that was bad at once. It is Wald's
sequential test, repeated. All its figures are computed, none is simulated.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import NamedTuple

STEPS = 60  # halvings: to the last digit of a float
MOST = 10_000  # uses that are counted at most
GRAIN = 9  # decimals by which two sums are the same


def tail(good: int, count: int, share: float) -> float:
    """Return the probability of at least so many successes in a count of uses, each with a share."""
    if good <= 0:
        return 1.0
    if not 0 < share < 1:
        return float(share >= 1)
    log, rest = math.log(share), math.log1p(-share)
    terms = (
        math.exp(
            math.lgamma(count + 1)
            - math.lgamma(k + 1)
            - math.lgamma(count - k + 1)
            + k * log
            + (count - k) * rest
        )
        for k in range(good, count + 1)
    )
    return min(1.0, math.fsum(terms))


def lower_bound(good: int, count: int, confidence: float) -> float:
    """Return the least share that so many successes are not too good for; 0 of none."""
    low, high = 0.0, good / count if count else 0.0
    for _ in range(STEPS):
        middle = (low + high) / 2
        if tail(good, count, middle) <= 1 - confidence:
            low = middle
        else:
            high = middle
    return low


def wanted(good: int, count: int, share: float, confidence: float) -> int:
    """Return how many successes more, without a failure between them, lift the lower bound to a share."""
    low, high = 0, 1
    while tail(good + high, count + high, share) > 1 - confidence and high < MOST:
        low, high = high, 2 * high
    if tail(good, count, share) <= 1 - confidence:
        return 0
    while high - low > 1:
        middle = (low + high) // 2
        if tail(good + middle, count + middle, share) <= 1 - confidence:
            high = middle
        else:
            low = middle
    return high


class Watch(NamedTuple):
    """The test after every use.

    Args:
        good: the success that was proved, between 0 and 1.
        worse: the success that counts as worse, less than that.
        odds: how many times likelier "worse" must be, for the alarm.
    """

    good: float
    worse: float
    odds: float

    def step(self, total: float, success: bool) -> float:
        """Return the sum after one more use."""
        if success:
            return max(0.0, total + math.log(self.worse / self.good))
        return total + math.log((1 - self.worse) / (1 - self.good))

    def alarmed(self, uses: Iterable[bool]) -> int:
        """Return after how many uses the alarm went off, 0 where it did not."""
        total, limit = 0.0, math.log(self.odds)
        for number, success in enumerate(uses, 1):
            total = self.step(total, success)
            if total >= limit:
                return number
        return 0

    def caught(self, share: float, uses: int) -> Iterator[float]:
        """Yield the exact probability that a skill of some true success has been caught, after each use."""
        limit, caught = math.log(self.odds), 0.0
        now: dict[float, float] = {0.0: 1.0}
        for _ in range(uses):
            then: defaultdict[float, float] = defaultdict(float)
            for total, chance in now.items():
                for success, part in ((True, share), (False, 1 - share)):
                    after = self.step(total, success)
                    if after >= limit:
                        caught += chance * part
                    elif part:
                        then[round(after, GRAIN)] += chance * part
            now = then
            yield caught

    def within(self, share: float, surely: float, most: int = MOST) -> int:
        """Return within how many uses a skill of some true success is caught so surely, 0 if not in most."""
        for number, caught in enumerate(self.caught(share, most), 1):
            if caught >= surely:
                return number
        return 0


def watch_of(proved: float, less: float, odds: float) -> Watch:
    """Return the test for a success that was proved: what is so much less counts as worse.

    A success at the end of the scale is taken a little away from it, as no sum of logarithms begins there.
    """
    good = min(max(proved, EDGE), 1 - EDGE)
    return Watch(good, max(good - less, EDGE / 2), odds)


EDGE = 0.01


def promoted(share: float, least: int, confidence: float, true: float, uses: int) -> float:
    """Return the exact probability that a skill is promoted when it is tried after each of so many uses.

    Args:
        share: what the lower bound must reach.
        least: uses before the first try.
        confidence: of the lower bound.
        true: its true success.
        uses: tries end there.
    """
    now, done = {0: 1.0}, 0.0
    for count in range(1, uses + 1):
        then: defaultdict[int, float] = defaultdict(float)
        for good, chance in now.items():
            for more, part in ((1, true), (0, 1 - true)):
                then[good + more] += chance * part
        now = {}
        for good, chance in then.items():
            if count >= least and tail(good, count, share) <= 1 - confidence:
                done += chance
            else:
                now[good] = chance
    return done
