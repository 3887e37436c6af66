"""The robot's tools on the virtual robot: each goes where it says, within its limits, and is stopped."""

import math
import re
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from llmbytecode import LLMBytecodeError, assemble, verify
from llmbytecode._isa import State
from llmos.manifest import load_manifest
from llmos.report import Order
from llmos.sim.judge import Truth
from llmos.tools import Result, Session, Toolbox, all_tools
from llmos.tools.hal import guarded

CUBE = load_manifest("cube")


@pytest.fixture(scope="module")
def shared() -> Iterator[Session]:
    """A robot in an empty room, which no test leads far from its middle."""
    with Session(Order(goal="", arena="empty", kernel="rule")) as one:
        one.robot.look()
        yield one


@pytest.fixture
def session(shared: Session) -> Iterator[Session]:
    """The shared robot, free to move; `truth` tells of this test alone."""
    shared.run = str(shared.robot.body.clock.now())
    yield shared
    shared.may_reset = True
    assert Toolbox(shared).call("hal_reset_emergency").success
    shared.may_reset = False


def call(session: Session, name: str, **arguments: Any) -> Result:
    """Call a tool as a person."""
    return Toolbox(session).call(name, arguments)


def truth(session: Session) -> Truth:
    """What truly happened in this test."""
    found = session.robot.judged(int(session.run or -1))
    assert found
    return found


def test_moves_go_where_they_say(session: Session) -> None:
    """The judge's word, not the robot's: counter-clockwise is positive, forward is ahead."""
    before = call(session, "hal_stop").data["pose"]
    for name, arguments in (
        ("hal_move_forward", {"distance_cm": 30}),
        ("hal_rotate", {"angle_deg": 90}),
        ("hal_move_forward", {"distance_cm": 20}),
        ("hal_rotate", {"angle_deg": -90.0}),
        ("hal_move_backward", {"distance_cm": 10}),
    ):
        assert call(session, name, **arguments).success
    first, last = truth(session).samples[0], truth(session).samples[-1]
    east, north, turn = last.x - first.x, last.y - first.y, -first.heading
    ahead = east * math.cos(turn) - north * math.sin(turn)
    aside = east * math.sin(turn) + north * math.cos(turn)
    assert (ahead, aside) == pytest.approx((0.2, 0.2), abs=0.01)
    assert last.heading == pytest.approx(first.heading, abs=0.02)
    told = call(session, "hal_stop").data["pose"]
    assert (told["x_m"] - before["x_m"], told["y_m"] - before["y_m"]) == pytest.approx(
        (east, north), abs=0.01
    )


def test_both_wheels_run_at_their_own_speed(session: Session) -> None:
    driven = call(session, "hal_drive", left_mm_s=20, right_mm_s=40, duration_ms=2000)
    assert driven.success
    assert driven.data["pose"]["heading_deg"] > 5  # the right wheel is faster: to the left
    assert driven.data["path_cm"] == pytest.approx(6, abs=0.6)
    back = call(session, "hal_drive", left_mm_s=-20, right_mm_s=-40, duration_ms=2000)
    assert back.data["pose"]["heading_deg"] == pytest.approx(0, abs=2)


def test_a_place_is_reached(session: Session) -> None:
    came = call(session, "hal_move_to", x_m=0.6, y_m=-0.2)
    assert came.success
    assert came.data["outcome"] == "reached"
    last = truth(session).samples[-1]
    assert math.dist((last.x, last.y), (0.6, -0.2)) < 0.3
    assert "outside the room" in call(session, "hal_move_to", x_m=9, y_m=0).error


