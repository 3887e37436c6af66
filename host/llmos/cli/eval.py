"""`llmos eval`: what each kind of evaluation measures, resumed where it was stopped."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from llmos import evaluation
from llmos.cli import options
from llmos.evaluation import KINDS, Kind, Row
from llmos.text import span

EXAMPLE = """\b
Example:
  llmos eval --arenas all,generated:100 --kernels rule,random,smollm2,dual --seeds 5 --jobs 2
  llmos eval --arenas maze --kernels smollm2 --variants plain,shuffle,shuffle+map
  llmos eval --writing --kernels random,smollm2 --ways write,choose
  llmos eval --choices --arenas office:30@0 --ways score,pass,instinct,majority,rsa --show hidden
  llmos eval --taught --quick
  llmos eval --babyai --kernels expert,random,rule,smollm2,dual --jobs 2
"""
# What the kinds take, each with its type and help; a kind names those that it takes, and their usual values.
OPTIONS: dict[str, tuple[Any, str]] = {
    "arenas": (
        str,
        "By commas: names or paths, `all` for those that ship, `generated:100`, `generated:100@5000`, "
        "`office:100@5000`.",
    ),
    "quick": (bool, "With --taught: a small sample, in a minute or two."),
    "kernels": (str, "Kernels as in `llmos run`, by commas; with --taught the one that was taught."),
    "variants": (str, "Plain, shuffle, predict and map, by commas; several at once as shuffle+map."),
    "ways": (
        str,
        "By commas, of write, choose, choose3 and translate; with --choices of first, score, least, pass, "
        "alone, instinct, decision, best_of, majority, refinement and rsa; with --babyai of actions, all, "
        "named and steps.",
    ),
    "behaviours": (str, "Names, by commas."),
    "families": (str, "By commas: goto, pickup, open, putnext and pick_up_seq_go_to, or all."),
    "distractors": (click.IntRange(0, 20), "Objects in the room that the mission does not need."),
    "show": (str, "How scores are, by commas: shown, hidden, or wrong, shown with one that leads astray."),
    "body": (str, "Who makes the frames' drives: practice, in this process, or board, the virtual board."),
    "frames": (click.IntRange(1), "Most frames of each arena."),
    "seeds": (click.IntRange(1), "How often each is done, from seed 0."),
    "deadline": (options.SECONDS, "Seconds for a decision or a program."),
}
USUAL, *OTHERS = KINDS.values()


def kind_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command a flag for each kind but the first, and all options."""
    for name, (type_, text) in reversed(OPTIONS.items()):
        values = {kind.name: kind.options[name] for kind in KINDS.values() if name in kind.options}
        usual = "; ".join(
            f"{value}" if kind == USUAL.name else f"--{kind}: {value}" for kind, value in values.items()
        )
        if type_ is bool:
            command = click.option(f"--{name}", is_flag=True, default=None, help=text)(command)
        else:
            command = click.option(f"--{name}", type=type_, help=f"{text} [{usual}]")(command)
    for kind in reversed(OTHERS):
        command = click.option(
            f"--{kind.name}", "kinds", flag_value=kind.name, multiple=True, help=kind.help
        )(command)
    return command


@click.command(
    epilog=EXAMPLE, help=f"{USUAL.help} Each figure is printed and written, with one page of HTML."
)
@kind_options
@click.option("--jobs", default=1, show_default=True, type=click.IntRange(1, 64), help="Tasks at a time.")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder of the results; the same command goes on where it was stopped. [default: by the options]",
)
@options.as_json
@click.pass_context
def evaluate(
    context: click.Context,
    /,
    kinds: tuple[str, ...],
    jobs: int,
    out: Path | None,
    as_json: bool,
    **given: Any,
) -> None:
    """Run an evaluation of one kind; its docstring is the kinds' help."""
    kind, chosen = settled(kinds, given)
    plan = kind.plan(**chosen)
    folder = out or evaluation.usual_folder(kind, chosen)
    began = time.monotonic()

    def watch(row: Row, done: int, count: int, before: int) -> None:
        left = (time.monotonic() - began) / (done - before) * (count - done)
        click.echo(f"{done:{len(str(count))}}/{count}, {span(left)} left  {kind.line(row)}", err=True)

    try:
        rows = evaluation.run(kind, plan, jobs, folder, watch)
    except KeyboardInterrupt:
        click.echo(f"stopped; the same command goes on from what {folder} holds", err=True)
        raise
    facts = evaluation.write(kind, rows, chosen, folder)
    click.echo(json.dumps(facts) if as_json else told(kind, facts))
    context.exit(0 if kind.good(rows) else 1)


def settled(kinds: tuple[str, ...], given: dict[str, Any]) -> tuple[Kind, dict[str, Any]]:
    """Return the kind that was asked for, and its options completed; refuse what it has no use for."""
    if len(set(kinds)) > 1:
        raise click.UsageError(f"--{kinds[0]} and --{kinds[1]} are two evaluations: ask for one of them")
    kind = KINDS[kinds[0]] if kinds else USUAL
    said = {name: value for name, value in given.items() if value is not None}
    for name in said:
        if name not in kind.options:
            users = [f"--{one.name}" for one in OTHERS if name in one.options]
            raise click.UsageError(f"--{name} goes only with {' or '.join(users)}" if users and not kinds
                                   else f"--{name} goes without --{kind.name}")  # fmt: skip
    return kind, {**kind.options, **said}


def told(kind: Kind, facts: dict[str, Any]) -> str:
    """Return the tables, and where all of it lies."""
    tables = [name for name, value in facts.items() if isinstance(value, list) and value]
    texts = [evaluation.as_text(facts[name], kind.shares, kind.columns.get(name, ())) for name in tables]
    shown = "report.html" if kind.page else "table.json"
    return "\n\n".join([*texts, f"{Path(facts['folder']) / shown}"])
