"""`llmos bytecode validate`: the certificate, or the refusal."""

from collections.abc import Callable

import click

from llmbytecode import Certificate, Chan, Limits
from llmbytecode._isa import MEASURES
from llmbytecode.account import account
from llmos.cli.bytecode._io import (
    BUDGETS,
    Result,
    answer,
    certify,
    file_argument,
    json_option,
    read_input,
    robot_option,
)
from llmos.cli.bytecode._worst import account_rows, source_texts, worst_listing
from llmos.manifest import load_manifest

ACTUATORS = ("drive", "led", "tone")


@click.command("validate", epilog="Example: llmos bytecode validate square.lasm --json | jq .certificate")
@file_argument
@robot_option
@click.option("--all", "whole", is_flag=True, help="Show what every line adds, not the heaviest alone.")
@json_option
@click.pass_context
def validate_command(ctx: click.Context, file: str, robot: str, whole: bool, as_json: bool) -> None:
    """Print a block's certificate and where it comes from, or why it is refused.

    The certificate is what the block can cost at worst. Below it stand the lines that account for the most of
    it: how often each runs on the worst path (×), and what that adds. The exit code is 1 on a refusal, which
    names the smallest change that would pass.
    """

    def work() -> Result:
        given, limits = read_input(file), load_manifest(robot).limits
        certificate = certify(given, limits)
        told, texts = account(given.program, limits), source_texts(given)
        facts = {
            "file": given.name,
            "robot": robot,
            "words": len(given.program.words),
            "constants": len(given.program.constants),
            "autonomous_ms": given.program.autonomous_ms,
            "certificate": certificate._asdict(),
            "account": account_rows(told, texts),
        }
        listing = worst_listing(told, given.program, texts, limits, whole)
        return facts, f"{certificate_table(certificate, limits)}\n\n{listing}"

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
