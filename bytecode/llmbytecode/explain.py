"""A block in plain English: the SPEC's own sentences, with the operands in words.

Every word of the block is a numbered step, so that branches can name where they go. The sentences are the
instructions' meanings in the SPEC's tables; here stands only how an operand is said.
"""

import math
from collections.abc import Callable

from llmbytecode._isa import CHANNELS, KINDS, Kind, Mode, Op
from llmbytecode._verify_py import HEADS
from llmbytecode.assembler import COMPARISONS
from llmbytecode.disassembler import Decoded, natural_constants, sound_words, target_of
from llmbytecode.program import OPCODE_MASK, Program

INDENT = "  "
SIDES = {"distance": ("forward", "backward"), "angle": ("to the left", "to the right")}  # SPEC, section 1


def explain(program: Program) -> str:
    """Return a block as numbered sentences: loops indented, procedures under headings, its channels below.

    Two blocks that differ have different explanations. A word that is no instruction is told as a
    number, so every program can be explained, whether a robot accepts it or not.
    """
    words = sound_words(program)
    explained = _Explained(program, words)
    lines = [explained.step(at) for at in range(len(words))]
    head = _head(program)
    return "\n".join([*head, *lines, *_legend(words)]) + "\n"


def _head(program: Program) -> list[str]:
    lines = []
    if program.autonomous_ms:
        lines.append(f"The block may run {quantity(program.autonomous_ms, 'ms')} without the link.")
    if program.constants and not natural_constants(program):
        named = ", ".join(f"k{number} is {value}" for number, value in enumerate(program.constants))
        lines.append(f"The constants: {named}.")
    return lines


def _legend(words: list[Decoded | None]) -> list[str]:
    """Return what the channels mean that a block reads."""
    shifts = {"channel": 0, "watch": 4}
    numbers = {
        values[name] >> shifts[kind]
        for instruction, values in filter(None, words)
        for name, kind in instruction.operands
        if kind in shifts
    }
    rows = [CHANNELS[number] for number in sorted(numbers)]
    return ["", *(f"{row.name}: {row.meaning}, in {row.unit}." for row in rows)] if rows else []


class _Explained:
    """A block's structure, as far as its sentences need it."""

    def __init__(self, program: Program, words: list[Decoded | None]) -> None:
        self.program, self.words = program, words
        self.natural = natural_constants(program)
        procedures = [at for at, word in enumerate(program.words) if word & OPCODE_MASK == Op.PROC]
        self.procedures = {at: f"P{number}" for number, at in enumerate(procedures, 1)}
        self.ends: dict[int, int] = {}  # a loop's head -> its ENDLOOP
        self.depths = [0] * len(words)
        heads: list[int] = []
        for at, decoded in enumerate(words):
            code = decoded[0].code if decoded else 0
            if code == Op.ENDLOOP:
                self.ends[heads.pop()] = at
            self.depths[at] = len(heads)
            if code in HEADS:
                heads.append(at)

    def step(self, at: int) -> str:
        """Return a word's sentence, with a heading above where a procedure starts."""
        heading = f"\nProcedure {self.procedures[at]}\n" if at in self.procedures else ""
        width = len(str(len(self.words)))
        return f"{heading}{at + 1:>{width}}. {INDENT * self.depths[at]}{self._sentence(at)}"

    def _sentence(self, at: int) -> str:
        decoded = self.words[at]
        if decoded is None:
            return f"The word 0x{self.program.words[at]:08X}, which is no instruction here."
        instruction, values = decoded
        said = {
            name: self._operand(at, decoded, KINDS[kind], values[name]) for name, kind in instruction.operands
        }
        text = instruction.meaning.format(**said)
        if at in self.ends:
            text = text.replace("its ENDLOOP", f"step {self.ends[at] + 1}") + ":"
        else:
            text += "."
        return text[0].upper() + text[1:]

    def _operand(self, at: int, decoded: Decoded, kind: Kind, value: int) -> str:
        if kind.form == "label":
            target = target_of(at, decoded) or 0
            return self.procedures.get(target, f"step {target + 1}")
        if kind.form == "const":
            constant = str(self.program.constants[value])
            return constant if self.natural else f"k{value}, which is {constant}"
        if kind.form == "threshold":
            watch = decoded[1]["a"]
            return f"{quantity(value, CHANNELS[watch >> 4].unit)} (guard g{watch & 3})"
        if kind.name in SIDES:
            return f"{quantity(abs(value), kind.unit)} {SIDES[kind.name][value < 0]}"
        return FORMS[kind.form](kind, value)


def quantity(number: int, unit: str) -> str:
    """Return a number of a base unit as people say it: seconds from one on, angles in degrees too."""
    if unit.startswith("mrad"):
        degrees = math.degrees(number / 1000)
        shown = f"{degrees:.{0 if abs(degrees) >= 9.5 else 1}f}".removesuffix(".0")
        return f"{shown}°{unit.removeprefix('mrad')} ({number} {unit})"
    if unit == "ms" and abs(number) >= 1000:
        return f"{number / 1000:g} s"
    return f"{number} {unit}".rstrip()


FORMS: dict[str, Callable[[Kind, int], str]] = {
    "r": lambda _, value: f"r{value}",
    "v": lambda _, value: f"v{value}",
    "g": lambda _, value: f"guard g{value}",
    "pair": lambda _, value: f"r{value >> 4} (left) and r{value & 15} (right)",
    "watch": lambda _, value: f"{CHANNELS[value >> 4].name} {COMPARISONS[value >> 2 & 3]}",
    "channel": lambda _, value: CHANNELS[value].name,
    "mode": lambda _, value: Mode(value).name.lower(),
    "implied": lambda _, value: str(value),
    "number": lambda kind, value: quantity(value * kind.step, kind.unit),
    "any": lambda kind, value: quantity(value * kind.step, kind.unit),
    "max": lambda kind, value: quantity(value * kind.step, kind.unit),
}
