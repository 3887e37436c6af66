"""The lower bound and the test after every use: against their definitions, and their stated figures."""

from itertools import product
from math import comb

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmos.evolution.bounds import Watch, lower_bound, promoted, tail, wanted, watch_of
from llmos.evolution.rules import load_evolution

SHARES = st.floats(0.01, 0.99)


@settings(max_examples=40)
@given(st.integers(0, 40), st.integers(0, 40), SHARES)
def test_the_tail_is_the_sum_of_its_terms(good: int, bad: int, share: float) -> None:
    """The probability of at least so many successes, by whole numbers."""
    count = good + bad
    sums = sum(comb(count, k) * share**k * (1 - share) ** (count - k) for k in range(good, count + 1))
    assert tail(good, count, share) == pytest.approx(sums, abs=1e-9)


@settings(max_examples=40)
@given(st.integers(1, 60), st.integers(0, 60), st.sampled_from([0.8, 0.9, 0.95, 0.99]))
def test_the_bound_is_where_the_tail_is_what_is_left(good: int, bad: int, confidence: float) -> None:
    """Clopper and Pearson's definition; of successes alone it is the n-th root."""
    bound = lower_bound(good, good + bad, confidence)
    assert tail(good, good + bad, bound) == pytest.approx(1 - confidence, abs=1e-6)
    if not bad:
        assert bound == pytest.approx((1 - confidence) ** (1 / good), abs=1e-9)


@pytest.mark.parametrize("count", [1, 5, 14, 29, 60])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.8, 0.9, 0.97])
def test_it_keeps_its_promise(count: int, share: float) -> None:
    """The chance of a bound above the truth is never more than what the confidence leaves."""
    above = sum(
        comb(count, good) * share**good * (1 - share) ** (count - good)
        for good in range(count + 1)
        if lower_bound(good, count, 0.95) > share
    )
    assert above <= 0.05 + 1e-9


@settings(max_examples=40)
@given(st.integers(0, 30), st.integers(0, 10), st.sampled_from([0.5, 0.8, 0.9]))
def test_so_many_more_are_enough_and_one_less_is_not(good: int, bad: int, share: float) -> None:
    """What a refusal says is wanted is exactly what is wanted."""
    more = wanted(good, good + bad, share, 0.95)
    assert lower_bound(good + more, good + bad + more, 0.95) >= share - 1e-12
    if more:
        assert lower_bound(good + more - 1, good + bad + more - 1, 0.95) < share


def test_few_successes_prove_little() -> None:
    """Five of five prove 55 %, four of five 34 %; 14 prove 80 % and 29 prove 90 %."""
    assert lower_bound(5, 5, 0.95) == pytest.approx(0.5493, abs=1e-4)
    assert lower_bound(4, 5, 0.95) == pytest.approx(0.3426, abs=1e-4)
    assert wanted(0, 0, 0.8, 0.95) == 14
    assert wanted(0, 0, 0.9, 0.95) == 29


@settings(max_examples=40)
@given(st.floats(0.6, 0.98), st.floats(0.1, 0.5), st.floats(2, 200), SHARES, st.integers(1, 9))
def test_what_is_caught_is_the_sum_over_all_sequences(
    proved: float, less: float, odds: float, share: float, uses: int
) -> None:
    """The exact chain agrees with going through every sequence of uses."""
    test = watch_of(proved, less, odds)
    total = 0.0
    for row in product((True, False), repeat=uses):
        if test.alarmed(row):
            good = sum(row)
            total += share**good * (1 - share) ** (uses - good)
    assert list(test.caught(share, uses))[-1] == pytest.approx(total, abs=1e-9)


@settings(max_examples=40)
@given(st.lists(st.booleans(), max_size=60), st.integers(0, 30))
def test_good_uses_before_do_not_hide_bad_ones_after(uses: list[bool], before: int) -> None:
    """A skill that gets worse late is caught after as many uses as one that was bad at once."""
    test = Watch(0.85, 0.55, 100)
    alone = test.alarmed(uses)
    late = test.alarmed([True] * before + uses)
    assert late == (alone + before if alone else 0)


def test_stated_figures_of_the_watch() -> None:
    """When what is worse is caught, and how seldom what is as good is taken back, by the kernel's numbers."""
    rules = load_evolution()
    team = watch_of(rules.team_success, rules.watch_worse, rules.watch_odds)
    system = watch_of(rules.system_success, rules.watch_worse, rules.watch_odds)
    assert [team.within(share, 0.99) for share in (0.0, 0.2, 0.5)] == [8, 20, 79]
    assert [system.within(share, 0.99) for share in (0.0, 0.2, 0.5)] == [5, 13, 35]
    assert list(team.caught(rules.team_success, 100))[-1] < 0.01
    assert list(system.caught(rules.system_success, 100))[-1] < 0.01


def test_stated_figures_of_the_probation() -> None:
    """What nobody promoted and never works is caught after 4 uses, what works one time in five after 11."""
    rules = load_evolution()
    short = watch_of(rules.team_success, rules.watch_worse, rules.probation_odds)
    assert short.within(0.0, 0.99) == 4
    assert short.within(0.2, 0.99) == 11 <= rules.probation_uses
    assert list(short.caught(0.95, rules.probation_uses))[-1] < 0.001


def test_asking_again_and_again() -> None:
    """Who tries after every use promotes a skill of 70 % with 1.1 % at most, and one of 80 % with 16 %."""
    rules = load_evolution()
    asked = (rules.team_success, rules.team_uses, rules.bound_confidence)
    assert promoted(*asked, 0.7, 100) == pytest.approx(0.011, abs=0.001)
    assert promoted(*asked, 0.8, 100) == pytest.approx(0.162, abs=0.001)
