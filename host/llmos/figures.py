"""The figures of a mission beside its outcome: who decided, what stopped it, what was seen on which way."""

import math
import statistics
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

from llmos.inference import Answer
from llmos.kernel.belief import Belief
from llmos.kernel.mind import Step
from llmos.runs import REFLEX
from llmos.sim import judge
from llmos.sim.arena import Arena
from llmos.sim.explore import reference_m

SHARES = (90, 99)  # percent of the visible free area


def percentile(values: Sequence[float], percent: float) -> float:
    """Return the nearest-rank percentile; 0 of nothing."""
    return sorted(values)[math.ceil(percent / 100 * len(values)) - 1] if values else 0.0


def model(answers: Sequence[tuple[Answer, bool]]) -> dict[str, Any]:
    """Sum up a model's answers, each with whether it could be used; times in ms of the wall clock."""
    times = [answer.seconds * 1000 for answer, _ in answers]
    return {
        "calls": len(answers),
        "valid": sum(valid for _, valid in answers),
        "p50_ms": round(statistics.median(times), 1) if times else 0.0,
        "p95_ms": round(percentile(times, 95), 1),
        "tokens_in": sum(answer.tokens_in for answer, _ in answers),
        "tokens_out": sum(answer.tokens_out for answer, _ in answers),
    }


def decisions(steps: Sequence[Step], wall_s: float) -> dict[str, Any]:
    """Return who decided and how fast.

    `thought_ms` are the wall times of the answers that a decision waited for, 0 for a reactive rule;
    `decisions_per_s` counts decisions by the whole mission's wall time, driving included.
    """
    thoughts = [step.thought for step in steps if step.thought]
    times = [thought.seconds * 1000 for thought in thoughts]
    return {
        "decisions": len(thoughts),
        "decisions_per_s": round(len(thoughts) / wall_s, 2) if wall_s else 0.0,
        "thought_ms": [round(time, 2) for time in times],
        "brains": dict(Counter(thought.brain for thought in thoughts)),
        "escalations": dict(Counter(one.escalation for one in thoughts if one.escalation)),
        "stand_ins": sum(thought.stand_in for thought in thoughts),
        "deadlines": sum(thought.note == "deadline" for thought in thoughts),
    }


def guards(steps: Iterable[Step]) -> dict[str, int]:
    """Count what ended a block's move or wait early: `g0` to `g3`, `reflex`."""
    trips = [step.acted.done.trip for step in steps if step.acted and step.acted.done]
    return dict(Counter("reflex" if trip == REFLEX else f"g{trip - 1}" for trip in trips if trip))


def coverage_paths(
    arena: Arena, radius_m: float, belief: Belief | None, truth: judge.Truth | None
) -> dict[str, float | None]:
    """Return the true way in metres after which 90 and 99 % of the visible free area were known.

    None where it never came to that, or where nobody knows the true way.
    """
    found: dict[str, float | None] = {f"path{share}_m": None for share in SHARES}
    if belief is None or truth is None:
        return found
    moments = judge.known_ms(arena, radius_m, belief.grid)
    for share in SHARES:
        wanted = math.ceil(share / 100 * len(moments)) - 1
        if moments and 0 <= moments[wanted] < math.inf:
            found[f"path{share}_m"] = round(driven_until(truth, moments[wanted]), 3)
    return found


def driven_until(truth: judge.Truth, ms: float) -> float:
    """Return the true way in metres up to a moment."""
    way = [(one.x, one.y) for one in truth.samples if one.ms <= ms]
    return sum(math.dist(here, there) for here, there in pairwise(way))


def ratio(path_m: float | None, arena: Arena, radius_m: float) -> float | None:
    """Return the way to 90 % over the reference's (`llmos.sim.explore`); None where the task is a place."""
    if path_m is None or arena.goal is not None:
        return None
    reference = reference_m(arena, radius_m, SHARES[0] / 100)
    return round(path_m / reference, 3) if reference else None
