"""What holds for every block, text and container, sound or not."""

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.bytecode.twins import COMPILED, NEEDS_COMPILED, verdict
from tests.generate import nearly_valid, noise, valid

from llmbytecode import (
    AssemblyError,
    Certificate,
    EmptyRoom,
    Limits,
    Machine,
    Op,
    Program,
    Refusal,
    _verify_py,
    assemble,
    disassemble,
    read_container,
    verify,
    write_container,
)
from llmbytecode._isa import INSTRUCTIONS, UNITS
from llmbytecode.container import pack_container, seal
from llmbytecode.machine import INT32_MAX, INT32_MIN, Ended, Guards
from llmos.manifest import load_manifest

CUBE = load_manifest().limits
TIGHT = CUBE._replace(
    max_words=20, max_constants=2, max_fuel=60, max_ms=4000, max_path_mm=100, max_rotation_mrad=500,
    max_reports=2, channels=0b111, actuators=1, top_speed=30, top_rate=300,
)  # fmt: skip

seeds = st.integers(0, 2**64 - 1)
words = st.lists(
    st.one_of(
        st.integers(0, 2**32 - 1),
        st.builds(
            lambda op, rest: op | rest << 8, st.sampled_from(sorted(INSTRUCTIONS)), st.integers(0, 2**24 - 1)
        ),
        st.builds(lambda op, i: op | i << 16, st.sampled_from(sorted(INSTRUCTIONS)), st.integers(0, 12)),
    ),
    max_size=40,
)
pieces = st.sampled_from(
    [row.name for row in INSTRUCTIONS.values()]
    + list(UNITS)
    + [
        "r1",
        "v2",
        "g0",
        "k0",
        "front",
        "<",
        ">",
        ",",
        ":",
        "-",
        "max",
        "a",
        "b",
        "a:",
        "b:",
        "é",
        ";",
        "#",
        "\0",
    ]
    + ["5", "0x1F", "1.5", "40mm/s", "300mm", "90deg", "99999999999"]
    + [".const", ".constants", ".word", ".autonomous", "\t", "\n", "\n", "\n"]
)


@given(words, st.lists(st.integers(INT32_MIN, INT32_MAX), max_size=5), st.integers(0, 65535))
def test_disassembly_assembles_to_the_same_words(
    some: list[int], constants: list[int], autonomous_ms: int
) -> None:
    """The text of any words at all gives them back, byte for byte."""
    program = Program(some, constants, [], autonomous_ms)
    assert assemble(disassemble(program)) == program


@given(seeds)
def test_valid_text_is_its_own_canonical_form(seed: int) -> None:
    """A canonical text is a fixed point, and needs no `.word` where the block is valid."""
    text = disassemble(valid(seed, CUBE))
    assert disassemble(assemble(text)) == text
    assert ".word" not in text


@given(st.lists(pieces, max_size=60).map(" ".join))
def test_assembler_answers_any_pieces(text: str) -> None:
    """Pieces of assembly in any order are a program or a list of mistakes at places that exist."""
    check_mistakes(text)


@given(st.text(max_size=200))
def test_assembler_answers_any_text(text: str) -> None:
    """So is any text."""
    check_mistakes(text)


def check_mistakes(text: str) -> None:
    """Assemble; each mistake has a line and a column of the text, and is told in one line."""
    try:
        assemble(text)
    except AssemblyError as error:
        lines = text.split("\n")
        for problem in error.problems:
            assert 1 <= problem.line <= len(lines)
            assert 1 <= problem.column <= len(lines[problem.line - 1]) + 1
            assert "\n" not in str(problem)


@NEEDS_COMPILED
@given(words, st.integers(0, 70), st.sampled_from([0, 10000, 10001]))
def test_twins_agree_on_random_words(some: list[int], constants: int, autonomous_ms: int) -> None:
    """Both verifiers give the same verdict on any words."""
    assert COMPILED is not None
    program = Program(some, [0] * constants, [], autonomous_ms)
    assert verdict(COMPILED, program, CUBE) == verdict(_verify_py.check, program, CUBE)


@NEEDS_COMPILED
@settings(max_examples=300)
@given(seeds, st.sampled_from([CUBE, TIGHT]))
def test_twins_agree_on_nearly_valid_blocks(seed: int, limits: Limits) -> None:
    """Both verifiers give the same verdict, certificate included, on valid, wounded and random blocks."""
    assert COMPILED is not None
    for program in (valid(seed, CUBE), nearly_valid(seed, CUBE), noise(seed)):
        assert verdict(COMPILED, program, limits) == verdict(_verify_py.check, program, limits)


@given(st.binary(max_size=200), st.booleans())
def test_container_reader_answers_any_bytes(data: bytes, limited: bool) -> None:
    """Bytes are a container or are refused."""
    for given_bytes in (data, b"LLMB\x01\x00" + data):
        with pytest.raises(Refusal):
            read_container(given_bytes, CUBE if limited else None)


