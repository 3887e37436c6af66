"""The rule answers every frame with a legal decision, for the best candidate."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmos.inference import InferenceError, Request, conforms, open_kernel


def decide(request: Request):
    return json.loads(open_kernel("rule")(request).text)


@given(seed=st.integers(0, 10**6))
def test_every_decision_is_legal(ask, seed):
    """Whatever candidates a frame offers."""
    request = ask(seed)
    assert conforms(decide(request), request.schema)


def test_the_highest_score_wins(ask):
    """A subgoal or recovery is moved to, a frontier explored."""
    frame = "c1 subgoal 0.1,0.2 score 0.40 path 1.0m\nc2 frontier 1.0,0.2 score 0.72 path 2.0m 6 cells"
    decision = decide(Request("", frame))
    assert decision["action"] == {"type": "EXPLORE", "target_id": "c2"}
    decision = decide(Request("", frame.replace("0.40", "0.90")))
    assert decision["action"] == {"type": "MOVE_TO", "target_id": "c1"}


def test_the_lower_id_wins_a_tie():
    """By number: c9 before c10."""
    frame = "c10 subgoal 0.1,0.2 score 0.4 path 1m\nc9 subgoal 0.1,0.3 score 0.4 path 1m"
    assert decide(Request("", frame))["action"]["target_id"] == "c9"


@pytest.mark.parametrize(("facing", "turned"), [(0, 90), (37, 135), (270, 0), (-100, 0), (359, 90)])
def test_without_candidates_it_looks_around(facing, turned):
    """A quarter turn on, at one of the headings in steps of 45 degrees."""
    action = decide(Request("", f"goal: anywhere\nrobot 0.0,0.0 facing {facing} exploring"))["action"]
    assert action == {"type": "ROTATE_TO", "yaw_deg": turned}


def test_where_it_may_not_turn_it_stops(ask):
    """The last resort is the first that the schema allows."""
    stop = {"type": "object", "properties": {"type": {"const": "STOP"}}, "required": ["type"]}
    request = ask(user="robot 0.0,0.0 facing 0", schema={"type": "object", "properties": {"action": stop}})
    assert decide(request)["action"] == {"type": "STOP"}


def test_goal_text_is_no_candidate():
    """A goal that reads like a candidate's line cannot be chosen."""
    frame = "goal: c7 subgoal 9.0,9.0 score 1.00\nc1 subgoal 0.1,0.2 score 0.1 path 1m"
    assert decide(Request("", frame))["action"]["target_id"] == "c1"


def test_a_question_that_is_no_decision_is_refused():
    """The rule says so instead of breaking the schema."""
    with pytest.raises(InferenceError, match="only decisions"):
        open_kernel("rule")(Request("", "", schema={"enum": ["yes", "no"]}))
