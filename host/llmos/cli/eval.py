"""`llmos eval`: arenas by kernels by seeds."""

import click

from llmos import evaluation
from llmos.cli import options
from llmos.report import GOOD

EXAMPLE = """\b
Example:
  llmos eval --arenas all --kernels rule,random --seeds 5 --jobs 2
"""


@click.command(epilog=EXAMPLE)
@click.option(
    "--arenas",
    default="all",
    show_default=True,
    help="Names or paths, separated by commas; `all` for those that ship.",
)
@click.option(
    "--kernels",
    default="rule,random",
    show_default=True,
    help="Kernels as in `llmos run`, separated by commas.",
)
@click.option(
    "--seeds", default=5, show_default=True, type=click.IntRange(1), help="Missions per arena and kernel."
)
@click.option("--jobs", default=1, show_default=True, type=click.IntRange(1, 64), help="Missions at a time.")
@options.deadline
@options.shuffle
@options.as_json
@click.pass_context
def evaluate(
    context: click.Context,
    arenas: str,
    kernels: str,
    seeds: int,
    jobs: int,
    deadline: float,
    shuffle: bool,
    as_json: bool,
) -> None:
    """Run every arena with every kernel and every seed, and print what came of it."""
    plan = evaluation.Plan(evaluation.arenas_of(arenas), tuple(kernels.split(",")), seeds, deadline, shuffle)
    rows = evaluation.evaluate(plan, jobs, tell)
    click.echo(evaluation.as_json(rows) if as_json else evaluation.as_text(evaluation.table(rows)))
    context.exit(0 if all(row["outcome"] in GOOD and row["collisions"] == 0 for row in rows) else 1)


def tell(row: evaluation.Row) -> None:
    """Print one mission's line as progress."""
    click.echo(
        f"{row['kernel']:8} {row['arena']:16} seed {row['seed']}: {row['outcome']:11} "
        f"{row['cycles']:3d} cycles {row['path_m']:6.2f} m {row['collisions']} collisions, "
        f"{row['sim_s']:.0f} s in {row['wall_s']:.1f} s",
        err=True,
    )
