"""`llmos blackbox`: the records of runs: what there is, whether they are whole, and what becomes of them."""

import json
from pathlib import Path
from typing import Any

import click

from llmos.blackbox import find_record, read_record, record_in
from llmos.blackbox.check import BAD, Checked, State, check
from llmos.blackbox.export import FORMATS, export
from llmos.blackbox.index import INDEX, Index, read_index
from llmos.blackbox.rotation import Kept, kept_runs, load_rotation, mark, planned, rotate
from llmos.cli import flags
from llmos.state import runs_folder
from llmos.text import plain

EXAMPLE = """\b
Example:
  llmos blackbox ls
  llmos blackbox check
  llmos blackbox export last --to mcap -o run.mcap
"""
KB = 1000


@click.group(epilog=EXAMPLE)
def blackbox() -> None:
    """List, check, export and clear up the records of runs.

    RUN is a run's folder, the beginning of its name, or `last`.
    """


@blackbox.command("ls", epilog="Example: llmos blackbox ls")
@flags.as_json
def list_runs(as_json: bool) -> None:
    """List the runs that have a record, with their bytes for each minute of the robot's time."""
    runs, index = kept_runs(), read_index()
    rows = [row_data(run, check(record_in(runs_folder() / run.name), index)) for run in runs]
    if as_json:
        click.echo(json.dumps(rows))
        return
    width = max((len(row["run"]) for row in rows), default=0)
    for row in rows:
        click.echo(row_text(row, width))
    minutes = sum(row["sim_s"] for row in rows) / 60
    raw = sum(row["bytes"] for row in rows if row["sim_s"])
    each = f", {raw / minutes / KB:.0f} kB a minute" if minutes else ""
    limit = load_rotation().total_bytes
    stored = sum(run.bytes for run in runs)
    click.echo(f"{len(runs)} runs: {stored / KB:.0f} kB of {limit / KB:.0f} kB{each}")


def row_data(run: Kept, checked: Checked) -> dict[str, Any]:
    """Return a run as --json prints it."""
    return {
        "run": run.name,
        "outcome": checked.outcome,
        "sim_s": checked.sim_s,
        "lines": checked.lines,
        "bytes": checked.bytes,
        "stored": checked.stored,
        "bytes_per_minute": round(checked.bytes_per_minute),
        "packed": run.packed,
        "kept": run.marked,
    }


def row_text(row: dict[str, Any], width: int) -> str:
    """Return a run in one line."""
    each = f"{row['bytes_per_minute'] / KB:6.1f} kB/min" if row["bytes_per_minute"] else " " * 13
    marks = "".join(f"  {name}" for name in ("packed", "kept") if row[name])
    outcome = row["outcome"] or "without an end"
    line = (
        f"{row['run']:{width}} {outcome:14} {row['sim_s']:7.1f} s {row['stored'] / KB:8.1f} kB {each}{marks}"
    )
    return plain(line.rstrip())


@blackbox.command("check", epilog="Example: llmos blackbox check last")
@click.argument("runs", nargs=-1, metavar="[RUN]...")
@flags.as_json
@click.pass_context
def check_runs(context: click.Context, runs: tuple[str, ...], as_json: bool) -> None:
    """Check records against their chains and the runs' index; of all runs, where none is named.

    Exits 1 where a record was changed, cut off or forged, or a run is gone that no rule removed. A run that
    was killed has no end, and is told, but is no failure.
    """
    index = read_index()
    paths = [find_record(run) for run in runs] or [record_in(runs_folder() / run.name) for run in kept_runs()]
    found = [check(path, index) for path in paths]
    lost = [] if runs else missing(index)
    if as_json:
        click.echo(json.dumps({"records": [checked_data(one) for one in found], "missing": lost}))
    else:
        for one in found:
            click.echo(checked_text(one))
        for line in index.broken:
            click.echo(f"{INDEX}: {line}: not what was written there")
        for name in lost:
            click.echo(plain(f"{name}: gone, and no rule removed it"))
    context.exit(1 if lost or index.broken or any(one.state in BAD for one in found) else 0)


def missing(index: Index) -> list[str]:
    """Return the runs that the index has and the folder has not."""
    return [name for name in index.sealed if not record_in(runs_folder() / name).is_file()]


def checked_data(one: Checked) -> dict[str, Any]:
    """Return a check as --json prints it."""
    return {
        "record": str(one.path),
        "state": one.state,
        "said": one.said,
        "broken": [{"line": line, "kind": kind} for line, kind in one.broken],
        "lines": one.lines,
        "bytes": one.bytes,
        "bytes_per_minute": round(one.bytes_per_minute),
    }


def checked_text(one: Checked) -> str:
    """Return a check in one line."""
    name = one.path.parent.name if one.path == record_in(one.path.parent) else one.path.name
    each = f", {one.bytes_per_minute / KB:.1f} kB a minute" if one.bytes_per_minute else ""
    size = f" ({one.lines} lines, {one.bytes / KB:.1f} kB{each})" if one.state is State.WHOLE else ""
    return plain(f"{name}: {one.state}" + (f": {one.said}" if one.said else "") + size)


@blackbox.command("export", epilog="Example: llmos blackbox export last --to mcap -o run.mcap")
@click.argument("run")
@click.option(
    "--to", type=click.Choice(list(FORMATS)), default="jsonl", show_default=True, help="The format."
)
@click.option(
    "-o",
    "--output",
    "path",
    type=click.Path(dir_okay=False, path_type=Path),
    required=True,
    help="The file; of CSV, that of the steps, beside which lies that of the telemetry.",
)
def export_run(run: str, to: str, path: Path) -> None:
    """Write the record of RUN in a format that other programs read."""
    for file in export(read_record(find_record(run)), to, path):
        click.echo(f"{file}: {file.stat().st_size / KB:.1f} kB")


@blackbox.command("prune", epilog="Example: llmos blackbox prune --dry-run")
@click.option("--dry-run", is_flag=True, help="Only say what would be done.")
def prune(dry_run: bool) -> None:
    """Compress and remove old records, by the rules of volumes/system/kernel/records.md."""
    acts = planned(kept_runs(), load_rotation()) if dry_run else rotate()
    for act in acts:
        click.echo(plain(f"{act.what} {act.run}: {act.reason}"))
    click.echo(f"{len(acts)} runs " + ("would be changed" if dry_run else "were changed"))


@blackbox.command("keep", epilog="Example: llmos blackbox keep last")
@click.argument("run")
@click.option("--off", is_flag=True, help="Take the mark away again.")
def keep(run: str, off: bool) -> None:
    """Mark RUN, so that no rule ever removes it."""
    folder = find_record(run).parent
    mark(folder, kept=not off)
    click.echo(plain(f"{folder.name}: " + ("may leave by the rules again" if off else "is kept for good")))
