"""What the commands of `llmos bytecode` share: how a block comes in and how an answer goes out."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import click

from llmbytecode import (
    AssemblyError,
    Certificate,
    Limits,
    LLMBytecodeError,
    Problem,
    Program,
    Refusal,
    assemble,
    read_container,
    verify,
)
from llmbytecode.container import MAGIC
from llmbytecode.remedy import remedy
from llmos.document import FENCE, parse
from llmos.errors import LlmosError
from llmos.manifest import ManifestError

MAX_BYTES = 1 << 20
BUDGETS = {
    "fuel": "max_fuel",
    "ms": "max_ms",
    "path_mm": "max_path_mm",
    "rotation_mrad": "max_rotation_mrad",
    "reports": "max_reports",
}
Result = tuple[dict[str, Any], str]  # for --json, and for people

file_argument = click.argument("file", type=click.Path())
robot_option = click.option(
    "--robot", default="cube", show_default=True, help="Manifest: a name or a .toml file."
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")


class InputError(LlmosError):
    """A file that cannot be read."""


class Input(NamedTuple):
    """A block as it was given."""

    name: str
    program: Program
    container: bytes  # empty where it was assembly
    text: str = ""  # empty where it was a container


def answer(ctx: click.Context, as_json: bool, work: Callable[[], Result]) -> None:
    """Print what a command found out, nothing where there are no facts, or a verdict of what is wrong."""
    try:
        facts, text = work()
    except (LLMBytecodeError, LlmosError) as error:
        if as_json:
            click.echo(json.dumps({"ok": False, "errors": error_rows(error)}))
        elif isinstance(error, AssemblyError):
            click.echo("\n".join(map(str, error.problems)), err=True)
        else:
            raise
        ctx.exit(1)
    if facts:
        click.echo(json.dumps({"ok": True, **facts}) if as_json else text)


def error_rows(error: Exception) -> list[dict[str, Any]]:
    """Return an error as the rows of a JSON verdict; `word` and `line` are null where there is none."""
    if isinstance(error, AssemblyError):
        return [
            {
                "rule": "assembly",
                "word": None,
                "line": p.line,
                "message": str(p._replace(hint="")),
                "hint": p.hint,
                "remedy": "",
            }
            for p in error.problems
        ]
    if isinstance(error, Refusal):
        name = error.rule.name.lower()
        row = {"rule": name, "word": error.word, "line": error.line or None, "message": error.message}
        return [row | {"hint": error.hint, "remedy": error.remedy}]
    rule = "robot" if isinstance(error, ManifestError) else "file"
    return [{"rule": rule, "word": None, "line": None, "message": str(error), "hint": "", "remedy": ""}]


def read_input(file: str) -> Input:
    """Return the block in a file.

    Raises:
        InputError: it cannot be read, or is too large.
        AssemblyError: it is no program.
        SkillError: it is markdown that holds no program, or more than one.
        Refusal: it is a damaged container, or one for another SPEC.
    """
    data, name = read_bytes(file), "<stdin>" if file == "-" else file
    if data.startswith(MAGIC):
        return Input(name, read_container(data).program, data)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        column = error.start - data.rfind(b"\n", 0, error.start)
        message = f"byte 0x{data[error.start]:02x} is no UTF-8"
        raise AssemblyError(
            [Problem(name, line, column, message, "give assembly as UTF-8, or a container")]
        ) from None
    if text.startswith(FENCE):
        text = skill_text(text, name)
    return Input(name, assemble(text, name), b"", text)


def skill_text(source: str, name: str) -> str:
    """Return the program of a skill's file, in the lines of the file."""
    from llmos.skills import program_lines  # what it needs takes long to import

    return program_lines(parse(source.replace("\r\n", "\n"), Path(name)))


def certify(given: Input, limits: Limits) -> Certificate:
    """Return the certificate of a block, and of a container that it is true.

    Raises:
        Refusal: a rule is broken; it carries the smallest change that would pass.
    """
    try:
        if given.container:
            read_container(given.container, limits)
        return verify(given.program, limits)
    except Refusal as refusal:
        refusal.remedy = remedy(given.program, limits, refusal)
        raise


def read_bytes(file: str) -> bytes:
    """Return the content of a file, or of standard input."""
    try:
        if file == "-":
            data = sys.stdin.buffer.read(MAX_BYTES + 1)
        else:
            with Path(file).open("rb") as stream:
                data = stream.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise InputError(
            f"{file!r} cannot be read: {reason}; name a file of assembly or a container"
        ) from None
    if len(data) > MAX_BYTES:
        raise InputError(f"{file!r} is larger than {MAX_BYTES} bytes; no robot takes such a block")
    return data


def write_output(target: str, container: bytes) -> None:
    """Write a container to a file or to standard output."""
    if target == "-":
        if sys.stdout.isatty():
            raise LlmosError("a container is no text for a terminal; name a file with -o")
        sys.stdout.buffer.write(container)
        return
    try:
        Path(target).write_bytes(container)
    except OSError as error:
        raise LlmosError(
            f"{target!r} cannot be written: {error.strerror}; name another file with -o"
        ) from None
