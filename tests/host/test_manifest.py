"""Robots' manifests: what ships is a robot, fewer sensors are one too, and what is wrong is refused."""

import re
from pathlib import Path

import pytest

from llmos.manifest import ManifestError, load_manifest, manifest_hash
from llmos.mission import run_mission
from llmos.report import Order
from llmos.resources import system_volume

CUBE = (system_volume() / "robots" / "cube.toml").read_text()
KEYS = sorted(set(re.findall(r"^(\w+) =", CUBE, re.M)) - {"name", "description"})


def changed(folder: Path, key: str, value: str) -> str:
    """Write the cube's manifest with another value for a key, and return its path."""
    path = folder / "robot.toml"
    path.write_text(re.sub(rf"^{key} =.*$", f"{key} = {value}", CUBE, count=1, flags=re.M))
    return str(path)


@pytest.mark.parametrize("value", ["nan", "inf", "-1", "1e300", '"5"', "true", "[]", "9" * 30])
@pytest.mark.parametrize("key", KEYS)
def test_a_wrong_value_is_refused_with_its_key(tmp_path: Path, key: str, value: str) -> None:
    """No key takes what is no number of its range; a manifest that is taken fits the verifier's integers."""
    with pytest.raises(ManifestError, match=key) as refusal:
        load_manifest(changed(tmp_path, key, value))
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(("key", "value", "reason"), [
    ("wheel_diameter_m", "1e-6", "rounds to less than 1"),
    ("angles_deg", "{ up = 0 }", "'front'"),
    ("angles_deg", "{ front = nan }", "angles_deg.front"),
    ("pins_left", "[4, 5, 6]", "pins_left"),
    ("pin", "99", "battery.pin"),
    ("pin", "4", "pin 4 serves battery.pin and drive.pins_left"),
    ("pin", "19", "battery.pin: pin 19 is the ESP32-S3.s own, for USB"),
    ("pins", "{ front = [10, 11] }", "range.pins.front"),
])  # fmt: skip
def test_what_cannot_be_a_robot_is_refused(tmp_path: Path, key: str, value: str, reason: str) -> None:
    """The reason names what is wrong."""
    with pytest.raises(ManifestError, match=reason):
        load_manifest(changed(tmp_path, key, value))


def test_limits_that_overflow_are_refused(tmp_path: Path) -> None:
    """The verifier's integers have 32 bits."""
    path = Path(changed(tmp_path, "max_steps_s", "1000000000"))
    path.write_text(path.read_text().replace("wheel_base_m = 0.100", "wheel_base_m = 0.01"))
    with pytest.raises(ManifestError, match=r"top_rate comes to .*, more than 32 bits hold"):
        load_manifest(str(path))


def test_an_unknown_name_lists_the_robots_that_ship() -> None:
    """A wrong name is answered with the right ones, and a path must end in .toml."""
    for name in ("nobody", "", "../robots/cube"):
        with pytest.raises(ManifestError, match="unknown; name one of cube"):
            load_manifest(name)


def test_a_robot_with_fewer_sensors_is_another_robot_and_drives(tmp_path: Path) -> None:
    """With a front and a left sensor alone it arrives without a collision."""
    path = changed(tmp_path, "angles_deg", "{ front = 0, left = 90 }")
    few, cube = load_manifest(path), load_manifest("cube")
    assert manifest_hash(few.limits) != manifest_hash(cube.limits)
    report = run_mission(Order(goal="drive to the far corner", kernel="rule", robot=path))
    assert (report.outcome, report.summary()["collisions"]) == ("reached", 0)
