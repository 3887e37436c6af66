"""How an agent's next call is found: by its model, one constrained pass for each question, or by a rule."""

import json
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from llmos.agents.context import Context
from llmos.inference import Answer, InferenceError, Kernel, Request, conforms
from llmos.kernel.registry import fitting
from llmos.text import plain
from llmos.writing import quantities

CALL_TOKENS = 96  # of a call's arguments besides its texts
MOST_TOKENS = 500  # of any answer: with the context's budget it fits into a model that reads 2048
WARM = 0.8  # temperature of a second try: at 0 a model often says the same again
_CHARS = 2  # of a token at least, in texts that models write
# How an argument's name tells its unit: the dimension that wishes are read in, and how much of it one is.
_UNITS = {
    "mm_s": ("mm/s", 1),
    "cm": ("mm", 10),
    "mm": ("mm", 1),
    "m": ("mm", 1000),
    "deg": ("deg", 1),
    "ms": ("ms", 1),
    "s": ("ms", 1000),
}
_MARKER = re.compile(r"<(?=\S)|\[(?=/?INST)")


def as_data(text: str, most: int = 400) -> str:
    """Return text from outside as a model is shown it: a JSON string on one line, which it cannot end.

    What could be read as a chat template's marker, `<|im_end|>` or `[INST]`, is broken by a blank.
    """
    cut = text if len(text) <= most else text[:most] + " (cut)"
    return json.dumps(_MARKER.sub(lambda sign: sign[0] + " ", plain(cut)), ensure_ascii=False)


@dataclass(frozen=True)
class Offered:
    """A tool as it is offered: what it does, the schema of its arguments, and some that are right."""

    name: str
    description: str
    schema: Mapping[str, Any]
    examples: tuple[Mapping[str, Any], ...] = ()


