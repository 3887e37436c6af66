"""What a procedure's steps may say about earlier results: `{last.front_cm}`, and `last.front_cm < 30`."""

import json
import operator
import re
from collections.abc import Callable, Mapping
from typing import Any

from .agent import CONDITION, PATH, AgentError

_HOLE = re.compile(rf"\{{({PATH})\}}")
_CONDITION = re.compile(CONDITION)
_SIGNS: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}
Facts = Mapping[str, Any]


def filled(value: Any, facts: Facts) -> Any:
    """Return a step's argument with its holes filled; a text that is one hole becomes the value itself.

    Raises:
        AgentError: nothing is known by a hole's name.
    """
    if isinstance(value, Mapping):
        return {key: filled(item, facts) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [filled(item, facts) for item in value]
    if not isinstance(value, str):
        return value
    whole = _HOLE.fullmatch(value)
    if whole:
        return _known(whole[1], facts)
    return _HOLE.sub(lambda hole: _shown(hole, facts), value)


def _shown(hole: re.Match[str], facts: Facts) -> str:
    """Return what stands in a hole's place: a list of texts is lines where it has a line for itself."""
    text = as_text(_known(hole[1], facts))
    alone = not hole.string[: hole.start()].rpartition("\n")[2] and hole.string[hole.end() :][:1] in (
        "",
        "\n",
    )
    return text if alone or not isinstance(look_up(hole[1], facts), list) else text.replace("\n", ", ")


def holds(condition: str, facts: Facts) -> bool:
    """Whether a step's condition holds; what is not known is neither true nor compares to anything.

    What stands behind the sign is a name too where something is known by it, else a number or word.

    Raises:
        AgentError: it is no condition.
    """
    if not condition:
        return True
    parts = _CONDITION.match(condition.strip())
    if not parts:
        raise AgentError(
            f"when: {condition[:60]!r} is no condition: write a name, such as last.front_cm, alone or "
            "compared by < <= > >= == != to a number or word"
        )
    found = look_up(parts["path"], facts)
    if parts["sign"]:
        value = parts["value"].strip()
        other = look_up(value, facts)
        truth = found is not None and _compared(found, parts["sign"], value if other is None else other)
    else:
        truth = bool(found)
    return truth != bool(parts["no"])


def look_up(path: str, facts: Facts) -> Any:
    """Return what is known by a dotted name; None where nothing is."""
    return _within(facts, path.split("."))


def _within(value: Any, keys: list[str]) -> Any:
    if not keys:
        return value
    key, rest = keys[0], keys[1:]
    if isinstance(value, Mapping):
        return _within(value.get(key), rest)
    if not isinstance(value, list | tuple):
        return None
    if key == "*":
        return [_within(item, rest) for item in value]
    return _within(value[int(key)], rest) if key.isdigit() and int(key) < len(value) else None


def as_text(value: Any) -> str:
    """Return a value as text: a text as it stands, a list of texts as lines, all else as JSON."""
    if isinstance(value, str):
        return value
    if isinstance(value, list) and value and all(isinstance(item, str) for item in value):
        return "\n".join(value)
    return json.dumps(value, ensure_ascii=False, default=str)


def _known(path: str, facts: Facts) -> Any:
    value = look_up(path, facts)
    if value is None:
        raise AgentError(f"{{{path}}}: nothing is known by this name yet; there is {', '.join(facts)}")
    return value


def _compared(found: Any, sign: str, value: Any) -> bool:
    try:
        return _SIGNS[sign](float(found), float(value))
    except (TypeError, ValueError):
        return sign in ("==", "!=") and _SIGNS[sign](as_text(found), as_text(value))