def test_ways_end_before_the_wall_and_say_so() -> None:
    """What is measured is the arena's: the robot begins 1 m from a wall."""
    with Session(Order(goal="", arena="simple")) as session:
        assert call(session, "hal_rotate", angle_deg=45).success
        behind = call(session, "hal_get_distance", direction="rear").data["distance_cm"]["rear"]
        assert behind == pytest.approx(100, abs=5)
        assert set(call(session, "hal_get_distance").data["distance_cm"]) == set(CUBE.range.angles_deg)
        for turn, name, side in ((1, "hal_move_backward", "rear"), (180, "hal_move_forward", "front")):
            assert call(session, "hal_rotate", angle_deg=turn).success
            stopped = call(session, name, distance_cm=150)
            assert not stopped.success
            assert re.search("(guard g0|the reflex) had ended its last move", stopped.error)
            assert stopped.data["outcome"] == "failed"
            assert call(session, "hal_get_distance", direction=side).data["distance_cm"][side] < 20
        assert truth(session).collisions == 0


def test_a_look_all_around_ends_where_it_began() -> None:
    with Session(Order(goal="", arena="playroom", kernel="rule", camera=True)) as session:
        before = call(session, "hal_stop").data["pose"]
        aimed = call(session, "hal_vision_scan", mode="targeted", target="red ball")
        assert aimed.data["found"]
        assert [thing["label"] for thing in aimed.data["scan"][-1]["seen"]] == ["red ball"]
        picture = call(session, "hal_capture_frame")
        assert picture.data["bytes"] == len(session.robot.picture)
        assert "red ball" in [thing["label"] for thing in picture.data["seen"]]
        scan = call(session, "hal_vision_scan", mode="full")
        assert [look["angle_deg"] for look in scan.data["scan"]] == [45.0 * n for n in range(8)]
        turned = scan.data["pose"]["heading_deg"] - before["heading_deg"]
        assert math.sin(math.radians(turned)) == pytest.approx(0, abs=0.03)
        assert "red box" in {thing["label"] for look in scan.data["scan"] for thing in look["seen"]}


def test_a_look_without_a_camera_measures(session: Session) -> None:
    ahead = call(session, "hal_vision_scan", mode="quick").data
    assert ahead["scan"] == [{"angle_deg": 0.0, "front_cm": 200.0, "seen": []}]
    assert "the camera must be on" in call(session, "hal_vision_scan", mode="targeted", target="box").error
    assert "a target goes with" in call(session, "hal_vision_scan", mode="quick", target="box").error


def test_the_led_shows_its_colours(session: Session) -> None:
    assert call(session, "hal_set_led", red=0, green=200, blue=10, blinks=2).success
    assert call(session, "hal_set_led", red=9, green=8, blue=7).success
    lights = [tuple(sample.led) for sample in truth(session).samples]
    shown = [light for light, before in zip(lights[1:], lights, strict=False) if light != before]
    assert shown == [(0, 200, 10), (0, 0, 0)] * 2 + [(9, 8, 7)]


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("hal_grasp", "arm"),
        ("hal_arm_move_to", "arm"),
        ("hal_speak", "speaker"),
        ("hal_capture_frame", "camera"),
    ],
)
def test_what_the_robot_has_no_part_for_is_refused(name: str, part: str) -> None:
    """Without connecting to it."""
    session = Session(Order(goal="", arena="empty"))
    refused = Toolbox(session).call(name, next(iter(all_tools()[name].examples), {}))
    assert not refused.success
    assert f"has no {part}" in refused.error
    assert session.standing is None


OUT_OF_RANGE: tuple[tuple[str, dict[str, Any], str], ...] = (
    ("hal_move_forward", {"distance_cm": 201}, "distance_cm"),
    ("hal_move_backward", {"distance_cm": 0.5}, "distance_cm"),
    ("hal_rotate", {"angle_deg": 361}, "angle_deg"),
    ("hal_rotate", {"angle_deg": 0.01}, "no turn"),
    ("hal_drive", {"left_mm_s": 256, "right_mm_s": 0, "duration_ms": 100}, "left_mm_s"),
    (
        "hal_drive",
        {"left_mm_s": 99, "right_mm_s": 0, "duration_ms": 100},
        "speed is 99, top speed",
    ),
    ("hal_drive", {"left_mm_s": 0, "right_mm_s": 0, "duration_ms": 100}, "both speeds are 0"),
    ("hal_drive", {"left_mm_s": 9, "right_mm_s": 0, "duration_ms": 150}, "duration_ms"),
    ("hal_set_led", {"red": 256, "green": 0, "blue": 0}, "red"),
    ("hal_get_distance", {"direction": "up"}, "direction"),
    ("hal_fly", {"height_cm": 5}, "no tool 'hal_fly'"),
)


