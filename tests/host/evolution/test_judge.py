"""The judge: exact chances, Holm's correction, and that what is no better is hardly ever accepted."""

import math
from collections.abc import Sequence
from itertools import product
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmos.evolution.failures import kinds_of
from llmos.evolution.fitness import Fitness, fitness, held_out_seeds, missed, training_seeds
from llmos.evolution.judge import holm, judged
from llmos.evolution.rules import load_evolution
from llmos.skills import Case, Tried
from llmos.statistics import sign_test

RULES = load_evolution()


def runs(outcomes: Sequence[bool], hits: Sequence[bool] = ()) -> list[Tried]:
    """Runs that went so."""
    hit = [*hits, *[False] * (len(outcomes) - len(hits))]
    return [
        Tried(Case("empty", n), () if good else ("it was wrong",), collisions=int(hit[n]))
        for n, good in enumerate(outcomes)
    ]


@pytest.mark.parametrize("count", range(9))
def test_the_paired_test_is_what_counting_all_outcomes_gives(count: int) -> None:
    """Of all ways in which the discordant pairs can fall, the share that is at least as uneven."""
    every = [sum(flips) for flips in product((0, 1), repeat=count)]
    for more in range(count + 1):
        uneven = [abs(2 * one - count) >= abs(2 * more - count) for one in every]
        assert math.isclose(sign_test(more, count - more), sum(uneven) / len(uneven))


@given(st.lists(st.floats(0, 1), max_size=6))
def test_holm_rejects_what_stepping_down_rejects(values: list[float]) -> None:
    """At every level: the least value first, each against what is left, until one is too great."""
    corrected = holm(values)
    assert all(one >= p for one, p in zip(corrected, values, strict=True))
    for alpha in (0.001, 0.01, 0.05, 0.5):
        rejected = set()
        for rank, place in enumerate(sorted(range(len(values)), key=lambda place: values[place])):
            if values[place] * (len(values) - rank) >= alpha:
                break
            rejected.add(place)
        assert {place for place, one in enumerate(corrected) if one < alpha} == rejected


@pytest.mark.parametrize("count", [4, 8, 10])
def test_what_is_as_good_is_accepted_with_a_chance_below_alpha(count: int) -> None:
    """Exactly: over all outcomes of pairs that differ, each way as likely."""
    accepted = 0
    for flips in product((False, True), repeat=count):
        verdict = judged({"it": (runs([not f for f in flips]), runs(flips))}, RULES)["it"]
        accepted += verdict.accepted
    assert accepted / 2**count <= RULES.alpha
    assert (accepted > 0) == (2 / 2**count < RULES.alpha)


def test_twenty_useless_variants_are_not_accepted() -> None:
    """In 100 nights of luck alone, with twenty coins offered in each, one is accepted at most."""
    chance, accepted = Random(1), 0
    for _ in range(100):
        before = runs([chance.random() < 0.5 for _ in range(RULES.held_out)])
        coins = {n: runs([chance.random() < 0.5 for _ in range(RULES.held_out)]) for n in range(20)}
        verdicts = judged({n: (before, coin) for n, coin in coins.items()}, RULES)
        accepted += any(verdict.accepted for verdict in verdicts.values())
    assert accepted <= 100 * RULES.alpha


def test_what_is_better_is_accepted_and_many_offers_make_it_harder() -> None:
    """Nine of ten mended are enough alone, and not among thirty offers."""
    before, after = runs([False] * 10 + [True] * 30), runs([True] * 9 + [False] + [True] * 30)
    alone = judged({"it": (before, after)}, RULES)["it"]
    assert (alone.accepted, alone.mended, alone.broken, alone.cases) == (True, 9, 0, 40)
    assert (alone.p, alone.corrected) == (2 / 2**9, 2 / 2**9)
    assert (alone.before, alone.after) == (0.75, 0.975)
    many = judged({"it": (before, after)} | dict.fromkeys(range(29), (before, before)), RULES)
    assert not many["it"].accepted
    assert many["it"].corrected == 30 * 2 / 2**9
    assert "must be below 0.01" in many["it"].refused


