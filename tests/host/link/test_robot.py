"""The robot at the end of the link: sessions, blocks, telemetry, stop, e-stop; all parts real."""

import io
import math
import random
import signal
import struct
from dataclasses import replace
from pathlib import Path

import pytest

from llmbytecode import Outcome, Rule, assemble, block_hash, read_container
from llmbytecode._isa import HEADER_FORMAT, MAJOR, MINOR, SPEC_HASH, Fault, FrameType, Header
from llmbytecode.container import CRC_OFFSET, pack_container, seal
from llmbytecode.verify import verify
from llmos.link import BlockRefused, HashMismatch, Hello, LinkError, LinkTimeout, Robot, RobotFault, Telemetry
from llmos.link.frames import Frame, build
from llmos.link.messages import pack
from llmos.link.robot import new_session
from llmos.link.stream import certified_ms
from llmos.manifest import manifest_hash
from llmos.micropython import word_size
from llmos.resources import firmware_dir

from .conftest import LIMITS, MakeDesk, block, standstill

LONG = block("MOVE 4m, 40mm/s\nEND")
RAMP_MS = math.ceil(1000 * 40 / LIMITS.accel)
SLACK_MS = LIMITS.tick_ms + 10  # one poll of the supervisor, and the line


def test_a_session_begins(desk: MakeDesk) -> None:
    robot = desk().robot
    hello = robot.connect()
    assert hello.spec_hash == SPEC_HASH
    assert robot.at_rest
    assert not robot.latched
    assert robot.telemetry.battery >= LIMITS.battery_min_mv


def test_a_move_does_what_its_certificate_promises(desk: MakeDesk) -> None:
    table = desk()
    container = block("MOVE 200mm, 40mm/s\nTURN 90deg, 500mrad/s\nREPORT 7, r0\nEND")
    certificate = read_container(container, LIMITS).certificate
    table.robot.connect()
    seen: list[Telemetry] = []
    done = table.robot.run(container, seen.append)
    assert (done.block, done.outcome, done.trip) == (block_hash(container), Outcome.COMPLETED, 0)
    assert 198 <= done.path_mm <= certificate.path_mm
    assert 1560 <= done.rotation_mrad <= certificate.rotation_mrad
    assert done.ms <= certificate.ms
    assert done.fuel == certificate.fuel == 4
    assert [tuple(event) for event in table.robot.events] == [(7, 0)]
    assert len(seen) >= done.ms // 100
    assert [one.ms for one in seen] == sorted(one.ms for one in seen)
    table.robot.wait(200)
    assert table.robot.telemetry.x_mm == pytest.approx(200, abs=2)
    assert table.robot.telemetry.heading_mrad == pytest.approx(1571, abs=10)
    last = table.truth()[-1]
    assert (last["x"], last["y"]) == pytest.approx((-4.8, 0.0), abs=0.003)
    assert last["heading"] == pytest.approx(math.pi / 2, abs=0.02)
    assert last["collisions"] == 0


def test_two_slots_are_run_by_hash_alone(desk: MakeDesk) -> None:
    robot = desk().robot
    robot.connect()
    long = "LDI r2, 1\n" * 300 + "END"
    first, second, third = (block(f"LDI r1, {number}\nREPORT 1, r1\n{long}") for number in range(3))

    def cost(container: bytes) -> int:
        before = robot.stats.bytes_sent
        assert robot.run(container).outcome == Outcome.COMPLETED
        return robot.stats.bytes_sent - before

    assert cost(first) > 1200
    assert cost(second) > 1200
    assert cost(first) < 300
    assert cost(second) < 300
    assert cost(third) > 1200  # takes the older one's slot
    assert robot.events[0].value == 2
    assert cost(second) < 300
    assert cost(first) > 1200


def test_a_block_that_the_robot_has_forgotten_is_uploaded_again(desk: MakeDesk) -> None:
    robot = desk().robot
    robot.connect()
    robot._held.append(block_hash(LONG[:-1]))  # it was never there
    with pytest.raises(BlockRefused):
        robot.run(LONG[:-1])
    container = block("END")
    robot._held.append(block_hash(container))
    assert robot.run(container).outcome == Outcome.COMPLETED


def _changed(container: bytes, **fields: object) -> bytes:
    header = Header._make(struct.unpack_from(HEADER_FORMAT, container))
    changed = header._asdict() | fields
    return seal(struct.pack(HEADER_FORMAT, *changed.values()) + container[CRC_OFFSET + 4 :])


