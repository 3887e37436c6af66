"""The SPEC's formulas and examples mean what the reference machine and the verifiers do."""

import json
import re
import subprocess
from collections import Counter
from importlib import import_module
from itertools import product
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.bytecode.costs import certified, guarded
from tests.bytecode.meaning import Meaning
from tests.bytecode.specification import ROOT, SPEC, Example
from tests.bytecode.twins import TWINS, Check
from tests.cases import Case, cases
from tests.exhaustive import ALPHABETS, programs, skeletons
from tests.exhaustive import LIMITS as EXAMINED
from tests.generate import EDGES, valid

from llmbytecode import (
    EmptyRoom,
    Machine,
    Op,
    Program,
    Refusal,
    Rule,
    assemble,
    read_container,
    verify,
    write_container,
)
from llmbytecode._isa import INSTRUCTIONS, KINDS, RULES, Mode
from llmbytecode.container import manifest_hash
from llmbytecode.machine import Ended, Guard, Guards
from llmbytecode.program import decode, encode
from llmos.manifest import load_manifest

CUBE = load_manifest().limits
FULL = CUBE._replace(actuators=7, base_mm=93)  # with a tone, and nothing comes out even
PC = 70_000  # of the word that is executed alone: no distance leads before word 0
seeds = st.integers(0, 2**64 - 1)


class Echo:
    """A world whose answers depend on what it is asked alone, and which remembers that."""

    def __init__(self) -> None:
        self.asked: list[tuple[object, ...]] = []

    def begin(self) -> None:
        """Nothing to note."""

    def sense(self, channel: int) -> int:
        """Return a number beyond 32 bits for some channels."""
        return (channel - 6) * 10**9

    def move(self, distance_mm: int, speed: int, guards: Guards) -> Ended:
        """Say that the reflex or a guard ended it, or nothing."""
        return self._act("move", guards, distance_mm, speed)

    def turn(self, angle_mrad: int, rate: int, guards: Guards) -> Ended:
        """The same for a turn."""
        return self._act("turn", guards, angle_mrad, rate)

    def drive(self, left: int, right: int, ms: int, guards: Guards) -> Ended:
        """The same for both wheels."""
        return self._act("drive", guards, left, right, ms)

    def wait(self, ms: int, guards: Guards) -> Ended:
        """The same for a wait."""
        return self._act("wait", guards, ms)

    def _act(self, name: str, guards: Guards, *operands: int) -> Ended:
        self.asked.append((name, operands, dict(guards)))
        return Ended(sum(operands) % 6, abs(operands[0]) + 1, abs(operands[-1]), len(guards))


def random_number(rng: Random) -> int:
    """Return an extreme, a small or any 32-bit number."""
    return rng.choice([rng.choice(EDGES), rng.randint(-9, 9), rng.randint(-(2**31), 2**31 - 1)])


def random_word(rng: Random, op: Op) -> int:
    """Return a word of an instruction with operands that its kinds allow."""
    row = INSTRUCTIONS[op]
    kinds = {field: KINDS[kind] for field, kind in row.operands}
    return encode(
        row, {f: rng.choice([kind.lo, kind.hi, rng.randint(kind.lo, kind.hi)]) for f, kind in kinds.items()}
    )


def random_pair(seed: int, op: Op) -> tuple[Machine, Meaning]:
    """Return the reference machine and the SPEC's in the same state, before the same word."""
    rng = Random(seed)
    constants = [random_number(rng) for _ in range(256)]
    program = Program({PC: random_word(rng, op)}, constants)  # type: ignore[arg-type]
    machine = Machine(assemble("END"), CUBE, Echo())
    machine.certificate = machine.certificate._replace(fuel=10)
    machine.program, machine.pc = program, PC
    machine.registers = [random_number(rng) for _ in range(16)]
    if rng.random() < 0.5:
        machine.registers[1] = machine.registers[0]
    machine.variables = [random_number(rng) for _ in range(16)]
    machine.trip, machine.mode = rng.randrange(6), Mode(rng.randrange(6))
    machine.guards = {
        n: Guard(rng.randrange(13), rng.random() < 0.5, rng.randint(-9, 9)) for n in range(rng.randrange(5))
    }
    machine.loops = [rng.randint(1, 3) for _ in range(rng.randint(1, 4))]
    machine.calls = [rng.randrange(PC) for _ in range(rng.randint(1, 4))]
    return machine, same(machine)


def same(machine: Machine) -> Meaning:
    """Return the SPEC's machine in the state of the reference machine."""
    meaning = Meaning(machine.program, Echo())
    meaning.r, meaning.v = list(machine.registers), list(machine.variables)
    meaning.g = [tuple(machine.guards[n]) if n in machine.guards else None for n in range(4)]
    returns = decode(machine.program.words[machine.pc])[0].code == Op.RET  # type: ignore[index]
    both = (machine.loops, machine.calls) if returns else (machine.calls, machine.loops)
    meaning.stack = [*both[0], *both[1]]
    meaning.pc, meaning.trip, meaning.mode = machine.pc, machine.trip, machine.mode
    return meaning


def state_of(machine: Machine) -> dict[str, object]:
    """Return the reference machine's state by the SPEC's names."""
    names = (
        "pc",
        "fuel",
        "trip",
        "mode",
        "code",
        "outcome",
        "ms",
        "path_mm",
        "rotation_mrad",
        "signals",
        "reports",
    )
    return {name: getattr(machine, name) for name in names} | {
        "r": machine.registers,
        "v": machine.variables,
        "g": [machine.guards.get(n) for n in range(4)],
        "stack": Counter(machine.loops + machine.calls),
    }


