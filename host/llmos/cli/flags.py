"""What commands share and that needs nothing else imported."""

import getpass

import click

SEED = click.IntRange(0, 2**63 - 1)
as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead.")


def examples(command: str, *lines: str) -> str:
    """Return the end of a command's help page: each line as it is typed behind `llmos COMMAND`."""
    return "\b\nExample:\n" + "\n".join(f"  llmos {command} {line}" for line in lines)


def person() -> str:
    """Return the name of who sits before the terminal."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a user without a name
        return "somebody"
