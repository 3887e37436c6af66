"""`llmos replay`: run a recorded mind again, and tell the first difference."""

import json
from typing import Any

import click

from llmos.blackbox import find_record, read_record
from llmos.blackbox.check import warning
from llmos.blackbox.replay import Outcome, changes, replay
from llmos.cli import options
from llmos.text import plain

EXAMPLE = """\b
Example:
  llmos replay last
  llmos replay 20261121-1540
  llmos replay last --ask
"""
SHOWN = 70  # characters of a value, around where it differs


@click.command("replay", epilog=EXAMPLE)
@click.argument("run")
@click.option("--ask", is_flag=True, help="Ask the model again, too; without, its recorded answers are used.")
@options.as_json
@click.pass_context
def replay_run(context: click.Context, run: str, ask: bool, as_json: bool) -> None:
    """Replay RUN, and compare every step that is derived.

    RUN is a run's folder, the beginning of its name, or `last`. The robot's telemetry, the clock and the
    model's answers come from its record; all else is computed anew. Exits 0 where every step is identical.
    """
    record = read_record(find_record(run))
    if told_of_it := warning(record.path):
        click.echo(f"llmos: replay: {told_of_it}", err=True)
    changed = changes(record)
    if not as_json:
        click.echo(f"replay of {plain(record.name)}")
        for name in changed:
            click.echo(f"  changed since: {plain(name)}")
    found = replay(record, ask=ask)
    click.echo(json.dumps(as_data(found, changed)) if as_json else told(found))
    context.exit(1 if found.difference else 0)


def as_data(found: Outcome, changed: list[str]) -> dict[str, Any]:
    """Return a replay's outcome as --json prints it."""
    difference = found.difference._asdict() if found.difference else None
    return {
        "identical": found.difference is None,
        **found.counts,
        "cut": found.cut,
        "changed": changed,
        "step": found.step,
        "difference": difference,
    }


def told(found: Outcome) -> str:
    """Return a replay's outcome in words."""
    counts = ", ".join(f"{count} {name}" for name, count in found.counts.items())
    if found.difference is None:
        return f"identical: {counts}" + (f"; {found.cut}" if found.cut else "")
    field, recorded, now = found.difference
    where = "before the first step" if found.step is None else f"step {found.step}"
    texts = [value if isinstance(value, str) else json.dumps(value) for value in (recorded, now)]
    at = next((n for n, (a, b) in enumerate(zip(*texts, strict=False)) if a != b), min(map(len, texts)))
    begin = max(0, at - SHOWN // 2)
    old, new = (plain(text[begin : begin + SHOWN]) for text in texts)
    lines = [
        f"different: {where}, {plain(field)} (identical before: {counts})",
        f"  recorded  {old}",
        f"  now       {new}",
        " " * (12 + at - begin) + "^",
    ]
    return "\n".join(lines)
