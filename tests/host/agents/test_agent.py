"""An agent's file: what is read of it, and what is refused, with line and key."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.acting import made

from llmos.agents import AgentError, agent_of
from llmos.agents.asking import as_data, by_rule, settled
from llmos.agents.templates import filled, holds
from llmos.inference import conforms
from llmos.volumes import DocumentError, parse

FACTS = {
    "task": "go",
    "last": {
        "cm": {"front": 30.5},
        "names": ["a", "b"],
        "word": "red",
        "rows": [{"step": "left"}, {"step": "right"}],
    },
    "last_error": "",
}

WRONG = [
    ("tools: [calculate]\nsteps:\n  - tool: read_file", "worker.md:5: key steps", "read_file, which is not"),
    ("tools: [finish]", "worker.md:4: key tools", "finish not at all"),
    ("tools: [calculate, calculate]", "worker.md:4: key tools", "declared once"),
    ("tools: [Calculate]", "worker.md:4: key tools.0", "pattern"),
    ("max_iterations: 0", "worker.md:4: key max_iterations", "greater than or equal to 1"),
    ("mode: brilliant", "worker.md:4: key mode", "markdown"),
    ("steps:\n  - arguments: {}", "worker.md:5: key steps.0", "either a tool or steps"),
    ("steps:\n  - tool: finish\n    tims: 3", "worker.md:6: key steps.0.tims", "unknown"),
    ("steps:\n  - tool: finish\n    when: import os", "worker.md:6: key steps.0.when", "pattern"),
    ("steps:\n  - tool: finish\n    as: last", "worker.md:6: key steps.0.as", "known already"),
    ("tests:\n  - task: x\n    answer: '['", "worker.md:6: key tests.0.answer", "pattern is wrong"),
]  # fmt: skip


@pytest.mark.parametrize(("rows", "where", "why"), WRONG, ids=range(len(WRONG)))
def test_wrong_front_matter_is_named(rows: str, where: str, why: str) -> None:
    """By line, key and reason."""
    source = f"---\nname: worker\ndescription: works\n{rows}\n---\nDo it.\n"
    with pytest.raises(DocumentError) as refused:
        agent_of(parse(source, Path("worker.md")))
    assert where in str(refused.value)
    assert why in str(refused.value)
    assert "\n" not in str(refused.value)


def test_an_agent_is_called_as_its_file() -> None:
    """Else two names would lead to it."""
    with pytest.raises(AgentError, match=r"other\.md:2: the agent calls itself worker"):
        agent_of(parse("---\nname: worker\ndescription: works\n---\n", Path("other.md")))


def test_unknown_keys_are_kept() -> None:
    """What other programs write into a file is no error."""
    assert made(libraries=["numpy"]).model_extra == {"libraries": ["numpy"]}


CONDITIONS = {
    "last.cm.front < 31": True,
    "last.cm.front>=30.5": True,
    "last.cm.front < last.cm.front": False,
    "last.cm.rear < 31": False,
    "last.word == red": True,
    "last.word != red": False,
    "last.word < red": False,
    "last_error": False,
    "not last_error": True,
    "last.names.1 == b": True,
    "not last.names.7": True,
    "": True,
}


@pytest.mark.parametrize("condition", CONDITIONS)
def test_conditions(condition: str) -> None:
    """What is unknown is neither true nor compares to anything."""
    assert holds(condition, FACTS) is CONDITIONS[condition]


@pytest.mark.parametrize("condition", ["import os", "last.front <", "(last)", "a < b < c or d", "__class__"])
def test_other_conditions_are_refused(condition: str) -> None:
    """They are no code."""
    if condition == "a < b < c or d":  # a word with blanks, to which nothing known is compared
        assert not holds(condition, FACTS)
        return
    with pytest.raises(AgentError, match="is no condition"):
        holds(condition, FACTS)


FILLED: list[tuple[Any, Any]] = [
    ("{last.cm.front}", 30.5),
    ("front {last.cm.front} cm, {task}", "front 30.5 cm, go"),
    ("{last.rows.*.step}", ["left", "right"]),
    ("first:\n{last.rows.*.step}", "first:\nleft\nright"),
    ("it is {last.names} and more", "it is a, b and more"),
    ({"a": ["{last.names}", 1]}, {"a": [["a", "b"], 1]}),
    ("{ not a hole } {A}", "{ not a hole } {A}"),
]


@pytest.mark.parametrize(("template", "value"), FILLED, ids=str)
def test_templates(template: Any, value: Any) -> None:
    """A text that is one hole becomes the value itself."""
    assert filled(template, FACTS) == value


@pytest.mark.parametrize("template", ["{last.rear}", "{nobody}", "{last.__class__}"])
def test_an_unknown_hole_is_named(template: str) -> None:
    """And nothing but known values is reached."""
    with pytest.raises(AgentError, match="nothing is known by this name"):
        filled(template, FACTS)


@given(st.text(max_size=600))
def test_data_cannot_leave_its_fence(text: str) -> None:
    """It is one JSON string on one line, in which no chat template's marker stands."""
    fenced = as_data(text)
    assert isinstance(json.loads(fenced), str)
    assert fenced.isprintable()
    assert "<|" not in fenced
    assert "[INST" not in fenced
    assert "</" not in fenced