@pytest.mark.parametrize(("name", "arguments", "names"), OUT_OF_RANGE)
def test_what_is_out_of_range_is_refused_by_name_and_nothing_moves(
    session: Session, name: str, arguments: dict[str, Any], names: str
) -> None:
    """Nothing is clamped in silence, and no unknown command is let through with a warning."""
    refused = call(session, name, **arguments)
    assert not refused.success
    assert names in refused.error
    assert truth(session).path_m == 0


def test_no_way_leads_around_the_verifier(session: Session) -> None:
    """A part of a program is checked as its whole: too fast is too fast, however it is wrapped."""
    for program in (
        "LOOP 2\nMOVE 10cm, 255mm/s\nENDLOOP\nEND\n",
        "CALL p\nEND\np: PROC\nMOVE 10cm, 255mm/s\nRET\n",
    ):
        with pytest.raises(LLMBytecodeError, match="speed"):
            session.robot.run(program)
    assert truth(session).path_m == 0


@pytest.mark.parametrize("forward", [-1, 0, 1])
def test_every_forward_move_is_certified_as_guarded(session: Session, forward: int) -> None:
    program = guarded([f"    MOVE {forward * 100}mm, 40mm/s"], forward, session.robot)
    assert verify(assemble(program), CUBE.limits).guarded == 1
    assert ("front <" in program) == (forward > 0)
    assert ("rear <" in program) == (forward < 0)


def test_after_an_emergency_stop_nothing_moves_until_a_person_allows_it(session: Session) -> None:
    stopped = call(session, "hal_emergency_stop")
    assert stopped.success
    assert stopped.data["emergency_stopped"]
    for name in ("hal_move_forward", "hal_rotate", "hal_drive", "hal_move_to", "hal_move_backward"):
        refused = call(session, name, **all_tools()[name].examples[0])
        assert not refused.success
        assert "e-stop is latched" in refused.error
    assert call(session, "hal_stop").success  # which is no reason to refuse these
    assert call(session, "hal_get_distance").success
    assert "only a person" in call(session, "hal_reset_emergency").error
    session.may_reset = True
    freed = call(session, "hal_reset_emergency")
    assert freed.success
    assert not freed.data["emergency_stopped"]
    assert call(session, "hal_rotate", angle_deg=5).success


def driving(session: Session, stop: Callable[[], object]) -> tuple[Result, float]:
    """Have one thread drive a metre and another one stop that; return its result and the way driven."""
    robot, began_ms, driven = session.robot, session.robot.body.clock.now(), list[Result]()
    work = threading.Thread(target=lambda: driven.append(call(session, "hal_move_forward", distance_cm=100)))
    work.start()
    while robot.body.telemetry.state != State.RUNNING and work.is_alive():
        pass
    stop()
    work.join()
    cut = robot.judged(began_ms)
    assert cut
    return driven[0], cut.path_m


def test_a_stop_reaches_a_robot_that_another_thread_drives() -> None:
    """At a few times the wall clock's pace, a long way is cut short; a halt does not count afterwards."""
    with Session(Order(goal="", arena="empty", speed=8.0)) as session:
        session.robot.look()
        for stop in (
            session.robot.halt,
            lambda: call(session, "hal_stop"),
            lambda: call(session, "hal_emergency_stop"),
        ):
            assert not session.robot.latched
            result, path_m = driving(session, stop)
            assert not result.success
            assert path_m < 0.9
        assert session.robot.latched
        assert not call(session, "hal_rotate", angle_deg=5).success
