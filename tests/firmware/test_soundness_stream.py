"""Streamed blocks and joined moves: each block keeps to its certificate, whenever the stream is stopped."""

from collections.abc import Iterator
from contextlib import suppress
from itertools import pairwise
from math import dist
from pathlib import Path
from random import Random

import pytest

from llmbytecode import Certificate, Outcome, assemble, verify
from llmbytecode.container import pack_container
from llmos.link import Done, Robot, Telemetry, VirtualBoard
from llmos.manifest import load_manifest, manifest_hash
from llmos.micropython import word_size
from llmos.sim.judge import Truth, read_truth

from .test_soundness_board import CLUTTERED, WIDE, within

LIMITS = load_manifest("cube").limits
PAUSES = ("LED 1, 2, 3", "REPORT 1, r1", "LDI r2, 7", "MODE exploring", "UNGUARD g3")
STOPS = ("TRIP r5", "SENSE r5, clock", "WAIT 1ms", "TURN 200mrad, 900mrad/s", "GUARD g1, travelled > 20mm")


def moves(random: Random, sign: int) -> str:
    """A block of straight moves, most of which can join."""
    lines = [f"LDI r1, {sign * random.randint(1, 60)}"]
    if random.random() < 0.5:
        lines.insert(random.randint(0, 1), f"GUARD g0, front < {random.choice([150, 300, 600])}mm")
    if random.random() < 0.3:
        lines.append(f"GUARD g2, clock > {random.randint(100, 4000)}ms")
    speed = random.choice([1, 5, 20, 40, 47])
    for _ in range(random.randint(1, 4)):
        speed = speed if random.random() < 0.7 else random.randint(1, 47)
        way = (
            random.randint(1, 5)
            if speed < 5
            else random.choice([random.randint(1, 9), random.randint(20, 150)])
        )
        move = f"MOVE {sign * way}mm, {speed}mm/s"
        if random.random() < 0.2:
            move = f"MOVER r1, max 60mm, {max(speed, 20)}mm/s"
        if random.random() < 0.2:
            move = f"LOOP 3\n{move}\nENDLOOP"
        lines.append(move)
        if random.random() < 0.5:
            lines.append(random.choice(PAUSES if random.random() < 0.7 else STOPS))
    return "\n".join([*lines, "END"])


class Bench:
    """A robot in a room, to which blocks are streamed."""

    def __init__(self, folder: Path, room: str, bits: int = 64) -> None:
        arena, self._log = folder / "arena.toml", folder / "truth.jsonl"
        place = "start = { x = 0.0, y = 0.0 }\ngoal = { x = 1.2, y = 1.2 }"
        arena.write_text(f'name = "bench"\n{place}\n{room}\n')
        self.board = VirtualBoard(arena, bits=bits, truth_path=self._log)
        self.robot = Robot(self.board.port, self.board.clock, manifest_hash(LIMITS), seed=1)
        self.robot.connect()

    def stream(self, texts: list[str], stop_ms: int | None) -> list[tuple[Done, Certificate]]:
        """Stream blocks, stopped from outside after some ms where that is asked for; check their accounts."""
        robot, programs = self.robot, [assemble(text) for text in texts]
        certificates = [verify(program, LIMITS) for program in programs]
        pairs = zip(programs, certificates, strict=True)
        end = robot.clock.now() + (stop_ms or 0)

        def watch(_: Telemetry) -> None:
            if stop_ms is not None and robot.clock.now() >= end:
                robot._on_telemetry = None
                robot.stop()

        robot._on_telemetry = watch
        done = list(robot.stream(pack_container(program, most, LIMITS) for program, most in pairs))
        robot._on_telemetry = None
        assert robot.at_rest
        ended = list(zip(done, certificates, strict=False))
        for one, most in ended:
            assert within(one, most), (texts, stop_ms, one, most)
        return ended

    def truth(self) -> Truth:
        """Where the body was, after the board has ended."""
        self.board.close()
        return read_truth(self._log)


@pytest.fixture(params=[WIDE, CLUTTERED], ids=["wide", "cluttered"])
def bench(request: pytest.FixtureRequest, tmp_path: Path, micropython: Path) -> Iterator[Bench]:
    """A bench in a wide room and in a cluttered one, on both word sizes."""
    bench = Bench(tmp_path, request.param, word_size(micropython))
    yield bench
    with suppress(OSError):
        bench.board.close()


def test_streams_stopped_at_any_moment(bench: Bench) -> None:
    path_mm = 0
    for seed in range(8):
        random = Random(seed)
        texts = [moves(random, 1 if seed % 3 else -1) for _ in range(random.randint(2, 5))]
        stop_ms = random.choice([None, random.randrange(20_000)])
        ended = bench.stream(texts, stop_ms)
        assert len(ended) == len(texts) or ended[-1][0].outcome == Outcome.STOPPED
        path_mm += sum(one.path_mm for one, _ in ended)
        turn = verify(assemble("TURN 1rad, 900mrad/s\nEND"), LIMITS)
        bench.robot.run(pack_container(assemble("TURN 1rad, 900mrad/s\nEND"), turn, LIMITS))
    truth = bench.truth()
    assert truth.collisions == 0
    driven_m = sum(dist(here, there) for here, there in pairwise(truth.way))
    assert driven_m * 1000 <= path_mm + 8 * 5  # what each block rounds down
