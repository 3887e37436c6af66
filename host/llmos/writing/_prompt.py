"""What a model is told before it writes: the language, the robot, a few worked examples, and the wish."""

import math
import re
from functools import cache

from llmbytecode import Limits
from llmbytecode._isa import CHANNELS, KINDS, Instruction
from llmbytecode.grammar import instructions
from llmos.errors import LlmosError
from llmos.kernel.prompt import system_prompt
from llmos.text import plain

from ._likeness import Likeness

LONGEST_WISH = 200  # characters
LONGEST_TOLD = 300  # characters of a refusal

Turn = tuple[str, str]  # what was asked, and what was answered

_EXAMPLE = re.compile(r"^Wish: (.+)\n((?:.+\n?)+)", re.MULTILINE)

# Left out of the prompt's table, so that a small context holds it; the grammar has them.
_UNTOLD = ("AND", "OR", "XOR", "SHL", "SHR", "MOD", "GETV", "SETV")

# How the prompt's table writes an operand, by its kind; registers are counted up.
_SAMPLES = {
    "distance": "30cm",
    "distance_max": "max 30cm",
    "angle": "90deg",
    "angle_max": "max 90deg",
    "speed": "40mm/s",
    "rate": "30deg/s",
    "time": "2s",
    "time_max": "max 2s",
    "time100": "2s",
    "guard": "g0",
    "watch": "g0, front <",
    "threshold": "20cm",
    "ahead": "L1",
    "ahead8": "L1",
    "var": "v0",
    "int16": "5",
}


class WishError(LlmosError):
    """A wish that nobody can be asked for."""


def clean_wish(wish: str) -> str:
    """Return a wish as one line of printable text.

    Raises:
        WishError: nothing is left, or it is too long.
    """
    text = " ".join(plain(wish).split())
    if not text:
        raise WishError('the wish is empty: say what the robot is to do, such as "blink red twice"')
    if len(text) > LONGEST_WISH:
        raise WishError(f"the wish has {len(text)} characters: say it in {LONGEST_WISH} at most")
    return text


@cache
def writer_prompt(limits: Limits) -> str:
    """Return the system prompt for a robot: the kernel file `writer.md` up to its examples, filled in."""
    text = system_prompt("writer").partition("\n# Examples\n")[0].strip()
    table = "\n".join(_line(row) for row in instructions(limits) if row.name not in _UNTOLD)
    return text.replace("{instructions}", table).replace("{robot}", _robot(limits))


@cache
def examples() -> tuple[Turn, ...]:
    """Return the worked examples of the kernel file: wishes with their programs."""
    text = system_prompt("writer").partition("\n# Examples\n")[2]
    return tuple((wish, program.strip() + "\n") for wish, program in _EXAMPLE.findall(text))


def nearest(wish: str, count: int) -> tuple[Turn, ...]:
    """Return the examples whose wishes are likest to a wish, the likest one last.

    A small model copies what stands last before the question; so choose that well (Liu et al. 2022, "What
    makes good in-context examples for GPT-3?").
    """
    return tuple(sorted(examples(), key=lambda turn: _likeness().of(wish, turn[0]))[-count:])


@cache
def _likeness() -> Likeness:
    return Likeness([said] for said, _ in examples())


def _line(row: Instruction) -> str:
    """Return one instruction with sample operands, and its meaning with the same in their places."""
    shown, told, registers = [], {}, 0
    for field, name in row.operands:
        kind = KINDS[name]
        if kind.form == "implied":
            continue
        if kind.form == "r":
            registers += 1
        sample = f"r{registers}" if kind.form == "r" else _SAMPLES.get(name, kind.example)
        shown.append(sample)
        told[field] = sample.removeprefix("max ").removeprefix("g0, ")
    operands = ", ".join(shown).replace("<, ", "< ")
    return f"{row.name} {operands}".rstrip() + f": {row.meaning.format(**told)}"


def _robot(limits: Limits) -> str:
    """Return what a robot can do at most, and what it can read."""
    channels = [row.name for number, row in CHANNELS.items() if limits.channels >> number & 1]
    rate = int(math.degrees(limits.top_rate / 1000))
    return (
        f"Top speed {limits.top_speed}mm/s and {rate}deg/s. A program drives at most "
        f"{limits.max_path_mm // 10}cm and takes at most {limits.max_ms // 1000}s.\n"
        f"Channels: {', '.join(channels)}."
    )


def complaint(refusal: str) -> str:
    """Return what is said to a model whose program was refused."""
    return f"Refused: {plain(refusal)[:LONGEST_TOLD]}. Write the whole program again, mended."
