"""How long the robot stands between two moves, in simulated time: streamed, and one run after the other."""

import sys
import tempfile
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path

from benchlib import Row, print_table

from llmbytecode import Outcome, assemble, write_container
from llmos.link import Done, Robot, VirtualBoard
from llmos.manifest import load_manifest, manifest_hash
from llmos.sim.judge import read_truth

LIMITS = load_manifest("cube").limits
MOST_MS = 20.0  # between two moves
PEER = "run after run"
SLOW_LINE = "delay=40"  # up to so many ms
ROOM = """
name = "bench"
size_m = [20.0, 20.0]
start = { x = 0.0, y = 0.0 }
goal = { x = 1.0, y = 1.0 }
"""
MOVE, FURTHER = "MOVE 200mm, 40mm/s", "MOVE 210mm, 40mm/s"
TURN = "TURN 60deg, 800mrad/s"
Drive = Callable[[Robot, list[bytes]], list[Done]]


def streamed(robot: Robot, blocks: list[bytes]) -> list[Done]:
    """Drive the blocks in one stream."""
    return list(robot.stream(blocks))


def one_by_one(robot: Robot, blocks: list[bytes]) -> list[Done]:
    """Drive each block when the one before it is known to have ended."""
    return [robot.run(block) for block in blocks]


def measure(drive: Drive, *texts: str, faults: Sequence[str] = ()) -> tuple[int, int]:
    """Drive blocks; return the longest time between two moves, and the time from first to last, in ms."""
    blocks = [write_container(assemble(text + "\nEND"), LIMITS) for text in texts]
    with tempfile.TemporaryDirectory() as folder:
        arena, log = Path(folder, "bench.toml"), Path(folder, "truth.jsonl")
        arena.write_text(ROOM)
        with VirtualBoard(arena, truth_path=log, faults=faults) as board:
            robot = Robot(board.port, board.clock, manifest_hash(LIMITS), seed=1)
            robot.connect()
            done = drive(robot, blocks)
            robot.wait(200)
        truth = read_truth(log).samples
    if any(one.outcome != Outcome.COMPLETED for one in done):
        raise SystemExit("a block has not completed")
    changes = [new for old, new in pairwise(truth) if old.moving != new.moving]
    pauses = [start.ms - end.ms for end, start in pairwise(changes) if start.moving]
    return max(pauses, default=0), changes[-1].ms - changes[0].ms


def pause_row(case: str, ours: Sequence[str], theirs: Sequence[str], faults: Sequence[str]) -> Row:
    """Race one drive, streamed, against the same moves run one after the other."""
    pause = measure(streamed, *ours, faults=faults)[0]
    other = measure(one_by_one, *theirs, faults=faults)[0]
    return Row(f"pause, {case}", pause, PEER, other, "ms", other / MOST_MS, " ".join(faults))


def run() -> list[Row]:
    """Measure the pauses, and what they and the ramps cost on ten legs."""
    straight, turning = (MOVE, FURTHER), (MOVE, TURN, FURTHER)
    cases = (
        ("two moves in a block", ["\n".join(straight)], straight),
        ("two moves in two blocks", straight, straight),
        ("move, turn, move in a block", ["\n".join(turning)], turning),
        ("move, turn, move in three blocks", turning, turning),
    )
    rows = []
    for faults in ((), (SLOW_LINE,)):
        rows += [pause_row(case, *both, faults) for case, *both in cases]
    ahead = [f"MOVE {100 + leg}mm, 40mm/s" for leg in range(10)]
    winding = [f"TURN {33 - 6 * leg}deg, 800mrad/s\n{move}" for leg, move in enumerate(ahead)]
    for case, legs in (("ten legs straight ahead", ahead), ("ten legs with turns", winding)):
        ours, theirs = (measure(drive, *legs)[1] / 1000 for drive in (streamed, one_by_one))
        rows.append(Row(case, ours, PEER, theirs, "s", note=f"{theirs - ours:.1f} s saved"))
    return rows


if __name__ == "__main__":
    sys.exit(0 if print_table("Pauses between moves, in simulated time", run()) else 1)
