"""Frames from real drives whose best candidate the true map tells; who chooses does not see the map."""

import math
import string
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from itertools import product
from random import Random

import numpy as np
from numpy.typing import NDArray

from llmos.brains import Question
from llmos.kernel.decision import decision_schema
from llmos.kernel.frame import NavigationFrame
from llmos.kernel.mind import Mind, Step
from llmos.mission import run_mission
from llmos.planning import nearest_passable, reachable_costs
from llmos.report import Order
from llmos.sim.arena import Arena, ground, load_arena
from llmos.sim.ground import Ground

TIE_M = 0.1  # a cell of the robot's map: ways that differ by less are as good as each other
OFF_M = 0.25  # a candidate stands for the ground that is this near to it
DRIVERS = ("rule", "random")  # a drive each, so that frames come from good ways and from bad ones
GOAL = "go where the arena says"


@dataclass(frozen=True)
class Case:
    """A question, and for each candidate how much longer the true way to the goal is than by the best."""

    question: Question
    regret_m: Mapping[str, float]

    @property
    def best(self) -> frozenset[str]:
        """The candidates of which none is better."""
        return frozenset(name for name, lost in self.regret_m.items() if lost <= TIE_M)

    @property
    def chance(self) -> float:
        """How often a blind choice is right."""
        return len(self.best) / len(self.regret_m)


@cache
def cases(arena_name: str, seed: int) -> tuple[Case, ...]:
    """Return the frames of a drive by each of DRIVERS in which there is something to choose.

    Candidates are in random order, and named at random.
    """
    found: list[Case] = []
    for driver in DRIVERS:
        frames: list[NavigationFrame] = []

        def watch(mind: Mind, step: Step, frames: list[NavigationFrame] = frames) -> None:
            if step.frame:
                frames.append(step.frame)

        report = run_mission(Order(GOAL, arena_name, driver, seed=seed), watch)
        chance = Random(f"{arena_name} {seed} {driver}")
        teacher = Teacher(load_arena(arena_name), report.radius_m)
        asked = (case(disguised(frame, chance), teacher) for frame in frames)
        found += [one for one in asked if one and 0 < len(one.best) < len(one.regret_m)]
    return tuple(found)


def disguised(frame: NavigationFrame, chance: Random) -> NavigationFrame:
    """Return a frame whose candidates stand in random order, with other names: a letter and a digit."""
    names = ["".join(pair) for pair in product(string.ascii_lowercase, "123456789")]
    order = chance.sample(frame.candidates, len(frame.candidates))
    drawn = chance.sample(names, len(order))
    others = [one.model_copy(update={"id": name}) for one, name in zip(order, drawn, strict=True)]
    return frame.model_copy(update={"candidates": others})


def case(frame: NavigationFrame, teacher: "Teacher") -> Case | None:
    """Return a case of a frame; None where the true map does not tell."""
    x, y = frame.state.position_m
    ways = teacher.ways_m((x, y), {one.id: one.pos_m for one in frame.candidates})
    least = min(ways.values(), default=math.inf)
    if math.isinf(least):
        return None
    failed = frame.last_step is not None and frame.last_step.result != "success"
    question = Question(
        frame=frame,
        text=frame.text(),
        schema=decision_schema(frame.candidates, failed=False),
        failed=failed,
        deadline_s=60.0,
        seed=frame.cycle,
    )
    return Case(question, {name: way - least for name, way in ways.items()})


class Teacher:
    """Knows the arena, and so how long every way to its goal really is."""

    def __init__(self, arena: Arena, radius_m: float) -> None:
        self._ground = ground(arena, radius_m)
        self._cost = np.where(self._ground.blocked, np.inf, 1.0).astype(np.float32)
        goal = (arena.goal.x, arena.goal.y) if arena.goal else (arena.start.x, arena.start.y)
        self._to_goal = self._ways(goal)

    def ways_m(
        self, here: tuple[float, float], places: Mapping[str, tuple[float, float]]
    ) -> dict[str, float]:
        """Return the length of the way from here over each place to the goal, infinite if there is none."""
        from_here = self._ways(here)
        if from_here is None or self._to_goal is None:
            return {}
        whole = from_here + self._to_goal
        return {name: float(self._near(whole, at).min(initial=np.inf)) for name, at in places.items()}

    def _ways(self, place: tuple[float, float]) -> NDArray[np.float32] | None:
        """Return each cell's way to a place in metres."""
        start = nearest_passable(self._cost, self._ground.cell(*place), OFF_M / self._ground.cell_m)
        if start is None:
            return None
        return reachable_costs(self._cost, start) * np.float32(self._ground.cell_m)

    def _near(self, field: NDArray[np.float32], at: tuple[float, float]) -> NDArray[np.float32]:
        """Return a field's values at a place, or where there is none right there, around it."""
        where: Ground = self._ground
        row, column = where.cell(*at)
        if np.isfinite(field[row, column]):
            return field[row : row + 1, column]
        reach = round(OFF_M / where.cell_m)
        return field[
            max(0, row - reach) : row + reach + 1, max(0, column - reach) : column + reach + 1
        ].ravel()
