"""One step of the robot's interpreter, proved by z3 to be the SPEC's, for all inputs and both word sizes.

The step is executed symbolically from the source of firmware/llmvm/vm.py. The SPEC's side is written on its
own, in tests/steps.py: in bit-vectors that are wide enough for exact results; for products and divisions it
is here, in integers. What a verified block guarantees is assumed: operands within their kinds, a stack that
neither overflows nor underflows, at least one round left at an ENDLOOP. A run of many words is this step
again and again, since of the locals only the program counter and the budget go from one word to the next.
"""

import ast
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import z3
from tests.steps import EFFECTS, LAYOUT, VM, Step, step_of
from tests.symbolic import Execution, Function, Path
from tests.views import Numbers, Words

from llmbytecode import assemble
from llmbytecode._isa import INSTRUCTIONS, KINDS, Chan, Op
from llmbytecode.machine import NO_READING
from llmbytecode.native import viper_source
from llmos.manifest import load_manifest

WIDTHS = [32, 64]


def failures(source: str, op: Op, width: int) -> Iterator[str]:
    """Yield what of one instruction cannot be proved about a source."""
    step, view, anywhere = step_of(op, width), Words(width), z3.BitVec("anywhere", width)
    memory = {"state": step.state, "words": step.words, "constants": step.constants, "senses": step.senses}
    expected = z3.Select(step.end(), anywhere)
    for path in Function(source, "run").paths(view, memory, step.guaranteed()):
        yield from (what for what, conditions, holds in path.claims if not view.proved(conditions, holds))
        if not view.proved(path.conditions, view.of(path.result) == view.of(step.code)):
            yield "the returned code"
        if not view.proved(path.conditions, z3.Select(path.memory["state"], anywhere) == expected):
            yield "the state"


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("op", EFFECTS, ids=lambda op: op.name)
def test_step_is_the_specs(op: Op, width: int) -> None:
    """State, returned code, and every index and shift count, for all states and operands."""
    assert list(failures(VM, op, width)) == []


# Products and divisions, in integers.


def bit_lemmas(width: int) -> dict[str, Any]:
    """Return what the view `Numbers` says of bits, for bit-vectors of a size."""
    x, y = z3.BitVecs("x y", width)
    word, part = z3.BitVec("word", 32), z3.BitVec("part", 8)
    sign = z3.BitVecVal(1 << 31, width)
    loaded = z3.ZeroExt(width - 32, word) if width > 32 else word
    full = z3.SignExt(width - 32, word) if width > 32 else word
    lemmas = {
        "a loaded word is made signed": (loaded ^ sign) - sign == full,
        "a difference in sign": ((x ^ y) < 0) == ((x < 0) != (y < 0)),
        "a register's number needs no mask": z3.Implies(z3.ULE(part, 15), part & 15 == part),
    }
    for bits in range(1, 32):
        most = z3.BitVecVal((1 << bits) - 1, width)
        either = z3.Or(x > most, y > most)
        lemmas[f"more than {bits} bits"] = z3.Implies(z3.And(x >= 0, y >= 0), (x | y > most) == either)
    for shift in (0, 8, 16, 24):
        byte = z3.Extract(shift + 7, shift, word)
        lemmas[f"the byte at bit {shift}"] = loaded >> shift & 0xFF == z3.ZeroExt(width - 8, byte)
    return lemmas


@pytest.mark.parametrize("width", WIDTHS)
def test_lemmas_on_bits(width: int) -> None:
    """What is taken over from bit-vectors to integers holds."""
    assert [what for what, holds in bit_lemmas(width).items() if not Words(width).proved([], holds)] == []


def divides(x: Any, y: Any, quotient: Any, remainder: Any) -> Any:
    """Say that two numbers are quotient and remainder, as the SPEC's section 1 defines them."""
    sign = z3.Or(remainder == 0, (remainder < 0) == (x < 0))
    return z3.And(x == quotient * y + remainder, absolute(remainder) < absolute(y), sign)


def absolute(number: Any) -> Any:
    """Return the absolute value of an integer."""
    return z3.If(number < 0, -number, number)


def saturated(exact: Any) -> Any:
    """Return the 32-bit integer that is nearest."""
    return z3.If(exact < -(2**31), -(2**31), z3.If(exact > 2**31 - 1, 2**31 - 1, exact))


