"""Calibration finds the wheels that a robot has, and changes nothing else of its manifest."""

import json
import math
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmos import calibration
from llmos.calibration import Calibration, CalibrationError, Measured, RobotBench, TruthTape
from llmos.cli.calibrate import Answers
from llmos.connection import connected
from llmos.manifest import ManifestError, find_manifest, load_manifest
from llmos.report import Order
from llmos.sim.arena import Arena
from llmos.sim.body import World
from llmos.sim.faults import parse_faults

CUBE = load_manifest("cube")
ROOM = Arena.model_validate({"name": "room", "size_m": (4, 4), "start": {"x": 0, "y": 0}})
TEXT = find_manifest("cube").read_text()
FOUND = Calibration(0.05712, 0.10321, Measured(476, 332))


class BodyBench:
    """A body that takes the steps which the manifest has for a way, and goes where its own wheels take it."""

    def __init__(self, wheel_mm: float, base_mm: float) -> None:
        self.faults = parse_faults([f"wheel={wheel_mm}", f"base={base_mm}"])

    def drive(self, mm: int) -> float:
        steps = round(mm / 1000 * CUBE.drive.steps_per_m)
        return 1000 * self._moved(steps, steps).x

    def turn(self, mrad: int) -> float:
        steps = round(mrad / 1000 * CUBE.drive.wheel_base_m / 2 * CUBE.drive.steps_per_m)
        return math.degrees(self._moved(-steps, steps).heading)

    def _moved(self, left: int, right: int) -> World:
        world = World(ROOM, CUBE, faults=self.faults)
        world.drive(left, right, 800, 400)
        while world.moving:
            world.advance(world.rest_ms)
        return world


@given(st.floats(0.9, 1.1), st.floats(0.9, 1.1))
def test_the_error_after_is_below_one_percent(wheel: float, base: float) -> None:
    """Whatever the true wheels are, within a tenth of the manifest's; and they are found to 0.3 %."""
    true = CUBE.drive.wheel_diameter_m * wheel, CUBE.drive.wheel_base_m * base
    found = calibration.calibrate(CUBE.drive, BodyBench(*(1000 * metres for metres in true)))
    assert found.after
    assert max(map(abs, found.after.errors)) < 0.01
    assert (found.wheel_diameter_m, found.wheel_base_m) == pytest.approx(true, rel=0.003)
    assert calibration.settled(found) == found


@given(st.sampled_from(["way", "turn"]), st.floats())
def test_a_measure_that_makes_no_sense_is_refused(which: str, value: float) -> None:
    """Zero, negative, no number, more than 30 % off: refused in a sentence; all else is taken."""
    commanded = {"way": 500.0, "turn": 360.0}[which]
    measured = Measured(value, 360.0) if which == "way" else Measured(500.0, value)
    if 0.701 * commanded < value < 1.299 * commanded:
        calibration.correct(CUBE.drive, measured)
    elif not 0.699 * commanded <= value <= 1.301 * commanded:
        with pytest.raises(CalibrationError, match=r"makes no sense for wheels; measure again"):
            calibration.correct(CUBE.drive, measured)


def test_only_the_two_numbers_change() -> None:
    """Comments, order and blanks stay."""
    old, new = TEXT.splitlines(), calibration.corrected(TEXT, FOUND).splitlines()
    changed = [line for line, before in zip(new, old, strict=True) if line != before]
    assert changed == ["wheel_diameter_m = 0.05712", "wheel_base_m = 0.10321"]


@pytest.mark.parametrize(
    "text",
    [
        "drive = { wheel_diameter_m = 0.06, wheel_base_m=1e-1 } # wheel_base_m = 3",
        "drive.wheel_base_m = 0.1 # m\ndrive.wheel_diameter_m = 6.0e-2",
        "# wheel_diameter_m = 7\n[drive]\n  wheel_diameter_m=0.06#x\n  wheel_base_m\t= 0.1_0\n[x]\ny=1",
    ],
)
def test_manifests_of_other_styles(text: str) -> None:
    """The numbers are found wherever TOML lets them stand, but in comments."""
    new = tomllib.loads(calibration.corrected(text, FOUND))
    old = tomllib.loads(text)
    assert new.pop("drive") == {"wheel_diameter_m": 0.05712, "wheel_base_m": 0.10321}
    assert new == {key: value for key, value in old.items() if key != "drive"}


