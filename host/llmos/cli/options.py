"""What options take, where click's own types take too much."""

import math
from collections.abc import Callable
from typing import Any

import click

from llmos.brains.budget import USUAL_BUDGET
from llmos.cli.flags import SEED as SEED
from llmos.cli.flags import as_json as as_json
from llmos.cli.flags import kernel as kernel
from llmos.sim.faults import FaultError, parse_faults
from llmos.writing import WAYS


class Finite(click.FloatRange):
    """A number of a range; neither infinite nor no number."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the number."""
        number = float(super().convert(value, param, ctx))
        if not math.isfinite(number):
            self.fail(f"{value} is no finite number.", param, ctx)
        return number


class Pace(Finite):
    """Simulated over wall time: 0, or something that a clock can keep to."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the number."""
        number = super().convert(value, param, ctx)
        if 0 < number < 0.001:
            self.fail(f"{value} is slower than 0.001.", param, ctx)
        return number


SECONDS = Finite(0, 86_400, min_open=True)
SPEED = Pace(0, 1e6)

# What several commands take.
deadline = click.option(
    "--deadline",
    default=10.0,
    show_default=True,
    type=SECONDS,
    help="Seconds for one decision; then the rule decides.",
)
shuffle = click.option("--shuffle", is_flag=True, help="Offer the candidates in random order.")


def budget(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that bound what a run may ask of its models."""
    usual = USUAL_BUDGET
    for name, kind, value, what in (
        ("--max-seconds", SECONDS, usual.seconds, "Most seconds that models may compute in a run."),
        ("--max-tokens", click.IntRange(1), usual.tokens, "Most tokens that they may read and write."),
        ("--max-calls", click.IntRange(1), usual.calls, "Most calls to models in a run; then rules decide."),
    ):
        command = click.option(name, type=kind, default=value, show_default=True, help=what)(command)
    return command


def way(what: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return the option that says how a program is made."""
    return click.option(
        "--way",
        type=click.Choice(WAYS),
        help=f"{what}: write it, or choose a skill that ships and fill its numbers, the likest or one of "
        "three [default: choose for smollm2 and random, else write].",
    )


def faults(context: click.Context, option: click.Parameter, texts: tuple[str, ...]) -> tuple[str, ...]:
    """Refuse faults that are unknown or wrongly written, as wrong usage."""
    try:
        parse_faults(texts)
    except FaultError as error:
        raise click.BadParameter(str(error)) from None
    return texts
