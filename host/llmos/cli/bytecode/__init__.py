"""`llmos bytecode`: what can be done with a block, one module for each command."""

import click

from llmos.cli.bytecode.assemble import assemble_command, disassemble_command
from llmos.cli.bytecode.compile import compile_command
from llmos.cli.bytecode.explain import explain_command
from llmos.cli.bytecode.grammar import grammar_command
from llmos.cli.bytecode.run import run_command
from llmos.cli.bytecode.validate import validate_command


@click.group(epilog="Example: llmos bytecode validate square.lasm")
def bytecode() -> None:
    """Assemble, disassemble, explain, validate, compile and run LLMBytecode.

    FILE is assembly text (.lasm), a skill (.md) or a container (.llmb), told apart by their content; - is
    standard input.
    """


for command in (
    assemble_command,
    disassemble_command,
    explain_command,
    validate_command,
    compile_command,
    run_command,
    grammar_command,
):
    bytecode.add_command(command)
