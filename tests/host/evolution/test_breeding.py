"""Breeding: each number of `kernel/evolution.md` that it reads changes what is bred."""

from collections.abc import Sequence
from random import Random

import pytest

from llmos.evolution.breeding import Bred, Breeder, Rated
from llmos.evolution.fitness import Measurer, spread, training_seeds
from llmos.evolution.lenses import Lenses, load_lenses
from llmos.evolution.rules import load_evolution
from llmos.evolution.variants import Variant
from llmos.skills import Case, Tried, find_skill
from llmos.workers import Here, Pool

SKILL = find_skill("forward")
CASES = spread(SKILL, training_seeds(6), 6)


class Judged(Measurer):
    """Tells the fitness from the program, in the place of an arena: the more lines, the nearer."""

    def measure(self, variants: Sequence[Variant], some: Sequence[Case]) -> list[list[Tried]]:
        return [[self.tried(variant, case) for case in some] for variant in variants]

    def tried(self, variant: Variant, case: Case) -> Tried:
        """A run that goes wrong by so much."""
        far = 2 ** (8e5 / max(10, variant.skill.block.count("\n")) ** 4)
        return Tried(case, ("far off",), {"goal_mm": (far, 0, 1)})


def bred(lenses: Lenses | None = None, seed: int = 1, **rules: object) -> Bred:
    """Breed with other rules."""
    changed = load_evolution().model_copy(update=rules)
    return Breeder(
        Judged(Pool(Here(), 1)), changed, lenses or load_lenses(), Random(seed)
    ).breed(SKILL, CASES)  # fmt: skip


@pytest.mark.parametrize(("generations", "population", "elite"), [(1, 2, 1), (3, 4, 1), (2, 6, 3), (2, 5, 0)])
def test_how_many_are_bred(generations: int, population: int, elite: int) -> None:
    """Each generation is as large as the population, those who live on among it."""
    found = bred(generations=generations, population=population, elite=elite)
    first = population - 1
    assert found.generations == generations
    assert sum(one.whole for one in found.rated) == 1 + first + (generations - 1) * (population - elite)
    assert len({one.variant.id for one in found.rated}) == len(found.rated)


def test_breeding_stops_when_it_is_good_enough() -> None:
    """At once, where the original is; never, where success stays below."""
    assert bred(stop=0.0).generations == 0
    assert bred(stop=0.1, generations=2).generations == 2


def test_mutation_is_the_chance_of_another_step() -> None:
    """At 0 a child differs by one step, at 1 by all that are allowed."""
    calm, wild = bred(mutation=0.0, generations=2), bred(mutation=1.0, generations=2)
    assert {one.variant.operator.count(",") for one in calm.rated} == {0}
    assert 2 in {one.variant.operator.count(",") for one in wild.rated}


def test_a_large_tournament_lets_only_the_fittest_beget() -> None:
    """All children have the best of their generation for a parent; in a tournament of one they need not."""
    lenses = load_lenses().model_copy(update={"crossover": 0.0})

    def worst(found: Bred) -> list[bool]:
        known = {one.variant.id: one for one in found.rated}
        ranks = {
            generation: max(one.rank for one in found.rated if one.generation < generation)
            for generation in range(1, found.generations + 1)
        }
        return [
            known[one.variant.parents[0]].rank < ranks[one.generation]
            for one in found.rated
            if one.variant.parents
        ]

    assert not any(worst(bred(lenses, tournament=200, generations=4)))
    assert any(worst(bred(lenses, tournament=1, generations=4)))


def test_crossover_is_the_share_of_children_with_two_parents() -> None:
    """None at 0; at 1 all but those of the first generation, where there is no second parent."""
    none = bred(load_lenses().model_copy(update={"crossover": 0.0}), generations=3)
    assert not any("crossover" in one.variant.operator for one in none.rated)
    some = bred(load_lenses().model_copy(update={"crossover": 1.0}), generations=3)
    assert any(len(one.variant.parents) == 2 for one in some.rated)


def test_who_does_worse_on_the_first_cases_is_given_up() -> None:
    """It runs no more, comes last, and is never offered."""
    found = bred(population=8, generations=3)
    given_up = [one for one in found.rated if not one.whole]
    assert given_up
    assert all(len(one.tried) < len(CASES) for one in given_up)
    assert min(one.rank for one in found.rated if one.whole) > max(one.rank for one in given_up)
    assert not set(map(id, given_up)) & set(map(id, found.better(100, -1.0)))


def test_what_the_audit_refuses_is_not_offered() -> None:
    """Whoever is bred of a skill that drives unguarded may be as it was, but goes no further."""
    unguarded = SKILL.with_block(
        SKILL.block.replace("        GUARD   g0, front < 18cm", "        WAIT    10ms")
    )
    rated = Rated(Variant(unguarded), 1, (Tried(CASES[0]),))
    assert Bred(rated, [rated]).better(9, 0.0) == []
    guarded = Rated(Variant(SKILL), 1, (Tried(CASES[0]),))
    assert Bred(rated, [rated, guarded]).better(9, 0.0) == [guarded]
    assert Bred(rated, [rated, guarded]).better(0, 0.0) == []
