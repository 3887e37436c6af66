"""`llmos bytecode explain`: a block in plain English."""

import click

from llmbytecode.explain import explain
from llmos.cli.bytecode._io import Result, answer, file_argument, json_option, read_input


@click.command("explain", epilog="Example: llmos bytecode explain square.lasm")
@file_argument
@json_option
@click.pass_context
def explain_command(ctx: click.Context, file: str, as_json: bool) -> None:
    """Print what a block does in plain English.

    Every word is a numbered step in the sentences of the language's specification. Nothing is verified.
    """

    def work() -> Result:
        text = explain(read_input(file).program)
        return {"explanation": text}, text.rstrip("\n")

    answer(ctx, as_json, work)
