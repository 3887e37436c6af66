"""A tool: a function with a typed schema, and what comes back from a call."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from llmos.errors import LlmosError
from llmos.invalid import first_invalid

if TYPE_CHECKING:
    from llmos.tools.session import Session

Category = Literal["robot", "files", "memory", "math", "planning", "agents", "skills"]
Effect = Literal["read", "write", "move", "stop"]  # what stops a robot is never refused for want of budget
_SHOWN = 60  # characters of a value that is refused


class ToolError(LlmosError):
    """A tool that is not there, is not allowed, or cannot do what it is asked for.

    `data` is what there is to tell nevertheless.
    """

    def __init__(self, message: str, data: Any = None) -> None:
        super().__init__(message)
        self.data = data


Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$", max_length=64)]  # of a skill or an agent


class Arguments(BaseModel):
    """Base of a tool's arguments: nothing unknown, nothing converted, no number that is none."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class Nothing(Arguments):
    """No arguments."""


_Arguments = TypeVar("_Arguments", bound=Arguments)


@dataclass(frozen=True)
class Tool(Generic[_Arguments]):
    """A function that a model may call.

    Args:
        name: by which it is called.
        arguments: the model that they are checked with.
        function: does it; what it returns is the result's data. LlmosError tells of a failure.
        category: what it is about.
        effect: the most that it does.
        requires: parts of the robot without which it is refused: drive, range, led, camera, arm, speaker.
        examples: arguments that are right.
    """

    name: str
    arguments: type[_Arguments]
    function: Callable[["Session", _Arguments], Any]
    category: Category
    effect: Effect
    requires: tuple[str, ...] = ()
    examples: tuple[Mapping[str, Any], ...] = ()

    @cached_property
    def schema(self) -> dict[str, Any]:
        """JSON schema of its arguments, without the titles that pydantic gives."""
        return _inlined(self.arguments.model_json_schema())

    def read(self, arguments: Mapping[str, Any]) -> _Arguments:
        """Return the arguments, checked.

        Raises:
            ToolError: they are wrong; the message names the first that is.
        """
        try:
            return self.arguments.model_validate(dict(arguments))
        except ValidationError as problem:
            raise ToolError(f"{self.name}: {_told(problem)}") from None


@dataclass(frozen=True)
class Result:
    """What came of a call.

    Args:
        success: whether it did what it was asked for.
        data: what it found or did, as JSON has it.
        error: why not; one line.
        timestamp: when it was called, in seconds since 1970.
        mode: on which robot this session works.
        seconds: wall time of the call.
    """

    success: bool
    data: Any = None
    error: str = ""
    timestamp: float = 0.0
    mode: Literal["simulation", "physical"] = "simulation"
    seconds: float = 0.0


def tool(
    category: Category,
    effect: Effect,
    *examples: Mapping[str, Any],
    requires: tuple[str, ...] = (),
) -> Callable[[Callable[["Session", _Arguments], Any]], Tool[_Arguments]]:
    """Make a tool of a function; its name is the tool's, and its second parameter's type the arguments'.

    Raises:
        ToolError: the arguments' schema has a text, list or number without bounds.
    """

    def made(function: Callable[["Session", _Arguments], Any]) -> Tool[_Arguments]:
        arguments: type[_Arguments] = function.__annotations__["arguments"]
        one = Tool(function.__name__, arguments, function, category, effect, requires, examples)
        unbounded = next(_unbounded(one.schema, one.name), None)
        if unbounded:
            raise ToolError(f"tool {unbounded} has no bounds: give it some")
        return one

    return made


def _unbounded(schema: Mapping[str, Any], where: str) -> Any:
    """Give the places of a schema in which an argument could be of any size."""
    kind, fixed = schema.get("type"), "enum" in schema or "const" in schema
    wanted = {"string": ("maxLength",), "array": ("maxItems",)}.get(str(kind), ())
    if kind in ("integer", "number") and not fixed:
        least = schema.get("minimum", schema.get("exclusiveMinimum"))
        most = schema.get("maximum", schema.get("exclusiveMaximum"))
        if least is None or most is None:
            yield where
    if not fixed and any(key not in schema for key in wanted):
        yield where
    if kind == "object" and schema.get("additionalProperties") is not False and "maxProperties" not in schema:
        yield where
    for name, part in schema.get("properties", {}).items():
        yield from _unbounded(part, f"{where}.{name}")
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            yield from _unbounded(schema[key], f"{where}.{key}")
    for part in schema.get("anyOf", ()):
        yield from _unbounded(part, where)


def _inlined(schema: dict[str, Any]) -> dict[str, Any]:
    """Return a schema with its definitions in place, so that small readers of schemas understand it."""
    parts = schema.get("$defs", {})

    def within(value: Any) -> Any:
        if isinstance(value, list):
            return [within(item) for item in value]
        if not isinstance(value, dict):
            return value
        if "$ref" in value:
            return within(parts[value["$ref"].rpartition("/")[2]])
        return {
            key: {name: within(part) for name, part in item.items()} if key == "properties" else within(item)
            for key, item in value.items()
            if key not in ("title", "$defs")
        }

    found: dict[str, Any] = within(schema)
    found.pop("description", None)  # the class's own, which the tool's says better
    return found


def _told(problem: ValidationError) -> str:
    """Return what is wrong with arguments: the first argument that is, why, and its value."""
    wrong = first_invalid(problem, _SHOWN)
    name = wrong.key[:_SHOWN]
    if wrong.kind == "missing":
        return f"argument {name} is missing"
    if wrong.kind == "extra_forbidden":
        return f"there is no argument {name}"
    return f"{name}: {wrong.reason}, not {wrong.value}"
