"""A robot that is held for several missions: one map, one place after the other, recorded, and kept awake."""

import json
import math
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from llmos.blackbox import read_record
from llmos.errors import LlmosError
from llmos.report import Order
from llmos.resources import system_volume
from llmos.tools import Session, Toolbox


def test_missions_follow_each_other_on_one_map(tmp_path: Path) -> None:
    """Each begins where the one before has ended, knows what that has seen, and is judged by itself."""
    order = Order(goal="", arena="simple", kernel="rule", record=tmp_path / "record.jsonl")
    with Session(order) as session:
        robot = session.robot
        first = robot.pursue("drive to 0, -1.5")
        seen = first.coverage()
        second = robot.pursue("drive to 0.7, -1.5")
        assert [one.outcome for one in (first, second)] == ["reached", "reached"]
        assert second.belief is first.belief
        assert second.coverage() >= seen
        assert first.truth
        assert second.truth
        assert math.dist(first.truth.way[-1], (0, -1.5)) < 0.3
        assert second.truth.way[0] == first.truth.way[-1]
        assert second.truth.path_m < 0.9  # of this mission alone
        assert second.sim_s < first.sim_s
        assert second.shortest_m() == pytest.approx(0.4, abs=0.05)  # from where it began to the tolerance
        with pytest.raises(LlmosError, match="outside the room"):
            robot.pursue("drive to 9, 9")
        assert Toolbox(session).call("hal_rotate", {"angle_deg": 10}).success  # and it goes on
        assert not Toolbox(session).call("hal_rotate", {"angle_deg": 400}).success
    record = read_record(order.record or Path())
    steps = [line["step"] for line in record.all("step")]
    assert len(steps) == len(first.steps) + len(second.steps)
    assert [line["outcome"] for line in record.all("ending")] == ["reached", "reached"]
    assert [(line["name"], line["by"]) for line in record.all("call")] == [("hal_rotate", "person")] * 2
    assert next(record.all("call"))["arguments"] == {"angle_deg": 10.0}
    assert [line["success"] for line in record.all("called")] == [True, False]
    assert len({line["digest"] for line in record.all("called")}) == 2
    assert record.header["order"]["arena"] == "simple"


def test_what_a_tool_learns_a_mission_knows() -> None:
    with Session(Order(goal="", arena="simple", kernel="rule")) as session:
        known = session.robot.belief.grid.passable().sum()
        Toolbox(session).call("hal_vision_scan", {"mode": "full"})
        assert session.robot.belief.grid.passable().sum() > known


def test_a_program_of_one_s_own_is_run_on_the_same_robot(smollm2: object) -> None:
    """A behaviour, made by the model from a skill that ships."""
    with Session(Order(goal="", arena="empty", kernel="smollm2"), kernel=smollm2) as session:  # type: ignore[arg-type]
        report = session.robot.pursue("Turn left by 90 degrees.")
        assert report.outcome == "completed"
        assert math.degrees(session.robot.belief.pose[2]) == pytest.approx(90, abs=2)
        made = Toolbox(session).call("write_program", {"wish": "Turn left by 90 degrees.", "run": True})
        assert made.success, made.error
        assert "TURN" in made.data["text"]
        assert made.data["certificate"]["rotation_mrad"] == pytest.approx(1571, abs=1)
        assert made.data["pose"]["heading_deg"] == pytest.approx(180, abs=3)


@pytest.fixture
def patient(micropython64: Path, tmp_path: Path) -> Iterator[tuple[str, str]]:
    """A robot at the wall clock's pace that waits long for its host, which may be slow."""
    source = (system_volume() / "robots" / "cube.toml").read_text(encoding="utf-8")
    manifest = tmp_path / "patient.toml"
    slow = source.replace("lease_ms = 300", "lease_ms = 5000").replace("latch_ms = 2000", "latch_ms = 60000")
    manifest.write_text(slow, encoding="utf-8")
    command = [sys.executable, "-m", "llmos", "board", "--json", "--arena", "empty", "--robot", str(manifest)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, process_group=0) as process:
        assert process.stdout
        yield json.loads(process.stdout.readline())["pty"], str(manifest)
        process.terminate()


def test_a_robot_on_the_wall_clock_is_kept_awake_between_calls(patient: tuple[str, str]) -> None:
    port, manifest = patient
    with Session(Order(goal="", arena="empty", robot=manifest, port=port, kernel="rule")) as session:
        toolbox = Toolbox(session)
        assert toolbox.call("hal_get_distance", {"direction": "front"}).mode == "physical"
        stats = session.robot._robot.stats
        before, end = stats.frames_sent, time.monotonic() + 60
        while stats.frames_sent < before + 3 and time.monotonic() < end:
            time.sleep(0.01)  # its clock is the wall's
        assert stats.frames_sent >= before + 3  # heartbeats, though nobody calls
        turned = toolbox.call("hal_rotate", {"angle_deg": 5})
        assert turned.success, turned.error
        assert session.robot.judged(0) is None