@dataclass
class Asker:
    """Finds tools and arguments.

    Args:
        kernel: who is asked; None where a rule answers.
        context: what it reads.
        chars: longest text that the model writes for an argument.
        named: whether the task's own numbers are taken before others.
        deadline: moment of the monotonic clock by which answers must be there.
        seed: fixes every chance.
        tries: calls that have failed in a row; behind one the words are drawn, no more the likeliest.
    """

    kernel: Kernel | None
    context: Context
    chars: int
    named: bool
    deadline: float
    seed: int = 0
    tries: int = 0
    answers: list[Answer] = field(default_factory=list)

    @property
    def by(self) -> str:
        """Who answers."""
        return "model" if self.kernel else "rule"

    @property
    def tokens(self) -> int:
        """Tokens that were read anew and written."""
        return sum(a.tokens_in - a.tokens_cached + a.tokens_out for a in self.answers)

    def tool(self, task: str, offered: Sequence[Offered]) -> str:
        """Return the name of the tool to call next.

        Raises:
            InferenceError: the model gives no answer.
        """
        if len(offered) == 1:
            return offered[0].name
        if not self.kernel:
            fit = fitting(task, [tool.name for tool in offered])
            return fit[0] if fit else offered[0].name
        listed = "\n".join(f"{tool.name}(): {tool.description}" for tool in offered)
        names = tuple(f"{tool.name}()" for tool in offered)  # no one begins another
        said = self._ask(f"Tools:\n{listed}\nThe next tool is:", choices=names)
        return said.removesuffix("()")

    def arguments(self, task: str, tool: Offered, given: Mapping[str, Any]) -> tuple[dict[str, Any], str]:
        """Return a call's arguments, those given and the open ones filled, and who filled them.

        Raises:
            InferenceError: the model gives no answer.
        """
        wanted, by, found = open_part(tool.schema, given), "steps", dict(given)
        if self.named and wanted["properties"]:
            found |= settled(wanted, task)
            wanted, by = open_part(tool.schema, found), "rule"
        if wanted["properties"]:
            found |= self._filled(task, tool, wanted) if self.kernel else by_rule(wanted, task)
            by = self.by
        return {key: found[key] for key in _ordered(tool.schema, found)}, by

    def _filled(self, task: str, tool: Offered, wanted: dict[str, Any]) -> dict[str, Any]:
        """Have the model fill what is open."""
        narrowed = bounded(wanted, self.chars, task if self.named else "")
        shown = "" if self.named else _shown(tool, narrowed)  # a small model would copy them
        texts = sum(part.get("maxLength", 0) for part in narrowed["properties"].values())
        said = self._ask(
            f"Tool {tool.name}: {tool.description}{shown}\nIts arguments are:",
            schema=narrowed,
            max_tokens=min(CALL_TOKENS + texts // _CHARS, MOST_TOKENS),
        )
        filled: dict[str, Any] = json.loads(said)
        return filled

    def _ask(self, question: str, **how: Any) -> str:
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise InferenceError("the agent's time is over")
        if self.kernel is None:
            raise InferenceError("no model was given")
        request = Request(
            self.context.system,
            f"{self.context.user}\n\n{question}",
            deadline_s=left,
            seed=self.seed + self.tries,
            temperature=WARM if self.tries else 0.0,
            **how,
        )
        answer = self.kernel(request)
        self.answers.append(replace(answer, probabilities=()))
        return answer.text


def _shown(tool: Offered, schema: Mapping[str, Any]) -> str:
    """Return the tool's examples, as far as the schema asks for their arguments."""
    parts = ({key: one[key] for key in schema["properties"] if key in one} for one in tool.examples)
    return "".join(f"\nFor example {json.dumps(part, separators=(',', ':'))}" for part in parts if part)


def open_part(schema: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the schema of the required arguments that are not given."""
    required = [key for key in schema.get("required", ()) if key not in given]
    properties = {key: schema["properties"][key] for key in required}
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def bounded(schema: dict[str, Any], chars: int, task: str) -> dict[str, Any]:
    """Return a schema whose texts are no longer than a model may write; numbers are the task's that fit."""

    def narrow(key: str, part: Mapping[str, Any]) -> dict[str, Any]:
        if part.get("type") == "string" and "enum" not in part:
            most = min(chars, part.get("maxLength", chars))
            return {**part, "minLength": min(1, most), "maxLength": most}
        fitting = [number for number in numbers(task, key) if conforms(number, dict(part))]
        return {"enum": fitting} if fitting else dict(part)

    return {**schema, "properties": {key: narrow(key, part) for key, part in schema["properties"].items()}}


def settled(schema: Mapping[str, Any], task: str) -> dict[str, int | float]:
    """Return the numbers about which a task leaves no choice: as many in a unit as are open, in their order.

    So the places that a small model is sent to are the task's.
    """
    groups: dict[str, list[str]] = {}
    for key, part in schema["properties"].items():
        if part.get("type") in ("integer", "number"):
            groups.setdefault(_unit(key), []).append(key)
    found: dict[str, int | float] = {}
    for keys in groups.values():
        named = numbers(task, keys[0])
        parts = [dict(schema["properties"][key]) for key in keys]
        if len(named) == len(keys) and all(map(conforms, named, parts)):
            found |= dict(zip(keys, named, strict=True))
    return found


def by_rule(schema: Mapping[str, Any], task: str) -> dict[str, Any]:
    """Return arguments without a model: the first number of the task that fits, the default or the least."""
    found: dict[str, Any] = {}
    for key, part in schema["properties"].items():
        named = [number for number in numbers(task, key) if conforms(number, dict(part))]
        found[key] = named[0] if named else _usual(part, task)
    return found


def _usual(part: Mapping[str, Any], task: str) -> Any:
    kind = part.get("type")
    if "enum" in part:
        return next((one for one in part["enum"] if str(one).lower() in task.lower()), part["enum"][0])
    if "const" in part or "default" in part:
        return part.get("const", part.get("default"))
    if kind == "string":
        return task[: part.get("maxLength", len(task))]
    if kind in ("integer", "number"):
        return part.get("minimum", 0)
    if kind == "array":
        return [_usual(part.get("items", {}), task) for _ in range(part.get("minItems", 0))]
    return False if kind == "boolean" else {}


def numbers(task: str, key: str) -> list[int | float]:
    """Return the numbers that a task names in an argument's unit, else those that have none."""
    dimension, factor = _UNITS.get(_unit(key), ("", 1))
    found = list(quantities(task))
    amounts = [amount / factor for amount, measured in found if measured == dimension]
    amounts = amounts or [amount for amount, measured in found if not measured]
    return [int(amount) if amount.denominator == 1 else float(amount) for amount in amounts]


def _unit(key: str) -> str:
    return next((unit for unit in _UNITS if key.endswith(f"_{unit}")), "")


def _ordered(schema: Mapping[str, Any], values: Mapping[str, Any]) -> list[str]:
    known = [key for key in schema.get("properties", {}) if key in values]
    return [*known, *(key for key in values if key not in known)]
