"""Breeding: a small genetic algorithm over variants of a skill, whose fitness is what they did when run.

Rollouts are what costs, and most children are no good. So more of them are made than the population holds;
all run a few cases, and the better ones more, until as many as belong to the population have run them all:
successive halving (Jamieson and Talwalkar 2016, arXiv 1502.07943).
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice, repeat
from random import Random

from llmos.evolution.failures import counted
from llmos.evolution.fitness import Fitness, Measurer, fitness
from llmos.evolution.lenses import Lenses, Reflection
from llmos.evolution.rules import Evolution
from llmos.evolution.variants import Refusals, Variant, blocks_of, by_weight, crossed, mutated, reverted
from llmos.skills import Case, Skill, Tried

_MORE = 2  # steps of one child behind the first, at most
_RUNGS = (6, 2, 1)  # of the cases one in so many; after each but the last the better half goes on


@dataclass(frozen=True)
class Rated:
    """A variant, what came of its cases, and how fit that makes it."""

    variant: Variant
    generation: int
    tried: tuple[Tried, ...]
    whole: bool = True  # it ran all cases; else it was given up before

    @property
    def fitness(self) -> Fitness:
        """What its runs show."""
        return fitness(self.tried)

    @property
    def rank(self) -> tuple[bool, Fitness]:
        """The better the greater; who was given up comes after all others."""
        return self.whole, self.fitness


@dataclass
class Bred:
    """What came of breeding.

    Args:
        first: the original.
        rated: every variant that ran, in their order, the original first.
        refusals: variants that were refused before they ran, counted by reason.
        generations: how many there were.
        pruned: who has a simpler child that is as good, by identifier; it is offered in their place.
    """

    first: Rated
    rated: list[Rated] = field(default_factory=list)
    refusals: Refusals = field(default_factory=Refusals)
    generations: int = 0
    pruned: list[str] = field(default_factory=list)

    @property
    def best(self) -> Rated:
        """The fittest, the first of equals."""
        return max(self.rated, key=lambda one: one.rank)

    def better(self, most: int, gain: float) -> list[Rated]:
        """Return the fittest variants that gain enough success and pass the audit, at most so many."""
        found = sorted(self.rated, key=lambda one: one.rank, reverse=True)
        least = self.first.fitness.success + gain - 1e-9
        beat = (one for one in found if one.whole and one.fitness.success >= least)
        beat = (one for one in beat if one.variant.id not in self.pruned)
        return list(islice((one for one in beat if not blocks_of(one.variant.skill)), most))


@dataclass
class Breeder:
    """Breeds variants of one skill.

    Args:
        measurer: runs them.
        rules: sizes and rates.
        lenses: what is tried more often.
        random: of every draw; a seed makes the whole repeatable.
        reflection: a model that chooses some of the mutations.
        watch: called with each variant when it has run.
    """

    measurer: Measurer
    rules: Evolution
    lenses: Lenses
    random: Random
    reflection: Reflection | None = None
    watch: Callable[[Rated], None] | None = None

    def breed(self, skill: Skill, some: Sequence[Case]) -> Bred:
        """Breed until the best is good enough, or the generations are over."""
        first = Rated(Variant(skill), 0, tuple(self.measurer.measure([Variant(skill)], some)[0]))
        bred = Bred(first, [first])
        if self.watch:
            self.watch(first)
        alive = [first]
        for generation in range(1, self.rules.generations + 1):
            if bred.best.fitness.success >= self.rules.stop:
                break
            bred.generations = generation
            wanted = self.rules.population - (min(self.rules.elite, len(alive)) if generation > 1 else 1)
            children = self._children(alive, wanted << len(_RUNGS) - 1, bred)
            rated = self._rated(children, generation, some, {one.variant.id: one for one in bred.rated})
            bred.rated += rated
            elite = sorted(alive, key=lambda one: one.rank, reverse=True)[: max(1, self.rules.elite)]
            alive = [*elite, *(one for one in rated if one.whole)]
        self._prune(bred, some)
        return bred

    def _prune(self, bred: Bred, some: Sequence[Case]) -> None:
        """Take back what the best owes nothing to: what stays is what mends, and the diff can be read."""
        best = bred.best
        while best.fitness.success > bred.first.fitness.success:
            simpler = reverted(best.variant, bred.first.variant.skill, bred.refusals)
            tried = self.measurer.measure(simpler, some)
            rated = [
                Rated(variant, bred.generations + 1, tuple(one))
                for variant, one in zip(simpler, tried, strict=True)
            ]
            as_good = [one for one in rated if one.fitness.success >= best.fitness.success]
            if not as_good:
                return
            best = max(as_good, key=lambda one: one.rank)
            bred.rated.append(best)
            bred.pruned.append(best.variant.parents[0])
            if self.watch:
                self.watch(best)

    def _children(self, alive: Sequence[Rated], wanted: int, bred: Bred) -> list[Variant]:
        """Return new variants; a program that has run already does not run again."""
        known = {one.variant.id for one in bred.rated}
        children: list[Variant] = []
        for _ in range(4 * wanted):
            if len(children) >= wanted:
                break
            child = self._child(alive, bred.refusals)
            if child is not None and child.id not in known:
                known.add(child.id)
                children.append(child)
        return children

    def _child(self, alive: Sequence[Rated], refusals: Refusals) -> Variant | None:
        parent = self._winner(alive)
        child = None
        if len(alive) > 1 and self.random.random() < self.lenses.crossover:
            child = crossed(parent.variant, self._winner(alive).variant, self.random, refusals)
        if child is None:
            child = self._mutated(parent.variant, parent.tried, refusals)
        for _ in range(_MORE):
            if child is None or self.random.random() >= self.rules.mutation:
                break
            more = self._mutated(child, parent.tried, refusals)
            if more is not None:
                child = replace(more, parents=child.parents, operator=f"{child.operator}, {more.operator}")
        return child

    def _winner(self, alive: Sequence[Rated]) -> Rated:
        """Return the fittest of a few that are drawn."""
        drawn = [self.random.choice(alive) for _ in range(self.rules.tournament)]
        return max(drawn, key=lambda one: one.rank)

    def _mutated(self, parent: Variant, tried: Sequence[Tried], refusals: Refusals) -> Variant | None:
        """Change one thing: the lens is drawn, and what went wrong weighs, too."""
        lens = self.lenses.drawn(self.random)
        weights = self.lenses.weights(lens, counted(tried))
        pick = by_weight(weights)
        if self.reflection and self.random.random() < self.lenses.reflection:
            faults = Counter(fault for one in tried for fault in (*one.faults, one.refused) if fault)
            pick = self.reflection.picker(weights, self.lenses.lenses[lens].perspective, faults)
        return mutated(parent, self.random, pick, refusals, lens)

    def _rated(
        self, children: Sequence[Variant], generation: int, some: Sequence[Case], known: dict[str, Rated]
    ) -> list[Rated]:
        """Run children, all of them on a few cases, and half as many on each further rung."""
        rated: list[Rated] = []
        for one_in in _RUNGS:
            places = list(range(0, len(some), one_in))
            whole = len(places) == len(some)
            ran = self.measurer.measure(children, [some[place] for place in places])
            now = [Rated(*one, whole) for one in zip(children, repeat(generation), map(tuple, ran))]
            if not whole:
                now.sort(key=lambda one: (not _idle(one, places, known), one.fitness), reverse=True)
                going, now = now[: (len(now) + 1) // 2], now[(len(now) + 1) // 2 :]
                children = [one.variant for one in going]
            rated += now
            for one in now:
                if self.watch:
                    self.watch(one)
        return rated


def _idle(child: Rated, places: Sequence[int], known: dict[str, Rated]) -> bool:
    """Whether a child did on some cases exactly what a parent of it did."""
    parents = [known[name] for name in child.variant.parents if name in known and known[name].whole]
    return any(fitness([one.tried[place] for place in places]) == child.fitness for one in parents)
