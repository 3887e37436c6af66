"""What a sentence asks for: a place to reach, a thing to find, a room to explore, or a behaviour."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from llmos.errors import LlmosError
from llmos.eyes.names import COLOURS, SHAPES, searches, sought
from llmos.text import plain
from llmos.writing import likest, quantities

NUMBER = r"([-+]?\d+(?:\.\d+)?)"
PLACE = re.compile(rf"\(?\s*{NUMBER}\s*(?:m\s*)?,\s*{NUMBER}\s*(?:m\b)?\s*\)?")
TO_A_PLACE = re.compile(
    r"\bto (?:the|that|its|my|your) (?!left|right|front|rear|back|sides?\b|walls?\b|obstacles?\b)\w+", re.I
)
EXPLORE = re.compile(r"\b(explore|map|cover|look around|survey|search the room)\b", re.I)
LONGEST = 1000  # characters of a sentence
HARM = re.compile(
    r"\b(?:ram|crash|smash|hit|strike|hurt|harm|kill|attack|destroy|injure|scare|chase)(?:s|es|ing)?\b"
    r"|\b(?:run|drive|bump|knock|push) (?:over|into|down|off)\b"
    r"|\b(?:off|down) the (?:table|edge|stairs|ledge)\b"
    r"|\b(?:ignor\w*|disabl\w*|bypass\w*|overrid\w*|switch\w* off|turn\w* off) (?:\w+ ){0,3}?"
    r"(?:safety|limits?|guards?|reflex|e-?stop|emergency|verifier|lease|sensors?)\b",
    re.I,
)
SPARED = re.compile(r"(?:\bnot|n't|\bnever|\bwithout|\bavoid|\binstead of) (?:\w+ ){0,2}$", re.I)
MOVES = re.compile(
    r"\b(?:go|drive|move|reach|get|head|travel|come|return|visit|navigate|find|cross|pass|proceed|continue|"
    r"start|take|bring|run|roll|way|goal|target|exit|corner|forward|ahead|there|home)\b",
    re.I,
)


class GoalError(LlmosError):
    """A sentence that names no goal the robot can work towards."""


FITS = 0.3  # likeness to a skill from which on a sentence asks for a behaviour
KINDS = ("place", "explore", "behaviour")  # what a model may say that a sentence asks for


@dataclass(frozen=True)
class Goal:
    """A task: `place_m` is where to go, or None to explore or to behave; `source` says what decided.

    `label` names a thing to find, such as `red box`; `place_m` is then where it is, None until it is seen.
    """

    text: str
    place_m: tuple[float, float] | None
    source: str
    behaviour: bool = False
    label: str = ""

    @property
    def kind(self) -> str:
        """What it is, in a word."""
        if self.label:
            return "object"
        return "behaviour" if self.behaviour else "exploration" if self.place_m is None else "place"

    def __str__(self) -> str:
        where = " ({:.2f}, {:.2f})".format(*self.place_m) if self.place_m else ""
        return f"{self.kind}{f' {self.label}' if self.label else ''}{where}, by {self.source}"


def read_goal(
    text: str,
    arena_goal: tuple[float, float] | None,
    size_m: tuple[float, float],
    *,
    as_behaviour: bool = False,
    sees: bool = False,
    any_name: bool = False,
    ask: Callable[[str], str] = lambda text: "",
) -> Goal:
    """Return the task that a sentence and the arena set.

    Coordinates in the sentence win, then a thing to find by its colour or shape, then a wish to explore, then
    words such as "to the goal", which mean the arena's own; then what names a measure ("20 cm") or resembles
    a skill that ships is a behaviour. All else means the arena's goal, or to explore where it has none.
    `as_behaviour` takes any sentence as a behaviour; `sees` says whether the robot has eyes, `any_name`
    whether these know things by any name; `ask` gives a model's word, one of KINDS, on a sentence of which
    nothing is certain, or nothing.

    Raises:
        GoalError: the sentence is empty, too long, asks for harm, names a place outside the room, a thing
            for which it would take eyes or that these do not know, or nothing of it is understood.
    """
    text = sober(plain(text).strip())
    if as_behaviour:
        return Goal(text, None, "--way", behaviour=True)
    named = PLACE.search(text)
    if named:
        place = (float(named[1]), float(named[2]))
        if abs(place[0]) > size_m[0] / 2 or abs(place[1]) > size_m[1] / 2:
            room = f"{size_m[0]:g} x {size_m[1]:g} m"
            raise GoalError(f"the goal {place} lies outside the room of {room}: name a place inside")
        return Goal(text, place, "the sentence's coordinates")
    label = thing_of(text, sees, any_name)
    if label:
        return Goal(text, None, "the thing it names", label=label)
    explores = EXPLORE.search(text)
    if explores:
        return Goal(text, None, f"the word “{explores[0].lower()}”")
    sign = "" if TO_A_PLACE.search(text) else sign_of_behaviour(text)
    if sign:
        return Goal(text, None, sign, behaviour=True)
    said = ask(text)
    if said in ("explore", "behaviour"):
        return Goal(text, None, "the model", behaviour=said == "behaviour")
    if not said and not MOVES.search(text):
        raise GoalError(
            f"nothing of the goal {text[:60]!r} is understood: say in English where to drive, for example "
            "'drive to 1.0, 1.5' or 'go to the goal', or 'explore'"
        )
    return Goal(text, arena_goal, "the arena's goal" if arena_goal else "the arena, which sets no goal")


def sober(text: str) -> str:
    """Return a sentence that is neither empty nor endless, and does not ask to harm or to drop the limits.

    The limits hold whatever a sentence says; to refuse one that asks for their end is to say so.

    Raises:
        GoalError: it is not.
    """
    if not text:
        raise GoalError(
            "the goal is empty: say where to drive, for example 'drive to 1.0, 1.5', or 'explore'"
        )
    if len(text) > LONGEST:
        raise GoalError(f"the goal has {len(text)} characters, at most {LONGEST}: say it in a sentence")
    for found in HARM.finditer(text):
        if not SPARED.search(text[: found.start()]):
            raise GoalError(
                f"the goal asks for {found[0]!r}: this robot touches nothing and keeps its limits; "
                "say where to drive"
            )
    return text


def thing_of(text: str, sees: bool, any_name: bool) -> str:
    """Return the label of the thing that a sentence asks to find or to go to; empty where it asks for none.

    Raises:
        GoalError: there are no eyes to find it with, or these do not know what is to be found.
    """
    label = sought(text, any_name)
    if label and not sees:
        raise GoalError(f"to find a {label} the robot needs eyes: add --camera")
    if not label and sees and searches(text) and not TO_A_PLACE.search(text):
        known = f"{', '.join(COLOURS)}; {', '.join(SHAPES)}"
        raise GoalError(f"nothing of the goal {text[:60]!r} is a thing that the eyes know: name {known}")
    return label


def sign_of_behaviour(text: str) -> str:
    """Return what shows that a sentence asks for a behaviour; empty where nothing does."""
    skill, likeness = likest(text)
    if likeness >= FITS:
        return f"its likeness to the skill {skill}, {likeness:.2f}"
    return "the measure it names" if any(dimension for _, dimension in quantities(text)) else ""
