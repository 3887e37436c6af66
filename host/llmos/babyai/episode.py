"""Episodes: an agent in a level until the mission is done or the steps are used up."""

import os
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, Protocol

from llmos.babyai import subgoals
from llmos.babyai.actions import ACTIONS, LEFT
from llmos.babyai.belief import Belief
from llmos.babyai.choosing import Choice, Chooser, Dual, Instinct, View, chance, rule
from llmos.babyai.mission import Step, read_mission
from llmos.babyai.primitives import Primitive
from llmos.babyai.subgoals import Subgoal
from llmos.errors import LlmosError
from llmos.inference import Kernel

FAMILIES = ("goto", "pickup", "open", "putnext", "pick_up_seq_go_to")
ACT, ALL, NAMED, STEPS = "actions", "all", "named", "steps"
WAYS = (ACT, ALL, NAMED, STEPS)  # what is chosen among
EXPERT = "expert"


class BabyAIError(LlmosError):
    """An episode that cannot be played."""


@dataclass(frozen=True)
class Decision:
    """A decision, beside what the rule and the mission's grammar say to it.

    Args:
        choice: what was decided.
        right: whether it served the mission.
        rule_right: whether the rule's choice among the same options would have.
        differs: whether it was another one than the rule's.
        chance: share of the options that serve.
    """

    choice: Choice
    right: bool
    rule_right: bool
    differs: bool
    chance: float


@dataclass(frozen=True)
class Played:
    """An episode that has ended."""

    mission: str
    success: bool
    steps: int
    decisions: tuple[Decision, ...] = ()
    choices: tuple[Choice, ...] = ()  # of subgoals or of actions


class Agent(Protocol):
    """Whoever acts in a level."""

    def act(self, observation: Any) -> int:
        """Return the next action."""

    def played(self, mission: str, success: bool, steps: int) -> Played:
        """Return what became of it."""


def make_level(family: str, distractors: int) -> Any:
    """Return a level of a family, to be reset by a seed.

    Raises:
        BabyAIError: there is no such family, or the package minigrid is missing.
    """
    if family not in FAMILIES:
        raise BabyAIError(f"family {family!r}: unknown; name one of {', '.join(FAMILIES)}")
    return levels().Level(family, distractors)


def levels() -> Any:
    """Import what needs the package minigrid; that one greets on the terminal where it is not told not to."""
    os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")
    try:
        return import_module("llmos.babyai.levels")
    except ImportError as error:
        raise BabyAIError(
            f"BabyAI needs the package minigrid ({error}): install it with pip install 'llmos[babyai]'"
        ) from error


@dataclass
class SubgoalAgent:
    """Looks at all that can be seen, then has one subgoal after the other chosen."""

    choose: Chooser
    way: str
    seed: int
    deadline_s: float
    belief: Belief = field(default_factory=Belief)
    steps: tuple[Step, ...] = ()  # of the mission, as the grammar reads it
    done: int = 0  # of these
    taken: Counter[tuple[str, str]] = field(default_factory=Counter)  # option and hands -> how often
    decisions: list[Decision] = field(default_factory=list)
    under_way: Subgoal | None = None
    serving: tuple[Subgoal, ...] = ()  # of what could be done at the last decision, what served the mission
    rest: list[int] = field(default_factory=list)

    def act(self, observation: Any) -> int:
        """Return the next action."""
        self.belief.observe(observation["image"], observation["direction"])
        if not self.rest:
            self.settle()
            self.under_way = subgoals.exploring(self.belief) or self.decide(observation["mission"])
            self.rest = list(self.under_way.way) if self.under_way else [LEFT]
        action = self.rest.pop(0)
        self.belief.moved(action)
        return action

    def settle(self) -> None:
        """Count a step of the mission as done where the subgoal that has ended was it."""
        one, step = self.under_way, self.step
        if one and step and one.verb == step.verb and one in self.serving:
            self.done += 1

    @property
    def step(self) -> Step | None:
        """Return the mission's step that is to be done now; after the last one, the first again."""
        return self.steps[self.done % len(self.steps)] if self.steps else None

    def decide(self, mission: str) -> Subgoal | None:
        """Have one of the options chosen; None where there is none."""
        self.steps = self.steps or read_mission(mission)
        every = subgoals.subgoals(self.belief)
        self.serving = subgoals.wise(every, self.step, self.belief) if self.step else ()
        options = self.offered(every)
        if not options:
            return None
        hands = self.belief.carried.name if self.belief.carried else ""
        before = tuple(self.taken[one.text, hands] for one in options)
        count = len(self.decisions)
        view = View(mission, self.belief, options, before, count, self.seed, self.deadline_s)
        choice = self.choose(view)
        self.taken[choice.text, hands] += 1
        self.decisions.append(compared(view, choice, self.serving))
        return next(one for one in options if one.text == choice.text)

    def offered(self, every: tuple[Subgoal, ...]) -> tuple[Subgoal, ...]:
        """Return what is chosen among; all that can be done where the narrower choice is empty."""
        if self.way == NAMED:
            return subgoals.named(every, self.steps, self.belief) or every
        return (self.serving or every) if self.way == STEPS else every

    def played(self, mission: str, success: bool, steps: int) -> Played:
        """Return what became of it."""
        found = tuple(self.decisions)
        return Played(mission, success, steps, found, tuple(one.choice for one in found))


