"""Every tool's arguments: its examples are right, and whatever breaks its schema is refused by name."""

import json
import random
from collections.abc import Iterator
from typing import Annotated, Any

import pytest
from pydantic import Field

from llmos.inference._schema import conforms, draw
from llmos.kernel.registry import load_registry
from llmos.tools import Arguments, Session, Tool, ToolError, all_tools, tool

TOOLS = all_tools()


def broken(schema: dict[str, Any], value: Any) -> Iterator[Any]:
    """Values that are wrong by one rule of the schema each."""
    if "enum" in schema:
        yield "no such word"
    elif schema.get("type") == "string":
        yield from ("x" * (schema["maxLength"] + 1), 7, None)
        if schema.get("minLength"):
            yield ""
    elif schema.get("type") in ("integer", "number"):
        yield from (schema["maximum"] + 1, schema["minimum"] - 1, "1", True, None, float("nan"), float("inf"))
    elif schema.get("type") == "boolean":
        yield from ("true", 1, None)
    elif schema.get("type") == "object":
        yield from (7, [], {**value, "not_there": 10**9})
        for name, part in schema.get("properties", {}).items():
            given = value.get(name, part.get("default"))
            yield from ({**value, name: wrong} for wrong in broken(part, given))
        yield from (
            {key: one for key, one in value.items() if key != name} for name in schema.get("required", ())
        )
    else:
        raise AssertionError(schema)


def test_the_registry_names_every_tool_and_no_other() -> None:
    assert set(load_registry().tools) == set(TOOLS)


@pytest.mark.parametrize("name", TOOLS)
def test_examples_are_right_and_what_breaks_the_schema_is_refused(name: str) -> None:
    one: Tool[Any] = TOOLS[name]
    examples = one.examples or ({},)
    for example in examples:
        assert conforms(example, one.schema)
        one.read(json.loads(json.dumps(example)))
        wrong = [value for value in broken(one.schema, example) if isinstance(value, dict)]
        assert wrong
        for value in wrong:
            with pytest.raises(ToolError, match=rf"^{name}: "):
                one.read(value)


@pytest.mark.parametrize("name", TOOLS)
def test_what_the_schema_allows_is_taken(name: str) -> None:
    """What a model writes under the schema's constraint is never refused for its form."""
    one, chance = TOOLS[name], random.Random(1)
    schema = json.loads(json.dumps(one.schema))
    schema["required"] = [key for key in schema.get("properties", {}) if "values" not in key]
    for _ in range(50):
        value = draw(schema, chance)
        for key, part in schema.get("properties", {}).items():
            if "pattern" in part:
                value[key] = "a_name"
            if "multipleOf" in part:
                value[key] -= value[key] % part["multipleOf"]
        assert isinstance(one.read(value), one.arguments)


Some = Annotated[int, Field(ge=0, le=9)]


@pytest.mark.parametrize(
    ("kind", "bounded"),
    [
        (str, False),
        (int, False),
        (float, False),
        (list[Some], False),
        (dict[str, Some], False),
        (Annotated[int, Field(ge=0)], False),
        (Annotated[list[str], Field(max_length=3)], False),
        (str | None, False),
        (Annotated[str, Field(max_length=5)] | None, True),
        (Annotated[list[Some], Field(max_length=3)], True),
        (bool, True),
    ],
)
def test_a_tool_without_bounds_is_not_made(kind: Any, bounded: bool) -> None:
    class Wide(Arguments):
        value: kind

    def wide(session: Session, arguments: Wide) -> None:
        """Do nothing."""

    if bounded:
        assert tool("math", "read")(wide).name == "wide"
    else:
        with pytest.raises(ToolError, match=r"wide\.value.* has no bounds"):
            tool("math", "read")(wide)
