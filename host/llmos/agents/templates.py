"""What a procedure's steps may say about earlier results: `{last.front_cm}`, and `last.front_cm < 30`."""

import json
import operator
import re
from collections.abc import Callable, Mapping
from typing import Any

from .agent import AgentError

_HOLE = re.compile(r"\{([a-z]\w*(?:\.\w+)*)\}")
_CONDITION = re.compile(
    r"^(?P<no>not )?(?P<path>[a-z]\w*(?:\.\w+)*)(?:\s*(?P<sign>[<>]=?|[=!]=)\s*(?P<value>.+))?$"
)
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
    return _HOLE.sub(lambda hole: as_text(_known(hole[1], facts)), value)


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
    value: Any = facts
    for key in path.split("."):
        if isinstance(value, Mapping):
            value = value.get(key)
        elif isinstance(value, list | tuple) and key.isdigit() and int(key) < len(value):
            value = value[int(key)]
        else:
            return None
    return value


def as_text(value: Any) -> str:
    """Return a value as text: a text as it stands, all else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


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
