"""What the SPEC's section 4 says of each instruction's step, as z3 terms; products and divisions left out."""

from collections.abc import Callable
from pathlib import Path as File
from typing import Any

import z3
from tests.symbolic import Function

from llmbytecode._isa import INSTRUCTIONS, KINDS, Op

VM = (File(__file__).parents[1] / "firmware" / "llmvm" / "vm.py").read_text(encoding="utf-8")
LAYOUT = Function(VM, "run").constants
STACK_ENTRIES = 24


class Step:
    """What the SPEC says of one step, on a state of which only what the verifier guarantees is known."""

    def __init__(self, op: Op, width: int) -> None:
        self.op, self.width = op, width
        self.a, self.b, self.c = (z3.BitVec(name, 8) for name in "abc")
        self.i = z3.Concat(self.c, self.b)
        self.state = z3.Array("state", z3.BitVecSort(width), z3.BitVecSort(32))
        self.state = self.put(self.state, LAYOUT["BUDGET"], z3.BitVecVal(1, 32))
        self.senses = z3.Array("senses", z3.BitVecSort(width), z3.BitVecSort(32))
        self.constants = z3.Array("constants", z3.BitVecSort(width), z3.BitVecSort(32))
        self.pc = self.word(LAYOUT["PC"])
        self.depth = self.word(LAYOUT["DEPTH"])
        words = z3.Array("words", z3.BitVecSort(width), z3.BitVecSort(32))
        self.words = self.put(words, self.pc, z3.Concat(self.c, self.b, self.a, z3.BitVecVal(op, 8)))
        self.next: Any = self.pc + 1
        self.code: int = 0
        self.after = self.state

    def put(self, array: Any, index: Any, value: Any) -> Any:
        """Return an array with one word changed."""
        return z3.Store(array, self.index(index), value)

    def index(self, number: Any) -> Any:
        """Return a number as an index."""
        if isinstance(number, int):
            return z3.BitVecVal(number, self.width)
        return z3.ZeroExt(self.width - number.size(), number) if number.size() < self.width else number

    def word(self, index: Any) -> Any:
        """Return a word of the state, 32 bits."""
        return z3.Select(self.state, self.index(index))

    def set(self, index: Any, value: Any) -> None:
        """Say what a word of the state becomes."""
        self.after = self.put(
            self.after, index, value if not isinstance(value, int) else z3.BitVecVal(value, 32)
        )

    def arguments(self, *values: Any) -> None:
        """Say what the supervisor is told, and that it is."""
        self.code = int(self.op)
        for number, value in enumerate(values):
            self.set(LAYOUT["ARGS"] + number, value)

    def jump(self, distance: Any) -> None:
        """Say that the step goes on so many words further down."""
        self.next = self.pc + extend(distance)

    def push(self, value: Any) -> None:
        """Put an entry on the stack."""
        self.set(stacked(self.depth), value)
        self.set(LAYOUT["DEPTH"], self.depth + 1)

    def pop(self) -> Any:
        """Take an entry off the stack."""
        self.set(LAYOUT["DEPTH"], self.depth - 1)
        return self.word(stacked(self.depth - 1))

    def end(self) -> Any:
        """Return the state behind the step."""
        self.set(LAYOUT["PC"], self.next)
        self.set(LAYOUT["FUEL"], self.word(LAYOUT["FUEL"]) + 1)
        self.set(LAYOUT["BUDGET"], 0)
        return self.after

    def guaranteed(self) -> list[Any]:
        """Return what the verifier has proved of the block."""
        fields = {"a": self.a, "b": self.b, "c": self.c, "i": self.i}
        known = [z3.ULT(self.pc, 4096), z3.ULE(self.depth, STACK_ENTRIES)]
        kinds = dict(INSTRUCTIONS[self.op].operands)
        for name, kind in kinds.items():
            wide = (z3.SignExt if KINDS[kind].lo < 0 else z3.ZeroExt)(32 - fields[name].size(), fields[name])
            known += [wide >= KINDS[kind].lo, wide <= KINDS[kind].hi]
        known += [fields[name] == 0 for name in ("ai" if "i" in kinds else "abc") if name not in kinds]
        if self.op in (Op.LOOP, Op.LOOPR, Op.CALL):
            known.append(z3.ULT(self.depth, STACK_ENTRIES))
        if self.op in (Op.ENDLOOP, Op.EXIT, Op.RET):
            known.append(self.depth != 0)
        if self.op == Op.ENDLOOP:
            left = self.word(stacked(self.depth - 1))
            known += [left >= 1, left <= 65535]
        return known


