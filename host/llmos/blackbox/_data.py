"""Values as JSON has them, and where two of them differ."""

import base64
import json
from collections.abc import Mapping, Set
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from pydantic import BaseModel

WALL_TIMES = ("seconds",)  # fields that tell how long this computer took, and so are never the same again
_MISSING = "nothing"


def timeless(value: Any) -> Any:
    """Return a JSON value without its wall times, at any depth."""
    if isinstance(value, dict):
        return {key: timeless(item) for key, item in value.items() if key not in WALL_TIMES}
    return [timeless(item) for item in value] if isinstance(value, list) else value


class Difference(NamedTuple):
    """Where two values differ: the way to the field, what is recorded, and what it is now."""

    field: str
    recorded: Any
    now: Any


def data(value: object) -> Any:
    """Return a value as JSON has it: records and mappings as objects, bytes as `{"bytes": base64}`.

    Raises:
        TypeError: it is of a kind that has no such form.
    """
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, int | float):
        return int(value) if isinstance(value, int) else float(value)
    if isinstance(value, bytes):
        return {"bytes": base64.b64encode(value).decode()}
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    named = _named(value)
    if named is not None:
        return {str(key): data(item) for key, item in named.items()}
    if isinstance(value, Set):
        return [data(item) for item in sorted(value)]
    return [data(item) for item in _items(value)]


def _named(value: object) -> Mapping[Any, Any] | None:
    """Return what a value holds under names; None where it has none."""
    if isinstance(value, Mapping):
        return value
    if isinstance(value, BaseModel):
        return {name: getattr(value, name) for name in type(value).model_fields}
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in fields(value)}
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        named: dict[str, Any] = value._asdict()
        return named
    return None


def _items(value: object) -> Any:
    if not hasattr(value, "__iter__"):
        raise TypeError(f"a {type(value).__name__} cannot be recorded")
    return value


def undata(value: Any) -> Any:
    """Return a recorded value with its bytes as they were; all else stays as JSON has it."""
    if isinstance(value, dict):
        if list(value) == ["bytes"] and isinstance(value["bytes"], str):
            return base64.b64decode(value["bytes"])
        return {key: undata(item) for key, item in value.items()}
    return [undata(item) for item in value] if isinstance(value, list) else value


def first_difference(recorded: Any, now: Any, field: str = "") -> Difference | None:
    """Return the first field in which two JSON values differ, wall times left out; None where in none."""
    if isinstance(recorded, dict) and isinstance(now, dict):
        keys = [key for key in dict.fromkeys([*recorded, *now]) if key not in WALL_TIMES]
        parts = [(f"{field}.{key}" if field else key, key) for key in keys]
        found = (
            first_difference(recorded.get(key, _MISSING), now.get(key, _MISSING), name) for name, key in parts
        )
    elif isinstance(recorded, list) and isinstance(now, list):
        pairs = range(max(len(recorded), len(now)))
        found = (first_difference(_at(recorded, n), _at(now, n), f"{field}[{n}]") for n in pairs)
    else:
        same = json.dumps(recorded) == json.dumps(now)
        return None if same else Difference(field, recorded, now)
    return next(filter(None, found), None)


def _at(items: list[Any], number: int) -> Any:
    return items[number] if number < len(items) else _MISSING
