"""The arrows between the packages, as the imports of their files draw them."""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
# What MicroPython has on the ESP32-S3 or in its unix port.
MICROPYTHON = {
    "array", "asyncio", "binascii", "builtins", "collections", "deflate", "errno", "esp", "esp32", "gc",
    "hashlib", "io", "json", "machine", "math", "micropython", "neopixel", "network", "os", "random",
    "re", "repl", "select", "socket", "struct", "sys", "time", "uctypes", "vfs",
}  # fmt: skip
FIRMWARE_ONLY = {"boot", "main", "llmvm"}
IMPORT = re.compile(r"^\s*(?:from\s+([\w.]+)\s+c?import\b|c?import\s+([\w.]+))", re.MULTILINE)


def imports(path: Path) -> Iterator[str]:
    """The top-level names that a Python or Cython file imports; relative ones stay within."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".pyx":
        for match in IMPORT.finditer(text):
            name = (match[1] or match[2]).split(".")[0]
            if name:
                yield name
        return
    for node in ast.walk(ast.parse(text, str(path))):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.module.split(".")[0]


def imported_by(folder: str) -> set[tuple[str, str]]:
    """Every (file, imported top-level name) below a folder."""
    files = [path for path in (ROOT / folder).rglob("*.py*") if path.suffix in (".py", ".pyx")]
    assert files, f"{folder} has no source"
    return {(str(path.relative_to(ROOT)), name) for path in files for name in imports(path)}


def test_bytecode_knows_only_itself_and_the_standard_library() -> None:
    """The language knows no robot host and no LLM, and needs nothing installed."""
    allowed = sys.stdlib_module_names | {"llmbytecode", "cython", "libc", "cpython"}
    assert {(file, name) for file, name in imported_by("bytecode") if name not in allowed} == set()


def test_host_does_not_import_the_firmware() -> None:
    """The host meets the firmware over a serial port only."""
    assert {(file, name) for file, name in imported_by("host") if name in FIRMWARE_ONLY} == set()


def test_firmware_imports_only_itself_and_micropython() -> None:
    """What lives on the board imports nothing that is not on the board."""
    allowed = FIRMWARE_ONLY | MICROPYTHON
    assert {(file, name) for file, name in imported_by("firmware") if name not in allowed} == set()


@pytest.mark.parametrize("folder", ["bytecode", "host", "firmware", "tests"])
def test_nobody_imports_tools(folder: str) -> None:
    """What only we use stays outside of what ships and of what tests it."""
    tools = {path.stem for path in (ROOT / "tools").glob("*.py")} | {"tools"}
    shadowed = tools & (sys.stdlib_module_names | MICROPYTHON | {"micropython", "wheel"})
    found = {(file, name) for file, name in imported_by(folder) if name in tools - shadowed}
    assert found == set()


DECIDERS = ("kernel", "world", "planning", "inference", "link")


@pytest.mark.parametrize("part", DECIDERS)
def test_no_code_on_the_way_to_a_decision_knows_the_true_map(part: str) -> None:
    """What decides, plans or drives imports nothing that holds the arena's truth or judges by it."""
    files = (ROOT / "host" / "llmos" / part).rglob("*.py")
    truth = re.compile(r"^\s*(?:from|import)\s+llmos\.(?:sim|mission|report)\b", re.MULTILINE)
    assert [path.name for path in files if truth.search(path.read_text(encoding="utf-8"))] == []


# What each part of the markdown operating system must not need, be it at the top of a file or later.
ABOVE = {
    "kernel": ("volumes", "memory", "tools", "agents", "evolution", "project"),
    "volumes": ("memory", "skills", "tools", "agents", "evolution", "project", "mission", "report", "sim"),
    "memory": ("skills", "tools", "agents", "evolution", "project", "mission", "sim"),
    "blackbox": ("skills", "agents", "evolution", "project"),
    "skills": ("tools", "project"),
    "evolution": ("tools", "project"),
    "tools": ("project",),
    "agents": ("project",),
}


@pytest.mark.parametrize("part", ABOVE)
def test_no_part_needs_what_is_built_on_it(part: str) -> None:
    """Rules and files below, what remembers and acts above them, projects on top."""
    above = re.compile(rf"^\s*(?:from|import)\s+llmos\.(?:{'|'.join(ABOVE[part])})\b", re.MULTILINE)
    files = (ROOT / "host" / "llmos" / part).rglob("*.py")
    assert [path.name for path in files if above.search(path.read_text(encoding="utf-8"))] == []
