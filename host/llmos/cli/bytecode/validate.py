"""`llmos bytecode validate`: the certificate, or the refusal."""

from collections.abc import Callable

import click

from llmbytecode import Certificate, Chan, Limits, read_container, verify
from llmbytecode._isa import MEASURES
from llmos.cli.bytecode._io import (
    BUDGETS,
    Result,
    answer,
    file_argument,
    json_option,
    read_input,
    robot_option,
)
from llmos.manifest import load_manifest

ACTUATORS = ("drive", "led", "tone")


@click.command("validate", epilog="Example: llmos bytecode validate square.lasm --json | jq .certificate")
@file_argument
@robot_option
@json_option
@click.pass_context
def validate_command(ctx: click.Context, file: str, robot: str, as_json: bool) -> None:
    """Print a block's certificate, or why it is refused.

    The certificate is what the block can cost at worst. The exit code is 1 on a refusal.
    """

    def work() -> Result:
        given, limits = read_input(file), load_manifest(robot).limits
        if given.container:
            read_container(given.container, limits)
        certificate = verify(given.program, limits)
        facts = {
            "file": given.name,
            "robot": robot,
            "words": len(given.program.words),
            "constants": len(given.program.constants),
            "autonomous_ms": given.program.autonomous_ms,
            "certificate": certificate._asdict(),
        }
        return facts, certificate_table(certificate, limits)

    answer(ctx, as_json, work)


def certificate_table(certificate: Certificate, limits: Limits) -> str:
    """Return the certificate as a table of worst cases beside the robot's limits."""
    lines = []
    for name, value in certificate._asdict().items():
        if name in BUDGETS:
            shown = f"{value:>8} of {getattr(limits, BUDGETS[name])}"
        else:
            shown = BITS[name](value) or "-"
        lines.append(f"{name:<14} {shown:<20} {MEASURES[name].meaning}".rstrip())
    return "\n".join(lines)


def _bit_names(names: list[str]) -> Callable[[int], str]:
    return lambda bits: " ".join(name for n, name in enumerate(names) if bits >> n & 1)


BITS: dict[str, Callable[[int], str]] = {
    "registers": _bit_names([f"r{n}" for n in range(16)]),
    "variables": _bit_names([f"v{n}" for n in range(16)]),
    "sensors": _bit_names([channel.name.lower() for channel in Chan]),
    "actuators": _bit_names(list(ACTUATORS)),
    "guarded": lambda value: "yes" if value else "no",
}