def test_lemma_on_multiples() -> None:
    """A multiple is 0 or no smaller than what it is a multiple of."""
    times, d = z3.Ints("times d")
    assert Numbers(32).proved([times != 0], absolute(times * d) >= absolute(d))


def test_lemma_on_division() -> None:
    """By that lemma, no two pairs are quotient and remainder, so it suffices to find one."""
    x, y, q, r, other_q, other_r = z3.Ints("x y q r other_q other_r")
    pairs = [divides(x, y, q, r), divides(x, y, other_q, other_r), y != 0]
    lemma = z3.Implies(q != other_q, absolute((q - other_q) * y) >= absolute(y))
    assert Numbers(32).proved([*pairs, lemma], z3.And(q == other_q, r == other_r))


Result = Callable[[Any, Any, Any, list[Any]], list[Any]]


def _product(x: Any, y: Any, value: Any, _quotients: list[Any]) -> list[Any]:
    return [value == saturated(x * y)]


def _quotient(x: Any, y: Any, value: Any, _quotients: list[Any]) -> list[Any]:
    """The value is a quotient, or stands for the one quotient that is outside 32 bits."""
    defined = [z3.And(divides(x, y, q, x - q * y), value == saturated(q)) for q in (value, z3.IntVal(2**31))]
    return [z3.If(y == 0, value == 0, some) for some in defined]


def _remainder(x: Any, y: Any, value: Any, quotients: list[Any]) -> list[Any]:
    """With the value as the remainder, one of the numbers that the code has divided by is the quotient."""
    sizes = [z3.IntVal(0), z3.IntVal(1), *quotients, *(q + 1 for q in quotients)]
    return [z3.If(y == 0, value == 0, divides(x, y, q, value)) for size in sizes for q in (size, -size)]


NONLINEAR: dict[Op, Result] = {Op.MUL: _product, Op.DIV: _quotient, Op.MOD: _remainder}
"""For each instruction, statements about x, y and the result, of which each says that the result is right."""


def nonlinear_failures(source: str, op: Op, width: int) -> Iterator[str]:
    """Yield what of a product or a division cannot be proved about a source."""
    view, registers = Numbers(width), z3.Function("register", z3.IntSort(), z3.IntSort())
    a, b, c, pc, fuel = z3.Ints("a b c pc fuel")
    x, y = registers(b), registers(c)
    known = [z3.And(0 <= field, field <= 15) for field in (a, b, c)]
    known += [z3.And(0 <= number, number < 1 << 30) for number in (pc, fuel)]
    state = {LAYOUT["BUDGET"]: 1, LAYOUT["PC"]: pc, LAYOUT["FUEL"]: fuel}
    memory = {
        "state": state,
        "words": [int(op), a, b, c],
        "registers": registers,
        "written": [],
        "quotients": [],
    }
    for path in Function(source, "run").paths(view, memory, known):
        yield from (what for what, conditions, holds in path.claims if not view.proved(conditions, holds))
        [(register, value)] = path.memory["written"]
        after = path.memory["state"]
        rest = [register == a, after[LAYOUT["PC"]] == pc + 1, after[LAYOUT["FUEL"]] == fuel + 1]
        if (
            after[LAYOUT["BUDGET"]] != 0
            or path.result != 0
            or not view.proved(path.conditions, z3.And(*rest))
        ):
            yield "the state"
        right = NONLINEAR[op](x, y, view.decided(path, value), path.memory["quotients"])
        if not any(view.proved(path.conditions, statement) for statement in right):
            yield f"the result where {path.conditions[len(known) :]}"


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("op", NONLINEAR, ids=lambda op: op.name)
def test_product_or_division_is_the_specs(op: Op, width: int) -> None:
    """Saturation, truncation, the remainder's sign, division by zero, and that no product overflows."""
    assert list(nonlinear_failures(VM, op, width)) == []


# The condition of a move's or wait's guards.


@pytest.mark.parametrize("width", WIDTHS)
def test_tripped_is_the_specs(width: int) -> None:
    """The lowest armed guard whose condition holds, or whose range channel has no reading, plus 1."""
    assert list(tripped_failures(VM, width)) == []