def assert_same(machine: Machine, meaning: Meaning) -> None:
    """Hold the reference machine's state to the SPEC's."""
    expected = {name: getattr(meaning, name) for name in state_of(machine)}
    assert state_of(machine) == expected | {"stack": Counter(meaning.stack)}


@pytest.mark.parametrize("op", Op, ids=lambda op: op.name)
@settings(max_examples=25)
@given(seed=seeds)
def test_each_effect_is_the_reference_machines_step(op: Op, seed: int) -> None:
    """In any state, the SPEC's formula and the reference machine make the same next state of it."""
    machine, meaning = random_pair(seed, op)
    machine.step()
    meaning.step()
    assert_same(machine, meaning)
    assert machine.world.asked == meaning.world.asked  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "op", [op for op in Op if INSTRUCTIONS[op].category == "arithmetic"], ids=lambda op: op.name
)
def test_arithmetic_is_the_same_at_the_edges(op: Op) -> None:
    """Each operation on each pair of extreme numbers."""
    word = encode(INSTRUCTIONS[op], {"a": 0, "b": 1, "c": 2, "i": -1 if op == Op.ADDI else 1})
    for left, right in product(EDGES, repeat=2):
        machine, _ = random_pair(0, op)
        machine.program.words[PC] = word
        machine.registers[:3] = left, left, right
        meaning = same(machine)
        machine.step()
        meaning.step()
        assert_same(machine, meaning)


@settings(max_examples=100)
@given(seeds)
def test_blocks_run_alike(seed: int) -> None:
    """From its first word to its end a block goes through the same states."""
    program = valid(seed, FULL)
    machine, meaning = Machine(program, FULL, EmptyRoom(FULL)), Meaning(program, EmptyRoom(FULL))
    for _ in range(300):
        if machine.outcome:
            break
        machine.step()
        meaning.step()
        assert_same(machine, meaning)


@pytest.mark.parametrize("twin", TWINS)
@settings(max_examples=100)
@given(seed=seeds)
def test_formulas_give_the_certificate(twin: Check, seed: int) -> None:
    """What section 5.3 says, evaluated as it stands, is what both verifiers compute."""
    program = valid(seed, FULL)
    found = twin(program.words, len(program.constants), program.autonomous_ms, FULL)
    assert certified(program, FULL) == list(found[:5])


def test_passes_give_what_is_guarded() -> None:
    """What section 5.4 says of guards, evaluated as it stands, is what the verifier computes."""
    for size in range(1, 6):
        for names in skeletons(size, ALPHABETS["guards"]):
            for program in programs(names):
                assert guarded(program) == verify(program, EXAMINED).guarded, names


@pytest.mark.parametrize("case", [case for case in cases("ok") if "guard" in case.name], ids=lambda c: c.name)
def test_passes_give_what_the_vectors_say(case: Case) -> None:
    """So it is for the cases that were made for it."""
    program = assemble(case.sections["asm"])
    assert guarded(program) == verify(program, case.limits).guarded


@pytest.mark.parametrize("twin", TWINS)
@pytest.mark.parametrize("rule", [rule for rule in Rule if rule is not Rule.OK], ids=lambda rule: rule.name)
def test_each_rule_is_broken_by_its_example(rule: Rule, twin: Check, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both verifiers refuse it by that rule, so it breaks none that comes before."""
    example = Example(rule, CUBE)
    monkeypatch.setattr(import_module("llmbytecode.verify"), "_check", twin)
    with pytest.raises(Refusal) as caught:
        read_container(example.container, example.limits)
    assert caught.value.rule is rule


ROBOT = """
import json, sys
from binascii import unhexlify
sys.path.insert(0, "firmware")
from llmvm.verify import Verifier
for limits, manifest, container in json.loads(sys.stdin.read()):
    print(Verifier(limits, manifest).check(memoryview(unhexlify(container))))
"""


def test_the_robot_refuses_each_example_by_its_rule(micropython: Path) -> None:
    """So does the robot's own verifier."""
    rules = [rule for rule in Rule if rule is not Rule.OK]
    examples = [Example(rule, CUBE) for rule in rules]
    asked = [[list(e.limits), manifest_hash(e.limits), e.container.hex()] for e in examples]
    done = subprocess.run(
        [micropython, "-c", ROBOT], input=json.dumps(asked), cwd=ROOT, capture_output=True, text=True
    )
    assert (done.stderr, [int(line) for line in done.stdout.split()]) == ("", rules)


@pytest.mark.parametrize("rule", [rule for rule in Rule if RULES[rule].given], ids=lambda rule: rule.name)
def test_what_is_given_breaks_the_rule(rule: Rule) -> None:
    """Without it the reference robot takes the example."""
    container = write_container(Example(rule, CUBE).program, CUBE)
    assert read_container(container, CUBE).program == Example(rule, CUBE).program


def test_what_the_spec_names_is_there() -> None:
    """Each test and tool that it points to exists, and each section too."""
    files = set(re.findall(r"`((?:tests|tools)/[\w/.]+)`", SPEC))
    assert files
    assert [name for name in sorted(files) if not (ROOT / name).is_file()] == []
    headings = set(re.findall(r"^#{2,3} ([\d.]+?)\.? ", SPEC, re.M))
    assert set(re.findall(r"sections? (\d+(?:\.\d+)?)", SPEC)) <= headings
