"""The subset of JSON schema that decisions are made of: checking a value, drawing a value."""

import json
import math
import re
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

from ._types import InferenceError, Schema

_TYPES: dict[str, Callable[[Any], bool]] = {
    "object": lambda v: isinstance(v, dict),
    "array": lambda v: isinstance(v, list),
    "string": lambda v: isinstance(v, str),
    "boolean": lambda v: isinstance(v, bool),
    "null": lambda v: v is None,
    "integer": lambda v: _is_number(v) and v == int(v),
    "number": lambda v: _is_number(v),
}


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def conforms(value: Any, schema: Schema) -> bool:
    """Whether a parsed JSON value satisfies the schema."""
    return violation(value, schema) is None


def violation(value: Any, schema: Schema, where: str = "$") -> str | None:
    """Say where and how a parsed JSON value breaks the schema, or return None."""
    return next(_violations(value, schema, where), None)


def checked_json(kernel: str, text: str, schema: Schema) -> str:
    """Give a kernel's answer as JSON without white space, or raise an `InferenceError` that says why not."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InferenceError(f"{kernel} answered {text[:60]!r}, which is not JSON ({error})") from error
    broken = violation(value, schema)
    if broken:
        raise InferenceError(f"{kernel} answered against the schema: {broken}")
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _violations(value: Any, schema: Schema, where: str) -> Iterator[str]:
    if "const" in schema and not _same(value, schema["const"]):
        yield f"{where}: {value!r} is not {schema['const']!r}"
    if "enum" in schema and not any(_same(value, choice) for choice in schema["enum"]):
        yield f"{where}: {value!r} is not one of {schema['enum']}"
    if "type" in schema and not any(_TYPES[name](value) for name in _listed(schema["type"])):
        yield f"{where}: {value!r} is not of type {schema['type']}"
    yield from _branch_violations(value, schema, where)
    if isinstance(value, dict):
        yield from _object_violations(value, schema, where)
    elif isinstance(value, list):
        yield from _array_violations(value, schema, where)
    elif isinstance(value, str):
        yield from _string_violations(value, schema, where)
    elif _is_number(value):
        yield from _number_violations(value, schema, where)


def _same(a: Any, b: Any) -> bool:
    return isinstance(a, bool) == isinstance(b, bool) and bool(a == b)


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _branch_violations(value: Any, schema: Schema, where: str) -> Iterator[str]:
    for key in ("anyOf", "oneOf"):
        if key not in schema:
            continue
        matching = sum(conforms(value, branch) for branch in schema[key])
        if matching == 0 or (key == "oneOf" and matching > 1):
            yield f"{where}: {value!r} matches {matching} of the branches of {key}"


def _object_violations(value: dict[str, Any], schema: Schema, where: str) -> Iterator[str]:
    properties = schema.get("properties", {})
    for name in schema.get("required", []):
        if name not in value:
            yield f"{where}: {name!r} is missing"
    for name, item in value.items():
        if name in properties:
            yield from _violations(item, properties[name], f"{where}.{name}")
        elif schema.get("additionalProperties", True) is False:
            yield f"{where}: {name!r} is not allowed"


def _array_violations(value: list[Any], schema: Schema, where: str) -> Iterator[str]:
    if not schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", math.inf):
        yield f"{where}: {len(value)} items are too few or too many"
    for index, item in enumerate(value):
        yield from _violations(item, schema.get("items", {}), f"{where}[{index}]")


def _string_violations(value: str, schema: Schema, where: str) -> Iterator[str]:
    if not schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", math.inf):
        yield f"{where}: {len(value)} characters are too few or too many"
    if "pattern" in schema and not re.search(schema["pattern"], value):
        yield f"{where}: {value!r} does not match {schema['pattern']!r}"


def _number_violations(value: float, schema: Schema, where: str) -> Iterator[str]:
    if not schema.get("minimum", -math.inf) <= value <= schema.get("maximum", math.inf):
        yield f"{where}: {value} is out of range"


def draw(schema: Schema, rng: Random) -> Any:
    """Draw a legal value, each combination of the discrete choices (branches, enums, booleans) as likely.

    Numbers are drawn uniformly within their range; strings are a fixed word.
    """
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return rng.choice(schema["enum"])
    branches = schema.get("anyOf") or schema.get("oneOf")
    if branches:
        return draw(rng.choices(branches, [_choices(branch) for branch in branches])[0], rng)
    kind = _listed(schema.get("type"))[0]
    if kind not in _DRAW:
        raise InferenceError(f"cannot draw from a schema of type {kind!r}; give it one of {sorted(_DRAW)}")
    return _DRAW[kind](schema, rng)


def _choices(schema: Schema) -> int:
    """Count the combinations of discrete choices; free numbers, strings and arrays count as one."""
    if "const" in schema:
        return 1
    if "enum" in schema:
        return len(schema["enum"])
    branches = schema.get("anyOf") or schema.get("oneOf")
    if branches:
        return sum(_choices(branch) for branch in branches)
    if schema.get("type") == "boolean":
        return 2
    return math.prod(_choices(schema["properties"][name]) for name in _drawn(schema))


def _drawn(schema: Schema) -> list[str]:
    """Name the properties that a drawn object has, in the schema's order: the required ones."""
    required = schema.get("required", [])
    return [name for name in schema.get("properties", {}) if name in required]


def _draw_object(schema: Schema, rng: Random) -> dict[str, Any]:
    return {name: draw(schema["properties"][name], rng) for name in _drawn(schema)}


def _draw_array(schema: Schema, rng: Random) -> list[Any]:
    least: int = schema.get("minItems", 0)
    count = rng.randint(least, schema.get("maxItems", least))
    return [draw(schema.get("items", {}), rng) for _ in range(count)]


def _draw_string(schema: Schema, _rng: Random) -> str:
    word = "drawn at random"[: schema.get("maxLength")]
    return word.ljust(schema.get("minLength", 0), ".")


def _draw_integer(schema: Schema, rng: Random) -> int:
    low, high = _range(schema)
    return rng.randint(math.ceil(low), math.floor(high))


def _draw_number(schema: Schema, rng: Random) -> float:
    return rng.uniform(*_range(schema))


def _range(schema: Schema) -> tuple[float, float]:
    """Read minimum and maximum; a missing one is put 1000 from the other, or from 0."""
    low = schema.get("minimum", schema.get("maximum", 0) - 1000)
    return low, schema.get("maximum", max(low, 0) + 1000)


_DRAW: dict[Any, Callable[[Schema, Random], Any]] = {
    "object": _draw_object,
    "array": _draw_array,
    "string": _draw_string,
    "boolean": lambda _schema, rng: rng.random() < 0.5,
    "integer": _draw_integer,
    "number": _draw_number,
    "null": lambda _schema, _rng: None,
}
