"""Drawing always conforms, and each broken value is told where it breaks."""

from collections import Counter
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmos.inference import conforms, violation
from llmos.inference._schema import draw


def record(**properties):
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def numbers(low, high, kind):
    return {"type": kind, "minimum": min(low, high), "maximum": max(low, high)}


integers = st.integers(-1000, 1000)
leaves = st.one_of(
    st.builds(
        lambda value: {"const": value}, st.one_of(st.text(max_size=5), integers, st.booleans(), st.none())
    ),
    st.builds(lambda values: {"enum": values}, st.lists(st.text(max_size=3), min_size=1, max_size=4)),
    st.builds(lambda n: {"type": "string", "maxLength": n}, st.integers(0, 30)),
    st.builds(lambda n: {"type": "string", "minLength": n}, st.integers(0, 30)),
    st.builds(numbers, integers, integers, st.sampled_from(["integer", "number"])),
    st.builds(lambda low: {"type": "integer", "minimum": low}, integers),
    st.builds(lambda high: {"type": "number", "maximum": high}, integers),
    st.sampled_from([{"type": "boolean"}, {"type": "null"}]),
)
schemas = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.dictionaries(st.text(max_size=4), inner, max_size=4).map(lambda p: record(**p)),
        st.lists(inner, min_size=1, max_size=3).map(lambda branches: {"anyOf": branches}),
        st.builds(lambda item: {"type": "array", "items": item, "minItems": 1, "maxItems": 3}, inner),
    ),
    max_leaves=8,
)


@given(schemas, st.integers())
def test_what_is_drawn_conforms(schema, seed):
    """Any schema of the subset, any seed."""
    assert violation(draw(schema, Random(seed)), schema) is None


@given(schemas, st.integers())
def test_drawing_is_fixed_by_the_seed(schema, seed):
    """The same seed draws the same value."""
    assert draw(schema, Random(seed)) == draw(schema, Random(seed))


def test_each_discrete_choice_is_as_likely():
    """A branch with three targets is drawn three times as often as one with a single answer."""
    schema = {"anyOf": [record(id={"enum": ["c1", "c2", "c3"]}), record(stop={"const": True})]}
    rng = Random(0)
    drawn = Counter(str(draw(schema, rng)) for _ in range(4000))
    assert len(drawn) == 4
    assert all(900 < count < 1100 for count in drawn.values())


DECISION = record(
    action={"anyOf": [record(type={"const": "MOVE_TO"}, target_id={"enum": ["c1", "c2"]})]},
    speed={"type": "number", "minimum": 0, "maximum": 1},
    steps={"type": "array", "items": {"type": "integer"}, "maxItems": 2},
    why={"type": "string", "minLength": 1, "maxLength": 5, "pattern": "^[a-z]+$"},
)
GOOD = {"action": {"type": "MOVE_TO", "target_id": "c2"}, "speed": 0.5, "steps": [1, 2], "why": "near"}


def test_a_legal_value_conforms():
    """Every keyword of the subset at once."""
    assert conforms(GOOD, DECISION)


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"action": {"type": "MOVE_TO", "target_id": "c3"}}, "$.action: "),
        ({"action": {"type": "MOVE_TO"}}, "$.action: "),
        ({"speed": 1.5}, "$.speed: 1.5 is out of range"),
        ({"speed": float("nan")}, "$.speed: nan is not of type number"),
        ({"speed": True}, "$.speed: True is not of type number"),
        ({"steps": [1, 2.5]}, "$.steps[1]: 2.5 is not of type integer"),
        ({"steps": [1, 2, 3]}, "$.steps: 3 items"),
        ({"why": ""}, "$.why: 0 characters"),
        ({"why": "UP"}, "$.why: 'UP' does not match"),
        ({"more": 1}, "$: 'more' is not allowed"),
    ],
)
def test_a_broken_value_is_told_where(change, where):
    """The path and the value stand in the message."""
    assert (violation({**GOOD, **change}, DECISION) or "").startswith(where)


def test_a_missing_field_is_told():
    """Required means required."""
    assert violation({k: v for k, v in GOOD.items() if k != "why"}, DECISION) == "$: 'why' is missing"


@pytest.mark.parametrize(
    ("value", "schema"), [(1, {"const": True}), (0, {"enum": [False]}), (True, {"const": 1})]
)
def test_a_boolean_is_no_number(value, schema):
    """Python's `1 == True` is not JSON's."""
    assert not conforms(value, schema)


def test_one_of_wants_exactly_one():
    """Two matching branches break oneOf and satisfy anyOf."""
    branches = [{"type": "integer"}, {"type": "number"}]
    assert conforms(1, {"anyOf": branches})
    assert not conforms(1, {"oneOf": branches})
    assert conforms(1.5, {"oneOf": branches})
