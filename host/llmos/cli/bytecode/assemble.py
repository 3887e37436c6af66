"""`llmos bytecode assemble` and `disassemble`."""

from pathlib import Path

import click

from llmbytecode import block_hash, disassemble
from llmbytecode.container import pack_container
from llmos.cli.bytecode._io import (
    Result,
    answer,
    certify,
    file_argument,
    json_option,
    read_input,
    robot_option,
    write_output,
)
from llmos.manifest import load_manifest


@click.command("assemble", epilog="Example: llmos bytecode assemble square.lasm -o square.llmb")
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
        container = pack_container(given.program, certify(given, limits), limits)
        target = output or ("-" if file == "-" else str(Path(file).with_suffix(".llmb")))
        write_output(target, container)
        if target == "-":
            return {}, ""
        facts = {"file": target, "bytes": len(container), "block": block_hash(container).hex()}
        said = f"{target}: {len(given.program.words)} words, {len(container)} bytes, block {facts['block']}"
        return facts, said

    answer(ctx, as_json, work)


@click.command("disassemble", epilog="Example: llmos bytecode disassemble square.llmb")
@file_argument
@json_option
@click.pass_context
def disassemble_command(ctx: click.Context, file: str, as_json: bool) -> None:
    """Print a block as canonical assembly."""

    def work() -> Result:
        text = disassemble(read_input(file).program)
        return {"assembly": text}, text.rstrip("\n")

    answer(ctx, as_json, work)
