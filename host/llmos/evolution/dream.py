"""A dream: skills that failed are bred in the arena, and what is measurably better is proposed.

Each proposal is a git branch `dream/SKILL-STAMP` of the user volume; it is merged only where that is asked.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from llmos.evolution.breeding import Bred, Breeder, Rated
from llmos.evolution.failures import counted
from llmos.evolution.fitness import Measurer, held_out_seeds, spread, training_seeds
from llmos.evolution.journal import DreamError, Journal, dreams
from llmos.evolution.judge import Verdict, judged
from llmos.evolution.lenses import Reflection, load_lenses
from llmos.evolution.proposal import proposed
from llmos.evolution.rules import Evolution, load_evolution
from llmos.evolution.variants import Variant
from llmos.memory import Memory
from llmos.skills import Case, Physical, Skill, cases, load_skills
from llmos.volumes import Change, Tier, Volumes
from llmos.workers import Pool

REPLAYED = 8  # failures of memory that are replayed, the newest


@dataclass(frozen=True)
class Plan:
    """What is dreamt of.

    Args:
        skills: these, whether or not they failed; where there are none, those that failed often enough.
        seed: fixes every draw.
        generations, population: other than the rules say; 0 for the rules'.
        apply: merge what is accepted.
        robot: a robot's name, or its manifest.
    """

    skills: tuple[str, ...] = ()
    seed: int = 0
    generations: int = 0
    population: int = 0
    apply: bool = False
    robot: str = "cube"


@dataclass
class Dream:
    """One skill's dream, and what came of it.

    Args:
        skill: as it was.
        journal: where it is written down.
        number: how many dreams it had before: each has seeds of its own.
        replayed: how many failures of memory were replayed, and how many of them failed again.
        bred: what was bred.
        unseen: the held-out cases; none where nothing was offered.
        verdicts: of the variants that were offered to the held-out seeds, by identifier.
        winner: the one that is proposed; None where none is.
        branch: the proposal.
        outcome: `proposed`, `merged`, `refused`, `well` (nothing to mend) or `untested`.
    """

    skill: Skill
    journal: Journal
    number: int
    replayed: tuple[int, int] = (0, 0)
    bred: Bred | None = None
    unseen: Sequence[Case] = ()
    verdicts: dict[str, Verdict] = field(default_factory=dict)
    winner: Rated | None = None
    branch: str = ""
    outcome: str = "refused"

    @property
    def verdict(self) -> Verdict | None:
        """The winner's."""
        return self.verdicts[self.winner.variant.id] if self.winner else None


Watch = Callable[[str], None]


