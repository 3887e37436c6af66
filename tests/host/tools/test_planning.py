"""Goals in several sentences or parts become steps that the robot's goal reader understands."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmos.errors import LlmosError
from llmos.kernel.goal import GoalError
from llmos.report import Order
from llmos.tools import Session, Toolbox, ToolError
from llmos.tools.planning import MOST_STEPS, STRONG, WEAK, split, steps

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "plans.json").read_text(encoding="utf-8"))
HOME = "drive to -2.00, -1.40"  # where the robot of the playroom stands first


def plan(goal: str, camera: bool = False) -> list[tuple[str, str]]:
    """Return the steps of a goal in the playroom, each with its kind."""
    session = Session(Order(goal="", arena="playroom", camera=camera))
    return [(one.text, one.kind) for one in steps(session, goal)]


@pytest.mark.parametrize("case", VECTORS, ids=lambda case: case["goal"])
def test_a_goal_s_steps(case: dict[str, Any]) -> None:
    assert plan(case["goal"]) == [tuple(step) for step in case["steps"]]


def test_a_thing_is_a_step_where_there_are_eyes() -> None:
    goal = "explore the room, find the red box and go back to the start"
    assert plan(goal, camera=True) == [
        ("explore the room", "exploration"),
        ("find the red box", "object"),
        (HOME, "place"),
    ]
    with pytest.raises(GoalError, match="needs eyes"):
        plan(goal)


@pytest.mark.parametrize(
    ("goal", "why"),
    [
        ("drive to 1, 1 then ram the wall", "asks for 'ram'"),
        ("drive to 1, 1. dance", "nothing of the goal 'dance'"),
        ("drive to 1, 1, then to 9, 9", "outside the room"),
        ("   ", "empty"),
        ("..", "names nothing to do"),
    ],
)
def test_a_step_that_cannot_be_is_named(goal: str, why: str) -> None:
    with pytest.raises(GoalError, match=why):
        plan(goal)
    assert why in Toolbox(Session(Order(goal="", arena="playroom"))).call("plan_task", {"goal": goal}).error


def test_a_plan_has_an_end() -> None:
    with pytest.raises(ToolError, match=f"at most {MOST_STEPS}"):
        plan("explore. " * (MOST_STEPS + 1))


@given(st.lists(st.tuples(st.floats(-2, 2), st.floats(-1.5, 1.5)), min_size=1, max_size=5))
def test_places_stay_whole(places: list[tuple[float, float]]) -> None:
    """However many places a sentence names, each is a step, in order, with both its numbers."""
    named = [f"{x:.2f}, {y:.2f}" for x, y in places]
    assert split(WEAK, "drive to " + ", ".join(named)) == [f"drive to {named[0]}", *named[1:]]
    assert split(STRONG, " then ".join(f"go to {one}" for one in named)) == [f"go to {one}" for one in named]


@settings(max_examples=30)
@given(st.text(max_size=80))
def test_any_text_is_steps_or_a_refusal(text: str) -> None:
    try:
        assert 0 < len(plan(text)) <= MOST_STEPS
    except LlmosError:
        return


def test_a_plan_begins_where_the_robot_stands() -> None:
    with Session(Order(goal="", arena="empty", kernel="rule")) as session:
        assert Toolbox(session).call("hal_move_forward", {"distance_cm": 50}).success
        told = Toolbox(session).call("plan_task", {"goal": "drive to 1, 1 and come back"})
        assert [one["step"] for one in told.data["steps"]] == ["drive to 1, 1", "drive to 0.50, 0.00"]