def stacked(depth: Any) -> Any:
    """Return the place of a stack's entry."""
    return depth + LAYOUT["STACK"]


def extend(number: Any, bits: int = 32) -> Any:
    """Return an unsigned field as a wider number."""
    return z3.ZeroExt(bits - number.size(), number)


def signed(number: Any, bits: int = 32) -> Any:
    """Return a signed number as a wider one."""
    return z3.SignExt(bits - number.size(), number) if number.size() < bits else number


def saturate(exact: Any) -> Any:
    """Return the 32-bit number nearest to a wide one."""
    low, high = (z3.BitVecVal(end, exact.size()) for end in (-(2**31), 2**31 - 1))
    return z3.Extract(31, 0, z3.If(exact < low, low, z3.If(exact > high, high, exact)))


def clamp(number: Any, bound: Any) -> Any:
    """Return the number of -bound…bound that is nearest."""
    return z3.If(number > bound, bound, z3.If(number < -bound, -bound, number))


def between(number: Any, most: Any) -> Any:
    """Return max(0, min(number, most))."""
    least = z3.If(number < most, number, most)
    return z3.If(least > 0, least, z3.BitVecVal(0, 32))


# What each instruction does, from section 4 of the SPEC, and what the supervisor is told of it.


def _binary(operation: Callable[[Any, Any], Any]) -> Callable[[Step], None]:
    """An operation on two registers, exact in 64 bits."""

    def effect(s: Step) -> None:
        s.set(s.a, saturate(operation(signed(s.word(s.b), 64), signed(s.word(s.c), 64))))

    return effect


def _branch(holds: Callable[[Any, Any], Any]) -> Callable[[Step], None]:
    def effect(s: Step) -> None:
        s.next = s.pc + z3.If(holds(s.word(s.a), s.word(s.b)), extend(s.c), z3.BitVecVal(1, 32))

    return effect


def _loopr(s: Step) -> None:
    rounds, before = between(s.word(s.a), extend(s.c)), s.after
    s.push(rounds)
    s.after = z3.If(rounds != 0, s.after, before)
    s.next = s.pc + z3.If(rounds != 0, z3.BitVecVal(1, 32), extend(s.b) + 1)


def _endloop(s: Step) -> None:
    left, before = s.word(stacked(s.depth - 1)) - 1, s.after
    s.pop()
    over = s.after
    s.after = before
    s.set(stacked(s.depth - 1), left)
    s.after = z3.If(left == 0, over, s.after)
    s.next = z3.If(left == 0, s.pc + 1, s.pc - extend(s.i) + 1)


def _exit(s: Step) -> None:
    s.pop()
    s.jump(s.i)


def _call(s: Step) -> None:
    s.push(s.pc + 1)
    s.jump(s.i)


def _ret(s: Step) -> None:
    s.next = s.pop()


def _guard(s: Step) -> None:
    number = s.a & 3
    s.set(extend(number) + LAYOUT["WATCH"], extend(s.a) + 1)
    s.set(extend(number) + LAYOUT["THRESHOLD"], signed(s.i))


def _moves(amount: Callable[[Step], Any], speed: Callable[[Step], Any]) -> Callable[[Step], None]:
    """A move over an amount: nothing but TRIP's answer becomes 0 where that is 0."""

    def effect(s: Step) -> None:
        still = s.put(s.after, LAYOUT["TRIP"], z3.BitVecVal(0, 32))
        s.arguments(amount(s), speed(s))
        s.after = z3.If(amount(s) == 0, still, s.after)
        s.code = z3.If(amount(s) == 0, z3.BitVecVal(0, s.width), z3.BitVecVal(s.op, s.width))

    return effect


