"""Reactive rules: what needs no model, because there is nothing to weigh or no time to.

A rule looks at the frame and the newest ranges and gives a decision with a fixed confidence, or nothing. The
thresholds are those of the LLMos instinct controller (EvolvingAgentsLabs, 2026), with its rules made to fit
decisions: to turn is to look towards the clearer side, to go on is to keep the target.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

from llmos.brains.decide import towards, turn_to
from llmos.brains.question import Question
from llmos.kernel.decision import HEADINGS_DEG
from llmos.kernel.frame import Point

WINS = 0.85  # a rule at least this sure decides without the model
NEAR_M, CLEAR_M = 0.15, 0.30  # from the body's edge: too near to go on; room to turn to
SAME_M = 0.3  # a candidate this near to the last target is the same place


@dataclass(frozen=True)
class Memory:
    """What the last cycle left: where it wanted to go, None where it was no place; and what it did."""

    target_m: Point | None = None
    action: str = ""
    planned: bool = False  # by the planner


@dataclass(frozen=True)
class Reaction:
    """A rule's decision."""

    rule: str
    confidence: float
    text: str


def cornered(question: Question, memory: Memory) -> Reaction | None:
    """Too near to something after a failed step: look to a clear side, else back off."""
    ahead, left, right = (question.ranges_m.get(name) for name in ("front", "left", "right"))
    if not question.failed or memory.action == "ROTATE_TO" or ahead is None or ahead >= NEAR_M:
        return None
    sides = {90: left or 0.0, -90: right or 0.0}
    side = max(sides, key=lambda turn: sides[turn])
    if sides[side] > CLEAR_M:
        text = turn_to(heading(question, side), "too near, looks to a side")
        return Reaction("cornered", 0.95, text)
    back = next((c for c in question.frame.candidates if c.type == "recovery"), None)
    if back is None:
        return None
    return Reaction("cornered", 0.9, towards(back, question.frame.candidates, "too near, backs off"))


def heading(question: Question, turn_deg: int) -> int:
    """Return the heading on offer that is nearest to one so far from the robot's own."""
    wanted = question.frame.state.yaw_deg + turn_deg
    return min(HEADINGS_DEG, key=lambda yaw: abs((yaw - wanted + 180) % 360 - 180))


def no_choice(question: Question, memory: Memory) -> Reaction | None:
    """One candidate is no choice."""
    offered = question.frame.candidates
    if len(offered) != 1:
        return None
    return Reaction("no choice", 1.0, towards(offered[0], offered, "the only candidate"))


def go_on(question: Question, memory: Memory) -> Reaction | None:
    """The last step went well, its target is not reached, and the way ahead is open: keep the target."""
    if question.failed or memory.target_m is None or question.frame.state.is_stuck:
        return None
    target = memory.target_m
    kept = [c for c in question.frame.candidates if math.dist(c.pos_m, target) <= SAME_M]
    if not kept or math.dist(question.frame.state.position_m, target) <= SAME_M:
        return None
    best = min(kept, key=lambda c: math.dist(c.pos_m, target))
    return Reaction("goes on", 0.85, towards(best, question.frame.candidates, "goes on as before"))


Rule = Callable[[Question, Memory], Reaction | None]
URGENT: tuple[Rule, ...] = (cornered,)  # before everything else
CALM: tuple[Rule, ...] = (no_choice, go_on)  # where no plan says otherwise


def react(question: Question, memory: Memory, rules: tuple[Rule, ...] = URGENT + CALM) -> Reaction | None:
    """Return the first rule's decision that is sure enough to do without the model."""
    found = (rule(question, memory) for rule in rules)
    return next((one for one in found if one and one.confidence >= WINS), None)
