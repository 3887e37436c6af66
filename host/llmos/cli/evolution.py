"""`llmos evolution`: how skills came to be what they are."""

import json
from pathlib import Path

import click

from llmos.cli import options

EPILOG = """\b
Example:
  llmos evolution log
  llmos evolution log wander --html wander.html
"""


@click.group(epilog=EPILOG)
def evolution() -> None:
    """Tell how skills came to be what they are."""


@evolution.command(epilog=EPILOG)
@click.argument("skill", required=False, default="")
@click.option("--html", type=click.Path(dir_okay=False, path_type=Path), help="Write a page with plots here.")
@options.as_json
def log(skill: str, html: Path | None, as_json: bool) -> None:
    """Tell the story of SKILL, or of all: dreams, ancestors, held-out verdicts, promotions, rollbacks."""
    from llmos.evolution import story
    from llmos.state import writable
    from llmos.volumes import Volumes

    told = story.story(Volumes(), skill)
    if html:
        writable(html).write_text(story.page(told), encoding="utf-8")
    if as_json:
        click.echo(json.dumps(story.facts(told)))
    else:
        click.echo(story.text(told) + (f"\n\npage: {html}" if html else ""))
