"""How good a variant is: it is run, on cases, and what was measured is compared; nothing else counts."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from llmos.evolution.variants import Variant
from llmos.skills import Case, Skill, Tried, cases, try_case
from llmos.workers import Pool

FIRST_SEED = 1000  # below are the seeds that a skill's file tests itself with
_BLOCK = 1000  # seeds of one dream of a skill
_WORST_MISS = 8.0  # of a run that could not be measured


@dataclass(frozen=True, order=True)
class Fitness:
    """The better the greater: success first, then what leads there, then what it costs.

    Args:
        success: share of the cases.
        spared: minus the collisions of a case.
        near: minus how far the measurements are off, of a case; see `missed`.
        short: minus the metres of a case.
        quick: minus the seconds of a case.
    """

    success: float
    spared: float = 0.0
    near: float = 0.0
    short: float = 0.0
    quick: float = 0.0


def fitness(tried: Sequence[Tried]) -> Fitness:
    """Return the fitness that runs show."""
    count = len(tried)

    def mean(values: Iterable[float]) -> float:
        return round(sum(values) / count, 6) if count else 0.0

    return Fitness(
        mean(float(one.success) for one in tried),
        -mean(one.collisions for one in tried),
        -mean(missed(one) for one in tried),
        -mean(one.path_m for one in tried),
        -mean(one.sim_s for one in tried),
    )


def missed(tried: Tried) -> float:
    """Return by how much a run failed: per measurement how often its distance to what is right was doubled.

    A distance of one width of what is right counts 1, of three widths 2, of seven 3: there is a slope far
    off, too.
    """
    if tried.refused:
        return 2 * _WORST_MISS
    off = 0.0
    for value, low, high in tried.misses.values():
        beyond = low - value if value < low else value - high
        width = max(high - low, 0.05 * max(abs(low), abs(high)), 1e-9)
        off += math.log2(1 + beyond / width) if math.isfinite(beyond) else _WORST_MISS
    return off + len(tried.faults) - len(tried.misses)


Task = tuple[Skill, Case, str]


def roll(task: Task) -> Tried:
    """Run one case of one variant."""
    skill, case, robot = task
    return try_case(skill, case, robot)


@dataclass
class Measurer:
    """Runs variants on cases, each program once on each.

    Args:
        pool: where the rollouts run.
        robot: a robot's name, or its manifest.
        rolled: how many rollouts there were.
    """

    pool: Pool
    robot: str = "cube"
    rolled: int = 0
    _known: dict[tuple[str, str], Tried] = field(default_factory=dict)

    def measure(self, variants: Sequence[Variant], some: Sequence[Case]) -> list[list[Tried]]:
        """Return, for each variant, what came of each case."""
        wanted = {
            (variant.id, repr(case)): (variant.skill, case, self.robot)
            for variant in variants
            for case in some
            if (variant.id, repr(case)) not in self._known
        }
        keys = list(wanted)
        for place, tried in self.pool.in_turn(roll, list(wanted.values())):
            self._known[keys[place]] = tried
            self.rolled += 1
        return [[self._known[variant.id, repr(case)] for case in some] for variant in variants]


def training_seeds(count: int, dream: int = 0) -> list[int]:
    """Return the seeds that variants are bred on in a skill's n-th dream: even ones."""
    return _seeds(count, dream, 0)


def held_out_seeds(count: int, dream: int = 0) -> list[int]:
    """Return the seeds that only judge, in a skill's n-th dream: odd ones, which no variant has seen."""
    return _seeds(count, dream, 1)


def _seeds(count: int, dream: int, odd: int) -> list[int]:
    first = FIRST_SEED + _BLOCK * dream
    return list(range(first + odd, first + odd + 2 * count, 2))


def spread(skill: Skill, seeds: Sequence[int], count: int) -> list[Case]:
    """Return `count` of a skill's cases on these seeds, its tests in turn, or all where there are fewer.

    A test in a family of arenas has another arena for each seed; one in a named arena differs by the sensors'
    noise alone, so that its runs say less about other places.
    """
    tests = len(cases(skill, seeds[:1]))
    if not tests:
        return []
    every = cases(skill, seeds)
    by_seed = [every[test * len(seeds) + place] for place in range(len(seeds)) for test in range(tests)]
    return by_seed[:count]
