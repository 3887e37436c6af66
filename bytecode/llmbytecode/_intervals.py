"""Between which numbers each register lies before each word: machine code checks only what can happen.

Abstract interpretation over intervals (Cousot and Cousot 1977). Branches go forward only, so one pass covers
a part of a program; a loop's body is passed again until nothing widens. A register that a loop's body only
adds to moves by at most its rounds times what one round adds.
"""

from collections.abc import Callable
from typing import NamedTuple

from llmbytecode._isa import Op
from llmbytecode.program import Program, decode

LOW, HIGH = -(2**31), 2**31 - 1
REGISTERS = 16
JOINS = 3  # passes over a loop's body before bounds are moved far
PASSES = 7  # before nothing is claimed any more
NARROWINGS = 2  # passes that take back what was widened too far


class Interval(NamedTuple):
    """All numbers from `lo` to `hi`."""

    lo: int
    hi: int

    def join(self, other: "Interval") -> "Interval":
        """Return the least interval that covers both."""
        return Interval(min(self.lo, other.lo), max(self.hi, other.hi))

    def widen(self, newer: "Interval") -> "Interval":
        """Return an interval that covers both, with any bound that moved at 0 or at its end."""
        low = self.lo if newer.lo >= self.lo else 0 if newer.lo >= 0 else LOW
        high = self.hi if newer.hi <= self.hi else 0 if newer.hi <= 0 else HIGH
        return Interval(low, high)

    @property
    def size(self) -> int:
        """The greatest absolute value."""
        return max(abs(self.lo), abs(self.hi))


ANY = Interval(LOW, HIGH)
State = tuple[Interval, ...]  # one for each register
UNKNOWN: State = (ANY,) * REGISTERS
ZEROS: State = (Interval(0, 0),) * REGISTERS
Values = dict[str, int]


def saturated(low: int, high: int) -> Interval:
    """Return the interval after saturation."""
    return Interval(max(LOW, min(HIGH, low)), max(LOW, min(HIGH, high)))


def _corners(x: Interval, y: Interval, operation: Callable[[int, int], int]) -> Interval:
    ends = [operation(a, b) for a in x for b in y]
    return saturated(min(ends), max(ends))


def _quotient(x: int, y: int) -> int:
    return abs(x) // abs(y) * (1 if (x < 0) == (y < 0) else -1)


def _divided(x: Interval, y: Interval) -> Interval:
    if y.lo > 0 or y.hi < 0:
        return _corners(x, y, _quotient)
    positive = x.lo >= 0 and y.lo >= 0
    return saturated(0 if positive else -x.size, x.size)


def _remainder(x: Interval, y: Interval) -> Interval:
    most = min(x.size, max(y.size - 1, 0))
    return saturated(0 if x.lo >= 0 else -most, 0 if x.hi <= 0 else most)


def _bits(x: Interval, y: Interval) -> Interval:
    power = 1 << max((n if n >= 0 else ~n).bit_length() for n in (*x, *y))
    return saturated(0 if x.lo >= 0 and y.lo >= 0 else -power, power - 1)


def _and(x: Interval, y: Interval) -> Interval:
    tops = [z.hi for z in (x, y) if z.lo >= 0]
    return Interval(0, min(tops)) if tops else _bits(x, y)


def _shifted_left(x: Interval, y: Interval) -> Interval:
    least, most = (y.lo, y.hi) if y.lo >= 0 and y.hi < 32 else (0, 31)
    return _corners(x, Interval(least, most), lambda a, b: a << b)


def _shifted_right(x: Interval, y: Interval) -> Interval:
    least, most = (y.lo, y.hi) if y.lo >= 0 and y.hi < 32 else (0, 31)
    return _corners(x, Interval(least, most), lambda a, b: a >> b)


BINARY: dict[int, Callable[[Interval, Interval], Interval]] = {
    Op.ADD: lambda x, y: saturated(x.lo + y.lo, x.hi + y.hi),
    Op.SUB: lambda x, y: saturated(x.lo - y.hi, x.hi - y.lo),
    Op.MUL: lambda x, y: _corners(x, y, lambda a, b: a * b),
    Op.DIV: _divided,
    Op.MOD: _remainder,
    Op.MIN: lambda x, y: Interval(min(x.lo, y.lo), min(x.hi, y.hi)),
    Op.MAX: lambda x, y: Interval(max(x.lo, y.lo), max(x.hi, y.hi)),
    Op.AND: _and,
    Op.OR: _bits,
    Op.XOR: _bits,
    Op.SHL: _shifted_left,
    Op.SHR: _shifted_right,
}
WRITES = {Op.LDI, Op.LDK, Op.MOV, Op.ADDI, Op.SENSE, Op.TRIP, Op.GETV, *map(Op, BINARY)}


