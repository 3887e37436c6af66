"""A robot that loses its power in the midst of something begins anew, at rest, and waits to be asked."""

from collections.abc import Callable

import pytest
from tests.safety.stage import Host, Played, Scene, block, play

from llmbytecode import Outcome, block_hash
from llmbytecode._isa import Fault, FrameType
from llmos.link import RobotFault, RobotRestarted
from llmos.link.messages import pack
from llmos.sim.arena import Arena, Start
from llmos.sim.faults import Faults

ROOM = Arena(name="hall", size_m=(12.0, 8.0), start=Start(x=0.0, y=0.0))
LONG = block("GETV r1, v1\nREPORT 1, r1\nLDI r1, 7\nSETV v1, r1\nMOVE 2m, 40mm/s\nEND")
OTHER = block("GETV r1, v1\nREPORT 2, r1\nMOVE 10mm, 40mm/s\nEND")
LOST_MS = 3000


def in_an_upload(host: Host) -> None:
    """Half of a block has come."""
    host.robot._request(FrameType.BEGIN, block_hash(LONG), len(LONG))
    host.robot._request(FrameType.DATA, 0, tail=LONG[:40])
    host.robot.wait(LOST_MS + 100)
    host.robot._request(FrameType.DATA, 40, tail=LONG[40:])
    host.robot._request(FrameType.COMMIT, block_hash(LONG))
    host.robot.wait(5000)


def in_a_run(host: Host) -> None:
    """It drives."""
    host.robot.run(LONG)


def with_a_block_queued(host: Host) -> None:
    """It drives, and knows what comes next."""
    for _ in host.robot.stream([LONG, OTHER]):
        pass


def while_latched(host: Host) -> None:
    """The e-stop is latched."""
    host.robot.estop()
    host.robot.wait(LOST_MS + 5000)


def watch(host: Host) -> None:
    """Note how the robot is, and what it still knows."""
    robot = host.robot
    robot.connect()
    host.note(latched=robot.latched, at_rest=robot.at_rest)
    for name in (block_hash(LONG), block_hash(OTHER)):
        robot._request(FrameType.RUN, name)
        robot._pump(1000, lambda: robot._fault)
        host.note(fault=robot._fault)
    host.note(asks=True)
    host.note(outcome=robot.run(OTHER).outcome, reports=[event.value for event in robot.events])


@pytest.mark.parametrize("moment", [in_an_upload, in_a_run, with_a_block_queued, while_latched])
def test_a_robot_that_lost_its_power_waits_to_be_asked(
    micropython64: object, moment: Callable[[Host], None]
) -> None:
    def script(host: Host) -> None:
        host.robot.connect()
        with pytest.raises(RobotRestarted, match="has restarted, stands and has forgotten its block") as no:
            moment(host)
        host.note(said=str(no.value))
        watch(host)

    played = play(Scene(ROOM, script, faults=Faults(at={"brownout": LOST_MS})))
    notes = {name: value for note in played.notes for name, value in note.items() if name != "ms"}
    assert "\n" not in notes["said"]
    assert (notes["latched"], notes["at_rest"]) == (False, True)
    assert [note["fault"] for note in played.notes if "fault" in note] == [[Fault.UNKNOWN_BLOCK, 0]] * 2
    assert (notes["outcome"], notes["reports"]) == (Outcome.COMPLETED, [0])  # its variables are new
    assert moved(played) == []


def moved(played: Played) -> list[int]:
    """When it moved between the loss of its power and the first block that it was asked for."""
    asked = next(note["ms"] for note in played.notes if "asks" in note)
    return [one.ms for one in played.truth.samples if LOST_MS < one.ms < asked and one.moving]


def test_a_new_session_releases_no_latch(micropython64: object) -> None:
    """Only power does, and the nonce; a robot whose host has merely gone stays latched."""

    def script(host: Host) -> None:
        host.robot.connect()
        host.robot.estop()
        host.robot.connect()
        host.note(latched=host.robot.latched)
        with pytest.raises(RobotFault, match="latched"):
            host.robot.run(OTHER)

    played = play(Scene(ROOM, script))
    assert [note["latched"] for note in played.notes] == [True]


def test_a_cable_that_is_cut_within_a_frame_does_not_send_the_robot_to_its_repl(
    micropython64: object,
) -> None:
    """What is left of a heartbeat begins with bytes that a terminal could send, 04 03."""

    def script(host: Host) -> None:
        robot = host.robot
        robot.connect()
        robot._transport.send(FrameType.HEARTBEAT, pack(FrameType.HEARTBEAT, 1))
        beat, _ = robot._transport.poll(host.clock.now())
        for size in range(2, len(beat)):
            robot._port.write(beat[:size])
            end = host.clock.now() + 400
            while host.clock.now() < end:
                host.clock.wait(end)
                robot._port.read()
            robot.connect()
        host.note(beat=beat.hex())

    (note,) = play(Scene(ROOM, script)).notes
    assert note["beat"].startswith("000403")


def test_who_watches_a_run_and_fails_at_every_telemetry_stops_the_robot(micropython64: object) -> None:
    """The robot stands when the error comes out, and the next block's end is its own."""

    def script(host: Host) -> None:
        def fail(_: object) -> None:
            if host.clock.now() > 2000:
                raise ValueError("enough")

        host.robot.connect()
        with pytest.raises(ValueError, match="enough"):
            host.robot.run(LONG, fail)
        host.note(at_rest=host.robot.at_rest)
        done = host.robot.run(OTHER)
        host.note(own=done.block == block_hash(OTHER), outcome=done.outcome)

    stopped, ended = play(Scene(ROOM, script)).notes
    assert stopped["at_rest"]
    assert (ended["own"], ended["outcome"]) == (True, Outcome.COMPLETED)


def test_a_host_that_takes_its_leave_leaves_no_latch(micropython64: object) -> None:
    """The next one needs no clear; where the first one vanishes, it does."""

    def script(host: Host) -> None:
        for polite in (True, False):
            host.robot.connect()
            if polite:
                host.robot._take_leave()
            host.robot.hello = None  # no heartbeat more
            host.robot._pump(LOST_MS, lambda: False)
            host.robot.connect()
            host.note(latched=host.robot.latched)

    played = play(Scene(ROOM, script))
    assert [note["latched"] for note in played.notes if "latched" in note] == [False, True]