PROGRAM = assemble("LDK r1, 100000\nMOVE 100mm, 40mm/s\nEND")
GOOD = pack_container(PROGRAM, verify(PROGRAM, LIMITS), LIMITS)


BAD = (
    (b"", Rule.CONTAINER),
    (GOOD[:20], Rule.CONTAINER),
    (GOOD[:-1], Rule.CONTAINER),
    (GOOD + b"\0", Rule.CONTAINER),
    (_changed(GOOD, magic=b"LLMC"), Rule.CONTAINER),
    (_changed(GOOD, major=9), Rule.CONTAINER),
    (_changed(GOOD, words=4), Rule.CONTAINER),
    (_changed(GOOD, spec_hash=SPEC_HASH ^ 1), Rule.SPEC),
    (_changed(GOOD, manifest_hash=1), Rule.MANIFEST),
    (_changed(GOOD, autonomous_ms=60000), Rule.AUTONOMY),
    (_changed(GOOD, fuel=2), Rule.CERTIFICATE),
    (_changed(GOOD, path_mm=99), Rule.CERTIFICATE),
    (_changed(GOOD, guarded=1), Rule.CERTIFICATE),
    (seal(GOOD[: CRC_OFFSET + 4] + b"\0" + GOOD[CRC_OFFSET + 5 :]), Rule.OPCODE),
)


def test_a_bad_container_is_refused_by_the_robot_itself(desk: MakeDesk) -> None:
    robot = desk().robot
    robot.connect()
    for container, rule in BAD:
        assert robot.upload(container).rule == rule
        with pytest.raises(BlockRefused, match=f"rule {rule.name.lower()}"):
            robot.run(container)
    assert robot.run(GOOD).outcome == Outcome.COMPLETED


