"""Goodput of the link at 921,600 baud, in simulated time: bytes of uploads over what the line can carry.

The line carries a byte in ten bits (start, eight, stop): 92,160 bytes a second. Counted are the bytes of
containers or machine code alone, without DATA's offset. A *stream* is DATA from the host's end of the link to
the firmware's, on the real MicroPython, with nothing else to wait for. *Machine code* (32 KB) and *blocks*
(4,404 bytes each, the largest that the reference robot takes) go through `Robot` to the virtual robot, with
heartbeats and telemetry, and each ends with the robot's answer; they are random, so the robot refuses them.
With drop=0.01 one frame in a hundred is lost, in both directions.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from random import Random

from benchlib import Row, print_table

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from tests.firmware.damage import Damage  # noqa: E402
from tests.firmware.link_pair import Line, Peer, Session, Tally  # noqa: E402

from llmbytecode import assemble, write_container  # noqa: E402
from llmbytecode._isa import FrameType  # noqa: E402
from llmos.link import Robot, VirtualBoard  # noqa: E402
from llmos.link.robot import LONG  # noqa: E402
from llmos.manifest import load_manifest, manifest_hash  # noqa: E402
from llmos.micropython import find  # noqa: E402
from llmos.sim.faults import parse_faults  # noqa: E402
from llmos.sim.uart import BAUD, Wire  # noqa: E402

LIMITS = load_manifest("cube").limits
BYTES_PER_MS = BAUD / 10 / 1000
FRAMES = 2000
CODE = 32_000  # bytes of machine code
BLOCK, BLOCKS = 52 + 4 * (LIMITS.max_words + LIMITS.max_constants), 40
SEEDS = (1, 2, 3)
LOSS = "drop=0.01"


def stream_ms(faults: Sequence[str], seed: int) -> tuple[float, int]:
    """Return how long the frames of a stream take, in ms, and their bytes."""
    random, tally = Random(seed), Tally()
    wires = (Wire(parse_faults(faults), seed, direction) for direction in (0, 1))
    to_robot, to_host = (Line(tally, Damage(random, 0.0), wire) for wire in wires)
    peer = Peer(find())
    try:
        session = Session(peer, random, to_robot, to_host, tally, 0)
        session.run()  # until it is connected
        began = session.now
        for number in range(FRAMES):
            given = FrameType.DATA, number.to_bytes(2, "little") + random.randbytes(LONG)
            to_robot.ledger.plan.append(given)
            session.host.send(*given)
        session.run()
    finally:
        peer.close()
    if tally.wrong or tally.lost or tally.disorder:
        raise SystemExit(f"the stream has come to harm: {tally}")
    return session.now - began, FRAMES * LONG


def blocks_ms(faults: Sequence[str], seed: int) -> tuple[float, int]:
    """Return how long uploads of the largest blocks take, in ms, and their bytes."""
    random = Random(seed)
    with VirtualBoard(faults=faults, seed=seed) as board:
        robot = Robot(board.port, board.clock, manifest_hash(LIMITS), seed=seed)
        robot.connect()
        began = board.clock.now()
        for _ in range(BLOCKS):
            robot.upload(random.randbytes(BLOCK))
        return board.clock.now() - began, BLOCKS * BLOCK


def code_ms(faults: Sequence[str], seed: int) -> tuple[float, int]:
    """Return how long an upload of machine code takes, in ms, and its bytes."""
    with VirtualBoard(faults=faults, seed=seed) as board:
        robot = Robot(board.port, board.clock, manifest_hash(LIMITS), seed=seed)
        robot.connect()
        block = write_container(assemble("END"), LIMITS)
        robot.upload(block)
        began = board.clock.now()
        robot.attach_native(block, Random(seed).randbytes(CODE))
        return board.clock.now() - began, CODE


# name -> (how it is measured, shares of the line rate that we promise: on a clean line, with frames lost).
# A block is 52 ms of frames, and then the wait for its verdict, on a line whose clock ticks in milliseconds.
UPLOADS = {
    "stream": (stream_ms, 0.90, 0.75),
    "machine code": (code_ms, 0.90, 0.75),
    "blocks": (blocks_ms, 0.88, 0.75),
}


def run() -> list[Row]:
    """Measure every kind of upload, clean and with frames lost, as the mean over some seeds."""
    rows = []
    for place, faults in enumerate(((), (LOSS,))):
        for name, (measure, *promised) in UPLOADS.items():
            took = [measure(faults, seed) for seed in SEEDS]
            ours = sum(ms for ms, _ in took) / len(SEEDS)
            line = sum(size for _, size in took) / len(SEEDS) / BYTES_PER_MS
            case = f"{name}, {', '.join(faults) or 'clean'}"
            rows.append(
                Row(
                    case, ours, "line rate", line, "ms", promised[place], f"goodput {100 * line / ours:.1f} %"
                )
            )
    return rows


if __name__ == "__main__":
    sys.exit(0 if print_table("Goodput at 921,600 baud, in simulated time", run()) else 1)
