"""Whether a variant is really better: paired runs on seeds that nobody has seen, corrected for many tries."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from llmos.evolution.rules import Evolution
from llmos.skills import Tried
from llmos.statistics import sign_test


@dataclass(frozen=True)
class Verdict:
    """What the held-out cases say of one variant beside its original.

    Args:
        cases: how many both ran.
        before: share of them that the original did right.
        after: share that the variant did right.
        mended: cases that the variant alone did right.
        broken: cases that the original alone did right.
        p: of so uneven a split by chance (McNemar 1947, Psychometrika 12:153; exact, two-sided).
        corrected: p, over all that were offered (Holm 1979, Scand. J. Statist. 6:65).
        hits: cases in which the variant hit something and the original did not.
        refused: why it is not accepted; empty where it is.
    """

    cases: int
    before: float
    after: float
    mended: int
    broken: int
    p: float
    corrected: float
    hits: int
    refused: str = ""

    @property
    def accepted(self) -> bool:
        """Whether it is better."""
        return not self.refused


def holm(values: Sequence[float]) -> list[float]:
    """Return p-values corrected for being several (Holm 1979): each at least what it was."""
    order = sorted(range(len(values)), key=lambda place: values[place])
    corrected, least = [0.0] * len(values), 0.0
    for rank, place in enumerate(order):
        least = max(least, min(1.0, (len(values) - rank) * values[place]))
        corrected[place] = least
    return corrected


Key = TypeVar("Key")
Pair = tuple[Sequence[Tried], Sequence[Tried]]  # the original's runs and the variant's, case by case


def judged(offers: Mapping[Key, Pair], rules: Evolution) -> dict[Key, Verdict]:
    """Judge all variants that were offered, by key, at once: the more there are, the harder for each."""
    splits = {name: _split(*pair) for name, pair in offers.items()}
    chances = [sign_test(mended, broken) for mended, broken in splits.values()]
    return {
        name: _verdict(pair, splits[name], p, corrected, rules)
        for (name, pair), p, corrected in zip(offers.items(), chances, holm(chances), strict=True)
    }


def _split(before: Sequence[Tried], after: Sequence[Tried]) -> tuple[int, int]:
    """Return in how many cases the variant alone was right, and in how many the original alone."""
    pairs = [(one.success, other.success) for one, other in zip(before, after, strict=True)]
    return pairs.count((False, True)), pairs.count((True, False))


def _verdict(pair: Pair, split: tuple[int, int], p: float, corrected: float, rules: Evolution) -> Verdict:
    before, after = pair
    count = len(before)
    old, new = (sum(one.success for one in tried) / count if count else 0.0 for tried in pair)
    hits = sum(bool(b.collisions) and not a.collisions for a, b in zip(before, after, strict=True))
    gain = new - old
    if gain < rules.least_gain - 1e-9:
        refused = f"gains {gain:+.0%} of the held-out runs, {rules.least_gain:.0%} is the least"
    elif corrected >= rules.alpha:
        refused = f"p is {corrected:.2g} over all that were offered, it must be below {rules.alpha:g}"
    elif hits:
        refused = f"hits something in {hits} held-out run{'s' * (hits > 1)} where the original does not"
    else:
        refused = ""
    return Verdict(count, old, new, *split, p, corrected, hits, refused)
