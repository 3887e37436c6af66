"""What every benchmark shares: timing rivals side by side, and a table of ratios against them."""

import math
import time
from collections.abc import Callable, Iterable
from typing import NamedTuple


class Row(NamedTuple):
    """One figure of ours beside a peer's from the same run; lower figures are better."""

    case: str
    ours: float
    peer: str
    theirs: float
    unit: str = "ms"
    wanted: float = 1.0  # the ratio theirs / ours that we promise
    note: str = ""

    @property
    def ratio(self) -> float:
        """How many times better ours is."""
        return self.theirs / self.ours if self.ours else math.inf


def race(
    rivals: dict[str, Callable[[], object]], rounds: int = 15, least_s: float = 2e-5
) -> dict[str, float]:
    """Return the milliseconds of one call of each rival, in the round that was disturbed least.

    The rivals take turns, so that a busy machine slows all of them, and so that each finds the processor's
    caches as the others left them. A turn is one call, or as many as take `least_s` seconds.
    """
    calls = {name: _calls_for(rival, least_s) for name, rival in rivals.items()}
    best = dict.fromkeys(rivals, math.inf)
    for _ in range(rounds):
        for name, rival in rivals.items():
            best[name] = min(best[name], 1000 * _time(rival, calls[name]))
    return best


def _calls_for(rival: Callable[[], object], least_s: float) -> int:
    calls, rival_s = 1, _time(rival, 1)
    while calls * rival_s < least_s:
        calls *= 2
        rival_s = _time(rival, calls)
    return calls


def _time(rival: Callable[[], object], calls: int) -> float:
    start = time.perf_counter()
    for _ in range(calls):
        rival()
    return (time.perf_counter() - start) / calls


def print_table(title: str, rows: Iterable[Row]) -> bool:
    """Print one line per row, marked where it misses what we promise; return whether none does."""
    rows = list(rows)
    width = max((len(row.case) for row in rows), default=0)
    peers = max((len(row.peer) for row in rows), default=0)
    print(f"\n{title}")
    for row in rows:
        missed = "" if row.ratio >= row.wanted else f"  BELOW {row.wanted:g}x"
        ours, theirs = (f"{figure:10.4g} {row.unit}" for figure in (row.ours, row.theirs))
        ratio = f"{row.ratio:8.2f}x" if row.ours else f"{'–':>8} "
        line = f"  {row.case:<{width}} {ours}   {row.peer:<{peers}} {theirs} {ratio}{missed}"
        print(f"{line}   {row.note}".rstrip())
    return all(row.ratio >= row.wanted for row in rows)
