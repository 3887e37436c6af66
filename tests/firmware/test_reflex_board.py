"""The reflex on the whole robot: moves at top speed towards anything that a beam can see touch nothing."""

import math
from pathlib import Path
from random import Random

from llmbytecode import Outcome, assemble, write_container
from llmos.link import Robot, VirtualBoard
from llmos.manifest import load_manifest, manifest_hash
from llmos.sim.judge import read_truth

LIMITS = load_manifest("cube").limits
ARENA = """name = "billiards"
size_m = [3.0, 3.0]
start = { x = 0.0, y = 0.0 }
discs = [[0.7, 0.2, 0.1], [-0.6, 0.7, 0.15], [-0.5, -0.7, 0.3], [0.5, -0.8, 0.1], [0.3, 0.9, 0.1]]
walls = [[1.5, -0.5, 0.9, -1.5], [-1.5, 0.2, -0.9, 1.5]]
criteria = { min_coverage = 0.1 }
"""
LEGS = 30
MOVE = write_container(assemble("MOVE 4m, 47mm/s\nTRIP r1\nBEQ r1, r0, free\nEND\nfree: FAIL 1"), LIMITS)


def test_a_blind_drive_is_stopped_before_it_touches(tmp_path: Path, micropython64: Path) -> None:
    arena, log, random = tmp_path / "arena.toml", tmp_path / "truth.jsonl", Random(3)
    arena.write_text(ARENA)
    driven = 0
    with VirtualBoard(arena, truth_path=log) as board:
        robot = Robot(board.port, board.clock, manifest_hash(LIMITS), seed=1)
        robot.connect()
        for _ in range(LEGS):
            angle = round(1000 * random.uniform(-math.pi, math.pi))
            turn = write_container(assemble(f"TURN {angle}mrad, 940mrad/s\nEND"), LIMITS)
            assert robot.run(turn).outcome == Outcome.COMPLETED
            done = robot.run(MOVE)
            assert (done.outcome, done.trip) == (Outcome.COMPLETED, 5)
            driven += done.path_mm
    assert driven > LEGS * 200
    assert read_truth(log).collisions == 0
