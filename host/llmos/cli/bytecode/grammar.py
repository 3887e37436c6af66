"""`llmos bytecode grammar`: the grammar of the programs that a model may write."""

import click

from llmbytecode.grammar import grammar
from llmos.cli.bytecode._io import robot_option
from llmos.manifest import load_manifest


@click.command("grammar", epilog="Example: llmos bytecode grammar > cube.gbnf")
@robot_option
def grammar_command(robot: str) -> None:
    """Print a robot's grammar in GBNF, for llama.cpp, llguidance, or a server of theirs."""
    click.echo(grammar(load_manifest(robot).limits), nl=False)
