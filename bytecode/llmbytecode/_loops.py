"""Viper source of a loop that only computes: a `while` that counts its fuel many rounds at a time.

The least fuel of a round is charged for all rounds before the first; a branch of an `if` that costs more
charges the difference at its end, and an EXIT gives back what its round and the rounds left were charged too
much.
"""

from typing import NamedTuple

from llmbytecode._intervals import BINARY, WRITES, Code, State
from llmbytecode._isa import Op
from llmbytecode._viper import STOP, TOP, Lines, Names, choice, condition, indented, plain

JUMPS = (Op.JMP, Op.BEQ, Op.BNE, Op.BLT, Op.BGE)
FAST = ("f0", "f1", "f2")  # the parameters, which live in machine registers
COUNTER = 16  # a loop's counter stands for this register plus its depth
LIKELY = 8  # rounds of an inner loop, when registers are chosen


class Region(NamedTuple):
    """Source of some words: its lines, the fuel still to be charged, and whether its end is reached."""

    lines: Lines
    fuel: int
    falls: bool = True


class Way(NamedTuple):
    """Where a region stands: how deep its loop is below the outermost, and the round's fuel up to it."""

    depth: int
    fuel: int


class LoopWriter:
    """Writes the source of one loop that only computes, with all that it contains."""

    def __init__(self, code: Code, known: list[State], head: int) -> None:
        self.code, self.known, self.head = code, known, head
        weights = self._weights()
        chosen = sorted(weights, key=lambda register: (-weights[register], register))[: len(FAST)]
        self.fast = dict(zip(chosen, FAST, strict=False))
        self.names = Names(self.fast)

    def write(self, worst: int) -> Lines:
        """Return the loop, entered with its rounds left on the stack; `worst` is the most fuel of a round."""
        end = self.code.ends[self.head]
        counter, step, body = self._rounds(self.head, 0)
        registers = [(n, name) for n, name in self.fast.items() if n < COUNTER]
        written = self.code.written(self.head, end)
        chunk = [
            "left -= k",
            f"budget -= k * {body.fuel}",
            self._count(COUNTER, "k"),
            *(f"{name} = ptr32(r{n})" for n, name in registers),
            f"while {counter}:",
            *indented([*body.lines, step]),
            *(f"r{n} = int({name})" for n, name in registers if n in written),
            *choice("left", [f"{TOP} = left"], ["depth -= 1", f"pc = {end + 1}"]),
        ]
        return [
            f"while pc == {self.head + 1}:",
            *indented(
                [
                    f"left = {TOP}",
                    "k = left",
                    *choice(f"k * {worst} > budget", [f"k = budget // {worst}"]),
                    *choice("k", chunk, [f"pc += {STOP}"]),
                ]
            ),
        ]

    def _weights(self) -> dict[int, int]:
        """Return how often about each register and counter is used in one run of the loop."""
        weights: dict[int, int] = {COUNTER: 2}
        for at in range(self.head + 1, self.code.ends[self.head]):
            op, values = self.code.steps[at]
            depth = self._depth(at)
            if at in self.code.ends:
                inner = COUNTER + depth + 1
                weights[inner] = max(weights.get(inner, 0), 2 * LIKELY ** (depth + 1))
            used = [values["a"]] * (2 if op == Op.ADDI else 1) if op in WRITES else []
            if op in BINARY:
                used += [values["b"], values["c"]]
            elif op in JUMPS and op != Op.JMP:
                used += [values["a"], values["b"]]
            elif op in (Op.MOV, Op.SETV):
                used.append(values["b"])
            for register in used:
                weights[register] = weights.get(register, 0) + LIKELY**depth
        return weights

    def _depth(self, at: int) -> int:
        depth, loop = 0, self.code.bodies[at]
        while loop != self.head:
            depth, loop = depth + 1, self.code.bodies[loop]
        return depth

    def _rounds(self, head: int, depth: int) -> tuple[str, str, Region]:
        """Return a loop's counter, the statement that counts a round, and its body with a round's fuel."""
        counter = COUNTER + depth
        name = self.names.read(counter) if counter in self.fast else f"k{depth}"
        body = self._region(head + 1, self.code.ends[head], Way(depth, 0))
        fuel = body.fuel + 1 if body.falls else body.fuel
        lines = [line.replace(_token(depth), str(fuel)) for line in body.lines]
        return name, self._count(counter, f"{name} - 1"), Region(lines, fuel)

    def _count(self, counter: int, value: str) -> str:
        if counter in self.fast:
            return self.names.write(counter, value)
        return f"k{counter - COUNTER} = {value}"

    def _inner(self, head: int, way: Way) -> Region:
        """Return a loop within the loop."""
        depth = way.depth + 1
        name, step, body = self._rounds(head, depth)
        op, values = self.code.steps[head]
        loop = [f"while {name}:", *indented([*body.lines, step])]
        if op == Op.LOOP:
            lines = [self._count(COUNTER + depth, str(values["i"])), *loop]
            return Region(lines, 1 + values["i"] * body.fuel)
        lines = [
            f"k = {self.names.read(values['a'])}",
            *choice(f"k > {values['c']}", [f"k = {values['c']}"]),
            *choice("k < 0", ["k = 0"]),
            f"budget -= k * {body.fuel}",
            self._count(COUNTER + depth, "k"),
        ]
        return Region(lines + loop, 1)

    def _region(self, start: int, stop: int, way: Way) -> Region:
        """Return the words from `start` to before `stop`; jumps stay in them, or lead from them to `stop`."""
        lines: Lines = []
        fuel, at = 0, start
        while at < stop:
            op, _ = self.code.steps[at]
            here = way._replace(fuel=way.fuel + fuel)
            if at in self.code.ends:
                part, following = self._inner(at, here), self.code.ends[at] + 1
            elif op not in JUMPS and op != Op.EXIT:
                part, following = Region(self._plain(at), 1), at + 1
            else:
                found = self._structured(at, start, stop, here)
                part, following = found or (self._blocks(at, stop, here), stop)
            lines += part.lines
            fuel += part.fuel
            if not part.falls:
                return Region(lines, fuel, False)
            at = following
        return Region(lines, fuel)

    def _plain(self, at: int) -> Lines:
        op, values = self.code.steps[at]
        return plain(op, values, self.code.constants, self.known[at], self.names)

    def _jumps(self, start: int, stop: int) -> list[tuple[int, int]]:
        """Return from where to where the words of one loop's body jump."""
        body, steps = self.code.bodies[start], self.code.steps
        sources = (at for at in range(start, stop) if self.code.bodies[at] == body and steps[at][0] in JUMPS)
        return [(at, self.code.target(at)) for at in sources]

    def _structured(self, at: int, start: int, stop: int, way: Way) -> tuple[Region, int] | None:
        """Return a jump with what it decides about, and the word behind; None where that does not nest."""
        op, _ = self.code.steps[at]
        others = [jump for jump in self._jumps(start, stop) if jump[0] != at]
        if op == Op.EXIT:
            dead = not any(at < to < stop for _, to in others)
            return (Region(self._exit(way.fuel + 1, way), 1, False), stop) if dead else None
        to = self.code.target(at)
        if op == Op.JMP:
            return (Region([], 1), to) if not any(at < end < to for _, end in others) else None
        way = way._replace(fuel=way.fuel + 1)
        last = to - 1
        if (
            last > at
            and self.code.steps[last][0] == Op.JMP
            and self.code.bodies[last] == self.code.bodies[at]
        ):
            behind = self.code.target(last)
            others_than_last = [jump for jump in others if jump[0] != last]
            if behind <= stop and _nests(others_than_last, [(at + 1, last), (to, behind)]):
                yes = self._region(at + 1, last, way)
                arms = yes._replace(fuel=yes.fuel + 1), self._region(to, behind, way)
                return self._if(at, *arms), behind
        if _nests(others, [(at + 1, to)]):
            return self._if(at, self._region(at + 1, to, way), Region([], 0)), to
        return None

    def _if(self, at: int, no: Region, yes: Region) -> Region:
        """Return a branch: `no` follows where it is not taken, else `yes`."""
        op, values = self.code.steps[at]
        falling = [arm.fuel for arm in (no, yes) if arm.falls]
        least = min(falling, default=0)
        arms = [arm.lines + _charge(arm.fuel - least if arm.falls else 0) for arm in (no, yes)]
        known, names = self.known[at], self.names
        if arms[0]:
            lines = choice(condition(op, values, known, names, holds=False), *arms)
        else:
            lines = choice(condition(op, values, known, names), arms[1])
        return Region(lines, 1 + least, bool(falling))

    def _exit(self, fuel: int, way: Way) -> Lines:
        """Return the statements of an EXIT behind which a round has cost `fuel`."""
        name = self.names.read(COUNTER + way.depth) if COUNTER + way.depth in self.fast else f"k{way.depth}"
        leave = ["left = 0"] if way.depth == 0 else []
        return [f"budget += {name} * {_token(way.depth)} - {fuel}", *leave, "break"]

    def _blocks(self, start: int, stop: int, way: Way) -> Region:
        """Return words that do not nest: blocks behind tests whether they are next, charged one by one."""
        targets = {to for _, to in self._jumps(start, stop)}
        lines, at = [f"go = {start}"], start
        while at < stop:
            first, block, ended = at, [], False
            fuel = 0
            while not ended:
                part, ended = self._part(at, way)
                block += part.lines
                fuel += part.fuel
                at = self.code.ends.get(at, at) + 1
                if not ended and (at == stop or at in targets):
                    block.append(f"go = {at}")
                    ended = True
            lines += choice(f"go == {first}", _charge(fuel) + block)
        return Region(lines, 0)

    def _part(self, at: int, way: Way) -> tuple[Region, bool]:
        """Return one word or inner loop of a block, and whether it ends the block."""
        op, values = self.code.steps[at]
        if at in self.code.ends:
            return self._inner(at, way), False
        if op == Op.EXIT:
            return Region(self._exit(way.fuel, way), 1), True
        if op == Op.JMP:
            return Region([f"go = {self.code.target(at)}"], 1), True
        if op in JUMPS:
            test = condition(op, values, self.known[at], self.names)
            return Region(choice(test, [f"go = {self.code.target(at)}"], [f"go = {at + 1}"]), 1), True
        return Region(self._plain(at), 1), False


def _token(depth: int) -> str:
    """Return what stands for the fuel of a round until it is known."""
    return f"<round {depth}>"


def _charge(fuel: int) -> Lines:
    return [f"budget -= {fuel}"] if fuel else []


def _nests(jumps: list[tuple[int, int]], arms: list[tuple[int, int]]) -> bool:
    """Say whether no jump leads into an arm, or from an arm elsewhere than to its end."""
    first, last = arms[0][0], arms[-1][1]
    for source, to in jumps:
        home = [stop for start, stop in arms if start <= source < stop]
        if (home and to > home[0]) or (not home and first <= to < last):
            return False
    return True
