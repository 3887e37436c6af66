"""Decisions as the host writes them, for brains that only choose a candidate."""

import json
from collections.abc import Mapping
from typing import Any

from llmos.kernel.frame import FrameCandidate

MOST_WORDS = 200  # characters of an explanation


def towards(
    chosen: FrameCandidate,
    offered: list[FrameCandidate],
    explanation: str,
    worth: Mapping[str, float] | None = None,
) -> str:
    """Return the decision to drive to a candidate, JSON; where it fails, the best other frontier follows.

    Args:
        chosen: the candidate.
        offered: all of them.
        explanation: why.
        worth: how good each is, by id; their scores where it is not given.
    """
    worth = worth or {one.id: one.score for one in offered}
    action = "EXPLORE" if chosen.type == "frontier" else "MOVE_TO"
    others = [one for one in offered if one.type == "frontier" and one.id != chosen.id]
    fallback: dict[str, Any] = {"if_failed": "ROTATE_TO"}
    if others:
        fallback = {"if_failed": "EXPLORE", "target_id": max(others, key=lambda one: worth[one.id]).id}
    return decision({"type": action, "target_id": chosen.id}, fallback, explanation)


def turn_to(yaw_deg: int, explanation: str) -> str:
    """Return the decision to turn towards a heading, JSON; degrees counter-clockwise from east."""
    return decision({"type": "ROTATE_TO", "yaw_deg": yaw_deg}, {"if_failed": "STOP"}, explanation)


def decision(action: dict[str, Any], fallback: dict[str, Any], explanation: str) -> str:
    """Return a decision as JSON without white space."""
    whole = {"action": action, "fallback": fallback, "explanation": explanation[:MOST_WORDS]}
    return json.dumps(whole, separators=(",", ":"), ensure_ascii=False)