def test_every_flipped_bit_of_a_container_is_refused(desk: MakeDesk) -> None:
    robot = desk().robot
    robot.connect()
    for bit in range(0, len(GOOD) * 8, 7):  # 7 and 8 have no common factor: every byte, every place
        damaged = bytearray(GOOD)
        damaged[bit // 8] ^= 1 << bit % 8
        assert robot.upload(bytes(damaged)).rule != Rule.OK
    assert robot.run(GOOD).outcome == Outcome.COMPLETED


def test_another_spec_is_named_with_both_hashes(desk: MakeDesk, tmp_path: Path) -> None:
    other = tmp_path / "firmware"
    for source in firmware_dir().rglob("*.py"):
        target = other / source.relative_to(firmware_dir())
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(source.read_text())
    table = other / "llmvm" / "_isa.py"
    text = table.read_text()
    assert f"SPEC_HASH = 0x{SPEC_HASH:08X}" in text
    table.write_text(text.replace(f"{SPEC_HASH:08X}", "12345678"))
    with pytest.raises(HashMismatch, match=f"SPEC is 0x12345678, the host's 0x{SPEC_HASH:08x}"):
        desk(firmware=other).robot.connect()


def test_no_frame_begins_as_ctrl_c_does() -> None:
    chance = random.Random(1)
    for _ in range(2000):
        frame = Frame(FrameType.HEARTBEAT, new_session(chance), chance.getrandbits(8), 0, 0, b"\0\0\0\0")
        assert build(frame)[:2] != b"\0\x03"


@pytest.mark.parametrize(
    ("changed", "remedy"),
    [
        (
            {"spec_hash": 1, "major": MAJOR - 1},
            f"is older than {MAJOR}.{MINOR} here: bring it up to date with",
        ),
        ({"spec_hash": 1, "minor": MINOR + 1}, "is newer than .*: bring LLMos on this computer up to date"),
        ({"spec_hash": 1}, f"both say {MAJOR}.{MINOR}, so one is no release: .* with `llmos flash --port"),
        ({"manifest_hash": 1, "minor": MINOR + 1}, "name the right robot with --robot, or write this one's"),
    ],
)
def test_who_is_older_and_what_to_do(desk: MakeDesk, changed: dict[str, int], remedy: str) -> None:
    robot = desk().robot
    hello = Hello(1, SPEC_HASH, manifest_hash(LIMITS), MAJOR, MINOR, 1, 0)
    robot._check(hello)
    with pytest.raises(HashMismatch, match=remedy):
        robot._check(hello._replace(**changed))


def test_another_manifest_is_named_with_both_hashes(desk: MakeDesk) -> None:
    table = desk()
    robot = Robot(table.board.port, table.board.clock, 0xBAD, seed=1)
    with pytest.raises(HashMismatch, match=r"manifest is 0x[0-9a-f]{8}, the host's 0x00000bad"):
        robot.connect()
    with pytest.raises(LinkError, match="connect first"):
        robot.run(GOOD)


def test_thinking_time_does_not_break_the_lease(desk: MakeDesk) -> None:
    robot = desk().robot
    robot.connect()
    robot.wait(5000)
    assert robot.think(lambda: 42) == 42
    assert robot.run(GOOD).outcome == Outcome.COMPLETED


def test_ctrl_c_stops_the_robot_first(desk: MakeDesk) -> None:
    table = desk()
    table.robot.connect()

    def interrupt(telemetry: Telemetry) -> None:
        if telemetry.x_mm > 100:
            table.robot._on_telemetry = None
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        table.robot.run(LONG, interrupt)
    assert table.robot.at_rest
    stopped_ms = table.robot.telemetry.ms
    assert standstill(table.truth()) <= stopped_ms
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_failing_callback_stops_the_robot_first(desk: MakeDesk) -> None:
    robot = desk().robot
    robot.connect()

    def fail(telemetry: Telemetry) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        robot.run(LONG, fail)
    assert robot.at_rest


def test_the_estop_latches_until_it_is_cleared_with_the_nonce(desk: MakeDesk) -> None:
    table = desk()
    robot = table.robot
    robot.connect()

    def press(telemetry: Telemetry) -> None:
        if telemetry.x_mm > 50:
            robot._on_telemetry = None
            robot.estop()

    assert robot.run(LONG, press).outcome == Outcome.ESTOP
    assert robot.latched
    robot._transport.send(FrameType.CLEAR, pack(FrameType.CLEAR, robot.telemetry.clear ^ 1))
    robot.wait(1000)
    assert robot.latched
    with pytest.raises(RobotFault, match="e-stop"):
        robot.run(GOOD)
    robot.connect()
    assert robot.latched
    robot.clear()
    assert not robot.latched
    assert robot.run(GOOD).outcome == Outcome.COMPLETED


def test_stop_ends_the_block(desk: MakeDesk) -> None:
    robot = desk().robot
    robot.connect()

    def stop(telemetry: Telemetry) -> None:
        if telemetry.x_mm > 50:
            robot._on_telemetry = None
            robot.stop()

    assert robot.run(LONG, stop).outcome == Outcome.STOPPED
    assert robot.at_rest
    assert robot.run(GOOD).outcome == Outcome.COMPLETED


@pytest.mark.parametrize("cut_ms", [1000, 1777, 3001])
def test_a_cut_cable_stops_the_robot_within_lease_and_ramp(desk: MakeDesk, cut_ms: int) -> None:
    table = desk(f"cut@{cut_ms}")
    table.robot.connect()
    with pytest.raises(LinkTimeout, match="check the cable"):
        table.robot.run(LONG)
    assert cut_ms < standstill(table.truth()) <= cut_ms + LIMITS.lease_ms + RAMP_MS + SLACK_MS


@pytest.mark.parametrize("fault", ["cut@2000+150", "cut/host@2000+1500", "drop=0.05"])
def test_what_a_drive_survives(desk: MakeDesk, fault: str) -> None:
    robot = desk(fault).robot
    robot.connect()
    done = robot.run(block("MOVE 100mm, 40mm/s\nMOVE -100mm, 40mm/s\nREPORT 1, r0\nEND"))
    assert (done.outcome, len(robot.events)) == (Outcome.COMPLETED, 1)


def test_an_autonomous_block_outlives_the_lease_but_not_its_own_time(desk: MakeDesk) -> None:
    table = desk("cut@1000")
    program = replace(assemble("MOVE 4m, 40mm/s\nEND"), autonomous_ms=4000)
    table.robot.connect()
    with pytest.raises(LinkTimeout):
        table.robot.run(pack_container(program, verify(program, LIMITS), LIMITS))
    assert 4000 < standstill(table.truth()) <= 1000 + 4000 + RAMP_MS + SLACK_MS


@pytest.mark.parametrize("fault", ["flip=0.002", "lose=0.002", "double=0.002", "swap=0.002"])
def test_a_noisy_line_costs_time_but_no_block(desk: MakeDesk, fault: str) -> None:
    robot = desk(fault).robot
    robot.connect()
    for number in range(3):
        text = f"LDI r1, {number}\nREPORT 1, r1\nMOVE 50mm, 40mm/s\n"
        container = block(text + "LDI r2, 1\n" * 200 + "END")
        assert robot.run(container).outcome == Outcome.COMPLETED
        assert robot.events[0].value == number
    assert robot.stats.retransmits + robot.stats.refused > 0


def test_a_robot_that_loses_its_power_can_be_connected_again(desk: MakeDesk) -> None:
    robot = desk("brownout@2000").robot
    robot.connect()
    with pytest.raises(LinkTimeout, match="the robot has restarted"):
        robot.run(LONG)
    robot.connect()
    assert robot.run(GOOD).outcome == Outcome.COMPLETED


def test_a_new_session_stops_what_runs_and_forgets_the_blocks(desk: MakeDesk) -> None:
    robot = desk().robot
    robot.connect()
    assert robot.upload(LONG).rule == Rule.OK
    robot._request(FrameType.RUN, block_hash(LONG))
    robot.wait(3000)
    assert not robot.at_rest
    robot.connect()
    robot.wait(RAMP_MS + SLACK_MS)
    assert robot.at_rest
    robot._request(FrameType.RUN, block_hash(LONG))
    robot.wait(100)
    assert robot._fault == (Fault.UNKNOWN_BLOCK, 0)


def test_requests_that_make_no_sense_are_answered_with_a_fault(desk: MakeDesk) -> None:
    robot = desk().robot
    robot.connect()
    for type_, values, tail, fault in (
        (FrameType.RUN, (b"nonsense",), b"", Fault.UNKNOWN_BLOCK),
        (FrameType.DATA, (0,), b"LLMB", Fault.UPLOAD),
        (FrameType.BEGIN, (b"nonsense", 0xFFFF), b"", Fault.UPLOAD),
    ):
        robot._request(type_, *values, tail=tail)
        robot.wait(100)
        assert robot._fault
        assert robot._fault.code == fault
    robot.upload(LONG)
    robot._request(FrameType.RUN, block_hash(LONG))
    with pytest.raises(RobotFault, match="running already"):
        robot.run(LONG)
    robot.stop()
    assert robot.run(GOOD).outcome == Outcome.COMPLETED


def test_a_silent_host_latches_the_robot(desk: MakeDesk) -> None:
    table = desk()
    table.robot.connect()
    table.board.clock.wait(table.board.clock.now() + 50)
    end = table.board.clock.now() + LIMITS.latch_ms + 200
    while table.board.clock.now() < end:
        table.board.clock.wait(end)
    table.robot.connect()
    assert table.robot.latched
    with pytest.raises(RobotFault, match="latched"):
        table.robot.run(GOOD)
    table.robot.clear()
    assert table.robot.run(GOOD).outcome == Outcome.COMPLETED


def test_a_block_that_outlives_its_certificate_is_stopped(
    desk: MakeDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("llmos.link.stream.GRACE_MS", 3000 - certified_ms(LONG))  # patience for 3 s in all
    robot = desk().robot
    robot.connect()
    done = robot.run(LONG)
    assert done.outcome == Outcome.STOPPED
    assert done.ms < 3000 + RAMP_MS + SLACK_MS


def test_both_word_sizes_compute_the_same(desk: MakeDesk, micropython: Path) -> None:
    bits = word_size(micropython)
    robot = desk(bits=bits).robot
    robot.connect()
    done = robot.run(block("LDK r1, -2000000000\nADD r1, r1, r1\nREPORT 1, r1\nMOVE 50mm, 40mm/s\nEND"))
    assert done.outcome == Outcome.COMPLETED
    assert 48 <= done.path_mm <= 50
    assert robot.events[0].value == -(2**31)


def test_the_same_seed_gives_the_same_bytes(desk: MakeDesk) -> None:
    transcripts = []
    for _ in range(2):
        record = io.BytesIO()
        robot = desk("flip=0.001", transcript=record, seed=5).robot
        robot.connect()
        robot.run(block("LOOP 3\nMOVE 100mm, 40mm/s\nTURN 45deg, 500mrad/s\nENDLOOP\nEND"))
        robot.close()
        transcripts.append(record.getvalue())
    assert transcripts[0] == transcripts[1]
    assert len(transcripts[0]) > 1000
