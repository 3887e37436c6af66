"""The kernel that takes the best-scored candidate: what stands in when no model answers in time."""

import json
import re
import time
from collections.abc import Iterator
from itertools import product
from typing import Any, NamedTuple

from ._schema import conforms
from ._types import Answer, Estimating, InferenceError, Request

Decision = dict[str, Any]

# A line of the frame such as `c1 subgoal 1.20,0.40 score 0.91 path 2.3m`.
_CANDIDATE = re.compile(r"^\W*(\w*?(\d+))\s+(?:(?!score\b)(\w+)\s.*?)?\bscore\W+(-?[0-9.]+)", re.MULTILINE)
_HEADING = re.compile(r"\bfacing (-?\d+)")
_STEP_DEG = 45  # headings are offered in these steps
_LOOK_DEG = 90  # how far to turn when there is nowhere to go


class Candidate(NamedTuple):
    """A place that the frame offers."""

    id: str
    number: int
    type: str
    score: float


def open_rule() -> "RuleKernel":
    """Open the rule."""
    return RuleKernel()


class RuleKernel(Estimating):
    """Drives to the candidate with the highest score, else looks around, else stops."""

    name = "rule"
    vision = False

    def __call__(self, request: Request) -> Answer:
        """Answer with the first decision, in order of preference, that the request allows.

        Of choices, it takes the one whose candidate the frame scores highest, else the first.
        """
        started = time.monotonic()
        if request.choices:
            return Answer(_choice(request), 0, 0, 0, time.monotonic() - started)
        if request.grammar is not None:
            raise InferenceError("kernel rule only decides; ask smollm2, gguf:PATH, openai:URL or random")
        for decision in _decisions(request.user):
            if request.schema is None or conforms(decision, request.schema):
                text = json.dumps(decision, separators=(",", ":"))
                return Answer(text, 0, 0, 0, time.monotonic() - started)
        raise InferenceError("kernel rule makes only decisions, and this schema allows none of them")

    def close(self) -> None:
        """Nothing is held."""


def _choice(request: Request) -> str:
    offered = (c.id for c in _ranked(request.user) if c.id in request.choices)
    return next(offered, request.choices[0])


def _ranked(frame: str) -> list[Candidate]:
    """List the frame's candidates, the highest score first, of equal ones the lower number."""
    return sorted(_candidates(frame), key=lambda c: (-c.score, c.number))


def _decisions(frame: str) -> Iterator[Decision]:
    """Yield every decision that the rule can make for a frame, the best first."""
    candidates = _ranked(frame)
    for (action, reason), fallback in product(_actions(candidates, frame), _fallbacks(candidates)):
        yield {"action": action, "fallback": fallback, "explanation": reason}


def _candidates(frame: str) -> Iterator[Candidate]:
    for name, number, kind, score in _CANDIDATE.findall(frame):
        try:
            yield Candidate(name, int(number), kind, float(score))
        except ValueError:  # a score such as 1.2.3 is not a candidate's
            continue


def _actions(candidates: list[Candidate], frame: str) -> list[tuple[Decision, str]]:
    """List actions with their reasons, the best first."""
    heading = _HEADING.search(frame)
    onward = (int(heading[1]) if heading else 0) + _LOOK_DEG
    turn = round(onward / _STEP_DEG) * _STEP_DEG % 360
    return [
        *((_drive(c), f"best score {c.score:.2f}") for c in candidates),
        *(
            ({"type": "ROTATE_TO", "yaw_deg": yaw}, "nowhere to go, look around")
            for yaw in (turn, turn - 360)
        ),
        ({"type": "STOP"}, "nothing can be done"),
    ]


def _drive(candidate: Candidate) -> Decision:
    kind = "EXPLORE" if candidate.type == "frontier" else "MOVE_TO"
    return {"type": kind, "target_id": candidate.id}


def _fallbacks(candidates: list[Candidate]) -> list[Decision]:
    """List what to do if the action fails, the best first: another frontier, a look around, a stop."""
    frontiers = [c.id for c in candidates[1:] if c.type == "frontier"]
    explore = [{"if_failed": "EXPLORE", "target_id": name} for name in frontiers]
    return [*explore, {"if_failed": "ROTATE_TO"}, {"if_failed": "EXPLORE"}, {"if_failed": "STOP"}]
