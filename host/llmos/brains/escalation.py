"""When an instinct is not enough: the reasons for which the planner is set to work, one function each."""

import math
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from llmos.brains.question import Circumstances

STILL_MS = 5000  # so long without new ground or 5 cm of way
STILL_M = 0.05
VISITS = 3  # more of them to one place is a loop
KNOWN = 0.85  # share of the room from which on what is left is worth an order
OFFER = 4  # frontiers; a list of fewer is complete, so that a plan can weigh all that is left
PERIOD = 50  # cycles
DOUBT = 0.4  # calibrated confidence of the instinct
CELL_M = 0.1  # of the squares in which visits are counted
NEW_CELLS = 20  # of the map that were not known before; fewer are a flicker at the edges
PLANNED_GOAL = re.compile(r"\b(find|explor|collect|bring|build|coordinat)\w*", re.I)


@dataclass(frozen=True)
class Sight:
    """What a reason looks at.

    Args:
        now: the cycle's circumstances.
        since: cycles since the planner was last set to work, or since the run began.
        confidence: calibrated, of the instinct's choice; None before it has chosen.
        planned: whether a plan is in hand.
    """

    now: Circumstances
    since: int = 0
    confidence: float | None = None
    planned: bool = False


def user_request(sight: Sight) -> bool:
    """The user has asked for thought."""
    return sight.now.asked


def stuck(sight: Sight) -> bool:
    """The robot has not got anywhere for five seconds."""
    return sight.now.still_ms >= STILL_MS


def looping(sight: Sight) -> bool:
    """It comes back to the same place and sees nothing new."""
    return sight.now.visits > VISITS


def unknown_object(sight: Sight) -> bool:
    """It sees something and does not know what."""
    return bool(sight.now.doubtful)


def new_area(sight: Sight) -> bool:
    """It has entered a room for the first time."""
    return sight.now.new_room


def goal_requires_plan(sight: Sight) -> bool:
    """The goal takes several steps, and there is no plan."""
    return sight.now.needs_plan and not sight.planned


def frontier_exhaustion(sight: Sight) -> bool:
    """Little is unknown, and the frontiers offered are all that are left: their order is worth a thought."""
    return sight.now.known >= KNOWN and 0 < sight.now.frontiers < OFFER


def low_confidence(sight: Sight) -> bool:
    """The instinct does not trust its own choice."""
    return sight.confidence is not None and sight.confidence < DOUBT


def periodic(sight: Sight) -> bool:
    """Nobody has thought for fifty cycles."""
    return sight.since >= PERIOD


class Rule(NamedTuple):
    """When a reason holds, and after how many cycles it may be raised again at the earliest."""

    holds: Callable[[Sight], bool]
    rest: int
    event: bool = False  # true in one cycle only, so it waits where the planner is not free then


# In the order of their weight: what the user wants, what is wrong, what is new, what would be good.
REASONS: dict[str, Rule] = {
    "user_request": Rule(user_request, 1, event=True),
    "stuck": Rule(stuck, 10),
    "looping": Rule(looping, 10),
    "unknown_object": Rule(unknown_object, 20),
    "new_area": Rule(new_area, 1, event=True),
    "goal_requires_plan": Rule(goal_requires_plan, 20),
    "frontier_exhaustion": Rule(frontier_exhaustion, 20),
    "low_confidence": Rule(low_confidence, 10),
    "periodic": Rule(periodic, PERIOD),
}


def reasons(sight: Sight) -> list[str]:
    """Return the reasons that hold, the weightiest first."""
    return [name for name, rule in REASONS.items() if rule.holds(sight)]


@dataclass
class Escalation:
    """Raises one reason at a time, and none again before it has rested."""

    raised: dict[str, int] = field(default_factory=dict)  # reason -> cycle in which it was raised last
    waiting: set[str] = field(default_factory=set)  # events that came while the planner was not free

    def reason(
        self,
        now: Circumstances,
        cycle: int,
        *,
        confidence: float | None = None,
        planned: bool = False,
        free: bool = True,
    ) -> str:
        """Return why the planner is to be set to work in this cycle; empty where it is not.

        Args:
            now: the circumstances.
            cycle: this cycle's number; it never goes back.
            confidence: calibrated, of the instinct's choice; None before it has chosen.
            planned: whether a plan is in hand.
            free: whether the planner can begin: it is not at work, and there are two candidates or more.
        """
        since = cycle - max(self.raised.values(), default=0)
        holding = set(reasons(Sight(now, since, confidence, planned))) | self.waiting
        self.waiting = {one for one in holding if REASONS[one].event and self.raised.get(one) != cycle}
        if not free:
            return ""
        for name, rule in REASONS.items():
            if name in holding and self.rested(name, rule, cycle):
                self.raised[name] = cycle
                self.waiting.discard(name)
                return name
        return ""

    def rested(self, name: str, rule: Rule, cycle: int) -> bool:
        """Tell whether a reason may be raised again."""
        return name not in self.raised or cycle - self.raised[name] >= rule.rest


@dataclass
class Track:
    """Where the robot has been since it last saw new ground: tells `Circumstances.still_ms` and `.visits`."""

    known: int = 0
    stood: tuple[float, float] | None = None
    since_ms: int = 0
    square: tuple[int, int] | None = None
    entered: Counter[tuple[int, int]] = field(default_factory=Counter)

    def note(self, place_m: tuple[float, float], now_ms: int, known_cells: int) -> tuple[int, int]:
        """Take in a cycle; return for how long the robot got nowhere, in ms, and its visits to this place.

        Args:
            place_m: where it stands.
            now_ms: its clock.
            known_cells: cells of the map whose state is known.
        """
        new = known_cells - self.known >= NEW_CELLS
        if new:
            self.known = known_cells
            self.entered.clear()
        if new or self.stood is None or math.dist(place_m, self.stood) >= STILL_M:
            self.stood, self.since_ms = place_m, now_ms
        square = (math.floor(place_m[0] / CELL_M), math.floor(place_m[1] / CELL_M))
        if new or square != self.square:
            self.entered[square] += 1
        self.square = square
        return now_ms - self.since_ms, max(self.entered[near] for near in around(square))


def around(square: tuple[int, int]) -> list[tuple[int, int]]:
    """Return a square and its eight neighbours."""
    return [(square[0] + a, square[1] + b) for a in (-1, 0, 1) for b in (-1, 0, 1)]


def needs_plan(goal: str) -> bool:
    """Tell whether a sentence asks for what takes several steps, such as to find or to collect."""
    return PLANNED_GOAL.search(goal) is not None