RULED: list[tuple[str, dict[str, Any], str, Any]] = [
    ("distance_cm", {"type": "number", "minimum": 1, "maximum": 200}, "drive half a metre", 50),
    ("distance_cm", {"type": "number", "minimum": 1, "maximum": 200}, "drive 30", 30),
    ("distance_cm", {"type": "number", "minimum": 1, "maximum": 200}, "drive 30 seconds", 1),
    ("blinks", {"type": "integer", "minimum": 0, "maximum": 10, "default": 3}, "blink", 3),
    ("tier", {"enum": ["system", "user"]}, "list the user volume", "user"),
    ("tier", {"enum": ["system", "user"]}, "list something", "system"),
    ("text", {"type": "string", "maxLength": 4}, "hello you", "hell"),
    ("names", {"type": "array", "items": {"type": "string"}, "minItems": 1}, "x", ["x"]),
    ("sure", {"type": "boolean"}, "x", False),
]


@pytest.mark.parametrize(("key", "part", "task", "value"), RULED, ids=range(len(RULED)))
def test_the_rule_fills_by_the_task(key: str, part: dict[str, Any], task: str, value: Any) -> None:
    """What it names in the right unit, else the default or the least; always a legal value."""
    found = by_rule({"properties": {key: part}}, task)
    assert found == {key: value}
    assert conforms(found[key], part)


NUMBER = {"type": "number", "minimum": -50, "maximum": 50}
SETTLED: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("go to 1.5, -2", {"x_m": NUMBER, "y_m": NUMBER}, {"x_m": 1.5, "y_m": -2}),
    ("go to 9, 9", {"x_m": NUMBER, "y_m": NUMBER}, {"x_m": 9, "y_m": 9}),
    ("go to 9", {"x_m": NUMBER, "y_m": NUMBER}, {}),
    ("go to 9, 99", {"x_m": NUMBER, "y_m": NUMBER}, {}),
    ("turn 30 degrees and go 20 cm", {"a_deg": NUMBER, "b_cm": NUMBER}, {"a_deg": 30, "b_cm": 20}),
    ("go somewhere", {"x_m": NUMBER, "name": {"type": "string"}}, {}),
]


@pytest.mark.parametrize(("task", "parts", "values"), SETTLED, ids=range(len(SETTLED)))
def test_numbers_about_which_there_is_no_choice(
    task: str, parts: dict[str, Any], values: dict[str, Any]
) -> None:
    """As many as are open in a unit, each legal: they are taken in their order, and no model is asked."""
    assert settled({"properties": parts}, task) == values