@given(seeds, st.data())
def test_container_comes_back(seed: int, data: st.DataObject) -> None:
    """A container gives back its program; with any one bit changed it is refused."""
    program = valid(seed, CUBE)
    container = write_container(program, CUBE)
    assert read_container(container, CUBE).program == program
    assert read_container(container).certificate == verify(program, CUBE)
    bit = data.draw(st.integers(0, 8 * len(container) - 1))
    changed = bytearray(container)
    changed[bit // 8] ^= 1 << bit % 8
    with pytest.raises(Refusal):
        read_container(bytes(changed))


@given(seeds, st.data())
def test_container_cannot_lie(seed: int, data: st.DataObject) -> None:
    """A certificate with any other number in it is refused, though its CRC-32 is right."""
    program = valid(seed, CUBE)
    certificate = verify(program, CUBE)
    field = data.draw(st.sampled_from(Certificate._fields))
    other = (getattr(certificate, field) + data.draw(st.integers(1, 200))) % 256
    if other == getattr(certificate, field):
        return
    lie = seal(pack_container(program, certificate._replace(**{field: other}), CUBE))
    with pytest.raises(Refusal, match="rule certificate"):
        read_container(lie, CUBE)


class Adversary:
    """A world that does its worst within what section 5.3 says of single words."""

    def __init__(self, rng: Random, limits: Limits) -> None:
        self.rng, self.limits = rng, limits

    def begin(self) -> None:
        """Nothing to note."""

    def sense(self, channel: int) -> int:
        """Return an extreme or a small number."""
        return self.rng.choice([INT32_MIN, -1, 0, 1, 2, 100, 65535, INT32_MAX])

    def move(self, distance_mm: int, speed: int, guards: Guards) -> Ended:
        """Take as long as a move may."""
        way = abs(distance_mm)
        return self._end(up(1000 * way, speed) + up(1000 * speed, self.limits.accel), way, 0, guards)

    def turn(self, angle_mrad: int, rate: int, guards: Guards) -> Ended:
        """Take as long as a turn may."""
        angle = abs(angle_mrad)
        return self._end(up(1000 * angle, rate) + up(1000 * rate, self.limits.turn_accel), 0, angle, guards)

    def drive(self, left: int, right: int, ms: int, guards: Guards) -> Ended:
        """Go as far as the faster wheel may."""
        top = max(abs(left), abs(right))
        way = up(top * ms, 1000) + up(top * top, self.limits.accel)
        return self._end(
            ms + up(1000 * top, self.limits.accel), way, up(2000 * way, self.limits.base_mm), guards
        )

    def wait(self, ms: int, guards: Guards) -> Ended:
        """Take as long as a wait may."""
        return self._end(ms, 0, 0, guards)

    def _end(self, ms: int, way: int, angle: int, guards: Guards) -> Ended:
        if self.rng.random() < 0.6:
            return Ended(0, ms + self.limits.tick_ms, way, angle)
        trip = self.rng.choice([5, *(number + 1 for number in guards)])
        return Ended(trip, self.rng.randint(0, ms), self.rng.randint(0, way), self.rng.randint(0, angle))


def up(number: int, divisor: int) -> int:
    """Return the quotient rounded up."""
    return -(-number // divisor)


@settings(max_examples=300)
@given(seeds)
def test_no_run_exceeds_its_certificate(seed: int) -> None:
    """Whatever the world does, fuel, time, way, rotation and reports stay within what was proved."""
    program = valid(seed, CUBE)
    for attempt in range(3):
        machine = Machine(program, CUBE, Adversary(Random(seed + attempt), CUBE))
        machine.run()
        check_bounds(machine)


@given(seeds)
def test_no_run_in_the_empty_room_exceeds_its_certificate(seed: int) -> None:
    """The same in the room of the reference machine, whose moves follow ramps."""
    machine = Machine(valid(seed, CUBE), CUBE, EmptyRoom(CUBE))
    machine.run()
    check_bounds(machine)


def check_bounds(machine: Machine) -> None:
    """Hold a finished run against its certificate."""
    proved = machine.certificate
    assert machine.outcome.name in ("COMPLETED", "FAILED")
    assert machine.fuel <= proved.fuel
    assert machine.ms + up(machine.fuel * CUBE.instruction_us, 1000) <= proved.ms
    assert machine.path_mm <= proved.path_mm
    assert machine.rotation_mrad <= proved.rotation_mrad
    assert len(machine.reports) <= proved.reports
    assert {n for n, value in enumerate(machine.registers) if value} <= bits(proved.registers)
    assert {n for n, value in enumerate(machine.variables) if value} <= bits(proved.variables)
    assert all(INT32_MIN <= value <= INT32_MAX for value in machine.registers)


def bits(number: int) -> set[int]:
    """Return the places of a number's ones."""
    return {n for n in range(16) if number >> n & 1}


@given(st.integers(1, 40), st.integers(1, 5), st.integers(1, 200))
def test_certificate_is_reached(rounds: int, body: int, ms: int) -> None:
    """The bound of a loop of waits is its worst run, but for the polls."""
    program = assemble(f"LOOP {rounds}\n" + f"WAIT {ms}ms\n" * body + "ENDLOOP\nEND")
    machine = Machine(program, CUBE, EmptyRoom(CUBE))
    machine.run()
    polls = rounds * body * CUBE.tick_ms
    assert machine.certificate.fuel == machine.fuel
    assert machine.certificate.ms == machine.ms + polls + up(machine.fuel * CUBE.instruction_us, 1000)


def test_every_instruction_is_generated() -> None:
    """The generator of valid blocks leaves no instruction out that the cube can execute."""
    seen = {word & 0xFF for seed in range(300) for word in valid(seed, CUBE).words}
    assert seen == {int(op) for op in Op} - {Op.TONE}
