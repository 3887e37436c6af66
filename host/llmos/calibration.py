"""Calibration: the wheels' true diameter and distance, from a drive and a turn that somebody has measured.

A robot without encoders knows its way by counting steps. Wheels whose diameter is k times the manifest's go
k times as far. A turn on the spot grows with the wheels' diameter too, and shrinks with their distance.
"""

import math
import os
import re
import tempfile
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, Protocol

from llmbytecode import Limits, Outcome, Program, assemble
from llmos.errors import LlmosError
from llmos.link import Robot
from llmos.manifest import Drive, Manifest, find_manifest, load_manifest
from llmos.runs import Run, certified, ended, run_blocks
from llmos.sim.judge import Sample, read_truth

WAY_MM, TURN_DEG = 500.0, 360.0
SPEED_MM_S, RATE_MRAD_S = 40, 520  # at most; slow enough that no wheel slips for being hurried
MOST_OFF = 0.3  # of what was commanded; more is a slip of the tape or of the pen
TAPE = 0.002  # what a tape and an eye tell apart: a millimetre of WAY_MM
MOST_LEFT = 0.02  # what may be wrong after the correction
KEYS = ("wheel_diameter_m", "wheel_base_m")


class CalibrationError(LlmosError):
    """A calibration that cannot be made, or a measure that makes no sense."""


class Measured(NamedTuple):
    """How far the robot really drove, in mm, when told WAY_MM; how far it turned, in degrees, of TURN_DEG."""

    way_mm: float
    turn_deg: float

    @property
    def errors(self) -> tuple[float, float]:
        """How much too far it drove and turned, as shares."""
        return self.way_mm / WAY_MM - 1, self.turn_deg / TURN_DEG - 1


class Calibration(NamedTuple):
    """The wheels as they are, in metres, and the robot's errors without and with that knowledge."""

    wheel_diameter_m: float
    wheel_base_m: float
    before: Measured
    after: Measured | None = None


class Bench(Protocol):
    """Where a robot drives and is measured."""

    def drive(self, mm: int) -> float:
        """Have it drive straight on, and return how far it went, in mm."""

    def turn(self, mrad: int) -> float:
        """Have it turn on the spot, and return how far it turned, in degrees."""


def calibrate(drive: Drive, bench: Bench) -> Calibration:
    """Measure a robot, correct its wheels, and measure again what it would do with the corrected ones.

    The robot keeps its manifest meanwhile: the second time it is told what makes as many steps as the
    corrected manifest would.

    Raises:
        CalibrationError: a drive was cut short, or a measure makes no sense.
        LinkError: the robot is gone.
    """
    found = correct(drive, Measured(bench.drive(round(WAY_MM)), bench.turn(_mrad(TURN_DEG))))
    longer = drive.wheel_diameter_m / found.wheel_diameter_m
    further = longer * found.wheel_base_m / drive.wheel_base_m
    after = Measured(bench.drive(round(WAY_MM * longer)), bench.turn(_mrad(TURN_DEG * further)))
    return found._replace(after=checked(after))


def correct(drive: Drive, measured: Measured) -> Calibration:
    """Return what the wheels must be for a robot that drove and turned so; as they are where that was right.

    Raises:
        CalibrationError: the measures make no sense.
    """
    errors = checked(measured).errors
    way, turn = (1.0, 1.0) if max(map(abs, errors)) <= TAPE else (1 + error for error in errors)
    diameter, base = drive.wheel_diameter_m * way, drive.wheel_base_m * way / turn
    return Calibration(round(diameter, 5), round(base, 5), measured)


def checked(measured: Measured) -> Measured:
    """Return measures that can be true.

    Raises:
        CalibrationError: one of them is zero, negative, or far from what was commanded.
    """
    plausible(measured.way_mm, WAY_MM, "mm")
    plausible(measured.turn_deg, TURN_DEG, "degrees")
    return measured


def plausible(value: float, commanded: float, unit: str) -> float:
    """Return a measure that is not far from what was commanded.

    Raises:
        CalibrationError: it is.
    """
    if not abs(value - commanded) <= MOST_OFF * commanded:  # no number is far from everything
        raise CalibrationError(
            f"{value:g} {unit} where the robot was told {commanded:g}: more than {MOST_OFF:.0%} off makes no "
            "sense for wheels; measure again, or correct the manifest's drive table roughly by hand first"
        )
    return value


