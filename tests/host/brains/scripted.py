"""A kernel that answers from a table, and what to ask it."""

import json
import threading
from collections.abc import Callable
from random import Random

from tests.host.brains.questions import candidate, question

from llmos.brains import Question
from llmos.inference import Answer, InferenceError, Request
from llmos.kernel.frame import Point

PLACES: dict[str, Point] = {"c1": (1.0, 1.0), "c2": (0.0, 1.0), "c3": (-1.0, 1.0), "c4": (-1.0, -1.0)}
SAID = ("c1", "c1", "c2", "c3")  # what a draw says, so often


def decision(target: str, why: str = "it seems best") -> str:
    """Return a legal decision to go to one of the places."""
    kind = "MOVE_TO" if target == "c1" else "EXPLORE"
    return json.dumps(
        {
            "action": {"type": kind, "target_id": target},
            "fallback": {"if_failed": "STOP"},
            "explanation": why,
        },
        separators=(",", ":"),
    )


def drawn(request: Request) -> str:
    """Say what the request's seed draws from the table."""
    return decision(Random(request.seed).choice(SAID))


class Scripted:
    """A kernel that says what a function makes of a request, and keeps what it was asked.

    Args:
        say: returns the answer's text, or raises `InferenceError`.
        vision: whether it is given images.
    """

    name = "scripted"

    def __init__(self, say: Callable[[Request], str] = drawn, *, vision: bool = False) -> None:
        self.say, self.vision = say, vision
        self.asked: list[Request] = []
        self.at_once = self.most_at_once = 0
        self._lock = threading.Lock()

    def __call__(self, request: Request) -> Answer:
        """Answer by the table."""
        with self._lock:
            self.asked.append(request)
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            text = self.say(request)
        finally:
            with self._lock:
                self.at_once -= 1
        return Answer(text, len(request.user), len(text), 0, 0.0)

    def close(self) -> None:
        """Nothing is held."""


def failing(request: Request) -> str:
    """Fail always."""
    raise InferenceError("the table has no answer")


def cycle(number: int = 1, now_ms: int = 0, **places: Point) -> Question:
    """Return a cycle's question that offers places: the first as a subgoal, the others as frontiers."""
    kinds = ("subgoal", "frontier", "frontier", "frontier")
    offered = [
        candidate(name, kind, place, 0.9 - 0.2 * rank)
        for rank, ((name, place), kind) in enumerate(zip((places or PLACES).items(), kinds, strict=False))
    ]
    return question(offered, cycle=number, now_ms=now_ms)


def request(seed: int = 0) -> Request:
    """Return what the planner asks about that frame first."""
    one = cycle()
    return Request(system="You steer.", user=one.text, schema=one.schema, seed=seed, deadline_s=300.0)
