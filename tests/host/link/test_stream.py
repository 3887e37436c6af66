"""Blocks in a stream: one behind the other without a stop, on the whole virtual robot."""

import signal
from collections.abc import Iterator
from contextlib import closing
from itertools import pairwise, repeat
from pathlib import Path
from typing import Any

import pytest

from llmbytecode import Outcome, block_hash
from llmos.link import BlockRefused, Done, LinkTimeout, RobotFault, Telemetry
from llmos.micropython import word_size

from .conftest import Desk, MakeDesk, block

AHEAD = [
    block(f"REPORT {tag}, r0\nMOVE {mm}mm, 40mm/s\nEND") for tag, mm in enumerate((150, 80, 200, 30, 120))
]
TURNS = [
    block(f"MOVE 60mm, 40mm/s\nTURN {angle}deg, 800mrad/s\nREPORT 1, r0\nEND") for angle in (30, -45, 60)
]
FAILS = block("MOVE 100mm, 40mm/s\nFAIL 7")


def connected(desk: MakeDesk, *faults: str, **options: Any) -> Desk:
    """Return a desk whose robot has a session."""
    table = desk(*faults, **options)
    table.robot.connect()
    return table


def ends(done: list[Done]) -> list[tuple[bytes, int]]:
    """Return which blocks have ended, and how."""
    return [(one.block, one.outcome) for one in done]


def completed(containers: list[bytes]) -> list[tuple[bytes, int]]:
    """Return what `ends` says where all went well."""
    return [(block_hash(container), Outcome.COMPLETED) for container in containers]


def pauses(table: Desk) -> list[int]:
    """How long the robot stood between its moves, in ms of simulated time."""
    truth = table.truth()
    changes = [new for old, new in pairwise(truth) if old["moving"] != new["moving"]]
    return [new["ms"] - old["ms"] for old, new in pairwise(changes) if new["moving"]]


def test_blocks_follow_each_other_without_a_stop(desk: MakeDesk) -> None:
    table = connected(desk)
    robot, seen = table.robot, []
    began = robot.clock.now()
    for done in robot.stream(AHEAD):
        seen.append(done)
        assert [event.tag for event in robot.events] == [len(seen) - 1]
    assert ends(seen) == completed(AHEAD)
    assert (
        robot.clock.now() - began - sum(done.ms for done in seen) < 300
    )  # to the first start, from the last end
    robot.wait(200)
    assert robot.at_rest
    assert robot.telemetry.x_mm == pytest.approx(580, abs=2)
    assert pauses(table) == []


def test_moves_that_do_not_join_follow_at_once(desk: MakeDesk) -> None:
    table = connected(desk)
    assert ends(list(table.robot.stream(TURNS * 2))) == completed(TURNS * 2)
    assert pauses(table) == [0] * 11


def test_a_block_that_is_held_is_sent_by_its_hash(desk: MakeDesk) -> None:
    robot = connected(desk).robot
    one, other = (block(f"LDI r1, {tag}\n" * 300 + "WAIT 500ms\nREPORT 1, r1\nEND") for tag in (1, 2))
    assert len(list(robot.stream([one, other]))) == 2
    before, values = robot.stats.bytes_sent, []
    for _ in robot.stream([one, other, other, one] * 3):
        values.append(robot.events[0].value)
    assert values == [1, 2, 2, 1] * 3
    assert robot.stats.bytes_sent - before < 12 * 400  # heartbeats and acknowledgements are the most of it


def test_a_long_stream_is_taken_as_it_goes(desk: MakeDesk) -> None:
    robot, taken = connected(desk).robot, []

    def endless() -> Iterator[bytes]:
        for container in repeat(block("MOVE 3mm, 47mm/s\nEND")):
            taken.append(container)
            yield container

    with closing(robot.stream(endless())) as stream:
        for number in range(60):
            assert next(stream).outcome == Outcome.COMPLETED
            assert len(taken) == number + 2
    assert robot.at_rest


