"""The robot's interpreter and verifier against the host's, on generated blocks."""

import json
import random
import struct
import subprocess
from pathlib import Path

from llmbytecode import Certificate, Limits, Machine, Program, Refusal, verify
from llmbytecode._isa import Chan, Op
from llmbytecode.container import HEADER_SIZE, manifest_hash, pack_container, read_container, seal
from llmbytecode.machine import RANGE_CHANNELS, REFLEX, Ended, Guards, first_tripped
from llmos.manifest import load_manifest
from tests.generate import nearly_valid, noise, valid

ROOT = Path(__file__).parents[2]
LIMITS = load_manifest("cube").limits._replace(actuators=7)
BLOCKS = 200


def ask(micropython: Path, program: str, lines: list[str]) -> list[list[object]]:
    """What a MicroPython program answers, one JSON line for each of ours."""
    done = subprocess.run(
        [micropython, "-X", "heapsize=4m", f"tests/firmware/{program}"],
        input="".join(f"{line}\n" for line in lines),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.stderr == ""
    return [json.loads(line) for line in done.stdout.splitlines()]


class MadeUpWorld:
    """The world of run_blocks.py: its numbers follow from the seed and the number of acts."""

    def __init__(self, seed: int) -> None:
        self.seed, self.epoch = seed, 0
        self.trace: list[list[int]] = []

    def begin(self) -> None:
        """Begin a block."""

    def sense(self, channel: int) -> int:
        """Return a channel's value."""
        value = (self.epoch * 7919 + channel * 10007 + self.seed * 31) % 4001
        if channel in RANGE_CHANNELS and value > 3800:
            value = 65535
        return value - 1500 if channel >= Chan.X else value

    def move(self, distance_mm: int, speed: int, guards: Guards) -> Ended:
        """Drive straight."""
        return self._act([distance_mm, speed], guards)

    def turn(self, angle_mrad: int, rate: int, guards: Guards) -> Ended:
        """Turn."""
        return self._act([angle_mrad, rate], guards)

    def drive(self, left: int, right: int, ms: int, guards: Guards) -> Ended:
        """Run the wheels."""
        return self._act([left, right, ms], guards)

    def wait(self, ms: int, guards: Guards) -> Ended:
        """Wait."""
        return self._act([ms], guards, moves=False)

    def _act(self, args: list[int], guards: Guards, moves: bool = True) -> Ended:
        self.epoch += 1
        trip = first_tripped(guards, self.sense)
        if not trip and moves and (self.epoch * 13 + self.seed) % 11 == 0:
            trip = REFLEX
        self.trace.append([*args, trip])
        return Ended(trip, 0, 0, 0)


def reference(program: Program, seed: int) -> list[object]:
    """What the reference machine does, in run_blocks.py's form without the acts' codes."""
    world = MadeUpWorld(seed)
    machine = Machine(program, LIMITS, world)
    machine.run()
    end = [machine.code, machine.pc, machine.fuel, machine.mode, machine.trip]
    told = [list(report) for report in machine.reports]
    return [world.trace, told, end, machine.registers + machine.variables]


def test_interpreter_does_what_the_reference_machine_does(micropython: Path) -> None:
    """Moves, reports, signals, registers, variables and fuel agree, however the run is cut into slices."""
    programs = [valid(seed, LIMITS, 60) for seed in range(BLOCKS)]
    cases = [
        [program.words, program.constants, seed, (256, 1, 7)[seed % 3]]
        for seed, program in enumerate(programs)
    ]
    answers = ask(micropython, "run_blocks.py", [json.dumps(case) for case in cases])
    assert len(answers) == len(programs)
    for seed, (program, (trace, end, numbers)) in enumerate(zip(programs, answers, strict=True)):
        acts = [act[1:] for act in trace if act[0] not in (Op.REPORT, Op.LED, Op.TONE)]
        told = [act[1:] for act in trace if act[0] == Op.REPORT]
        assert [acts, told, end, numbers] == reference(program, seed), f"block of seed {seed}"


def containers(limits: Limits) -> list[bytes]:
    """Blocks of every kind in containers that say the truth as far as there is one."""
    rng = random.Random(5)
    packed = []
    for seed in range(BLOCKS):
        size = rng.choice([5, 20, 80])
        for program in (valid(seed, limits, size), nearly_valid(seed, limits, size), noise(seed)):
            packed.append(pack_container(program, _certificate(program, limits), limits))
    return packed


def _certificate(program: Program, limits: Limits) -> Certificate:
    try:
        return verify(program, limits)
    except Refusal:
        return Certificate(*[0] * 10)


def wounded(data: bytes, rng: random.Random) -> bytes:
    """A container with a wrong bit, a wrong size, or a wrong header under a right checksum."""
    kind = rng.randrange(4)
    if kind == 0:
        return data[: rng.randrange(len(data))]
    if kind == 1:
        return data + bytes(rng.randrange(1, 9))
    at = rng.randrange(len(data) if kind == 2 else HEADER_SIZE)
    data = data[:at] + bytes([data[at] ^ 1 << rng.randrange(8)]) + data[at + 1 :]
    return seal(data) if kind == 3 else data


def host_verdict(data: bytes, limits: Limits) -> list[int]:
    """The host's verdict in verify_blocks.py's form."""
    try:
        return [0, *read_container(data, limits).certificate]
    except Refusal as refusal:
        return [int(refusal.rule), refusal.word, refusal.value, refusal.limit]


def verdicts(micropython: Path, cases: list[tuple[Limits, bytes]]) -> list[list[object]]:
    """The robot's verdicts: rule, word, value and limit, or 0 and the certificate."""
    asked = [json.dumps([list(limits), manifest_hash(limits), data.hex()]) for limits, data in cases]
    return ask(micropython, "verify_blocks.py", asked)


def compare(micropython: Path, cases: list[bytes], limits: Limits) -> set[int]:
    """Hold the robot's verdicts to the host's; return the rules that came up."""
    expected = [host_verdict(case, limits) for case in cases]
    assert verdicts(micropython, [(limits, case) for case in cases]) == expected
    return {verdict[0] for verdict in expected}


def test_verifiers_agree_on_generated_blocks(micropython: Path) -> None:
    """Rule, word, value and limit of each refusal, and each certificate, are the host's."""
    rules = compare(micropython, containers(LIMITS), LIMITS)
    assert rules >= {0, 1, 3, 4, 5, 6, 7, 8, 18}


def test_verifiers_agree_on_damaged_containers(micropython: Path) -> None:
    """So are they on containers that are damaged or lie."""
    rng = random.Random(6)
    rules = compare(micropython, [wounded(case, rng) for case in containers(LIMITS)], LIMITS)
    assert rules >= {0, 19, 20, 21, 22}


def for_robot(limits: Limits) -> list[bytes]:
    """The generated blocks in containers for another robot, each with a certificate of zeros."""
    programs = [read_container(case).program for case in containers(LIMITS)]
    return [pack_container(program, Certificate(*[0] * 10), limits) for program in programs]


def test_verifiers_agree_for_a_robot_with_few_parts(micropython: Path) -> None:
    """A robot with few parts and odd numbers refuses what its host refuses."""
    poor = LIMITS._replace(
        max_words=50, max_constants=1, top_speed=31, top_rate=170, accel=7, turn_accel=11, base_mm=93,
        instruction_us=1999, tick_ms=3, channels=0b1111110011111, actuators=5,
    )  # fmt: skip
    assert compare(micropython, for_robot(poor), poor) >= {1, 2, 10, 11, 12, 19}


def test_verifiers_agree_for_a_robot_with_small_budgets(micropython: Path) -> None:
    """So does one with small budgets."""
    rules = set()
    for limits in (
        LIMITS._replace(max_fuel=40, max_ms=60000, max_path_mm=300, max_rotation_mrad=300, max_reports=1),
        LIMITS._replace(max_ms=9000),
    ):
        rules |= compare(micropython, for_robot(limits), limits)
    assert rules >= {13, 14, 15, 16, 17, 19}


def test_verifiers_agree_on_corners(micropython: Path) -> None:
    """Hand-made blocks: deep calls and loops, saturating costs, a procedure at word 0, the largest block."""
    end, ret, proc = int(Op.END), int(Op.RET), int(Op.PROC)
    loops = [Op.LOOP | 65535 << 16] * 4 + [Op.WAIT | 65535 << 16]
    loops += [Op.ENDLOOP | (2 + 2 * n) << 16 for n in range(4)] + [end]
    call = Op.CALL | 2 << 16
    blocks = [
        [proc, ret],
        loops,
        [Op.LOOP | 1 << 16] + loops,
        [call, end] + [proc, call, ret] * 0 + [proc, ret],
        [call, end] + [word for _ in range(4) for word in (proc, Op.CALL | 2 << 16, ret)] + [proc, ret],
        [call, end] + [word for _ in range(5) for word in (proc, Op.CALL | 2 << 16, ret)] + [proc, ret],
        [Op.WAIT | 1 << 16] * 1023 + [end],
        [Op.CALL | 1 << 16, end],
        [Op.LOOPR | 2 << 16 | 1 << 24, Op.TRIP, Op.ENDLOOP | 2 << 16, end],
        [],
    ]
    cases = [
        pack_container(Program(list(map(int, words)), []), Certificate(*[0] * 10), LIMITS) for words in blocks
    ]
    cases += [b"", b"LLMB", struct.pack("<64I", *range(64))]
    assert compare(micropython, cases, LIMITS) >= {1, 6, 7, 9, 13, 19, 20}