def tripped_failures(source: str, width: int) -> Iterator[str]:
    """Yield what cannot be proved about the function `tripped` of a source, round by round of its loop."""
    view = Words(width)
    state, senses = (z3.Array(name, z3.BitVecSort(width), z3.BitVecSort(32)) for name in ("state", "senses"))
    known, tripping = [], []
    for guard in range(4):
        armed = z3.Select(state, z3.BitVecVal(LAYOUT["WATCH"] + guard, width))
        threshold = z3.Select(state, z3.BitVecVal(LAYOUT["THRESHOLD"] + guard, width))
        watch = z3.Extract(7, 0, armed - 1)  # channel * 16 + comparison * 4 + guard
        channel, above = z3.LShR(watch, 4), watch & 4 != 0
        known += [armed >= 0, armed <= KINDS["watch"].hi + 1, z3.Or(armed == 0, z3.ULT(channel, 13))]
        value = z3.Select(senses, z3.ZeroExt(width - 8, channel))
        unknown = z3.And(z3.ULE(channel, Chan.REAR), value == NO_READING)
        beyond = z3.If(above, value > threshold, value < threshold)
        tripping.append(z3.And(armed != 0, z3.Or(beyond, unknown)))
    function = Function(source, "tripped")
    *before, loop, after = function.body
    execution = Execution(function, view)
    memory = {"state": state, "senses": senses}
    [start] = execution.block(
        before, Path(dict(zip(function.parameters, memory, strict=True)), memory, known)
    )
    for guard, trips in enumerate(tripping):
        start.names["guard"] = guard
        for end in execution.block([ast.If(loop.test, loop.body, [])], start.fork(z3.BoolVal(True))):
            yield from (what for what, conditions, holds in end.claims if not view.proved(conditions, holds))
            if not view.proved(end.conditions, trips if end.left else z3.Not(trips)):
                yield f"guard {guard} trips"
            if (end.result if end.left else end.names["guard"]) != guard + 1:
                yield f"guard {guard} is told"
    start.names["guard"] = len(tripping)
    if [end.result for end in execution.block([loop, after], start)] != [0]:
        yield "no guard trips"


# The machine code of the same operations.

COMPILED = (Op.ADD, Op.SUB, Op.MIN, Op.MAX, Op.AND, Op.OR, Op.XOR, Op.SHL, Op.SHR)
LIMITS = load_manifest().limits


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("op", COMPILED, ids=lambda op: op.name)
def test_compiled_operation_is_the_specs(op: Op, width: int) -> None:
    """The viper source that a block is compiled from leaves in all registers what the SPEC says."""
    text = f"SENSE r2, front\nSENSE r3, rear\n{op.name} r1, r2, r3\nEND"
    assert list(compiled_failures(viper_source(assemble(text), LIMITS), op, width)) == []


def compiled_failures(source: str, op: Op, width: int) -> Iterator[str]:
    """Yield what cannot be proved of a block that senses r2 and r3, operates on them, and ends."""
    step, view = Step(op, width), Words(width)
    start = step.state
    for place, number in (("PC", 0), ("DEPTH", 0), ("BUDGET", 256)):
        start = step.put(start, LAYOUT[place], z3.BitVecVal(number, 32))
    memory = {"state": start, "words": step.words, "constants": step.constants, "senses": step.senses}
    step.a, step.b, step.c = (z3.BitVecVal(register, 8) for register in (1, 2, 3))
    for register, channel in ((2, Chan.FRONT), (3, Chan.REAR)):
        step.state = step.put(step.state, register, z3.Select(step.senses, step.index(int(channel))))
    step.after = step.state
    EFFECTS[op](step)
    for path in Function(source, "run").paths(view, memory, []):
        yield from (what for what, conditions, holds in path.claims if not view.proved(conditions, holds))
        if path.result != Op.END:
            yield "the returned code"
        for register in range(16):
            after, expected = (
                z3.Select(array, step.index(register)) for array in (path.memory["state"], step.after)
            )
            if not view.proved(path.conditions, after == expected):
                yield f"r{register}"


def test_wrong_machine_code_is_not_proved() -> None:
    """A sum that does not saturate is found."""
    source = viper_source(assemble("SENSE r2, front\nSENSE r3, rear\nADD r1, r2, r3\nEND"), LIMITS)
    assert "r1 = hi" in source
    assert next(compiled_failures(source.replace("r1 = hi", "r1 = lo"), Op.ADD, 64), None)


