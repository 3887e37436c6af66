"""A box that is pushed in the robot's way: when it is there, where, who sees it, and how it is asked for."""

import json
import math
from pathlib import Path

import pytest

from llmos.manifest import load_manifest
from llmos.sim.arena import Arena, Start
from llmos.sim.body import World
from llmos.sim.faults import FaultError, Push, parse_faults
from llmos.sim.truth import TruthLog

CUBE = load_manifest("cube")
ROOM = Arena(name="hall", size_m=(8.0, 8.0), start=Start(x=0.0, y=0.0, heading_deg=90.0), noise_mm=0.0)


def world(*faults: str) -> World:
    return World(ROOM, CUBE, faults=parse_faults(faults))


def test_it_is_read_as_it_is_written() -> None:
    faults = parse_faults(["push=80:0@2000", "push=12.5:-30@10"])
    assert faults.pushes == [Push(2000, 80.0, 0.0), Push(10, 12.5, -30.0)]


@pytest.mark.parametrize(
    "text", ["push@3", "push=80@2000", "push=80:0", "push=-1:0@5", "push=9:200@5", "push=a:0@1"]
)
def test_what_is_written_wrongly_is_refused_with_the_right_form(text: str) -> None:
    with pytest.raises(FaultError, match="push=MM:DEG@MS"):
        parse_faults([text])


@pytest.mark.parametrize(("deg", "channel"), [(0, 0), (30, 1), (-30, 2), (90, 3), (-90, 4), (180, 5)])
def test_the_sensor_that_looks_there_sees_it_from_its_next_look_on(deg: int, channel: int) -> None:
    hall, seen = world(f"push=100:{deg}@120"), []
    for ms in range(10, 301, 10):
        hall.advance(ms)
        seen.append(hall.ranges()[channel])
    free = seen.index(175)  # the body's radius and 100 mm
    assert free == 150 // 10 - 1  # looks are each 50 ms
    assert seen == [2000] * free + [175] * (30 - free)


def test_it_can_be_touched() -> None:
    hall = world("push=100:0@500")
    hall.drive(4096, 4096, 1000, 500)
    hall.advance(20_000)
    assert hall.collisions == 1
    assert hall.y == pytest.approx(0.1, abs=0.03)  # before it is 100 mm from where the robot was then
    assert world().collisions == 0


def test_the_truth_tells_where_it_stands_and_how_the_robot_was(tmp_path: Path) -> None:
    hall = world("push=100:0@500")
    log = TruthLog(str(tmp_path / "log"), hall, 0)
    hall.advance(600)
    log.note()
    log.close()
    (box,) = [one for one in map(json.loads, (tmp_path / "log").read_text().splitlines()) if "box" in one]
    assert (box["ms"], box["rate"]) == (500, 0)
    assert box["at"] == pytest.approx([0, 0, math.pi / 2])
    near = CUBE.radius_m + 0.1
    assert {round(x, 3) for x, *_ in box["box"]} == {-0.06, 0.06}
    assert {round(y, 3) for _, y, *_ in box["box"]} == {round(near, 3), round(near + 0.06, 3)}
