"""`llmos bytecode`: assemble, disassemble, validate and run blocks."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import click

from llmbytecode import (
    AssemblyError,
    Certificate,
    Chan,
    EmptyRoom,
    Limits,
    LLMBytecodeError,
    Machine,
    Outcome,
    Problem,
    Program,
    Refusal,
    assemble,
    block_hash,
    disassemble,
    read_container,
    verify,
)
from llmbytecode._isa import MEASURES
from llmbytecode.container import MAGIC, pack_container
from llmos.errors import LlmosError
from llmos.manifest import load_manifest

MAX_BYTES = 1 << 20
ACTUATORS = ("drive", "led", "tone")
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


@click.group(epilog="Example: llmos bytecode validate square.lasm")
def bytecode() -> None:
    """Assemble, disassemble, validate and run LLMBytecode.

    FILE is assembly text (.lasm) or a container (.llmb), told apart by their content; - is standard input.
    """


@bytecode.command("assemble", epilog="Example: llmos bytecode assemble square.lasm -o square.llmb")
@file_argument
@click.option(
    "-o", "--output", type=click.Path(), help="The container; - is standard output.  [default: FILE.llmb]"
)
@robot_option
@json_option
@click.pass_context
def assemble_command(ctx: click.Context, file: str, output: str | None, robot: str, as_json: bool) -> None:
    """Write a program's certified container for one robot."""

    def work() -> Result:
        given, limits = read_input(file), load_manifest(robot).limits
        container = pack_container(given.program, verify(given.program, limits), limits)
        target = output or ("-" if file == "-" else str(Path(file).with_suffix(".llmb")))
        write_output(target, container)
        if target == "-":
            return {}, ""
        facts = {"file": target, "bytes": len(container), "block": block_hash(container).hex()}
        said = f"{target}: {len(given.program.words)} words, {len(container)} bytes, block {facts['block']}"
        return facts, said

    answer(ctx, as_json, work)


@bytecode.command("disassemble", epilog="Example: llmos bytecode disassemble square.llmb")
@file_argument
@json_option
@click.pass_context
def disassemble_command(ctx: click.Context, file: str, as_json: bool) -> None:
    """Print a block as canonical assembly."""

    def work() -> Result:
        text = disassemble(read_input(file).program)
        return {"assembly": text}, text.rstrip("\n")

    answer(ctx, as_json, work)


@bytecode.command("validate", epilog="Example: llmos bytecode validate square.lasm --json | jq .certificate")
@file_argument
@robot_option
@json_option
@click.pass_context
def validate_command(ctx: click.Context, file: str, robot: str, as_json: bool) -> None:
    """Print a block's certificate, or why it is refused.

    The certificate is what the block can cost at worst. The exit code is 1 on a refusal.
    """

    def work() -> Result:
        given, limits = read_input(file), load_manifest(robot).limits
        if given.container:
            read_container(given.container, limits)
        certificate = verify(given.program, limits)
        facts = {
            "file": given.name,
            "robot": robot,
            "words": len(given.program.words),
            "constants": len(given.program.constants),
            "autonomous_ms": given.program.autonomous_ms,
            "certificate": certificate._asdict(),
        }
        return facts, certificate_table(certificate, limits)

    answer(ctx, as_json, work)


@bytecode.command("run", epilog="Example: llmos bytecode run square.lasm")
@file_argument
@robot_option
@json_option
@click.pass_context
def run_command(ctx: click.Context, file: str, robot: str, as_json: bool) -> None:
    """Run a block on the reference machine.

    The world is an empty room of 4 m by 4 m; the exit code is 1 where the block fails.
    """
    ended: list[Outcome] = []

    def work() -> Result:
        limits = load_manifest(robot).limits
        room = EmptyRoom(limits)
        machine = Machine(read_input(file).program, limits, room)
        ended.append(machine.run())
        facts = run_facts(machine, room)
        return facts, run_text(machine, facts)

    answer(ctx, as_json, work)
    ctx.exit(0 if ended == [Outcome.COMPLETED] else 1)


# In and out.


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
            }
            for p in error.problems
        ]
    if isinstance(error, Refusal):
        name = error.rule.name.lower()
        row = {"rule": name, "word": error.word, "line": error.line or None, "message": error.message}
        return [row | {"hint": error.hint}]
    rule = "file" if isinstance(error, InputError) else "robot"
    return [{"rule": rule, "word": None, "line": None, "message": str(error), "hint": ""}]


def read_input(file: str) -> Input:
    """Return the block in a file.

    Raises:
        InputError: it cannot be read, or is too large.
        AssemblyError: it is no program.
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
    return Input(name, assemble(text, name), b"")


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


# What people see.


def certificate_table(certificate: Certificate, limits: Limits) -> str:
    """Return the certificate as a table of worst cases beside the robot's limits."""
    lines = []
    for name, value in certificate._asdict().items():
        if name in BUDGETS:
            shown = f"{value:>8} of {getattr(limits, BUDGETS[name])}"
        else:
            shown = BITS[name](value) or "-"
        lines.append(f"{name:<14} {shown:<20} {MEASURES[name].meaning}".rstrip())
    return "\n".join(lines)


def _bit_names(names: list[str]) -> Callable[[int], str]:
    return lambda bits: " ".join(name for n, name in enumerate(names) if bits >> n & 1)


BITS: dict[str, Callable[[int], str]] = {
    "registers": _bit_names([f"r{n}" for n in range(16)]),
    "variables": _bit_names([f"v{n}" for n in range(16)]),
    "sensors": _bit_names([channel.name.lower() for channel in Chan]),
    "actuators": _bit_names(list(ACTUATORS)),
    "guarded": lambda value: "yes" if value else "no",
}


def run_facts(machine: Machine, room: EmptyRoom) -> dict[str, Any]:
    """Return what a run left behind."""
    used = (machine.fuel, machine.ms, machine.path_mm, machine.rotation_mrad, len(machine.reports))
    return {
        "outcome": machine.outcome.name.lower(),
        "code": machine.code,
        "used": dict(zip(BUDGETS, used, strict=True)),
        "certificate": machine.certificate._asdict(),
        "registers": machine.registers,
        "variables": machine.variables,
        "mode": machine.mode.name.lower(),
        "reports": machine.reports,
        "signals": machine.signals,
        "pose": {"x_mm": round(room.x), "y_mm": round(room.y), "heading_mrad": round(1000 * room.heading)},
    }


def run_text(machine: Machine, facts: dict[str, Any]) -> str:
    """Return a run's facts for people."""
    code = f" with code {machine.code}" if machine.outcome is Outcome.FAILED else ""
    lines = [f"{facts['outcome']}{code}, mode {facts['mode']}"]
    lines += [f"{name:<14} {used:>8} of {facts['certificate'][name]}" for name, used in facts["used"].items()]
    pose = facts["pose"]
    lines.append(
        f"pose           {pose['x_mm']} mm east, {pose['y_mm']} mm north, {pose['heading_mrad']} mrad"
    )
    lines.append(f"registers      {_numbers('r', machine.registers)}")
    lines.append(f"variables      {_numbers('v', machine.variables)}")
    lines += [f"report         tag {tag}: {value}" for tag, value in machine.reports]
    lines += [f"signal         {name} {' '.join(map(str, values))}" for name, *values in machine.signals]
    return "\n".join(lines)


def _numbers(letter: str, values: list[int]) -> str:
    return " ".join(f"{letter}{n}={value}" for n, value in enumerate(values) if value) or "all 0"
