"""`llmos bytecode run`: try blocks on the reference machine, in an arena, or on a robot."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from llmbytecode import EmptyRoom, Machine, Outcome
from llmos import shown
from llmos.cli import options
from llmos.cli.bytecode._io import (
    BUDGETS,
    Input,
    Result,
    answer,
    certify,
    json_option,
    read_input,
    robot_option,
)
from llmos.cli.bytecode._worst import source_texts
from llmos.connection import connected
from llmos.link.robot import HEARTBEAT_MS
from llmos.manifest import load_manifest
from llmos.report import Order
from llmos.runs import Run, certified, run_blocks
from llmos.scratch import scratch_folder
from llmos.state import writable
from llmos.trial import try_blocks
from llmos.world.draw import run_svg

TRACE_MS = 50  # between two looks at the robot

EPILOG = """\b
Example: llmos bytecode run square.lasm
  llmos bytecode run square.lasm --arena empty --trace --picture square.svg
"""
HELP_TRACE = (
    "Also list what was done when: moves, waits, lights, tones, TRIP, reports, modes. It is followed through "
    "the program by the word and the fuel that telemetry tells. Registers are not seen; ? marks where "
    "something else or more may have been done."
)


@click.command("run", epilog=EPILOG)
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=click.Path())
@robot_option
@click.option("--arena", help="Run on the virtual robot in this arena: a name, or a path to a .toml file.")
@click.option("--port", help="Run on the robot at this serial port or pyserial URL, on the wall clock.")
@click.option("--clear", is_flag=True, help="Release a latched e-stop first; see that the way is free.")
@click.option("--trace", is_flag=True, help=HELP_TRACE)
@click.option("--seed", default=0, show_default=True, type=options.SEED, help="Of the sensors' noise.")
@click.option(
    "--bits", type=click.Choice(["64", "32"]), default="64", help="MicroPython that plays the robot."
)
@click.option(
    "--native",
    type=click.Choice(["auto", "always", "never"]),
    default="auto",
    show_default=True,
    help="Send machine code with a block: auto where interpreting it has cost as much as that would.",
)
@click.option("--picture", type=click.Path(dir_okay=False, path_type=Path), help="Draw the way (SVG).")
@json_option
@click.pass_context
def run_command(ctx: click.Context, /, files: tuple[str, ...], as_json: bool, **rest: Any) -> None:
    """Run blocks, one after the other.

    Without --arena and --port, one block runs on the reference machine, in an empty room of 4 m by 4 m. On a
    robot, the certificate is printed beside what was really used, and in an arena also where the robot really
    went. The exit code is 0 only where every block completed and nothing was hit.
    """
    on_robot = check_usage(files, **rest)
    good: list[bool] = []

    def work() -> Result:
        if not on_robot:
            return on_machine(files[0], rest["robot"], good)
        return on_a_robot(files, good, **rest)

    answer(ctx, as_json, work)
    ctx.exit(0 if good and all(good) else 1)


def check_usage(files: tuple[str, ...], **rest: Any) -> bool:
    """Return whether a robot is to run the blocks; refuse options that have no meaning together."""
    on_robot = bool(rest["arena"] or rest["port"])
    if rest["arena"] and rest["port"]:
        raise click.UsageError("--arena is for the virtual robot, --port for another: give one of them")
    if not on_robot and (len(files) > 1 or rest["trace"] or rest["clear"]):
        raise click.UsageError("several files, --trace and --clear need a robot: give --arena or --port")
    if rest["picture"] and not rest["arena"]:
        raise click.UsageError("--picture shows where the robot really was: give --arena")
    if rest["picture"]:
        writable(rest["picture"])
    return on_robot


def on_a_robot(files: tuple[str, ...], good: list[bool], **rest: Any) -> Result:
    """Run the blocks of files on the virtual robot or on another, and return what came of it."""
    given = [read_input(file) for file in files]
    told = run_given(given, **rest)
    good += [one.good for one in told] + [False] * (len(given) - len(told))
    picture = shown.record(told, load_manifest(rest["robot"]), rest["seed"])
    if rest["picture"] and picture:
        rest["picture"].write_text(run_svg(picture), encoding="utf-8")
    return {"runs": [shown.facts(one) for one in told]}, shown.whole_text(told, picture)


def run_given(given: Sequence[Input], **rest: Any) -> list[shown.Shown]:
    """Run blocks on the virtual robot or on another; the first that does not complete is the last.

    Args:
        given: the blocks.
        rest: arena or port, robot, seed, bits, native, clear, trace.

    Raises:
        LLMBytecodeError: a block is refused.
        LinkError: the robot cannot be reached, or its e-stop is latched.
    """
    manifest = load_manifest(rest["robot"])
    for one in given:
        certify(one, manifest.limits)
    blocks = [one.container or one.program for one in given]
    beat = TRACE_MS if rest["trace"] else HEARTBEAT_MS
    runs: list[Run] = []
    if rest["port"]:
        order = Order(goal="", robot=rest["robot"], port=rest["port"], clear=rest["clear"])
        with scratch_folder() as folder, connected(order, manifest, folder / "none", beat) as robot:
            robot.machine_code.choice = rest["native"]
            runs += run_blocks(robot, [certified(block, manifest.limits) for block in blocks])
    else:
        chosen = {name: rest[name] for name in ("arena", "robot", "seed", "native")}
        runs += try_blocks(blocks, bits=int(rest["bits"]), heartbeat_ms=beat, **chosen)
    return [
        shown.shown(one.name, source_texts(one), run, rest["trace"])
        for one, run in zip(given, runs, strict=False)
    ]


def on_machine(file: str, robot: str, good: list[bool]) -> Result:
    """Run a block on the reference machine."""
    given, limits = read_input(file), load_manifest(robot).limits
    certify(given, limits)
    room = EmptyRoom(limits)
    machine = Machine(given.program, limits, room)
    good.append(machine.run() is Outcome.COMPLETED)
    facts = run_facts(machine, room)
    return facts, run_text(machine, facts)


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
