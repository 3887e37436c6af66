"""Subgoals: what can be done now with what has been seen, each with the way to do it."""

from collections.abc import Sequence
from dataclasses import dataclass

from llmos.babyai.actions import DROP, PICK_UP, TOGGLE
from llmos.babyai.belief import Belief, Cell, Pose, Seen, beside
from llmos.babyai.mission import Step
from llmos.babyai.motion import Reach, Way

GO_TO, TAKE, OPEN, PUT, EXPLORE = "go to", "pick up", "open", "put", "explore"
HANDS = {GO_TO: (), TAKE: (PICK_UP,), OPEN: (TOGGLE,), PUT: (DROP,)}  # what to do on arrival


@dataclass(frozen=True)
class Subgoal:
    """Something to do, and how far it is.

    Args:
        verb: what to do.
        thing: with what, or next to what; None of exploring.
        cell: where it is.
        held: what is carried at the beginning.
        way: the actions.
    """

    verb: str
    thing: Seen | None
    cell: Cell | None
    held: Seen | None
    way: Way

    @property
    def text(self) -> str:
        """Return it in words."""
        if self.thing is None:
            return self.verb
        if self.verb == PUT and self.held:
            return f"put the {self.held.name} next to the {self.thing.name}"
        return f"{self.verb} the {self.thing.name}"

    @property
    def steps(self) -> int:
        """Return how many actions it takes, as far as they are known."""
        return len(self.way)


def subgoals(belief: Belief) -> tuple[Subgoal, ...]:
    """Return all that can be done, the nearest first; of those with the same words only the nearest."""
    reach = Reach(belief)
    found = [
        made
        for cell, seen in belief.things().items()
        for verb in verbs(belief, seen)
        if (made := subgoal(belief, reach, verb, cell))
    ]
    nearest: dict[str, Subgoal] = {}
    for one in sorted(found, key=lambda one: (one.steps, one.text, one.cell)):
        nearest.setdefault(one.text, one)
    return tuple(nearest.values())


def verbs(belief: Belief, seen: Seen) -> list[str]:
    """Return what can be done with a thing: full hands take nothing, and a locked door needs its key."""
    if seen.kind != "door":
        return [GO_TO, PUT] if belief.carried else [GO_TO, TAKE]
    key = Seen("key", seen.colour)
    opens = seen.state == "closed" or (seen.state == "locked" and belief.carried == key)
    return [GO_TO, *([OPEN] if opens else []), *([PUT] if belief.carried else [])]


def subgoal(belief: Belief, reach: Reach, verb: str, cell: Cell) -> Subgoal | None:
    """Return a subgoal with its way; None where there is none, or nothing is left to do."""
    way = way_to(belief, reach, verb, cell)
    return Subgoal(verb, belief.cells[cell], cell, belief.carried, way) if way else None


def way_to(belief: Belief, reach: Reach, verb: str, cell: Cell) -> Way | None:
    """Return the actions that do something with what is in a cell."""
    if verb == PUT:
        near = [place for place in beside(cell) if belief.free(place) and place not in belief.doorways]
        pose = reach.nearest(lambda pose: pose.front in near)
    else:
        pose = reach.nearest(lambda pose: pose.front == cell)
    return None if pose is None else reach.way(pose) + HANDS[verb]


def exploring(belief: Belief) -> Subgoal | None:
    """Return the nearest look at something unseen; None where nothing more can be seen from within reach."""
    edges = belief.edges()

    def shows(pose: Pose) -> bool:
        return pose not in belief.looked and any(cell in edges for cell in pose.view())

    reach = Reach(belief)
    pose = reach.nearest(shows) if edges else None
    return Subgoal(EXPLORE, None, None, belief.carried, reach.way(pose)) if pose else None


def wise(options: Sequence[Subgoal], step: Step, belief: Belief) -> tuple[Subgoal, ...]:
    """Return the options that serve a step of the mission; where none does, those that empty the hands."""
    serving = tuple(one for one in options if serves(one, step, belief))
    return serving or tuple(one for one in options if one.verb == PUT)


def serves(one: Subgoal, step: Step, belief: Belief) -> bool:
    """Tell whether an option is the next thing to do for a step of the mission."""
    if step.verb in (GO_TO, TAKE):
        return one.verb == step.verb and step.what.fits(one.thing)
    if step.verb == PUT and step.beside:
        if step.what.fits(belief.carried):
            return one.verb == PUT and step.beside.fits(one.thing)
        return one.verb == TAKE and step.what.fits(one.thing)
    if one.verb == OPEN:
        return step.what.fits(one.thing)
    keys = [Seen("key", door.colour) for door in belief.locked() if step.what.fits(door)]
    return one.verb == TAKE and one.thing in keys


def named(options: Sequence[Subgoal], steps: Sequence[Step], belief: Belief) -> tuple[Subgoal, ...]:
    """Return the options that are about a thing that the mission names, or about the key to one."""
    wanted = [one for step in steps for one in (step.what, step.beside) if one]
    keys = [Seen("key", door.colour) for door in belief.locked() if any(one.fits(door) for one in wanted)]
    return tuple(one for one in options if one.thing in keys or any(some.fits(one.thing) for some in wanted))
