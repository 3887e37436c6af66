"""What a sentence asks for: a place to reach, or a room to explore."""

import re
from dataclasses import dataclass

from llmos.errors import LlmosError
from llmos.text import plain

NUMBER = r"([-+]?\d+(?:\.\d+)?)"
PLACE = re.compile(rf"\(?\s*{NUMBER}\s*(?:m\s*)?,\s*{NUMBER}\s*(?:m\b)?\s*\)?")
EXPLORE = re.compile(r"\b(explore|map|cover|look around|survey|search the room)\b", re.I)


class GoalError(LlmosError):
    """A sentence that names no goal the robot can work towards."""


@dataclass(frozen=True)
class Goal:
    """A task: `place_m` is where to go, or None to explore; `source` says where the place comes from."""

    text: str
    place_m: tuple[float, float] | None
    source: str


def read_goal(text: str, arena_goal: tuple[float, float] | None, size_m: tuple[float, float]) -> Goal:
    """Return the task that a sentence and the arena set.

    Coordinates in the sentence win, then a wish to explore, then the arena's own goal; without any of them
    the task is to explore.

    Raises:
        GoalError: the sentence is empty or names a place outside the room.
    """
    text = plain(text).strip()
    if not text:
        raise GoalError(
            "the goal is empty: say where to drive, for example 'drive to 1.0, 1.5', or 'explore'"
        )
    named = PLACE.search(text)
    if named:
        place = (float(named[1]), float(named[2]))
        if abs(place[0]) > size_m[0] / 2 or abs(place[1]) > size_m[1] / 2:
            room = f"{size_m[0]:g} x {size_m[1]:g} m"
            raise GoalError(f"the goal {place} lies outside the room of {room}: name a place inside")
        return Goal(text, place, "the sentence")
    if EXPLORE.search(text):
        return Goal(text, None, "the sentence")
    if arena_goal is not None:
        return Goal(text, arena_goal, "the arena")
    return Goal(text, None, "the arena, which sets no place")
