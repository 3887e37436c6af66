"""`llmos memory`: what it knows, and where it has it from."""

import json
import re
import time
from functools import partial
from typing import Any

import click

from llmos.cli import flags
from llmos.memory import Found, Item, Memory, Trace
from llmos.text import plain

example = partial(flags.examples, "memory")
UNITS_S = {"m": 60, "h": 3600, "d": 86_400, "w": 604_800}
SHOWN = 160  # characters of a memory in a list


class Since(click.ParamType):  # type: ignore[type-arg]  # generic from click 8.4 on
    """A date, 2026-11-21, or how long ago: 90m, 12h, 7d, 2w."""

    name = "when"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return seconds since 1970."""
        if isinstance(value, float):
            return value
        if ago := re.fullmatch(r"([0-9]{1,6})([mhdw])", value):
            return time.time() - int(ago[1]) * UNITS_S[ago[2]]
        try:
            return time.mktime(time.strptime(value, "%Y-%m-%d"))
        except (ValueError, OverflowError):
            self.fail(f"{value!r} is no date such as 2026-11-21, and no time ago such as 7d.", param, ctx)


@click.group(epilog=example('search "red ball in the office"', "show"))
def memory() -> None:
    """Search what was done, seen and said; see where each thing is from; forget, and take that back."""


@memory.command(
    epilog=example('search "red ball in the office"', "search stuck --kind mission --since 7d --json")
)
@click.argument("question")
@click.option(
    "--scope",
    type=click.Choice(["global", "project", "similar"]),
    help="All, one project, or those like it, too [default: global, or the project that is named].",
)
@click.option("--project", default="", help="Whose memory.")
@click.option("--kind", "kinds", multiple=True, help="trace, experience, fact, or a trace's kind: mission, …")
@click.option("--since", type=Since(), help="Not older than a date, or than 90m, 12h, 7d, 2w.")
@click.option("--limit", type=click.IntRange(1, 1000), help="So many at most [default: query_memory.md].")
@click.option("--archived", is_flag=True, help="Search the archive, too.")
@flags.as_json
def search(question: str, scope: str | None, as_json: bool, **more: Any) -> None:
    """Find what answers QUESTION, any sentence; the best first."""
    scope = scope or ("project" if more["project"] else "global")
    with Memory() as opened:
        found = opened.search(question, scope=scope, **more)
    if as_json:
        click.echo(json.dumps([answer(one) for one in found]))
        return
    for one in found:
        click.echo(
            f"{one.score:.2f}  {line(one.item)}" + (f" and {one.times - 1} alike" if one.times > 1 else "")
        )
    if not found:
        click.echo("nothing here answers that")


@memory.command(epilog=example("show", "show f3a91c"))
@click.argument("name", required=False)
@click.option("--forgotten", is_flag=True, help="List what was forgotten.")
@click.option("--project", help="Whose memory.")
@click.option("--limit", default=10, show_default=True, type=click.IntRange(1, 1000), help="Lines of a list.")
@flags.as_json
def show(name: str | None, forgotten: bool, project: str | None, limit: int, as_json: bool) -> None:
    """Show the memory NAME, or the beginning of a name, whole; without one, the newest."""
    with Memory() as opened:
        if name:
            item = opened.find(name)
            more = {"below": [one.id for one in opened.children(item)]} if isinstance(item, Trace) else {}
            whole = {**item.shown(), **more}
            click.echo(json.dumps(whole) if as_json else told(whole))
            return
        items = opened.forgotten(limit) if forgotten else opened.newest(limit, project)
    if as_json:
        click.echo(json.dumps([one.shown() for one in items]))
        return
    for one in items:
        click.echo(line(one) + (f"; forgotten because: {plain(one.forgotten)}" if one.forgotten else ""))
    if not items:
        click.echo("nothing is forgotten" if forgotten else "nothing is remembered yet; `llmos run` begins")


@memory.command(epilog=example('forget f3a91c --because "the lamp was moved"'))
@click.argument("name")
@click.option("--because", required=True, help="Why; it is kept with the memory.")
def forget(name: str, because: str) -> None:
    """Let the memory NAME be found no more; nothing is deleted."""
    with Memory() as opened:
        item = opened.forget(name, f"{because} ({flags.person()})")
    click.echo(f"forgotten: {line(item)}\n`llmos memory restore {item.id}` takes that back")


@memory.command(epilog=example("restore f3a91c"))
@click.argument("name")
def restore(name: str) -> None:
    """Bring the forgotten memory NAME back, as it was."""
    with Memory() as opened:
        click.echo(f"restored: {line(opened.restore(name))}")


@memory.command(epilog=example("consolidate --project yard"))
@click.option("--project", help="Whose memory [default: everyone's].")
@click.option("--force", is_flag=True, help="Do not wait for as many traces as memory_schema.md says.")
@flags.as_json
def consolidate(project: str | None, force: bool, as_json: bool) -> None:
    """Make facts of what was seen again and again, and write them to the user volume."""
    with Memory() as opened:
        done = opened.consolidate(project, force=force)
    if as_json:
        click.echo(json.dumps([{**vars(one), "facts": [fact.shown() for fact in one.facts]} for one in done]))
        return
    for one in done:
        name = f"project {plain(one.project)}" if one.project else "no project"
        where = f", in {one.file} of the user volume" if one.file else ""
        click.echo(
            f"{name}: {_count(one.traces, 'trace')} consolidated, {one.archived} archived, "
            f"{_count(len(one.facts), 'fact')} new or changed{where}"
        )
        for fact in one.facts:
            click.echo(f"  {line(fact)}")
    if not done:
        click.echo("nothing is remembered yet; `llmos run` begins")


@memory.command(epilog=example("stats"))
@flags.as_json
def stats(as_json: bool) -> None:
    """Say how much there is, and how it is searched."""
    from llmos.memory.stats import stats as counted

    with Memory() as opened:
        found = counted(opened)
    click.echo(json.dumps(found) if as_json else told(found))


def line(item: Item) -> str:
    """Return a memory and where it is from, on one line."""
    text = plain(item.text)
    short = text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"
    project = f", project {plain(item.project)}" if item.project else ""
    return f"{item.id}  {item.kind:<10} {short}  [{plain(item.source)}{project}, {item.when}]"


def answer(found: Found) -> dict[str, Any]:
    """Return a found memory for JSON."""
    own = {"score": found.score, "words": found.words, "meaning": found.meaning, "times": found.times}
    return {**own, **found.item.shown()}


def told(values: dict[str, Any]) -> str:
    """Return what is known as lines of name and value."""
    width = max(map(len, values))
    rows = {name: value for name, value in values.items() if value not in ("", (), [], {}, None)}
    return "\n".join(f"{name:<{width}}  {plain(_value(value))}" for name, value in rows.items())


def _count(number: int, name: str) -> str:
    return f"{number} {name}" + ("" if number == 1 else "s")


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {one}" for name, one in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return str(value)
