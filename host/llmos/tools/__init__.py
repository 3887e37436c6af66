"""Tools: what a model may do, each with a typed schema, checked before it is done.

A tool is a function of a `Session` and its arguments (`tool.py`). `Toolbox` offers those that a caller may
use and calls them: the agent must declare the tool, the kernel's `tool_registry.md` must allow it to the
agent's category, arguments must fit the schema, and calls are counted for an agent and all that it calls.
Whatever moves the robot is an LLMBytecode program that host and robot verify.
"""

from .session import Session
from .table import all_tools
from .tool import Arguments, Result, Tool, ToolError, tool
from .toolbox import Toolbox

__all__ = [
    "Arguments",
    "Result",
    "Session",
    "Tool",
    "ToolError",
    "Toolbox",
    "all_tools",
    "tool",
]