@dataclass
class Sleeper:
    """Dreams.

    Args:
        volumes: where the skills lie, and the proposals go.
        memory: where failures are.
        pool: where rollouts run.
        plan: what is wanted.
        reflection: the development model; None for chance alone.
        watch: told what goes on, a line at a time.
    """

    volumes: Volumes
    memory: Memory
    pool: Pool
    plan: Plan
    reflection: Reflection | None = None
    watch: Watch = lambda line: None

    def __post_init__(self) -> None:
        given = {"generations": self.plan.generations, "population": self.plan.population}
        self.rules: Evolution = load_evolution().model_copy(update={k: v for k, v in given.items() if v})
        self.lenses = load_lenses()
        self.measurer = Measurer(self.pool, self.plan.robot)

    def dream(self) -> list[Dream]:
        """Breed each skill, judge all that is offered at once, and propose what is better.

        Raises:
            DreamError: a skill that is named is none that can be bred.
        """
        nights = [self._bred(skill) for skill in self._chosen()]
        self._judge(nights)
        for night in nights:
            self._end(night)
        return nights

    def _chosen(self) -> list[Skill]:
        known = load_skills(self.volumes)
        for name in self.plan.skills:
            if name not in known:
                raise DreamError(
                    f"skill {name!r}: no physical skill is called so; `llmos skill list` shows them"
                )
        if self.plan.skills:
            return [known[name] for name in dict.fromkeys(self.plan.skills)]
        return [skill for skill in known.values() if len(self._failed(skill)) >= self.rules.failures]

    def _failed(self, skill: Skill) -> list[Any]:
        """Return the data of the uses of this very version that failed, the newest first."""
        return [use.data for use in self.memory.uses(skill.name, skill.version) if not use.success]

    def _bred(self, skill: Skill) -> Dream:
        night = Dream(skill, Journal(skill.name), len(dreams(skill.name)))
        replays = list(_replays(skill, self._failed(skill)))[:REPLAYED]
        seeds = training_seeds(self.rules.training, night.number)
        training = [*replays, *spread(skill, seeds, self.rules.training)]
        night.journal.add(
            "begin", skill=skill.name, version=skill.version, tier=skill.tier, dream=night.number,
            seed=self.plan.seed, training=seeds, held_out=held_out_seeds(self.rules.held_out, night.number),
            cases=len(training), replays=len(replays), generations=self.rules.generations,
            population=self.rules.population, model=self.reflection.kernel.name if self.reflection else "",
        )  # fmt: skip
        if not spread(skill, seeds, 1):
            night.outcome = "untested"
            return night
        self.watch(
            f"{skill.name}: {len(training)} runs to breed on, {len(replays)} of them failures of memory"
        )
        breeder = Breeder(
            self.measurer, self.rules, self.lenses, Random(f"{self.plan.seed} {skill.name}"), self.reflection,
            lambda rated: self._note(night, rated),
        )  # fmt: skip
        night.bred = breeder.breed(skill, training)
        first = night.bred.first
        night.replayed = (len(replays), sum(not one.success for one in first.tried[: len(replays)]))
        night.journal.add("failures", replayed=night.replayed, kinds=dict(counted(first.tried)))
        night.journal.add("refused", reasons=dict(night.bred.refusals))
        if first.fitness.success >= self.rules.stop:
            night.outcome = "well"
        return night

    def _note(self, night: Dream, rated: Rated) -> None:
        variant = rated.variant
        night.journal.add(
            "variant", id=variant.id, generation=rated.generation, parents=variant.parents,
            operator=variant.operator, lens=variant.lens, by=variant.by, line=variant.line, whole=rated.whole,
            fitness=vars(rated.fitness), diff=variant.diff(night.skill),
        )  # fmt: skip
        given_up = "" if rated.whole else f", given up after {len(rated.tried)}"
        self.watch(
            f"{night.skill.name}: generation {rated.generation}, {variant.id[:6]} by {variant.operator}"
            f"{f' ({variant.lens})' if variant.lens else ''}: {rated.fitness.success:.0%}{given_up}"
        )

    def _judge(self, nights: Sequence[Dream]) -> None:
        """Run originals and offers on seeds that nobody has seen, and judge all offers at once."""
        offers = {}
        for night in nights:
            better = (
                night.bred.better(self.rules.offers, self.rules.least_gain)
                if night.bred and night.outcome != "well"
                else []
            )
            if not better:
                continue
            self.watch(f"{night.skill.name}: {len(better)} variants go to the held-out seeds")
            seeds = held_out_seeds(self.rules.held_out, night.number)
            night.unseen = unseen = spread(night.skill, seeds, self.rules.held_out)
            before, *after = self.measurer.measure(
                [Variant(night.skill), *(one.variant for one in better)], unseen
            )
            for one, tried in zip(better, after, strict=True):
                offers[night.journal.stamp, night.skill.name, one.variant.id] = (before, tried)
        verdicts = judged(offers, self.rules)
        for night in nights:
            for (stamp, name, variant), verdict in verdicts.items():
                if (stamp, name) == (night.journal.stamp, night.skill.name):
                    night.verdicts[variant] = verdict
                    night.journal.add("offered", id=variant, of=len(verdicts), **vars(verdict))

    def _end(self, night: Dream) -> None:
        """Propose the best that was accepted, and close the journal."""
        accepted = [name for name, verdict in night.verdicts.items() if verdict.accepted]
        if accepted and night.bred:
            best = max(accepted, key=lambda name: night.verdicts[name].after)
            night.winner = next(one for one in night.bred.rated if one.variant.id == best)
            night.branch = f"dream/{night.skill.name}-{night.journal.stamp}"
            text, reason = proposed(night.skill, night.winner, night.verdicts[best], night)
            path = f"skills/{night.skill.name}.md"
            change = Change("dream", reason, run=night.journal.stamp)
            self.volumes.branch(Tier.USER, night.branch, {path: text}, change)
            night.outcome = "proposed"
            if self.plan.apply:
                self.volumes.merge(Tier.USER, night.branch, change)
                night.outcome = "merged"
        night.journal.add("end", outcome=night.outcome, branch=night.branch, rolled=self.measurer.rolled)


def _replays(skill: Skill, failed: Iterable[Any]) -> Iterable[Case]:
    """Give each failure once as a case: what a test of the same arena asks for there, else no harm."""
    asked = {_family(test.arena): test for test in cases(skill)} if isinstance(skill.front, Physical) else {}
    seen: Counter[str] = Counter()
    for data in failed:
        arena, values = data.get("arena"), data.get("values")
        if not arena or not isinstance(arena, str) or not isinstance(values, dict):
            continue  # on a real robot, or not noted: nobody can run it again
        test = asked.get(_family(arena))
        fits = test is not None and dict(test.values) == values
        case = Case(
            arena, int(data.get("seed", 0)), values, test.check if test and fits else {},
            test.lights if test and fits else None, test.code if test and fits else 0,
        )  # fmt: skip
        seen[repr(case)] += 1
        if seen[repr(case)] == 1:
            yield case


def _family(arena: str) -> str:
    return arena.partition(":")[0]
