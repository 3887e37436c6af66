"""`llmos eval`: arenas by kernels by seeds, or behaviours by kernels by ways by seeds."""

import json
from typing import Any

import click

from llmos import evaluation
from llmos.cli import options
from llmos.report import GOOD
from llmos.text import plain

EXAMPLE = """\b
Example:
  llmos eval --arenas all --kernels rule,random --seeds 5 --jobs 2
  llmos eval --writing --kernels random,smollm2 --ways write,choose
"""
# What each kind of evaluation takes, and its value where nothing is said.
MISSIONS = {"arenas": "all", "kernels": "rule,random", "seeds": 5, "deadline": 10.0, "shuffle": False}
WRITING = {
    "behaviours": "all", "kernels": "random,smollm2", "ways": "write,choose", "seeds": 1, "deadline": 120.0,
}  # fmt: skip


def usual(name: str) -> str:
    """Return an option's usual values, for its help."""
    values = [str(kind[name]) for kind in (MISSIONS, WRITING) if name in kind]
    return f" [default: {'; with --writing '.join(values)}]"


@click.command(epilog=EXAMPLE)
@click.option("--writing", is_flag=True, help="Have programs made for behaviours, run them and judge them.")
@click.option("--arenas", help="Names or paths, by commas; `all` for those that ship." + usual("arenas"))
@click.option("--kernels", help="Kernels as in `llmos run`, by commas." + usual("kernels"))
@click.option("--ways", help="With --writing: of write, choose and choose3." + usual("ways"))
@click.option("--behaviours", help="With --writing: names, by commas." + usual("behaviours"))
@click.option(
    "--seeds", type=click.IntRange(1), help="Missions per arena, programs per behaviour." + usual("seeds")
)
@click.option("--jobs", default=1, show_default=True, type=click.IntRange(1, 64), help="Tasks at a time.")
@click.option(
    "--deadline", type=options.SECONDS, help="Seconds for a decision or a program." + usual("deadline")
)
@click.option("--shuffle", is_flag=True, default=None, help="Offer the candidates in random order.")
@options.as_json
@click.pass_context
def evaluate(context: click.Context, /, writing: bool, jobs: int, as_json: bool, **given: Any) -> None:
    """Run every arena with every kernel and every seed, and print what came of it.

    With --writing, have every kernel make a program for every behaviour in every way, run it in the
    behaviour's arena, and judge it; the programs that ship beside the behaviours are judged, too.
    """
    chosen = settings(writing, given)
    if not writing:
        context.exit(missions(jobs, as_json, **chosen))
    programs(jobs, as_json, **chosen)


def settings(writing: bool, given: dict[str, Any]) -> dict[str, Any]:
    """Return what was given, completed; refuse what the kind of evaluation has no use for."""
    known = WRITING if writing else MISSIONS
    said = {name: value for name, value in given.items() if value is not None}
    for name in said:
        if name not in known:
            raise click.UsageError(f"--{name} goes {'without' if writing else 'only with'} --writing")
    return {**known, **said}


def missions(
    jobs: int, as_json: bool, *, arenas: str, kernels: str, seeds: int, deadline: float, shuffle: bool
) -> int:
    """Run missions, and return the exit code: 0 where all did what they should and nothing was hit."""
    places = evaluation.arenas_of(arenas)
    plan = evaluation.Missions(places, tuple(kernels.split(",")), seeds, deadline, shuffle)
    rows = evaluation.evaluate(list(plan.tasks()), evaluation.one_mission, jobs, tell)
    table = evaluation.mission_table(rows)
    tell_all(as_json, evaluation.as_text(table, ("success", "valid")), runs=rows, table=table)
    return 0 if all(row["outcome"] in GOOD and row["collisions"] == 0 for row in rows) else 1


def programs(
    jobs: int, as_json: bool, *, behaviours: str, kernels: str, ways: str, seeds: int, deadline: float
) -> None:
    """Have programs made, run and judged; a low score is no failure."""
    names = () if behaviours == "all" else tuple(behaviours.split(","))
    plan = evaluation.Programs(tuple(kernels.split(",")), tuple(ways.split(",")), names, seeds, deadline)
    rows = evaluation.evaluate(list(plan.tasks()), evaluation.one_program, jobs, tell_program)
    table, right = evaluation.program_table(rows), evaluation.right_table(rows)
    shares = ("well_formed", "accepted_first", "accepted", "right_share")
    text = f"{evaluation.as_text(table, shares)}\n\n{evaluation.as_text(right)}"
    tell_all(as_json, text, runs=rows, table=table, right=right)


def tell_all(as_json: bool, text: str, **facts: Any) -> None:
    """Print what came of an evaluation."""
    click.echo(json.dumps(facts) if as_json else text)


def tell(row: evaluation.Row) -> None:
    """Print one mission's line as progress."""
    click.echo(
        f"{row['kernel']:8} {row['arena']:16} seed {row['seed']}: {row['outcome']:11} "
        f"{row['cycles']:3d} cycles {row['path_m']:6.2f} m {row['collisions']} collisions, "
        f"{row['sim_s']:.0f} s in {row['wall_s']:.1f} s",
        err=True,
    )


def tell_program(row: evaluation.Row) -> None:
    """Print one program's line as progress."""
    verdict = "right" if row["right"] else "; ".join(row["faults"])
    click.echo(
        f"{row['kernel']:9} {row['way']:7} {row['behaviour']:20} seed {row['seed']}: {plain(verdict):.120} "
        f"({row['attempts']} attempts, {row['seconds']:.1f} s)",
        err=True,
    )
