"""Drives that frames come from: a mind on the practice robot, led well, badly or at random.

The frames are those that the mind makes on any robot, by the same code. Who leads takes the best score, or
with some probability any candidate, so that there are frames from good ways and from bad ones, from their
beginnings to their ends. Now and then the robot is held as if its wheels had slipped, so that it offers to
back off.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass

from llmos.blackbox import Box
from llmos.brains import Question, Thought
from llmos.brains.decide import towards
from llmos.inference import open_kernel
from llmos.kernel.cycle import Ending, cycle
from llmos.kernel.mind import STUCK_CYCLES, Mind
from llmos.manifest import Manifest
from llmos.mission import Means, goal_of, make_mind
from llmos.report import Order
from llmos.sim.arena import Arena
from llmos.teacher.practice import Practice

HELD = 0.02  # probability a cycle that the robot is held
CYCLES = 80  # that a drive may take; what comes later says nothing new

Watch = Callable[[Mind, Question], None]


@dataclass(frozen=True)
class Drive:
    """A drive to be made.

    Args:
        goal: what is asked for.
        astray: probability that a decision is any candidate in place of the best score; 1 is at random.
        seed: of every chance in it.
        slip: see `Practice`.
        noise_mm: standard deviation of the range sensors; None for the arena's own.
        held: probability a cycle that the robot is held for a while.
    """

    goal: str
    astray: float = 0.0
    seed: int = 0
    slip: float = 0.0
    noise_mm: float | None = None
    held: float = 0.0


class Leader:
    """The brain that decides in a drive; what it is asked is shown to whoever watches."""

    vision = False

    def __init__(self, astray: float, chance: random.Random, watch: Callable[[Question], None]) -> None:
        self._astray, self._chance, self._watch = astray, chance, watch

    def __call__(self, question: Question) -> Thought:
        """Decide."""
        self._watch(question)
        offered = question.frame.candidates
        at_random = self._chance.random() < self._astray
        taken = self._chance.choice(offered) if at_random else max(offered, key=lambda one: one.score)
        return Thought(towards(taken, offered, "practice"), "practice")

    def close(self) -> None:
        """Nothing is held."""


def drive(arena: Arena, manifest: Manifest, what: Drive, watch: Watch) -> Ending | None:
    """Make a drive; `watch` sees the mind with every question, before it is answered.

    Returns:
        How it ended; None where it was cut off after CYCLES.
    """
    chance = random.Random(f"{arena.name} {what.seed} {what.goal} {what.astray}")
    if what.noise_mm is not None:
        arena = arena.model_copy(update={"noise_mm": what.noise_mm})
    order = Order(what.goal, arena.name, "rule", robot=manifest.name, seed=what.seed, max_cycles=CYCLES)
    robot = Practice(arena, manifest, what.seed, what.slip)
    goal = goal_of(order, arena, lambda text: "")
    kernel = open_kernel("rule")  # asked nothing: the leader decides
    mind = make_mind(order, arena, goal, robot, Means(manifest, kernel, Box()))
    mind.brain = Leader(what.astray, chance, lambda question: watch(mind, question))
    mind.belief.hear(robot.telemetry)
    while True:
        if chance.random() < what.held:
            mind.stuck, mind.stood = STUCK_CYCLES, mind.belief.pose[:2]
        _, end = cycle(mind)
        if end or mind.cycle >= CYCLES:
            return end