def settled(found: Calibration) -> Calibration:
    """Return a calibration that has helped.

    Raises:
        CalibrationError: the corrected robot still errs.
    """
    left = max(map(abs, found.after.errors)) if found.after else 0.0
    if left > MOST_LEFT:
        raise CalibrationError(
            f"the corrected robot is still {left:.1%} off, so nothing was written: see that no wheel slips "
            "or is loose and that the floor is level, then calibrate again"
        )
    return found


Tape = Callable[[str, float, str], float]  # takes a question, what was commanded, its unit: what was measured


class RobotBench:
    """A connected robot, and somebody with a tape."""

    def __init__(self, robot: Robot, limits: Limits, tape: Tape) -> None:
        """Drive a robot and measure it."""
        self._robot, self._limits, self._tape = robot, limits, tape

    def drive(self, mm: int) -> float:
        """Have it drive, and measure."""
        self._run(way_program(mm, self._limits))
        return self._tape("how many mm has it really driven?", WAY_MM, "mm")

    def turn(self, mrad: int) -> float:
        """Have it turn, and measure."""
        self._run(turn_program(mrad, self._limits))
        return self._tape("how many degrees has it really turned? (+5: five too far)", TURN_DEG, "degrees")

    def _run(self, program: Program) -> None:
        whole(run_blocks(self._robot, [certified(program, self._limits)])[0])


class TruthTape:
    """Measures a virtual robot by its truth log, each time from where it measured last."""

    def __init__(self, truth: Path) -> None:
        """Read a log that is still being written."""
        self._truth = truth
        self._last: Sample | None = None

    def measure(self, question: str, commanded: float, unit: str) -> float:
        """Return how far the robot has driven in mm, or turned in degrees."""
        samples = read_truth(self._truth).samples
        first, self._last = self._last or samples[0], samples[-1]
        if unit == "degrees":
            return math.degrees(self._last.heading - first.heading)
        return 1000 * math.hypot(self._last.x - first.x, self._last.y - first.y)


def whole(run: Run) -> Run:
    """Return a run that nothing has cut short.

    Raises:
        CalibrationError: something has.
    """
    if run.done.outcome != Outcome.COMPLETED or run.done.trip:
        raise CalibrationError(
            f"the drive was cut short: {ended(run)}; clear a metre of floor, then start again"
        )
    return run


def way_program(mm: int, limits: Limits) -> Program:
    """Return the program that drives so far straight on."""
    return assemble(f"MOVE {mm}mm, {min(SPEED_MM_S, limits.top_speed)}mm/s\nEND", "drive")


def turn_program(mrad: int, limits: Limits) -> Program:
    """Return the program that turns so far to the left."""
    return assemble(f"TURN {mrad}mrad, {min(RATE_MRAD_S, limits.top_rate)}mrad/s\nEND", "turn")


def _mrad(degrees: float) -> int:
    return round(1000 * math.radians(degrees))


def write_manifest(robot: str, target: Path, found: Calibration) -> Manifest:
    """Write a robot's manifest with the corrected wheels; all else of its text stays as it is.

    Returns the manifest that was written. `target` may be the manifest's own file.

    Raises:
        ManifestError: there is no such robot, or the corrected wheels make none that can be driven.
        CalibrationError: the text cannot be changed safely, or the file cannot be written.
    """
    source = find_manifest(robot)
    load_manifest(robot)
    text = corrected(source.read_text(encoding="utf-8"), found)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(prefix=f".{target.stem}-", suffix=".toml", dir=target.parent)
        scratch = Path(name)
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(text)
            manifest = load_manifest(name)
            scratch.replace(target)
        finally:
            scratch.unlink(missing_ok=True)
    except OSError as error:
        raise CalibrationError(
            f"{target} cannot be written ({error.strerror}): name a file in a folder of yours with --output"
        ) from None
    return manifest


def corrected(text: str, found: Calibration) -> str:
    """Return a manifest's text with the two numbers changed.

    Raises:
        CalibrationError: they do not stand there once each as plain numbers.
    """
    wanted = tomllib.loads(text)
    for key in KEYS:
        wanted["drive"][key] = getattr(found, key)
        text, count = re.subn(
            rf"(?m)^([^#\n]*\b{key}\s*=\s*)[-+\d._eE]+", rf"\g<1>{getattr(found, key):.5f}", text
        )
        if count != 1:
            break
    else:
        if tomllib.loads(text) == wanted:
            return text
    numbers = " and ".join(f"{key} = {getattr(found, key):.5f}" for key in KEYS)
    raise CalibrationError(f"the manifest is written in an unusual way: put {numbers} into it by hand")
