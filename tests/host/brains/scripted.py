"""A kernel that answers from a table, a frame to ask about, and the decisions that it allows."""

import json
import threading
from collections.abc import Callable
from random import Random

from llmos.brains import Question
from llmos.inference import Answer, InferenceError, Request
from llmos.kernel.decision import decision_schema
from llmos.kernel.frame import (
    FrameCandidate,
    FrameState,
    LastStep,
    NavigationFrame,
    Point,
    SymbolicLayer,
    WorldModel,
)

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
        probabilities: of a request's choices, where they are told.
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


def frame(
    cycle: int = 1, here: Point = (0.0, 0.0), last: LastStep | None = None, **places: Point
) -> NavigationFrame:
    """Return a frame that offers places: the first as a subgoal, the others as frontiers."""
    kinds = ("subgoal", "frontier", "frontier", "frontier")
    offered = [
        FrameCandidate(id=name, type=kind, pos_m=place, score=0.9 - 0.2 * number, path_m=1.0 + number)
        for number, ((name, place), kind) in enumerate(zip((places or PLACES).items(), kinds, strict=False))
    ]
    state = FrameState(
        mode="navigating",
        position_m=here,
        yaw_deg=0.0,
        speed_mps=0.0,
        battery_pct=90.0,
        is_stuck=False,
        stuck_counter=0,
        confidence=0.5,
        sensor_age_ms=10,
    )
    return NavigationFrame(
        cycle=cycle,
        goal="drive to the corner",
        goal_m=(1.5, 1.5),
        world_model=WorldModel(
            cell_m=0.05, shape=(80, 80), free_pct=20.0, occupied_pct=3.0, unknown_pct=77.0, rle="U6400"
        ),
        symbolic_layer=SymbolicLayer(),
        candidates=offered,
        last_step=last,
        state=state,
        history=[],
    )


def question(seed: int = 0, cycle: int = 1, **places: Point) -> Question:
    """Return a cycle's question about a frame."""
    asked = frame(cycle, **places)
    return Question(asked, asked.text(), decision_schema(asked.candidates, failed=False), seed=seed)


def request(seed: int = 0) -> Request:
    """Return what the planner asks about that frame first."""
    one = question(seed)
    return Request(system="You steer.", user=one.text, schema=one.schema, seed=seed, deadline_s=300.0)
