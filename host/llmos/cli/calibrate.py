"""`llmos calibrate`: the wheels' true measures."""

import json
import os
import select
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from llmos import calibration
from llmos.calibration import Calibration, CalibrationError, Measured, RobotBench, TruthTape
from llmos.cli import options
from llmos.connection import connected
from llmos.link import Robot
from llmos.manifest import Manifest, find_manifest, load_manifest, manifest_hash
from llmos.report import Order
from llmos.scratch import scratch_folder
from llmos.state import own_manifest

EXAMPLE = """\b
Example:
  llmos calibrate --port /dev/ttyACM0
  llmos calibrate --measured 476 --turned 341 --output mine.toml
  llmos calibrate --fault wheel=57 --fault base=104
"""
PLACE = """\
Put the robot on a level floor with a metre free ahead, and mark where its axle stands and points to.
It drives 500 mm and turns 360 degrees to the left, then the same again with corrected wheels."""
TICK_MS = 50


@click.command(epilog=EXAMPLE)
@click.option("--port", help="The robot at this serial port or pyserial URL instead of the virtual one.")
@click.option("--robot", default="cube", show_default=True, help="A robot's name, or its manifest.")
@click.option("--measured", type=float, metavar="MM", help="How far it has driven when told 500 mm.")
@click.option("--turned", type=float, metavar="DEG", help="How far it has turned when told 360 degrees.")
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help="The manifest to write.")
@click.option("--clear", is_flag=True, help="Release a latched e-stop first; see that the way is free.")
@click.option("--seed", default=0, show_default=True, type=options.SEED, help="The virtual robot's.")
@click.option("--fault", "faults", multiple=True, callback=options.faults, help="wheel=MM, base=MM, slip=P …")
@options.as_json
def calibrate(
    measured: float | None, turned: float | None, output: Path | None, as_json: bool, **order: Any
) -> None:
    """Correct wheel diameter and wheel base in the robot's manifest.

    The robot drives and turns, and you type what you have measured. With --measured and --turned nothing is
    driven, since that is done already. The virtual robot is measured by its room; --fault gives it other
    wheels than its manifest's. The manifest is written to --output, or to ~/.llmos/robots/.
    """
    wanted = Order(goal="", arena="empty", **order)
    manifest = load_manifest(wanted.robot)
    if (measured is None) != (turned is None):
        raise click.UsageError("--measured and --turned belong together: give both, or none")
    if measured is not None and turned is not None:
        found = calibration.correct(manifest.drive, Measured(measured, turned))
    else:
        found = calibration.settled(find(wanted, manifest))
    target = output or own_manifest(find_manifest(wanted.robot).stem)
    new = calibration.write_manifest(wanted.robot, target, found)
    told = facts(manifest, new, found, target)
    click.echo(json.dumps(told) if as_json else text(manifest, new, found, target, wanted.port))


def find(order: Order, manifest: Manifest) -> Calibration:
    """Drive the order's robot, and return what its wheels are."""
    truth_name, limits = "truth.jsonl", manifest.limits
    with scratch_folder() as folder, connected(order, manifest, folder / truth_name) as robot:
        if not order.port:
            tape = TruthTape(folder / truth_name).measure
        else:
            answers = Answers(robot)
            click.echo(PLACE, err=True)
            answers.line("Press Enter when it is ready: ")
            tape = answers.measure
        return calibration.calibrate(manifest.drive, RobotBench(robot, limits, tape))


class Answers:
    """Lines from standard input; the robot gets its heartbeats while somebody measures."""

    def __init__(self, robot: Robot, source: int = 0, tell: Callable[[str], None] | None = None) -> None:
        """Read from a file descriptor."""
        self._robot, self._source = robot, source
        self._tell = tell or (lambda text: click.echo(text, err=True, nl=False))
        self._rest = b""

    def measure(self, question: str, commanded: float, unit: str) -> float:
        """Ask until the answer makes sense; degrees that begin with a sign are an error of the commanded."""
        while True:
            said = self.line(f"{question} ")
            try:
                number = float(said.replace(",", "."))
            except ValueError:
                self._tell(f"{said!r} is no number; type one such as {commanded - 12:g}\n")
                continue
            if unit == "degrees" and said[0] in "+-":
                number += commanded
            try:
                return calibration.plausible(number, commanded, unit)
            except CalibrationError as error:
                self._tell(f"{error}\n")

    def line(self, question: str) -> str:
        """Ask, and return one line without its blanks.

        Raises:
            CalibrationError: there is nobody to ask.
        """
        self._tell(question)
        while b"\n" not in self._rest:
            if not select.select([self._source], [], [], 0)[0]:
                self._robot.wait(TICK_MS)
                continue
            data = os.read(self._source, 4096)
            if not data:
                raise CalibrationError(
                    "nobody answers: run it in a terminal, or give --measured and --turned after driving "
                    "500 mm and turning 360 degrees"
                )
            self._rest += data
        line, _, self._rest = self._rest.partition(b"\n")
        return line.decode(errors="replace").strip()


def facts(old: Manifest, new: Manifest, found: Calibration, target: Path) -> dict[str, Any]:
    """Return what was found for --json; errors are shares of what was commanded."""

    def told(one: Measured | None) -> dict[str, float] | None:
        if one is None:
            return None
        way, turn = one.errors
        return one._asdict() | {"way_error": way, "turn_error": turn}

    return {
        "wheel_diameter_m": found.wheel_diameter_m,
        "wheel_base_m": found.wheel_base_m,
        "before": told(found.before),
        "after": told(found.after),
        "manifest": str(target),
        "manifest_hash": f"0x{manifest_hash(new.limits):08x}",
        "changed": old.limits != new.limits,
    }


def text(old: Manifest, new: Manifest, found: Calibration, target: Path, port: str | None) -> str:
    """Return what was found for people."""
    lines = [f"{'':12}{'told':>10}{'measured':>12}{'error':>9}"]
    lines += rows(found.before) + (rows(found.after, " again") if found.after else [])
    for key in calibration.KEYS:
        lines.append(f"{key:<18}{getattr(old.drive, key):.5f} -> {getattr(new.drive, key):.5f}")
    lines.append(f"written: {target}")
    if old.limits == new.limits:
        return "\n".join([*lines, "the robot's manifest was right: there is nothing to flash"])
    before, after = manifest_hash(old.limits), manifest_hash(new.limits)
    lines.append(f"the manifest's hash was 0x{before:08x} and is 0x{after:08x}: flash the robot again, with")
    return "\n".join([*lines, f"  llmos flash --robot {target}" + (f" --port {port}" if port else "")])


def rows(one: Measured, again: str = "") -> list[str]:
    """Return a drive and a turn with their errors."""
    way, turn = one.errors
    return [
        f"{'drive' + again:12}{calibration.WAY_MM:7.0f} mm{one.way_mm:9.1f} mm{way:+9.2%}",
        f"{'turn' + again:12}{calibration.TURN_DEG:8.0f}° {one.turn_deg:10.1f}° {turn:+9.2%}",
    ]
