"""Plans: a goal is split into steps, each of which the robot's goal reader understands."""

import re
from typing import Annotated, Any

from pydantic import Field

from llmos.kernel.goal import PLACE, Goal, GoalError, read_goal, sober
from llmos.sim.arena import load_arena
from llmos.text import plain
from llmos.tools.session import Session
from llmos.tools.tool import Arguments, ToolError, tool

MOST_STEPS = 20
VERB = (
    r"(?:please |also )?(?:drive|go|move|head|travel|navigate|run|roll|turn|rotate|spin|look|explore|map|"
    r"survey|cover|search|find|seek|follow|keep|stay|stop|wait|stand|light|blink|flash|show|patrol|circle|"
    r"return|come|back|creep|approach|reach|visit|measure|tell|report|bounce|wander|make|draw)\b"
)
STRONG = r"[.!?;\n]+(?=\s|$)|,?\s*\b(?:and\s+)?(?:then|after that|afterwards|next|finally)\b,?"
WEAK = rf",?\s+and\s+(?:to\s+)?(?={VERB}|\0)|,\s*(?:to\s+)?(?={VERB}|\0)"  # \0: a place stands there
FIRST = re.compile(r"^(?:first(?:ly)?|to begin with|please),?\s+", re.I)
HOME = re.compile(
    r"\b(?:(?:drive|go|come|head|move|get|run|return) )?(?:back )?"
    r"(?:to (?:the|your|its) (?:start|beginning)\b|to where (?:you|it) (?:began|started)\b|home\b)"
    r"|\b(?:drive|go|come|head|move|get) back\s*$|\breturn\b(?! to)",
    re.I,
)


class Task(Arguments):
    """A goal in a sentence or a few."""

    goal: Annotated[str, Field(min_length=1, max_length=1000)]


@tool("planning", "read", {"goal": "drive to 1, 1, then turn left by 90 degrees and explore"})
def plan_task(session: Session, arguments: Task) -> dict[str, Any]:
    """Split a goal into steps that the robot understands, in order."""
    found = steps(session, arguments.goal)
    return {"steps": [{"step": one.text, "kind": one.kind, "by": one.source} for one in found]}


def steps(session: Session, text: str) -> list[Goal]:
    """Return the steps of a goal, in order, each as the robot's goal reader has it.

    A step ends with a sentence and at words such as "then"; also at a comma or "and" before a verb or a
    place, where the reader then understands the part by itself. "Back to the start" is where the robot
    stands now.

    Raises:
        GoalError: the goal asks for harm, or for what this robot cannot do, or a step is not understood.
        ToolError: it has more than MOST_STEPS steps.
    """
    text = sober(plain(text).strip())
    arena = load_arena(session.order.arena, radius_m=session.manifest.radius_m)
    place = (arena.goal.x, arena.goal.y) if arena.goal else None
    home = "drive to {:.2f}, {:.2f}".format(*(session.standing or (arena.start.x, arena.start.y)))

    def read(part: str) -> Goal:
        return read_goal(HOME.sub(home, part), place, arena.size_m, sees=session.order.camera)

    found: list[Goal] = []
    for step in split(STRONG, text):
        whole: list[Goal] = []
        for part in split(WEAK, step):
            try:
                whole.append(read(part))
            except GoalError:  # not by itself; with what stands before it perhaps
                if not whole:
                    raise
                whole.append(read(f"{whole.pop().text} and {part}"))
        found += whole
    if not found:
        raise GoalError(f'the goal {text[:60]!r} names nothing to do: say it as in "drive to 1.0, -0.5"')
    if len(found) > MOST_STEPS:
        raise ToolError(f"the goal has {len(found)} steps, at most {MOST_STEPS}: say it in several goals")
    return found


def split(separator: str, text: str) -> list[str]:
    """Return the parts of a text between separators; the numbers of a place stay together."""
    places: list[str] = []

    def hidden(match: re.Match[str]) -> str:
        places.append(match[0].strip())
        return match[0].replace(places[-1], f"\0{len(places) - 1}\0")

    found = re.split(rf"\s*(?:{separator})\s*", PLACE.sub(hidden, text), flags=re.I)
    whole = (re.sub(r"\0(\d+)\0", lambda match: places[int(match[1])], part) for part in found)
    return [part for part in (FIRST.sub("", one).strip(" ,") for one in whole) if part]
