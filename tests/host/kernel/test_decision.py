"""Only what is legal in a frame can be decided in it."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmos.inference import conforms
from llmos.kernel.decision import InvalidDecision, decision_schema, read_decision
from llmos.kernel.frame import FrameCandidate

CANDIDATES = [
    FrameCandidate(id="c1", type="subgoal", pos_m=(1.0, 1.0), score=0.9, path_m=1.4),
    FrameCandidate(id="c2", type="frontier", pos_m=(0.0, 1.0), score=0.5, path_m=1.0),
]


def answer(action: dict[str, object], fallback: str = "STOP", explanation: str = "why not") -> str:
    """Return an answer as a model would give it."""
    return json.dumps({"action": action, "fallback": {"if_failed": fallback}, "explanation": explanation})


def test_a_legal_decision_is_read() -> None:
    """A legal answer comes back as it was given, and its schema accepts it."""
    text = answer({"type": "MOVE_TO", "target_id": "c1"})
    assert str(read_decision(text, CANDIDATES, failed=False).action) == "MOVE_TO c1"
    assert conforms(json.loads(text), decision_schema(CANDIDATES, failed=False))


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("", "JSON"),
        ("{", "JSON"),
        ("[]", "answer"),
        (answer({"type": "MOVE_TO"}), "target"),
        (answer({"type": "MOVE_TO", "target_id": "c9"}), "c9"),
        (answer({"type": "EXPLORE", "target_id": "c1"}), "frontier"),
        (answer({"type": "FOLLOW_WALL"}), "FOLLOW_WALL"),
        (answer({"type": "ROTATE_TO", "yaw_deg": 90}), "ROTATE_TO"),
        (answer({"type": "ROTATE_TO", "yaw_deg": 1e9}), "yaw_deg"),
        (answer({"type": "STOP"}), "STOP"),
        (answer({"type": "FLY", "target_id": "c1"}), "action.type"),
        (answer({"type": "MOVE_TO", "target_m": ["left", 1]}), "target_m"),
        (answer({"type": "MOVE_TO", "target_id": "c1"}, fallback="PRAY"), "fallback"),
        (answer({"type": "MOVE_TO", "target_id": "c1"}, explanation=""), "explanation"),
        (answer({"type": "MOVE_TO", "target_id": "c1"}).replace('"fallback"', '"also"'), "fallback"),
    ],
)
def test_an_illegal_decision_is_refused_with_its_reason(text: str, part: str) -> None:
    """Whatever is wrong is named, in one line."""
    with pytest.raises(InvalidDecision) as refusal:
        read_decision(text, CANDIDATES, failed=False)
    assert part in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_corrections_are_offered_only_with_a_map() -> None:
    """A correction conforms where the model sees the map, within the room, and is read as given."""
    change = {"pos_m": [1.0, -2.0], "state": "obstacle", "confidence": 0.9}
    told = json.loads(answer({"type": "MOVE_TO", "target_id": "c1"}))
    told["world_model_update"] = {"corrections": [change]}
    assert conforms(told, decision_schema(CANDIDATES, False, (5.0, 5.0)))
    assert not conforms(told, decision_schema(CANDIDATES, False, (3.0, 3.0)))
    assert not conforms(told, decision_schema(CANDIDATES, False))
    update = read_decision(json.dumps(told), CANDIDATES, False).world_model_update
    assert update is not None
    assert update.corrections[0].pos_m == (1.0, -2.0)


@given(st.text() | st.binary().map(lambda b: b.decode("latin-1")))
def test_any_text_is_a_decision_or_a_refusal(text: str) -> None:
    """No answer of a model can do anything but be read or be refused."""
    try:
        decision = read_decision(text, CANDIDATES, failed=True)
    except InvalidDecision:
        return
    assert conforms(decision.model_dump(exclude_none=True), decision_schema(CANDIDATES, failed=True))