def compared(view: View, choice: Choice, serving: tuple[Subgoal, ...]) -> Decision:
    """Return a decision beside the rule's and the mission's."""
    good = {one.text for one in serving}
    rules = rule(view).text
    share = sum(one.text in good for one in view.options) / len(view.options)
    return Decision(choice, choice.text in good, rules in good, choice.text != rules, share)


@dataclass
class ActionAgent:
    """Has every single action chosen."""

    choose: Primitive
    seed: int
    deadline_s: float
    belief: Belief = field(default_factory=Belief)
    choices: list[Choice] = field(default_factory=list)

    def act(self, observation: Any) -> int:
        """Return the next action."""
        self.belief.observe(observation["image"], observation["direction"])
        last = [one.text for one in self.choices]
        choice = self.choose(observation["mission"], self.belief, last, self.seed, self.deadline_s)
        self.choices.append(choice)
        action = ACTIONS.index(choice.text)
        self.belief.moved(action)
        return action

    def played(self, mission: str, success: bool, steps: int) -> Played:
        """Return what became of it."""
        return Played(mission, success, steps, choices=tuple(self.choices))


class Expert:
    """Minigrid's own solver, which knows the whole level."""

    def __init__(self, level: Any) -> None:
        self._solver = levels().expert(level)

    def act(self, observation: Any) -> int:
        """Return the next action."""
        return int(self._solver.replan())

    def played(self, mission: str, success: bool, steps: int) -> Played:
        """Return what became of it."""
        return Played(mission, success, steps)


CHOOSERS: dict[str, Callable[[Kernel], Chooser]] = {
    "rule": lambda kernel: rule,
    "random": lambda kernel: chance,
    "dual": Dual,
}


def play(level: Any, seed: int, spec: str, way: str, kernel: Kernel | None, deadline_s: float) -> Played:
    """Play an episode.

    Args:
        level: of `make_level`.
        seed: fixes the level's draft and every chance.
        spec: `expert`, or as in `llmos run`: `rule`, `random`, `dual`, `dual:KERNEL`, or a kernel alone.
        way: one of `WAYS`: what is chosen among.
        kernel: the opened kernel of `model_of(spec)`; the expert needs none.
        deadline_s: wall time for a decision.
    """
    return act_out(level, seed, lambda: make_agent(level, seed, spec, way, kernel, deadline_s))


def act_out(level: Any, seed: int, make: Callable[[], Agent]) -> Played:
    """Have an agent, made when the level has been reset, act until the episode ends."""
    observation, _ = level.reset(seed=seed)
    mission, agent = observation["mission"], make()
    reward, ended = 0.0, False
    while not ended:
        observation, reward, terminated, truncated, _ = level.step(agent.act(observation))
        ended = terminated or truncated
    return agent.played(mission, reward > 0, level.step_count)


def make_agent(level: Any, seed: int, spec: str, way: str, kernel: Kernel | None, deadline_s: float) -> Agent:
    """Return an agent for an episode of a level that has been reset; see `play`."""
    if spec == EXPERT or kernel is None:
        return Expert(level)
    if way == ACT:
        return ActionAgent(Primitive(kernel), seed, deadline_s)
    choose = CHOOSERS.get(spec.partition(":")[0], Instinct)(kernel)
    return SubgoalAgent(choose, way, seed, deadline_s)
