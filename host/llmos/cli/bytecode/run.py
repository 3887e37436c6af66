"""`llmos bytecode run`: try a block."""

from typing import Any

import click

from llmbytecode import EmptyRoom, Machine, Outcome
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


@click.command("run", epilog="Example: llmos bytecode run square.lasm")
@file_argument
@robot_option
@json_option
@click.pass_context
def run_command(ctx: click.Context, file: str, robot: str, as_json: bool) -> None:
    """Run a block on the reference machine.

    The world is an empty room of 4 m by 4 m; the exit code is 1 where the block fails.
    """
    ended: list[Outcome] = []

    def work() -> Result:
        limits = load_manifest(robot).limits
        room = EmptyRoom(limits)
        machine = Machine(read_input(file).program, limits, room)
        ended.append(machine.run())
        facts = run_facts(machine, room)
        return facts, run_text(machine, facts)

    answer(ctx, as_json, work)
    ctx.exit(0 if ended == [Outcome.COMPLETED] else 1)


def run_facts(machine: Machine, room: EmptyRoom) -> dict[str, Any]:
    """Return what a run left behind."""
    used = (machine.fuel, machine.ms, machine.path_mm, machine.rotation_mrad, len(machine.reports))
    return {
        "outcome": machine.outcome.name.lower(),
        "code": machine.code,
        "used": dict(zip(BUDGETS, used, strict=True)),
        "certificate": machine.certificate._asdict(),
        "registers": machine.registers,
        "variables": machine.variables,
        "mode": machine.mode.name.lower(),
        "reports": machine.reports,
        "signals": machine.signals,
        "pose": {"x_mm": round(room.x), "y_mm": round(room.y), "heading_mrad": round(1000 * room.heading)},
    }


def run_text(machine: Machine, facts: dict[str, Any]) -> str:
    """Return a run's facts for people."""
    code = f" with code {machine.code}" if machine.outcome is Outcome.FAILED else ""
    lines = [f"{facts['outcome']}{code}, mode {facts['mode']}"]
    lines += [f"{name:<14} {used:>8} of {facts['certificate'][name]}" for name, used in facts["used"].items()]
    pose = facts["pose"]
    lines.append(
        f"pose           {pose['x_mm']} mm east, {pose['y_mm']} mm north, {pose['heading_mrad']} mrad"
    )
    lines.append(f"registers      {_numbers('r', machine.registers)}")
    lines.append(f"variables      {_numbers('v', machine.variables)}")
    lines += [f"report         tag {tag}: {value}" for tag, value in machine.reports]
    lines += [f"signal         {name} {' '.join(map(str, values))}" for name, *values in machine.signals]
    return "\n".join(lines)


def _numbers(letter: str, values: list[int]) -> str:
    return " ".join(f"{letter}{n}={value}" for n, value in enumerate(values) if value) or "all 0"