class Code:
    """A verified program with its structure: decoded words, and where loops begin and end."""

    def __init__(self, program: Program) -> None:
        self.constants = program.constants
        self.steps: list[tuple[int, Values]] = []
        self.ends: dict[int, int] = {}  # a loop's head -> its ENDLOOP
        self.bodies: list[int] = []  # by word: the head of the innermost loop around it, or -1
        self.parts: list[int] = [0]  # the words at which the main program and the procedures begin
        heads: list[int] = []
        for at, word in enumerate(program.words):
            decoded = decode(word)
            if decoded is None:
                raise ValueError(f"word {at} is no instruction; verify the program first")
            op, values = decoded[0].code, decoded[1]
            self.steps.append((op, values))
            self.bodies.append(heads[-1] if heads else -1)
            if op in (Op.LOOP, Op.LOOPR):
                heads.append(at)
            elif op == Op.ENDLOOP:
                self.ends[heads.pop()] = at
            elif op == Op.PROC:
                self.parts.append(at)

    def target(self, at: int) -> int:
        """Return the word that a branch, JMP, EXIT or CALL leads to."""
        op, values = self.steps[at]
        return at + values["c" if Op.BEQ <= op <= Op.BGE else "i"]

    def rounds(self, head: int) -> int:
        """Return how often a loop's body runs at most."""
        op, values = self.steps[head]
        return values["i"] if op == Op.LOOP else values["c"]

    def written(self, start: int, stop: int) -> set[int]:
        """Return the registers that the words from `start` to before `stop` may change, calls included."""
        if any(op == Op.CALL for op, _ in self.steps[start:stop]):
            return set(range(REGISTERS))
        return {values["a"] for op, values in self.steps[start:stop] if op in WRITES}


def intervals(code: Code) -> list[State]:
    """Return what is known before each word; a word that is never reached has an arbitrary state."""
    analysis = _Analysis(code)
    for start, stop in zip(code.parts, [*code.parts[1:], len(code.steps)], strict=True):
        analysis.level(start, stop, ZEROS if start == 0 else UNKNOWN)
    return analysis.before


def _joined(one: State | None, other: State | None) -> State | None:
    if one is None or other is None:
        return one or other
    return tuple(a.join(b) for a, b in zip(one, other, strict=True))


def _covers(wide: State, narrow: State) -> bool:
    return all(a.join(b) == a for a, b in zip(wide, narrow, strict=True))


