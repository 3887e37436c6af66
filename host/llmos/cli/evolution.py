"""`llmos evolution`: how skills came to be what they are."""

import json
from pathlib import Path

import click

from llmos.cli import flags

PAGE = b"<!DOCTYPE html>"
EPILOG = """\b
Example:
  llmos evolution log
  llmos evolution log wander --html wander.html
  llmos evolution patterns --propose
"""


@click.group(epilog=EPILOG)
def evolution() -> None:
    """Tell how skills came to be what they are."""


@evolution.command(epilog=EPILOG)
@click.argument("skill", required=False, default="")
@click.option("--html", type=click.Path(dir_okay=False, path_type=Path), help="Write a page with plots here.")
@flags.as_json
def log(skill: str, html: Path | None, as_json: bool) -> None:
    """Tell the story of SKILL, or of all: dreams, ancestors, held-out verdicts, promotions, rollbacks."""
    from llmos.evolution import story
    from llmos.volumes import Volumes

    if html:
        page_file(html)
    told = story.story(Volumes(), skill)
    if html:
        html.write_text(story.page(told), encoding="utf-8")
    if as_json:
        click.echo(json.dumps(story.facts(told)))
    else:
        click.echo(story.text(told) + (f"\n\npage: {html}" if html else ""))


@evolution.command(epilog=EPILOG)
@click.option("--propose", is_flag=True, help="Write each as a skill, on a branch of the user volume.")
@flags.as_json
def patterns(propose: bool, as_json: bool) -> None:
    """List what was done again and again, and well, and what skill it could become."""
    from llmos.evolution import patterns as found_in
    from llmos.memory import Memory
    from llmos.text import plain
    from llmos.volumes import Volumes

    with Memory() as memory:
        found = found_in.patterns(memory)
        made = found_in.propose(Volumes(), memory) if propose else []
    if as_json:
        facts = [{**vars(one), "values": [dict(values) for values in one.values]} for one in found]
        click.echo(json.dumps({"patterns": facts, "proposals": [one.branch for one in made]}))
        return
    rows = [plain(one.line) for one in found] or ["nothing came back often enough, and well"]
    click.echo("\n".join([*rows, *(f"proposed {plain(one.line)}" for one in made)]))
    if made:
        click.echo(f"llmos volume merge user {made[0].branch} takes it over")


def page_file(path: Path) -> None:
    """Refuse, as wrong usage, a file that the page must not take the place of; only a page may be replaced.

    Raises:
        StateError: it cannot be written.
    """
    from llmos.state import writable

    if ".git" in path.absolute().resolve().parts:
        raise click.BadParameter(f"{path} is git's own: name a file elsewhere", param_hint="--html")
    if path.exists() and path.stat().st_size:
        with path.open("rb") as file:
            if not file.read(len(PAGE)).startswith(PAGE):
                raise click.BadParameter(
                    f"{path} is there and is no page: name another file", param_hint="--html"
                )
    writable(path)
