"""What a block has used when it ends, on the whole firmware and body, is never more than its certificate."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from llmbytecode import Certificate, Outcome, Program, assemble, verify
from llmbytecode.container import pack_container
from llmos.kernel.blocks import Pace, drive_text, turn_text
from llmos.link import Done, Robot, Telemetry, VirtualBoard
from llmos.manifest import load_manifest, manifest_hash
from llmos.micropython import word_size
from tests.generate import valid

LIMITS = load_manifest("cube").limits
LONGEST_MS = 20_000  # blocks that may take longer are left out
WIDE = "size_m = [20.0, 20.0]"
CLUTTERED = """size_m = [3.0, 3.0]
discs = [[0.6, 0.0, 0.1], [-0.5, 0.5, 0.15], [0.0, -0.7, 0.2]]
walls = [[0.2, 0.5, 0.8, 0.9], [-0.6, -0.4, -0.6, 0.1]]"""

HOSTILE = (
    "MOVE 1mm, 1mm/s\nMOVE -1mm, 1mm/s\nMOVE 1mm, 47mm/s\nMOVE -300mm, 47mm/s\nMOVE 47mm, 46mm/s\nEND",
    "TURN 1mrad, 10mrad/s\nTURN -1mrad, 10mrad/s\nTURN 360deg, 940mrad/s\nTURN -30mrad, 940mrad/s\nEND",
    "LDK r1, 2147483647\nMOVER r1, max 300mm, 47mm/s\nLDK r1, -2147483648\nMOVER r1, max 300mm, 47mm/s\nEND",
    "LDK r1, -2147483648\nTURNR r1, max 3000mrad, 940mrad/s\nLDI r1, 7\nTURNR r1, max 50mrad, 10mrad/s\nEND",
    "LDK r1, 2147483647\nLDK r2, -2147483648\nDRIVE r1, r2, 47mm/s, 3s\nDRIVE r2, r1, 1mm/s, 100ms\nEND",
    "LDI r1, 47\nLDI r2, 46\nDRIVE r1, r2, 47mm/s, 5s\nDRIVE r0, r1, 20mm/s, 2s\nEND",
    "LDI r1, -47\nLDI r2, 1\nDRIVE r1, r2, 47mm/s, 4s\nDRIVE r2, r1, 47mm/s, 100ms\nEND",
    "LDK r1, 2147483647\nLOOPR r1, max 40\nADDI r1, 30000\nMOVE 3mm, 47mm/s\nENDLOOP\nEND",
    "LDK r1, -2147483648\nLOOPR r1, max 40\nMOVE 3mm, 9mm/s\nENDLOOP\nWAITR r1, max 5s\nEND",
    "LOOP 2\nDRIVE r0, r0, 9mm/s, 1s\nENDLOOP\nEND",
    "LOOP 400\nLOOP 240\nADDI r1, 1\nENDLOOP\nENDLOOP\nEND",
    "LOOP 7\nWAIT 1ms\nWAIT 0ms\nWAIT 333ms\nENDLOOP\nEND",
)
"""Each extreme of each move, and fuel to the last unit."""

# A guard that trips during the ramp up, the cruise, the ramp down, and just before the end of a move.
CUTS = tuple(
    f"GUARD g0, {watch}\nLOOP 3\nMOVE 250mm, 47mm/s\nTURN 400mrad, 940mrad/s\nENDLOOP\nEND"
    for watch in ("clock > 900ms", "clock > 3s", "clock > 5900ms", "travelled > 40mm", "travelled > 248mm")
) + tuple(f"GUARD g1, clock > {ms}ms\nMOVE 100mm, 47mm/s\nWAIT 1s\nEND" for ms in range(3500, 4200, 75))


class Bench:
    """A robot in a room, on which blocks are run one after the other."""

    def __init__(self, folder: Path, room: str, bits: int = 64) -> None:
        arena = folder / "arena.toml"
        place = "start = { x = 0.0, y = 0.0 }\ngoal = { x = 1.2, y = 1.2 }"
        arena.write_text(f'name = "bench"\n{place}\n{room}\n')
        self.board = VirtualBoard(arena, bits=bits)
        self.robot = Robot(self.board.port, self.board.clock, manifest_hash(LIMITS), seed=1)
        self.robot.connect()

    def run(self, program: Program, stop_ms: int | None = None) -> Done:
        """Run a block, stopped from outside after some ms where that is asked for; check its account."""
        certificate = verify(program, LIMITS)
        end = self.robot.clock.now() + (stop_ms or 0)

        def watch(_: Telemetry) -> None:
            if stop_ms is not None and self.robot.clock.now() >= end:
                self.robot._on_telemetry = None
                self.robot.stop()

        done = self.robot.run(pack_container(program, certificate, LIMITS), watch)
        assert done.outcome in (Outcome.COMPLETED, Outcome.FAILED, Outcome.STOPPED)
        assert within(done, certificate), (done, certificate)
        return done


def within(done: Done, certificate: Certificate) -> bool:
    """Tell whether a block has kept to its certificate, in every measure."""
    used = (done.fuel, done.ms, done.path_mm, done.rotation_mrad)
    proven = (certificate.fuel, certificate.ms, certificate.path_mm, certificate.rotation_mrad)
    return all(one <= most for one, most in zip(used, proven, strict=True))


def generated(seeds: Sequence[int]) -> Iterator[tuple[Random, Program]]:
    """Generated blocks that move and that end soon."""
    for seed in seeds:
        program = valid(seed, LIMITS, 16)
        certificate = verify(program, LIMITS)
        if certificate.actuators & 1 and certificate.ms <= LONGEST_MS:
            yield Random(seed), program


@pytest.fixture(params=[WIDE, CLUTTERED], ids=["wide", "cluttered"])
def bench(request: pytest.FixtureRequest, tmp_path: Path, micropython: Path) -> Iterator[Bench]:
    """A bench in a wide room and in a cluttered one, on both word sizes."""
    bench = Bench(tmp_path, request.param, word_size(micropython))
    yield bench
    bench.board.close()


def test_extreme_moves(bench: Bench) -> None:
    for text in (*HOSTILE, *CUTS):
        bench.run(assemble(text))


def test_generated_blocks_stopped_at_any_moment(bench: Bench) -> None:
    for random, program in generated(range(60)):
        autonomous = random.choice([0, LIMITS.max_autonomous_ms])
        stop_ms = random.choice([None, random.randrange(LONGEST_MS // 4)])
        bench.run(replace(program, autonomous_ms=autonomous), stop_ms)


def test_what_the_kernel_writes(bench: Bench) -> None:
    pace, random = Pace.of(LIMITS), Random(1)
    for _ in range(6):
        way = [(random.uniform(-0.4, 0.4), random.uniform(-0.4, 0.4)) for _ in range(random.randint(1, 4))]
        pose = *way[0], random.uniform(-3, 3)
        bench.run(assemble(drive_text(pose, way, random.choice([0.0, 1.57]), "exploring", pace)))
        bench.run(assemble(turn_text(random.uniform(-3.1, 3.1), "recovering", pace)))