class _Analysis:
    def __init__(self, code: Code) -> None:
        self.code = code
        self.before: list[State] = [UNKNOWN] * len(code.steps)
        self.pending: dict[int, State | None] = {}  # what jumps bring to a word
        self.exits: dict[int, State | None] = {}  # by a loop's head: what its EXITs bring behind it

    def level(self, start: int, stop: int, state: State | None) -> State | None:
        """Pass the words from `start` to before `stop`; return what is known at `stop`."""
        at = start
        while at < stop:
            state = _joined(state, self.pending.get(at))
            if state is None:
                at += 1
            elif at in self.code.ends:
                self.before[at] = state
                state = self._loop(at, state)
                at = self.code.ends[at] + 1
            else:
                self.before[at] = state
                state = self._word(at, state)
                at += 1
        return _joined(state, self.pending.get(stop))

    def _jump(self, to: int, state: State | None) -> None:
        self.pending[to] = _joined(self.pending.get(to), state)

    def _word(self, at: int, state: State) -> State | None:
        op, values = self.code.steps[at]
        if op in WRITES:
            known = list(state)
            known[values["a"]] = self._result(op, values, state)
            return tuple(known)
        if Op.BEQ <= op <= Op.BGE:
            holds, fails = _refined(op, values["a"], values["b"], state)
            self._jump(self.code.target(at), holds)
            return fails
        if op == Op.EXIT:
            loop = self.code.bodies[at]
            self.exits[loop] = _joined(self.exits[loop], state)
            return None
        if op == Op.JMP:
            self._jump(self.code.target(at), state)
            return None
        if op in (Op.END, Op.FAIL, Op.RET):
            return None
        return UNKNOWN if op == Op.CALL else state

    def _result(self, op: int, values: Values, state: State) -> Interval:
        if op in BINARY:
            return BINARY[op](state[values["b"]], state[values["c"]])
        if op == Op.ADDI:
            return BINARY[Op.ADD](state[values["a"]], Interval(values["i"], values["i"]))
        if op == Op.LDI:
            return Interval(values["i"], values["i"])
        if op == Op.LDK:
            number = self.code.constants[values["i"]]
            return Interval(number, number)
        return state[values["b"]] if op == Op.MOV else ANY

    def _loop(self, head: int, entry: State) -> State | None:
        start, after = entry, self._round(head, entry)
        for attempt in range(PASSES):
            reached = self._reached(head, entry, after)
            if _covers(start, reached):
                break
            pairs = zip(start, reached, strict=True)
            start = tuple(old.join(new) if attempt < JOINS else old.widen(new) for old, new in pairs)
            after = self._round(head, start)
        else:
            lost = self.code.written(head, self.code.ends[head])
            start = tuple(ANY if n in lost else known for n, known in enumerate(entry))
            after = self._round(head, start)
        for _ in range(NARROWINGS):  # what the next round begins with holds for all of them as well
            after = self._round(head, self._reached(head, entry, after))
        skipped = entry if self.code.steps[head][0] == Op.LOOPR else None
        behind = _joined(_joined(after, skipped), self.exits[head])
        if behind is None:
            return None
        known = list(behind)
        for register in self._steady(head):
            low, high = self._moved(head, register, entry[register])
            known[register] = Interval(max(low, known[register].lo), min(high, known[register].hi))
        return tuple(known)

    def _round(self, head: int, start: State) -> State | None:
        """Pass a loop's body; return what holds at the end of a round."""
        end = self.code.ends[head]
        self.exits[head] = None
        for word in range(head + 1, end + 1):
            self.pending.pop(word, None)
        return self.level(head + 1, end, start)

    def _reached(self, head: int, entry: State, after: State | None) -> State:
        """Return what holds at the start of a round, given what holds at the end of one."""
        reached = list(_joined(entry, after) or entry)
        for register in self._steady(head):
            reached[register] = self._moved(head, register, entry[register])
        return tuple(reached)

    def _steady(self, head: int) -> set[int]:
        """Return the registers that a loop's body changes by additions only."""
        steps = self.code.steps[head : self.code.ends[head]]
        if any(op == Op.CALL for op, _ in steps):
            return set()
        others = {v["a"] for op, v in steps if op in WRITES and _addend(op, v) is None}
        return {v["a"] for op, v in steps if op in WRITES} - others

    def _moved(self, head: int, register: int, entry: Interval) -> Interval:
        """Return where such a register can be in a loop and behind it."""
        low = high = 0
        for at in range(head + 1, self.code.ends[head]):
            op, values = self.code.steps[at]
            addend = _addend(op, values) if op in WRITES and values["a"] == register else None
            if addend:
                rounds, loop = 1, self.code.bodies[at]
                while loop >= head:
                    rounds *= self.code.rounds(loop)
                    loop = self.code.bodies[loop]
                step = self._step(at, *addend)
                low += rounds * min(0, step.lo)
                high += rounds * max(0, step.hi)
        return saturated(entry.lo + low, entry.hi + high)

    def _step(self, at: int, sign: int, register: int) -> Interval:
        if register < 0:
            number = self.code.steps[at][1]["i"]
            return Interval(number, number)
        known = self.before[at][register]
        return known if sign > 0 else Interval(-known.hi, -known.lo)


def _addend(op: int, values: Values) -> tuple[int, int] | None:
    """Return the sign and the register that an instruction adds to its own; -1 stands for ADDI's constant."""
    a = values["a"]
    if op == Op.ADDI:
        return 1, -1
    if op == Op.ADD and a == values["b"] != values["c"]:
        return 1, values["c"]
    if op == Op.ADD and a == values["c"] != values["b"]:
        return 1, values["b"]
    if op == Op.SUB and a == values["b"] != values["c"]:
        return -1, values["c"]
    return None


def _refined(op: int, a: int, b: int, state: State) -> tuple[State | None, State | None]:
    """Return what is known where a branch is taken, and where it is not; None where that cannot be."""
    x, y = state[a], state[b]
    same = Interval(max(x.lo, y.lo), min(x.hi, y.hi))
    if op in (Op.BEQ, Op.BNE):
        equal = _with(state, a, same, b, same)
        differs = _with(state, a, _without(x, y), b, _without(y, x))
        return (equal, differs) if op == Op.BEQ else (differs, equal)
    less = _with(state, a, Interval(x.lo, min(x.hi, y.hi - 1)), b, Interval(max(y.lo, x.lo + 1), y.hi))
    least = _with(state, a, Interval(max(x.lo, y.lo), x.hi), b, Interval(y.lo, min(y.hi, x.hi)))
    if a == b:
        less, least = None, state
    return (less, least) if op == Op.BLT else (least, less)


def _without(x: Interval, y: Interval) -> Interval:
    if y.lo != y.hi:
        return x
    return Interval(x.lo + (x.lo == y.lo), x.hi - (x.hi == y.hi))


def _with(state: State, a: int, x: Interval, b: int, y: Interval) -> State | None:
    if x.lo > x.hi or y.lo > y.hi:
        return None
    known = list(state)
    known[a], known[b] = x, y
    return tuple(known)