def _clamped(kind: str) -> Callable[[Step], Any]:
    return lambda s: clamp(s.word(s.a), extend(s.b) * KINDS[kind].step)


def _drive(s: Step) -> None:
    left, right = (clamp(s.word(register), extend(s.b)) for register in (z3.LShR(s.a, 4), s.a & 15))
    s.arguments(left, right, extend(s.c) * KINDS["time100"].step)


RATE = KINDS["rate"].step
EFFECTS: dict[Op, Callable[[Step], None]] = {
    Op.END: lambda s: s.arguments(extend(s.a)),
    Op.FAIL: lambda s: s.arguments(extend(s.a)),
    Op.JMP: lambda s: s.jump(s.i),
    Op.BEQ: _branch(lambda x, y: x == y),
    Op.BNE: _branch(lambda x, y: x != y),
    Op.BLT: _branch(lambda x, y: x < y),
    Op.BGE: _branch(lambda x, y: x >= y),
    Op.LOOP: lambda s: s.push(extend(s.i)),
    Op.LOOPR: _loopr,
    Op.ENDLOOP: _endloop,
    Op.EXIT: _exit,
    Op.PROC: lambda s: None,
    Op.CALL: _call,
    Op.RET: _ret,
    Op.LDI: lambda s: s.set(s.a, signed(s.i)),
    Op.LDK: lambda s: s.set(s.a, z3.Select(s.constants, s.index(s.i))),
    Op.MOV: lambda s: s.set(s.a, s.word(s.b)),
    Op.ADDI: lambda s: s.set(s.a, saturate(signed(s.word(s.a), 64) + signed(s.i, 64))),
    Op.ADD: _binary(lambda x, y: x + y),
    Op.SUB: _binary(lambda x, y: x - y),
    Op.MIN: _binary(lambda x, y: z3.If(x < y, x, y)),
    Op.MAX: _binary(lambda x, y: z3.If(x > y, x, y)),
    Op.AND: _binary(lambda x, y: x & y),
    Op.OR: _binary(lambda x, y: x | y),
    Op.XOR: _binary(lambda x, y: x ^ y),
    Op.SHL: _binary(lambda x, y: x << (y & 31)),
    Op.SHR: _binary(lambda x, y: x >> (y & 31)),
    Op.SENSE: lambda s: s.set(s.a, z3.Select(s.senses, s.index(s.b))),
    Op.GUARD: _guard,
    Op.UNGUARD: lambda s: s.set(extend(s.a) + LAYOUT["WATCH"], 0),
    Op.TRIP: lambda s: s.set(s.a, s.word(LAYOUT["TRIP"])),
    Op.MOVE: _moves(lambda s: signed(s.i), lambda s: extend(s.a)),
    Op.MOVER: _moves(_clamped("distance_max"), lambda s: extend(s.c)),
    Op.TURN: _moves(lambda s: signed(s.i), lambda s: extend(s.a) * RATE),
    Op.TURNR: _moves(_clamped("angle_max"), lambda s: extend(s.c) * RATE),
    Op.DRIVE: _drive,
    Op.LED: lambda s: s.arguments(extend(s.a), extend(s.b), extend(s.c)),
    Op.TONE: lambda s: s.arguments(extend(s.i), extend(s.a) * KINDS["time10"].step),
    Op.WAIT: lambda s: s.arguments(extend(s.i)),
    Op.WAITR: lambda s: s.arguments(between(s.word(s.a), extend(s.i))),
    Op.MODE: lambda s: s.set(LAYOUT["MODE"], extend(s.a)),
    Op.GETV: lambda s: s.set(s.a, s.word(extend(s.b) + LAYOUT["VARIABLES"])),
    Op.SETV: lambda s: s.set(extend(s.a) + LAYOUT["VARIABLES"], s.word(s.b)),
    Op.REPORT: lambda s: s.arguments(extend(s.a), s.word(s.b)),
}


def step_of(op: Op, width: int) -> Step:
    """Return the SPEC's step for an instruction other than a product or a division."""
    step = Step(op, width)
    EFFECTS[op](step)
    return step
