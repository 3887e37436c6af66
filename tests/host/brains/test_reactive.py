"""Reactive rules: each fires where it should, none gives what the frame does not allow."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.host.brains.questions import candidate, question

from llmos.brains.reactive import NEAR_M, SAME_M, WINS, Memory, react
from llmos.inference import conforms
from llmos.kernel.decision import read_decision

A = candidate("c1", at=(1.0, 0.0), score=0.4)
B = candidate("c2", at=(0.0, 1.0), score=0.6)
BACK = candidate("c3", "recovery", at=(-0.4, 0.0))
places = st.tuples(st.floats(-2, 2), st.floats(-2, 2))


def test_one_candidate_is_no_choice() -> None:
    found = react(question([A]), Memory())
    assert found is not None
    assert read_decision(found.text, [A], False).action.target_id == "c1"


def test_it_goes_on_to_where_it_was_going() -> None:
    """The better score does not turn the robot round half-way."""
    found = react(question([A, B]), Memory(target_m=(1.0, 0.1)))
    assert found is not None
    assert (found.rule, found.confidence >= WINS) == ("goes on", True)
    assert read_decision(found.text, [A, B], False).action.target_id == "c1"


@pytest.mark.parametrize(
    "asked",
    [
        question([A, B], failed=True),
        question([A, B], stuck=5),
        question([A, B], position_m=(1.0, 0.0)),  # it is there
        question([B, BACK]),  # what it went to is offered no more
    ],
)
def test_it_does_not_go_on_where_that_makes_no_sense(asked: object) -> None:
    assert react(asked, Memory(target_m=(1.0, 0.0))) is None  # type: ignore[arg-type]


@pytest.mark.parametrize(("left", "right", "yaw"), [(1.0, 0.2, 90), (0.2, 1.0, 270), (None, 0.5, 270)])
def test_too_near_it_looks_to_the_clearer_side(left: float | None, right: float, yaw: int) -> None:
    near = {"front": NEAR_M / 2, "left": left, "right": right}
    found = react(question([A, B], failed=True, ranges_m=near), Memory())
    assert found is not None
    assert read_decision(found.text, [A, B], True).action.yaw_deg == yaw


def test_between_walls_it_backs_off() -> None:
    near = {"front": 0.05, "left": 0.1, "right": 0.1}
    found = react(question([A, BACK], failed=True, ranges_m=near), Memory())
    assert found is not None
    assert read_decision(found.text, [A, BACK], True).action.target_id == "c3"


def test_it_does_not_turn_for_ever() -> None:
    """What it has just turned away from is for somebody else to decide."""
    near = {"front": 0.05, "left": 1.0, "right": 1.0}
    assert react(question([A, B], failed=True, ranges_m=near), Memory(action="ROTATE_TO")) is None


@given(
    places=st.lists(places, min_size=1, max_size=4),
    kinds=st.lists(st.sampled_from(["frontier", "subgoal", "recovery"]), min_size=4, max_size=4),
    failed=st.booleans(),
    ranges=st.lists(st.none() | st.floats(-0.1, 2.0), min_size=3, max_size=3),
    target=st.none() | places,
    yaw=st.floats(-720, 720),
)
def test_every_reaction_is_legal(
    places: list[tuple[float, float]],
    kinds: list[str],
    failed: bool,
    ranges: list[float | None],
    target: tuple[float, float] | None,
    yaw: float,
) -> None:
    offered = [
        candidate(f"c{n}", kind, at) for n, (kind, at) in enumerate(zip(kinds, places, strict=False), 1)
    ]
    near = dict(zip(("front", "left", "right"), ranges, strict=True))
    asked = question(offered, failed=failed, ranges_m=near, yaw_deg=yaw)
    found = react(asked, Memory(target_m=target))
    if found is not None:
        read_decision(found.text, offered, failed)
        assert found.confidence >= WINS


def test_a_place_is_the_same_within_a_short_way() -> None:
    assert react(question([A, B]), Memory(target_m=(1.0 + SAME_M + 0.01, 0.0))) is None


def test_reactions_satisfy_the_schema_of_their_frame() -> None:
    asked = question([A, B], failed=True, ranges_m={"front": 0.05, "left": 1.0, "right": 0.0})
    found = react(asked, Memory())
    assert found is not None
    assert conforms(json.loads(found.text), asked.schema)
