"""Silence, noise and the e-stop at many moments of a drive: the robot always stands in time, and stays."""

from collections.abc import Callable
from random import Random

import pytest

from llmbytecode import Outcome, block_hash
from llmbytecode._isa import Fault, FrameType
from llmos.link.frames import Frame, build
from llmos.link.messages import pack

from .conftest import LIMITS, Desk, MakeDesk, block, standstill
from .test_robot import RAMP_MS, SLACK_MS

DRIVES = (
    block("LOOP 9\nMOVE 150mm, 47mm/s\nMOVE -150mm, 47mm/s\nENDLOOP\nEND"),
    block("LOOP 5\nTURN 360deg, 940mrad/s\nTURN -45deg, 100mrad/s\nENDLOOP\nEND"),
    block(
        "LDI r1, 47\nLDI r2, -20\nLOOP 2\nDRIVE r1, r2, 47mm/s, 9s\nDRIVE r2, r1, 47mm/s, 5s\nENDLOOP\nEND"
    ),
    block("LOOP 20\nMOVE 20mm, 47mm/s\nMOVE -20mm, 47mm/s\nENDLOOP\nEND"),
    block("GUARD g0, clock > 3s\nMOVE 1m, 47mm/s\nUNGUARD g0\nMOVE -1m, 47mm/s\nMOVE 1m, 47mm/s\nEND"),
)
MOMENTS = 60
Noise = Callable[[Desk, Random], bytes]


def frame(type_: FrameType, desk: Desk, session: int = 0, behind: int = 0) -> bytes:
    """A frame of this session or of another one, numbered as far behind the next one as is asked for."""
    link = desk.robot._transport
    payload = pack(FrameType.HEARTBEAT, 1) if type_ is FrameType.HEARTBEAT else b""
    return build(Frame(type_, link.session ^ session, (link._next - behind) & 0xFF, 0, 65535, payload))


NOISES: dict[str, Noise] = {
    "silence": lambda desk, random: b"",
    "garbage": lambda desk, random: random.randbytes(60) + b"\0",
    "another session": lambda desk, random: frame(FrameType.HEARTBEAT, desk, session=random.randint(1, 99)),
    "an old heartbeat": lambda desk, random: frame(FrameType.HEARTBEAT, desk, behind=random.randint(1, 3)),
    "an old ack": lambda desk, random: frame(FrameType.ACK, desk, behind=random.randint(1, 3)),
    "an old run": lambda desk, random: frame(FrameType.STOP, desk, behind=random.randint(1, 3)),
}


def begin(desk: Desk, container: bytes) -> None:
    """Open a session, release the latch, and start a block."""
    robot = desk.robot
    robot.connect()
    if robot.latched:
        robot.clear()
    robot.upload(container)
    robot._request(FrameType.RUN, block_hash(container))
    robot.wait(20)
    assert robot._fault is None


def fall_silent(desk: Desk, ms: int, noise: Noise, random: Random) -> None:
    """Let time pass without a valid frame."""
    clock, port = desk.board.clock, desk.board.port
    end = clock.now() + ms
    beat = clock.now()
    while clock.now() < end:
        if clock.now() >= beat:
            port.write(noise(desk, random))
            beat += 70
        clock.wait(min(end, beat))
        port.read()


def test_a_silent_host_stops_the_robot_at_every_moment(desk: MakeDesk) -> None:
    table, random, silences = desk(), Random(7), []
    for number in range(MOMENTS):
        begin(table, random.choice(DRIVES))
        table.robot.wait(random.randrange(9000))
        silences.append(table.board.clock.now())
        noise = list(NOISES.values())[number % len(NOISES)]
        fall_silent(table, LIMITS.latch_ms + SLACK_MS, noise, random)
        table.robot.connect()
        assert table.robot.latched, (number, list(NOISES)[number % len(NOISES)])
    truth, driving = table.truth(), 0
    for silent_ms in silences:
        after = [one for one in truth if silent_ms <= one["ms"] <= silent_ms + LIMITS.latch_ms + SLACK_MS]
        late = [one["ms"] for one in after if one["moving"]]
        assert not late or late[-1] < silent_ms + LIMITS.lease_ms + RAMP_MS + SLACK_MS, silent_ms
        driving += bool(late and late[-1] > silent_ms + LIMITS.lease_ms / 2)
    assert driving > MOMENTS * 0.6


def test_heartbeats_alone_keep_a_drive_alive(desk: MakeDesk) -> None:
    table = desk()
    begin(table, DRIVES[0])
    fall_silent(table, 5000, lambda desk, random: frame(FrameType.HEARTBEAT, desk), Random(1))
    assert standstill(table.truth()) > 5000


def settle(desk: Desk, ms: int = 120) -> None:
    """Let the robot answer."""
    desk.robot._request(FrameType.STATUS)
    desk.robot.wait(ms)


def press(desk: Desk) -> int:
    """Send ESTOP; return the nonce that releases it."""
    desk.robot._request(FrameType.ESTOP)
    settle(desk)
    assert desk.robot.latched
    assert desk.robot.at_rest
    return desk.robot.telemetry.clear


