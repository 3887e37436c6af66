"""`llmos bytecode compile`: machine code."""

from pathlib import Path

import click

from llmbytecode.native import TARGETS, compile_source, viper_source
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


@click.command(
    "compile", epilog="Example: llmos bytecode compile square.lasm --target xtensawin -o square.mpy"
)
@file_argument
@click.option("--target", type=click.Choice(list(TARGETS)), default="xtensawin", show_default=True)
@click.option(
    "-o", "--output", type=click.Path(), help="The code; - is standard output.  [default: FILE.mpy]"
)
@click.option("--source", is_flag=True, help="Give the MicroPython source instead, without -o on the screen.")
@robot_option
@json_option
@click.pass_context
def compile_command(
    ctx: click.Context, file: str, target: str, output: str | None, source: bool, robot: str, as_json: bool
) -> None:
    """Write a program as machine code: a MicroPython module with the function `run`.

    The ESP32-S3 takes xtensawin, this machine's MicroPython x64 or x86.
    """

    def work() -> Result:
        given, limits = read_input(file), load_manifest(robot).limits
        certify(given, limits)
        text = viper_source(given.program, limits)
        if source and output in (None, "-"):
            return {"source": text}, text.rstrip("\n")
        content = text.encode() if source else compile_source(text, target)
        name = output or ("-" if file == "-" else str(Path(file).with_suffix(".mpy")))
        write_output(name, content)
        if name == "-":
            return {}, ""
        facts = {"file": name, "bytes": len(content), "words": len(given.program.words)}
        kind = "viper source" if source else f"machine code for {target}"
        return facts, f"{name}: {kind}, {len(content)} bytes for {facts['words']} words"

    answer(ctx, as_json, work)
