"""The tools that a caller has: offered with their schemas, called with every check that there is."""

import difflib
import json
import time
from collections.abc import Iterable, Mapping
from typing import Any

from llmbytecode import LLMBytecodeError
from llmos.blackbox import data
from llmos.errors import LlmosError
from llmos.kernel.registry import ToolRule, load_registry
from llmos.text import plain
from llmos.tools.session import Session
from llmos.tools.table import all_tools
from llmos.tools.tool import Arguments, Result, Tool, ToolError

MOST_TEXT = 8000  # characters of one text in a result
MOST_ITEMS = 200  # of one list in a result
MOST_NAME = 60  # characters of a name that is no tool's


class Toolbox:
    """The tools of a session's caller.

    Args:
        session: what they work with.
        names: those that are offered; all that the caller may call, where they are not given.
    """

    def __init__(self, session: Session, names: Iterable[str] | None = None) -> None:
        self.session = session
        self._registry = load_registry().tools
        self._failures: dict[str, int] = {}  # of a tool, in a row
        wanted = all_tools() if names is None else dict.fromkeys(names)
        self.tools: dict[str, Tool[Any]] = {
            name: all_tools()[name] for name in wanted if name in all_tools() and not self._closed(name)
        }

    def description(self, name: str) -> str:
        """Return what a tool does, in the registry's words."""
        return self._registry[name].description

    def openai(self) -> list[dict[str, Any]]:
        """Return the tools as OpenAI's API takes them."""
        return [
            {
                "type": "function",
                "function": {
                    "name": name,
                    "description": self.description(name),
                    "parameters": one.schema,
                },
            }
            for name, one in self.tools.items()
        ]

    def mcp(self) -> list[dict[str, Any]]:
        """Return the tools as the Model Context Protocol lists them."""
        return [
            {
                "name": name,
                "description": self.description(name),
                "inputSchema": one.schema,
                "annotations": {
                    "readOnlyHint": one.effect == "read",
                    "destructiveHint": one.effect in ("write", "move"),
                    "openWorldHint": False,
                },
            }
            for name, one in self.tools.items()
        ]

    def call(self, name: str, arguments: Mapping[str, Any] | str = "") -> Result:
        """Call a tool; what goes wrong is told by the result, whatever it is called with.

        Args:
            name: the tool's.
            arguments: a mapping, or the JSON text of one.
        """
        began, stamp, found, error = time.monotonic(), time.time(), None, ""
        try:
            one, checked = self._checked(name, arguments)
        except LlmosError as refusal:
            self.session.box.calling(
                name[:MOST_NAME], {"refused": bounded(str(arguments))}, self.session.caller
            )
            error = _said(refusal)
        else:
            self.session.box.calling(name, checked.model_dump(), self.session.caller)
            try:
                found = bounded(data(one.function(self.session, checked)))
            except (LlmosError, LLMBytecodeError) as problem:
                found, error = bounded(data(getattr(problem, "data", None))), _said(problem)
        if name in self.tools:
            self._failures[name] = self._failures.get(name, 0) + 1 if error else 0
        self.session.box.called(name[:MOST_NAME], not error, [found, error])
        seconds = round(time.monotonic() - began, 4)
        return Result(not error, found, error, stamp, self.session.mode, seconds)

    def _checked(self, name: str, arguments: Mapping[str, Any] | str) -> tuple[Tool[Any], Arguments]:
        """Return a tool that may be called now, and its arguments; ToolError says what is against it."""
        one = self._found(name)
        checked = one.read(_mapping(name, arguments))
        self._equipped(one)
        if one.effect != "stop":
            self._spend(one, self._registry[name])
        return one, checked

    def _found(self, name: str) -> Tool[Any]:
        """Return a tool that may be called; ToolError says why one may not."""
        if name in self.tools:
            return self.tools[name]
        shown = plain(name)[:60]
        if name in all_tools():
            raise ToolError(f"{shown}: {self._closed(name) or 'it is not among the tools of this task'}")
        near = difflib.get_close_matches(name[:60], self.tools, 1)
        known = near[0] if near else ", ".join(self.tools) or "none"
        raise ToolError(f"there is no tool {shown!r}; name one of: {known}")

    def _closed(self, name: str) -> str:
        """Return why a tool may not be called; empty where it may."""
        entry, agent = self._registry.get(name), self.session.agent
        if entry is None or not entry.enabled:
            return "it is switched off (kernel/tool_registry.md)"
        if agent is None:
            return ""
        if name not in agent.tools:
            return f"agent {agent.name} does not declare it"
        if not entry.allows(agent.category):
            return f"agents of category {agent.category} may not call it (kernel/tool_registry.md)"
        return ""

    def _spend(self, one: Tool[Any], entry: ToolRule) -> None:
        if self.session.agent is None:
            if self.session.counted:
                self.session.calls.count(one.name)
            return
        failed, retries = self._failures.get(one.name, 0), self.session.config.retries
        if failed > retries:
            raise ToolError(
                f"{one.name}: it failed {failed} times in a row, at most {retries} retries (kernel/config.md)"
            )
        self.session.calls.count(one.name, entry.calls)

    def _equipped(self, one: Tool[Any]) -> None:
        """Refuse what the robot has no part for; it need not be connected for that."""
        missing = [part for part in one.requires if part not in self.session.parts]
        if missing:
            robot = self.session.manifest.name
            raise ToolError(f"{one.name}: robot {robot!r} has no {missing[0]}; its manifest names none")


def _said(error: Exception) -> str:
    return plain(str(error))[:MOST_TEXT]


def _mapping(name: str, arguments: Mapping[str, Any] | str) -> Mapping[str, Any]:
    if isinstance(arguments, str):
        try:
            arguments = json.loads(arguments or "{}")
        except (ValueError, RecursionError) as error:
            raise ToolError(f"{name}: its arguments are no JSON: {error}") from None
    if not isinstance(arguments, Mapping):
        raise ToolError(f"{name}: its arguments are no object: write one, such as {{}}")
    return arguments


def bounded(value: Any) -> Any:
    """Return a result's data with texts printable, line by line, and nothing longer than it may be."""
    if isinstance(value, str):
        text = "\n".join(plain(line) for line in value[: MOST_TEXT + 1].split("\n"))
        return text if len(value) <= MOST_TEXT else f"{text[:MOST_TEXT]}… ({len(value) - MOST_TEXT} more)"
    if isinstance(value, dict):
        return {plain(str(key))[:200]: bounded(item) for key, item in list(value.items())[:MOST_ITEMS]}
    if isinstance(value, list):
        more = [f"… ({len(value) - MOST_ITEMS} more)"] if len(value) > MOST_ITEMS else []
        return [bounded(item) for item in value[:MOST_ITEMS]] + more
    return value
