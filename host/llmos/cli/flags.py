"""What commands share and that needs nothing else imported."""

import getpass
from collections.abc import Callable
from typing import Any

import click

_BARE = f"{__name__}.no_adapter"
SEED = click.IntRange(0, 2**63 - 1)
as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead.")


def kernel(usual: str, what: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return the options that say who decides: `--kernel`, and `--no-adapter` for it.

    Args:
        usual: the spec where none is given.
        what: the help.
    """

    def add(command: Callable[..., Any]) -> Callable[..., Any]:
        bare = click.option(
            "--no-adapter", is_flag=True, is_eager=True, expose_value=False, callback=_noted,
            help="Take the model that ships as it was before it was taught.",
        )  # fmt: skip
        return click.option("--kernel", default=usual, show_default=True, callback=_as_noted, help=what)(
            bare(command)
        )

    return add


def _noted(context: click.Context, option: click.Parameter, bare: bool) -> None:
    context.meta[_BARE] = bare


def _as_noted(context: click.Context, option: click.Parameter, spec: str) -> str:
    """Return a kernel's spec, without an adapter where that was asked for."""
    if not context.meta[_BARE]:
        return spec
    from llmos.brains.opening import untaught_of  # late: `llmos skill` stays quick
    from llmos.inference import AdapterError

    try:
        return untaught_of(spec)
    except AdapterError as error:
        raise click.UsageError(f"--no-adapter: {error}") from None


def examples(command: str, *lines: str) -> str:
    """Return the end of a command's help page: each line as it is typed behind `llmos COMMAND`."""
    return "\b\nExample:\n" + "\n".join(f"  llmos {command} {line}" for line in lines)


def person() -> str:
    """Return the name of who sits before the terminal."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a user without a name
        return "somebody"
