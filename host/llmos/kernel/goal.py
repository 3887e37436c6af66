"""What a sentence asks for: a place to reach, a room to explore, or a behaviour."""

import re
from dataclasses import dataclass

from llmos.errors import LlmosError
from llmos.text import plain
from llmos.writing import likest, quantities

NUMBER = r"([-+]?\d+(?:\.\d+)?)"
PLACE = re.compile(rf"\(?\s*{NUMBER}\s*(?:m\s*)?,\s*{NUMBER}\s*(?:m\b)?\s*\)?")
TO_A_PLACE = re.compile(
    r"\bto (?:the|that|its|my|your) (?!left|right|front|rear|back|sides?\b|walls?\b|obstacles?\b)\w+", re.I
)
EXPLORE = re.compile(r"\b(explore|map|cover|look around|survey|search the room)\b", re.I)


class GoalError(LlmosError):
    """A sentence that names no goal the robot can work towards."""


FITS = 0.3  # likeness to a skill from which on a sentence asks for a behaviour


@dataclass(frozen=True)
class Goal:
    """A task: `place_m` is where to go, or None to explore or to behave; `source` says what decided."""

    text: str
    place_m: tuple[float, float] | None
    source: str
    behaviour: bool = False

    @property
    def kind(self) -> str:
        """What it is, in a word."""
        return "behaviour" if self.behaviour else "exploration" if self.place_m is None else "place"

    def __str__(self) -> str:
        where = " ({:.2f}, {:.2f})".format(*self.place_m) if self.place_m else ""
        return f"{self.kind}{where}, by {self.source}"


def read_goal(
    text: str,
    arena_goal: tuple[float, float] | None,
    size_m: tuple[float, float],
    *,
    as_behaviour: bool = False,
) -> Goal:
    """Return the task that a sentence and the arena set.

    Coordinates in the sentence win, then a wish to explore, then words such as "to the goal", which mean the
    arena's own; then what names a measure ("20 cm") or resembles a skill that ships is a behaviour. All else
    means the arena's goal, or to explore where it has none. `as_behaviour` takes any sentence as a behaviour.

    Raises:
        GoalError: the sentence is empty or names a place outside the room.
    """
    text = plain(text).strip()
    if not text:
        raise GoalError(
            "the goal is empty: say where to drive, for example 'drive to 1.0, 1.5', or 'explore'"
        )
    if as_behaviour:
        return Goal(text, None, "--way", behaviour=True)
    named = PLACE.search(text)
    if named:
        place = (float(named[1]), float(named[2]))
        if abs(place[0]) > size_m[0] / 2 or abs(place[1]) > size_m[1] / 2:
            room = f"{size_m[0]:g} x {size_m[1]:g} m"
            raise GoalError(f"the goal {place} lies outside the room of {room}: name a place inside")
        return Goal(text, place, "the sentence's coordinates")
    explores = EXPLORE.search(text)
    if explores:
        return Goal(text, None, f"the word “{explores[0].lower()}”")
    sign = "" if TO_A_PLACE.search(text) else sign_of_behaviour(text)
    if sign:
        return Goal(text, None, sign, behaviour=True)
    return Goal(text, arena_goal, "the arena's goal" if arena_goal else "the arena, which sets no goal")


def sign_of_behaviour(text: str) -> str:
    """Return what shows that a sentence asks for a behaviour; empty where nothing does."""
    skill, likeness = likest(text)
    if likeness >= FITS:
        return f"its likeness to the skill {skill}, {likeness:.2f}"
    return "the measure it names" if any(dimension for _, dimension in quantities(text)) else ""
