"""The robot's interpreter and verifier against the host's: programs, corners, what differed once."""

import struct
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from tests.cases import Case as Vector
from tests.cases import cases, read_case
from tests.firmware.differential import (
    CUBE,
    NOTHING,
    ROBOTS,
    Board,
    Case,
    NativeBoard,
    Runner,
    Tally,
    difference,
    make,
    open_runners,
    packed,
    try_batch,
)
from tests.firmware.shrink import case_of, shrink_case, vector

from llmbytecode import Op, Program, Rule, read_container
from llmbytecode.container import pack_container, seal

BATCH = 500
PROGRAMS = range(2_000_000, 2_010_000)  # seeds; the campaigns of tools/fuzz.py begin at 0


@pytest.fixture(scope="module")
def runners(micropython64: Path) -> Iterator[list[Runner]]:
    """Everything that is held to the reference machine."""
    opened = open_runners(native=False)
    yield opened
    for runner in opened:
        runner.close()


@pytest.mark.slow
def test_machines_and_verifiers_agree(runners: list[Runner]) -> None:
    """On ten thousand programs; no run exceeds its certificate, each code is executed, each rule refuses."""
    tally = Tally()
    for start in range(PROGRAMS.start, PROGRAMS.stop, BATCH):
        batch = [make(seed) for seed in range(start, start + BATCH)]
        assert try_batch(batch, runners, tally) == []
    assert tally.programs == len(PROGRAMS)
    assert set(tally.rules) == {rule.name.lower() for rule in Rule}
    assert set(tally.executed) == {op.name for op in Op}
    assert tally.runs > tally.programs / 3


def test_machine_code_agrees(micropython64: Path) -> None:
    """On some of them, in both word sizes."""
    opened = [runner for runner in open_runners() if isinstance(runner, NativeBoard)]
    assert try_batch([make(seed) for seed in PROGRAMS[:BATCH]], opened, Tally()) == []
    for runner in opened:
        runner.close()


def test_a_case_follows_from_its_seed() -> None:
    """The same seed is the same program, robot and world."""
    assert [make(seed) for seed in range(50)] == [make(seed) for seed in range(50)]


def test_corners(runners: list[Runner]) -> None:
    """Hand-made blocks: deep calls and loops, saturating costs, a procedure at word 0, the largest block."""
    end, ret, proc = int(Op.END), int(Op.RET), int(Op.PROC)
    loops = [Op.LOOP | 65535 << 16] * 4 + [Op.WAIT | 65535 << 16]
    loops += [Op.ENDLOOP | (2 + 2 * n) << 16 for n in range(4)] + [end]
    call = Op.CALL | 2 << 16
    blocks = [
        [proc, ret],
        loops,
        [Op.LOOP | 1 << 16, *loops],
        [call, end, proc, ret],
        [call, end] + [word for _ in range(4) for word in (proc, Op.CALL | 2 << 16, ret)] + [proc, ret],
        [call, end] + [word for _ in range(5) for word in (proc, Op.CALL | 2 << 16, ret)] + [proc, ret],
        [Op.WAIT | 1 << 16] * 1023 + [end],
        [Op.CALL | 1 << 16, end],
        [Op.LOOPR | 2 << 16 | 1 << 24, Op.TRIP, Op.ENDLOOP | 2 << 16, end],
        [],
    ]
    containers = [pack_container(Program(list(map(int, words))), NOTHING, CUBE) for words in blocks]
    containers += [b"", b"LLMB", struct.pack("<64I", *range(64))]
    tally = Tally()
    for robot in range(len(ROBOTS)):
        batch = [Case(0, "corner", robot, container, 7) for container in containers]
        assert try_batch(batch, runners, tally) == []
    assert set(tally.rules) >= {"length", "region", "nesting", "call", "fuel", "certificate", "container"}


@pytest.mark.parametrize("kept", cases("differential"), ids=lambda kept: kept.name)
def test_what_differed_once_agrees(kept: Vector, runners: list[Runner]) -> None:
    """What the fuzzer has found stays mended."""
    assert try_batch([case_of(kept)], runners, Tally()) == []


@pytest.mark.parametrize("seed", range(30))
def test_a_case_is_kept_as_it_is(seed: int, tmp_path: Path) -> None:
    """A vector gives back its case."""
    case, path = make(seed)._replace(kind="vector"), tmp_path / "some.case"
    path.write_text(vector(case, "What this shows."))
    assert case_of(read_case(path)) == case


class Confused(Board):
    """A robot that takes one instruction for another."""

    confused = (Op.MIN, Op.MAX)

    def _put(self, batch: Sequence[Case], full: bool = False, module: str = "") -> None:
        super()._put([self.changed(case) for case in batch], full, module)

    def changed(self, case: Case) -> Case:
        """The case as this robot reads it."""
        try:
            words = read_container(case.container).program.words
        except ValueError:
            return case
        data = bytearray(case.container)
        at = len(data) - 4 * (len(words) + len(read_container(case.container).program.constants))
        for number, word in enumerate(words):
            if word & 0xFF == self.confused[0]:
                data[at + 4 * number] = self.confused[1]
        return case._replace(container=seal(bytes(data)))


class Timid(Confused):
    """A robot that takes a loop of two rounds for one of three, and says so in its certificate."""

    def changed(self, case: Case) -> Case:
        """The case as this robot reads it."""
        program = read_container(case.container).program
        words = [
            word + (1 << 16) if word & 0xFFFF00FF == Op.LOOP | 2 << 16 else word for word in program.words
        ]
        return case._replace(container=packed(Program(words, program.constants), case.limits))


@pytest.mark.parametrize(
    ("robot", "expected"),
    [(Confused, {"LDI", "MIN", "END"}), (Timid, {"LOOP", "ENDLOOP", "END"})],
    ids=["confused", "timid"],
)
def test_what_differs_is_made_small(micropython64: Path, robot: type[Confused], expected: set[str]) -> None:
    """A planted error is found, and of the program that shows it three instructions are left."""
    board = robot(micropython64, "planted")
    found = None
    for seed in range(PROGRAMS.start, PROGRAMS.stop):
        case = make(seed)
        if case.kind == "valid" and difference(case, board):
            found = case
            break
    assert found is not None
    small = shrink_case(found, lambda candidate: difference(candidate, board))
    program = read_container(small.container).program
    assert difference(small, board)
    assert {Op(word & 0xFF).name for word in program.words} <= expected | {"SENSE", "GETV"}
    assert len(program.words) <= 3
    board.close()


def test_a_robot_that_dies_is_told(micropython64: Path) -> None:
    """A crash is a disagreement like any other, and the next batch finds the robot alive again."""
    board = Board(micropython64, "mortal")
    batch = [make(seed) for seed in PROGRAMS[:3]]
    board.process.kill()
    found = try_batch(batch, [board], Tally())
    assert [one.what for one in found] == ["died in this batch, but on none of its cases"]
    assert try_batch(batch, [board], Tally()) == []
    board.process.kill()
    assert difference(batch[0], board).startswith("mortal: it ended")
    board.close()