def insist(desk: Desk, container: bytes, old: list[int]) -> None:
    """Try all that must have no effect on a latched robot."""
    robot = desk.robot
    for type_, values in (
        (FrameType.RUN, (block_hash(container),)),
        (FrameType.BEGIN, (block_hash(container), len(container))),
    ):
        robot._request(type_, *values)
        settle(desk)
        assert robot._fault is None or robot._fault.code == Fault.LATCHED
    for type_ in (FrameType.STOP, FrameType.STATUS):
        robot._request(type_)
    robot._request(FrameType.HEARTBEAT, 1)
    for nonce in old:
        robot._request(FrameType.CLEAR, nonce)
    settle(desk)
    assert robot.latched
    assert robot.at_rest


PHASES: tuple[tuple[str, bytes, int, FrameType | None], ...] = (
    ("ready", block("END"), 100, None),
    ("speeding up", DRIVES[0], 300, None),
    ("cruising", DRIVES[0], 2500, None),
    ("turning", DRIVES[1], 1500, None),
    ("braking for a guard", DRIVES[4], 3200, None),
    ("ending after STOP", DRIVES[0], 2500, FrameType.STOP),
    ("waiting", block("WAIT 20s\nEND"), 1000, None),
)


def test_the_estop_latches_in_every_phase(desk: MakeDesk) -> None:
    table = desk()
    robot, nonces = table.robot, [0]
    for name, container, ms, before in PHASES:
        begin(table, container)
        nonces.append(robot.telemetry.clear)
        robot.wait(ms)
        if before:
            robot._request(before)
            robot.wait(200)
        nonce = press(table)
        assert nonce not in nonces, name
        outcome = Outcome.COMPLETED if name == "ready" else Outcome.STOPPED if before else Outcome.ESTOP
        assert robot._ended[-1][0].outcome == outcome, name
        insist(table, container, nonces)
        robot.connect()
        insist(table, container, nonces)
        nonces.append(nonce)
        robot.clear()
        settle(table)
        assert robot.at_rest, name  # what was running does not go on
        assert robot.run(block("MOVE 5mm, 40mm/s\nEND")).outcome == Outcome.COMPLETED


def test_the_estop_latches_in_the_middle_of_an_upload(desk: MakeDesk) -> None:
    table = desk()
    robot, container = table.robot, DRIVES[3]
    robot.connect()
    robot._request(FrameType.BEGIN, block_hash(container), len(container))
    robot._request(FrameType.DATA, 0, tail=container[:40])
    press(table)
    robot._request(FrameType.DATA, 40, tail=container[40:])
    robot._request(FrameType.COMMIT, block_hash(container))
    settle(table)
    assert robot._verdict is None
    robot.clear()
    robot._request(FrameType.RUN, block_hash(container))
    settle(table)
    assert robot._fault == (Fault.UNKNOWN_BLOCK, 0)
    assert robot.run(block("END")).outcome == Outcome.COMPLETED


@pytest.mark.parametrize("lie", ["short", "beyond", "gap", "other bytes", "twice", "no begin", "refused"])
def test_a_bad_upload_disturbs_neither_the_running_block_nor_the_other_slot(desk: MakeDesk, lie: str) -> None:
    robot = (table := desk()).robot
    good, bad = block("REPORT 7, r1\nEND"), block("MOVE 9mm, 40mm/s\nMOVE 9mm, 40mm/s\nEND")
    running, name = block("MOVE 300mm, 40mm/s\nREPORT 8, r0\nEND"), block_hash(bad)
    begin(table, good)
    assert robot.upload(running).rule == 0
    robot._request(FrameType.RUN, block_hash(running))
    robot.wait(500)
    assert not robot.at_rest
    if lie != "no begin":
        robot._request(FrameType.BEGIN, name, len(bad) - (lie == "beyond"))
    if lie == "twice":
        robot._request(FrameType.BEGIN, name, len(bad))
        robot._request(FrameType.DATA, 0, tail=bad)
        robot._request(FrameType.COMMIT, name)
    elif lie in ("short", "gap"):
        robot._request(FrameType.DATA, int(lie == "gap"), tail=bad[1:])
    elif lie in ("other bytes", "refused"):
        robot._request(FrameType.DATA, 0, tail=bad[:-1] + b"\x7f")
    else:
        robot._request(FrameType.DATA, 0, tail=bad)
    robot._request(FrameType.COMMIT, name)
    robot.wait(300)
    assert robot._fault == (Fault.UPLOAD, 0) or lie in ("gap", "beyond")
    assert not robot.at_rest
    robot._request(FrameType.RUN, name if lie != "twice" else b"nonsense")
    robot.wait(100)
    assert robot._fault == (Fault.BUSY, 0)
    robot._ended.clear()
    assert robot._pump(20_000, lambda: robot._ended)
    assert robot._ended[0][0][:2] == (block_hash(running), Outcome.COMPLETED)
    assert robot._ended[0][1][-1].tag == 8
    robot._request(FrameType.RUN, name)
    robot.wait(200)
    held = robot._fault is None
    assert held == (lie == "twice")
    robot._ended.clear()
    robot._request(FrameType.RUN, block_hash(running))
    assert robot._pump(20_000, lambda: robot._ended)


def test_a_session_that_begins_in_mid_drive_has_both_slots(desk: MakeDesk) -> None:
    table = desk()
    robot = table.robot
    begin(table, DRIVES[0])
    robot.wait(2000)
    robot.connect()
    robot.wait(3000)  # until it stands
    one, other = block("REPORT 1, r0\nEND"), block("REPORT 2, r0\nEND")
    assert (robot.upload(one).rule, robot.upload(other).rule) == (0, 0)
    for container in (one, other):
        robot._request(FrameType.RUN, block_hash(container))
        settle(table)
        assert robot._fault is None