# What is proved can be wrong: the proofs fail for code that is.

ADDED = "hi if x > hi - y else x + y"
EXTENDED = "(((w >> 16) & 0xFFFF) ^ 0x8000) - 0x8000"
SIGNED = "x = (state[a] ^ sign) - sign\n                y = (state[(w >> 16) & 15] ^ sign) - sign"
MUTANTS: list[tuple[Op, str, str]] = [
    (Op.ADD, ADDED, "hi if x > hi - y + 1 else x + y"),
    (Op.ADDI, ADDED, "x + y"),
    (Op.SUB, "x = lo if x < lo + y else x - y", "x = lo if x < lo - y else x - y"),
    (Op.ADDI, f"y = {EXTENDED}", "y = (w >> 16) & 0xFFFF"),
    (Op.LDI, f"state[a] = {EXTENDED}", "state[a] = (w >> 16) & 0xFFFF"),
    (Op.SHL, "y &= 31", "pass"),
    (Op.SHR, "y &= 31", "y &= 63"),
    (Op.SHL, "x > (hi >> y)", "x >= (hi >> y)"),
    (Op.MIN, "if y < x:", "if y > x:"),
    (Op.BLT, "taken = x < y if", "taken = x <= y if"),
    (Op.BNE, "else x != y", "else x == y"),
    (Op.LOOPR, "if x > 0:", "if x:"),
    (Op.ENDLOOP, "pc -= (w >> 16) & 0xFFFF", "pc -= ((w >> 16) & 0xFFFF) - 1"),
    (Op.EXIT, "state[DEPTH] -= 1\n            pc +=", "pc +="),
    (Op.MOVER, "elif x < 0 - y:", "elif x < 2 - y:"),
    (Op.DRIVE, "0 - d if x < 0 - d else x", "x"),
    (Op.WAITR, "(0 if x < 0 else x)", "x"),
    (Op.GUARD, "state[WATCH + (a & 3)] = a + 1", "state[WATCH + (a & 7)] = a + 1"),
    (Op.MUL, "(n | d) > 0x7FFF", "(n | d) > 0xFFFF"),
    (Op.MUL, "n > hi // d", "n >= hi // d"),
    (Op.DIV, "q = hi if y == -1 else q + 1", "q = q + 1"),
    (Op.DIV, "x = 0 - q if (x ^ y) < 0 else q", "x = q"),
    (Op.MOD, "n = hi - q * d + 1", "n = hi - q * d"),
    (Op.MOD, "x = 0 - n if x < 0 else n", "x = n"),
]


def mutated(old: str, new: str) -> str:
    """Return the interpreter with one thing changed."""
    assert old in VM
    return VM.replace(old, new)


@pytest.mark.parametrize(("op", "old", "new"), MUTANTS, ids=lambda part: getattr(part, "name", None))
def test_wrong_code_is_not_proved(op: Op, old: str, new: str) -> None:
    """A proof fails for each of these changes."""
    prove = nonlinear_failures if op in NONLINEAR else failures
    assert next(prove(mutated(old, new), op, 32), None)


def test_what_goes_wrong_on_wide_words_only_is_not_proved_there() -> None:
    """Without its sign, a loaded word is right where words have 32 bits, and wrong where they have 64."""
    wrong = mutated(SIGNED, "x = state[a]\n                y = state[(w >> 16) & 15]")
    assert list(failures(wrong, Op.BLT, 32)) == []
    assert next(failures(wrong, Op.BLT, 64), None)


def test_other_code_that_is_right_is_proved() -> None:
    """x >= hi - y changes nothing: where both are equal, the sum is hi."""
    assert list(failures(mutated(ADDED, "hi if x >= hi - y else x + y"), Op.ADD, 64)) == []


def test_wrong_comparison_of_a_guard_is_not_proved() -> None:
    """A guard that compares the other way, and one that trusts a range without a reading, are found."""
    for old, new in (("if value > threshold", "if value >= threshold"), ("<= _CH_REAR", "< _CH_REAR")):
        assert next(tripped_failures(mutated(old, new), 64), None)


def test_every_instruction_is_proved() -> None:
    """No instruction is left out."""
    assert sorted([*EFFECTS, *NONLINEAR]) == sorted(INSTRUCTIONS)