def test_the_rules_of_the_judge_are_read() -> None:
    """Least gain and alpha decide; a new collision is refused whatever the gain."""
    before, after = runs([False] * 12 + [True] * 28), runs([True] * 40)
    assert judged({1: (before, after)}, RULES)[1].accepted
    strict = RULES.model_copy(update={"least_gain": 0.4})
    said = judged({1: (before, after)}, strict)[1].refused
    assert "gains +30% of the held-out runs, 40% is the least" in said
    rare = RULES.model_copy(update={"alpha": 1e-4})
    assert not judged({1: (before, after)}, rare)[1].accepted
    hits = judged({1: (before, runs([True] * 40, [True]))}, RULES)[1]
    assert (hits.accepted, hits.hits) == (False, 1)
    assert judged({1: (runs([False] * 12 + [True] * 28, [True]), runs([True] * 40, [True]))}, RULES)[
        1
    ].accepted


@given(st.integers(1, 100), st.integers(0, 50), st.integers(0, 50))
def test_no_variant_is_judged_on_seeds_that_bred_one(count: int, one: int, other: int) -> None:
    """Training seeds are even, held-out ones odd, and no dream has another one's."""
    assert not set(training_seeds(count, one)) & set(held_out_seeds(count, other))
    if one != other:
        assert not set(held_out_seeds(count, one)) & set(held_out_seeds(count, other))


def tried(*faults: str, misses: dict[str, tuple[float, float, float]] | None = None, **rest: object) -> Tried:
    """A run."""
    return Tried(Case("wall:1", 1), faults, misses=misses or {}, **rest)  # type: ignore[arg-type]


def test_fitness_is_success_first_then_what_leads_there() -> None:
    """A success is more than any near miss; of failures the nearer, of equals the shorter and quicker."""
    far = tried("front_mm 800, not 200 to 240", misses={"front_mm": (800, 200, 240)})
    near = tried("front_mm 250, not 200 to 240", misses={"front_mm": (250, 200, 240)})
    refused = Tried(Case("wall:1", 1), refused="rule speed")
    good, longer = tried(path_m=1.0, sim_s=20.0), tried(path_m=2.0, sim_s=20.0)
    ranked = [[refused] * 2, [far] * 2, [near] * 2, [far, good], [near, good], [longer] * 2, [good] * 2]
    found = [fitness(one) for one in ranked]
    assert found == sorted(found)
    assert len(set(found)) == len(found)
    assert fitness([good]) == Fitness(1.0, 0.0, 0.0, -1.0, -20.0)


@settings(max_examples=30)
@given(off=st.floats(1, 1e5), more=st.floats(1.01, 100))
def test_far_off_there_is_a_slope(off: float, more: float) -> None:
    """Whoever is farther off has missed by more."""
    by = [missed(tried("x", misses={"goal_mm": (200 + far, 0, 200)})) for far in (off, off * more)]
    assert 0 < by[0] < by[1]


@pytest.mark.parametrize(
    ("run", "kinds"),
    [
        (tried(), set()),
        (tried("it hit something", collisions=1), {"collision"}),
        (tried("f", misses={"front_mm": (100, 200, 240)}), {"imminent_collision"}),
        (tried("f", misses={"left_mm": (100, 200, 240)}), {"lateral_collision_risk"}),
        (tried("f", misses={"path_mm": (2, 200, 240)}), {"motor_deadband"}),
        (tried("f", misses={"path_mm": (90, 200, 240)}), {"wrong_place"}),
        (tried("f", misses={"seconds": (90, 2, 24)}), {"timeout"}),
        (tried("f", misses={"seconds": (1, 2, 24)}), {"excessive_speed"}),
        (tried("it ended as lease, not completed"), {"timeout"}),
        (tried("it ended as failed with code 1, not completed"), {"safety_stop"}),
        (Tried(Case("wall:1"), refused="rule speed, word 3: …"), {"excessive_speed"}),
        (Tried(Case("wall:1"), refused="rule stack, word 3: …"), {"skill_error"}),
        (tried("lights none, not red"), {"unknown"}),
    ],
)
def test_failures_have_kinds(run: Tried, kinds: set[str]) -> None:
    """By what was measured."""
    assert kinds_of(run) == kinds
