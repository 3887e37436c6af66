"""`llmos why`: explain a recorded run, or one step of it."""

import json

import click

from llmos.blackbox import MALFORMED, find_record, malformed, read_record
from llmos.blackbox.check import warning
from llmos.blackbox.told import run_text, step_text
from llmos.blackbox.why import moment_data, moment_of, run_data
from llmos.cli import options

EXAMPLE = """\b
Example:
  llmos why last
  llmos why last 3
  llmos why 20261121-1540 3 --json
"""


@click.command(epilog=EXAMPLE)
@click.argument("run")
@click.argument("step", type=click.IntRange(0), required=False)
@options.as_json
def why(run: str, step: int | None, as_json: bool) -> None:
    """Explain RUN, a line a step, or one STEP of it with all that led to it.

    RUN is a run's folder, the beginning of its name, or `last`. Of a step: the frame and its map, the
    candidates, which brain decided and why, the prompt, how likely the model held each candidate, the
    decision, the way, the block with its proof, and what came back.
    """
    record = read_record(find_record(run))
    if told := warning(record.path):
        click.echo(f"llmos: why: {told}", err=True)
    try:
        if step is None:
            click.echo(json.dumps(run_data(record)) if as_json else run_text(record))
        else:
            moment = moment_of(record, step)
            click.echo(json.dumps(moment_data(moment)) if as_json else step_text(moment))
    except MALFORMED as error:
        raise malformed(record, error) from error
