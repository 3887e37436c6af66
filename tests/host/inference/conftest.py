"""Requests as the kernel cycle makes them."""

from collections.abc import Callable
from random import Random
from typing import Any

import pytest

from llmos.inference import Request

SYSTEM = (
    "You steer a small robot. You get its state and a list of candidates, and answer with a JSON decision.\n"
    "Choose the candidate with the highest score. Say the reason in a few words."
)


def record(**properties: dict[str, Any]) -> dict[str, Any]:
    """The schema of an object with exactly these properties, in this order."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def decision_schema(kinds: dict[str, str]) -> dict[str, Any]:
    """What may be answered where candidates of these kinds are offered."""
    places = [name for name, kind in kinds.items() if kind != "frontier"]
    frontiers = [name for name, kind in kinds.items() if kind == "frontier"]
    actions = [
        record(type={"const": "ROTATE_TO"}, yaw_deg={"enum": [0, 90, 180, 270]}),
        record(type={"const": "STOP"}),
    ]
    if places:
        actions.append(record(type={"const": "MOVE_TO"}, target_id={"enum": places}))
    if frontiers:
        actions.append(record(type={"const": "EXPLORE"}, target_id={"enum": frontiers}))
    return record(
        action={"anyOf": actions},
        fallback=record(if_failed={"enum": ["EXPLORE", "ROTATE_TO", "STOP"]}),
        explanation={"type": "string", "minLength": 1, "maxLength": 40},
    )


def make_request(case: int = 0, **changes: Any) -> Request:
    """A frame with one to five candidates, different for every case."""
    rng = Random(case)
    kinds = {f"c{n + 1}": rng.choice(["subgoal", "frontier", "recovery"]) for n in range(rng.randint(1, 5))}
    lines = [f"goal: the far corner at 1.5,1.5\nrobot {rng.uniform(-2, 2):.1f},0.4 facing 37 navigating"]
    lines += [
        f"{name} {kind} {rng.uniform(-2, 2):.1f},{rng.uniform(-2, 2):.1f} score {rng.random():.2f} path 1.9m"
        for name, kind in kinds.items()
    ]
    # The deadline is no subject of most tests; a busy machine must not fail them.
    fields = {"user": "\n".join(lines), "schema": decision_schema(kinds), "deadline_s": 300.0, "seed": case}
    return Request(**{"system": SYSTEM, **fields, **changes})


@pytest.fixture(name="ask", scope="session")
def _ask() -> Callable[..., Request]:
    return make_request