def test_a_block_that_fails_ends_the_stream(desk: MakeDesk) -> None:
    robot = connected(desk).robot
    done = list(robot.stream([AHEAD[0], FAILS, AHEAD[1], AHEAD[2]]))
    assert ends(done) == [*completed(AHEAD[:1]), (block_hash(FAILS), Outcome.FAILED)]
    assert done[-1].code == 7
    assert robot.run(AHEAD[1]).outcome == Outcome.COMPLETED
    assert list(robot.stream([])) == []


def test_whoever_ends_a_stream_stops_the_robot(desk: MakeDesk) -> None:
    robot = connected(desk).robot

    def broken() -> Iterator[bytes]:
        yield AHEAD[0]
        yield AHEAD[2]
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        list(robot.stream(broken()))
    assert robot.at_rest
    with pytest.raises(BlockRefused):
        list(robot.stream([AHEAD[0], AHEAD[1][:-1]]))
    assert robot.at_rest
    for done in (stream := robot.stream(AHEAD)):
        assert done.outcome == Outcome.COMPLETED
        break
    stream.close()
    assert robot.at_rest
    assert robot.run(AHEAD[0]).outcome == Outcome.COMPLETED


def test_ctrl_c_stops_a_stream(desk: MakeDesk) -> None:
    robot = connected(desk).robot

    def interrupt(telemetry: Telemetry) -> None:
        if telemetry.x_mm > 180:
            robot._on_telemetry = None
            signal.raise_signal(signal.SIGINT)

    robot._on_telemetry = interrupt
    with pytest.raises(KeyboardInterrupt):
        list(robot.stream(AHEAD))
    assert robot.at_rest
    assert robot.run(AHEAD[0]).outcome == Outcome.COMPLETED


@pytest.mark.parametrize("ms", range(2900, 4900, 250))
def test_a_stop_where_two_blocks_meet_is_shared_by_them(desk: MakeDesk, ms: int) -> None:
    table = connected(desk)
    robot, end = table.robot, table.robot.clock.now() + ms

    def stop(_: Telemetry) -> None:
        if robot.clock.now() >= end:
            robot._on_telemetry = None
            robot.stop()

    robot._on_telemetry = stop
    done = list(robot.stream(AHEAD))
    assert done[-1].outcome == Outcome.STOPPED
    assert {one.outcome for one in done[:-2]} <= {Outcome.COMPLETED}
    assert all(one.path_mm <= way for one, way in zip(done, (150, 80, 200), strict=False))
    assert robot.at_rest
    assert sum(one.path_mm for one in done) == pytest.approx(robot.telemetry.x_mm, abs=3)


@pytest.mark.parametrize("fault", ["flip=0.002", "lose=0.002", "double=0.002", "swap=0.002", "delay=40"])
def test_a_noisy_line_loses_no_block(desk: MakeDesk, fault: str) -> None:
    table = connected(desk, fault)
    robot, seen = table.robot, []
    for done in robot.stream(AHEAD + TURNS):
        assert len(robot.events) == 1
        seen.append(done)
    assert ends(seen) == completed(AHEAD + TURNS)
    robot.wait(500)
    assert robot.at_rest


def test_a_robot_that_cannot_go_on_says_why(desk: MakeDesk) -> None:
    table = connected(desk, "cut@3000")
    with pytest.raises(LinkTimeout):
        list(table.robot.stream(AHEAD))
    robot = connected(desk).robot
    robot._held.append(block_hash(AHEAD[1]))  # it was never there
    assert ends(list(robot.stream(AHEAD[:3]))) == completed(AHEAD[:3])
    robot._held.append(block_hash(TURNS[0]))
    assert ends(list(robot.stream(TURNS))) == completed(TURNS)
    robot.estop()
    with pytest.raises(RobotFault, match="latched"):
        list(robot.stream(AHEAD))


def test_both_word_sizes_stream(desk: MakeDesk, micropython: Path) -> None:
    table = connected(desk, bits=word_size(micropython))
    assert ends(list(table.robot.stream(AHEAD))) == completed(AHEAD)
    assert pauses(table) == []
