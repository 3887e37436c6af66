"""Options that need nothing else imported."""

import click

as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead.")
