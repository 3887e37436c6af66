"""A program in memory, and the packing of its words."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from llmbytecode._isa import INSTRUCTIONS, KINDS, Instruction

OPCODE_MASK = 0xFF
# field -> (shift, mask)
FIELDS = {"a": (8, 0xFF), "b": (16, 0xFF), "c": (24, 0xFF), "i": (16, 0xFFFF)}
BY_NAME = {instruction.name: instruction for instruction in INSTRUCTIONS.values()}


@dataclass(frozen=True)
class Program:
    """A block without a header: unsigned 32-bit words, signed 32-bit constants, each word's source line."""

    words: list[int]
    constants: list[int] = field(default_factory=list)
    lines: list[int] = field(default_factory=list, compare=False)
    autonomous_ms: int = 0

    def line(self, word: int) -> int:
        """Return the source line of a word, 0 where it is unknown."""
        return self.lines[word] if 0 <= word < len(self.lines) else 0


def signed(number: int, mask: int) -> int:
    """Return the two's complement reading of an unsigned field."""
    return number - mask - 1 if number > mask >> 1 else number


def get(word: int, name: str, kind: str = "") -> int:
    """Return a field of a word, signed where its kind is."""
    shift, mask = FIELDS[name]
    number = word >> shift & mask
    return signed(number, mask) if kind and KINDS[kind].lo < 0 else number


def encode(instruction: Instruction, values: Mapping[str, int]) -> int:
    """Return the word of an instruction from the numbers of its fields."""
    word = int(instruction.code)
    for name, _ in instruction.operands:
        shift, mask = FIELDS[name]
        word |= (values[name] & mask) << shift
    return word


def decode(word: int) -> tuple[Instruction, dict[str, int]] | None:
    """Return a word's instruction and the numbers of its fields, or None for an unknown code."""
    instruction = INSTRUCTIONS.get(word & OPCODE_MASK)
    if instruction is None:
        return None
    return instruction, {name: get(word, name, kind) for name, kind in instruction.operands}