@pytest.mark.parametrize(
    "text",
    [
        '[drive]\n"wheel_diameter_m" = 0.06\nwheel_base_m = 0.1',
        "[drive]\nwheel_diameter_m = 0.06\nwheel_base_m = 0.1\n[other]\nwheel_base_m = 2",
    ],
)
def test_what_cannot_be_changed_safely_is_left_to_a_person(text: str) -> None:
    """With the two numbers to write."""
    with pytest.raises(CalibrationError, match=r"put wheel_diameter_m = 0.05712 and wheel_base_m = 0.10321"):
        calibration.corrected(text, FOUND)


def test_a_manifest_is_replaced_whole_or_not_at_all(tmp_path: Path) -> None:
    """In place too; wheels that no robot can drive on leave the old one, and nothing beside it."""
    target = tmp_path / "mine.toml"
    target.write_text(TEXT)
    new = calibration.write_manifest(str(target), target, FOUND)
    assert new == load_manifest(str(target))
    assert new.drive.wheel_base_m == 0.10321
    before = target.read_text()
    with pytest.raises(ManifestError):
        calibration.write_manifest(str(target), target, FOUND._replace(wheel_base_m=1e-5))
    assert target.read_text() == before
    assert os.listdir(tmp_path) == ["mine.toml"]
    with pytest.raises(CalibrationError, match="cannot be written"):
        calibration.write_manifest(str(target), Path("/proc/mine.toml"), FOUND)


def test_a_robot_with_other_wheels_drives_true_afterwards(tmp_path: Path, micropython64: Path) -> None:
    """From the command line to the robot that is flashed with what it writes."""
    target = tmp_path / "mine.toml"
    wrong = ("--fault", "wheel=65", "--fault", "base=93")
    command = [sys.executable, "-m", "llmos", "calibrate", *wrong, "--output", str(target), "--json"]
    told = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert told["before"]["way_error"] == pytest.approx(65 / 60 - 1, abs=0.002)
    assert told["before"]["turn_error"] == pytest.approx(65 / 60 * 100 / 93 - 1, abs=0.002)
    assert abs(told["after"]["way_error"]) < 0.01
    assert abs(told["after"]["turn_error"]) < 0.01
    new = load_manifest(str(target))
    truth = tmp_path / "truth"
    order = Order("", arena="empty", robot=str(target), faults=wrong[1::2])
    with connected(order, new, truth) as robot:
        bench = RobotBench(robot, new.limits, TruthTape(truth).measure)
        assert bench.drive(500) == pytest.approx(500, abs=5)
        assert bench.turn(6283) == pytest.approx(360, abs=3.6)


def test_somebody_with_a_tape(micropython64: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A connected robot, and answers that are typed: what makes no sense is asked again."""
    reader, writer = os.pipe()
    os.write(writer, b"4 76\n0\n-3\n476,5\n-28\n500\n+0\n")
    said: list[str] = []
    with connected(Order("", arena="empty"), CUBE, Path(os.devnull)) as robot:
        answers = Answers(robot, reader, said.append)
        found = calibration.calibrate(CUBE.drive, RobotBench(robot, CUBE.limits, answers.measure))
        assert found.before == Measured(476.5, 332.0)
        assert found.after == Measured(500.0, 360.0)
        assert "'4 76' is no number" in "".join(said)
        assert "0 mm where the robot was told 500" in "".join(said)
        assert "-3 mm where the robot was told 500" in "".join(said)
        os.close(writer)
        with pytest.raises(CalibrationError, match="nobody answers"):
            answers.line("?")
    os.close(reader)


def test_a_drive_that_is_cut_short_is_no_measure(tmp_path: Path, micropython64: Path) -> None:
    """Here by the reflex, before a wall."""
    arena = tmp_path / "small.toml"
    arena.write_text('name = "small"\nsize_m = [0.8, 0.8]\nstart = { x = 0.0, y = 0.0, heading_deg = 0.0 }\n')
    with connected(Order("", arena=str(arena)), CUBE, Path(os.devnull)) as robot:
        bench = RobotBench(robot, CUBE.limits, lambda *_: 500.0)
        with pytest.raises(CalibrationError, match="cut short: completed; the reflex had ended"):
            bench.drive(500)
