"""All tools, by name."""

import importlib
from functools import cache
from typing import Any

from llmos.tools.tool import Tool

MODULES = ("hal", "arithmetic", "files", "recall", "planning", "staff", "abilities", "mail", "breeding")


@cache
def all_tools() -> dict[str, Tool[Any]]:
    """Return every tool by name; the registry says which of them are offered, and to whom."""
    modules = [importlib.import_module(f"llmos.tools.{name}") for name in MODULES]
    found = [value for module in modules for value in vars(module).values() if isinstance(value, Tool)]
    return {one.name: one for one in found}
