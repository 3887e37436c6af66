"""The compiled verifier against its plain twin, and how both grow with the program.

The programs are long chains of guarded moves, loops, branches and arithmetic that the verifier accepts.
"""

import sys

from benchlib import Row, print_table, race

from llmbytecode import Limits, Program, assemble, compiled
from llmbytecode._verify_py import check as plain
from llmbytecode.verify import _check as fast
from llmos.manifest import load_manifest

SIZES = (16, 64, 256, 1024, 4096)
BASE = 256  # words; below, the call itself weighs
WANTED = 50.0  # times faster than the plain twin
LINEAR = 0.75  # the time for a word may grow by a third from 256 words to 4096

PIECE = """
        GUARD   g0, front < 150mm
        LOOP    2
        SENSE   r1, front
        BLT     r1, r2, {n}
        ADD     r3, r1, r2
        MOVE    1mm, 40mm/s
{n}:    ENDLOOP
        TURNR   r3, max 50mrad, 30deg/s
        MUL     r4, r3, r1
        REPORT  1, r4
        LDI     r5, 300
        SHL     r5, r5, r1
"""


def program(size: int) -> Program:
    """Return an accepted program of exactly so many words."""
    pieces = "".join(PIECE.format(n=f"l{n}") for n in range((size - 1) // 12))
    return assemble(pieces + "LDI r1, 5\n" * ((size - 1) % 12) + "END")


def generous() -> Limits:
    """Return the cube's limits with room for long programs."""
    most = 2**30 - 2
    budgets = {"max_fuel": most, "max_ms": most, "max_path_mm": most, "max_rotation_mrad": most}
    return load_manifest().limits._replace(max_words=max(SIZES), max_reports=max(SIZES), **budgets)


def measure(size: int, limits: Limits) -> Row:
    """Return the compiled twin's time beside the plain one's."""
    words = program(size).words
    times = race({"fast": lambda: fast(words, 0, 0, limits), "plain": lambda: plain(words, 0, 0, limits)})
    return Row(f"{size} words", 1000 * times["fast"], "plain twin", 1000 * times["plain"], "us", WANTED)


def run() -> list[Row]:
    """Return the twins side by side, then the time a word takes in longer programs, beside `BASE` words."""
    if not compiled():
        raise SystemExit("bench_verify: the Cython twin is not compiled; run make setup")
    rows = {size: measure(size, generous()) for size in SIZES}
    per_word = {size: 1000 * row.ours / size for size, row in rows.items()}
    growth = [
        Row(f"a word of {size}", per_word[size], f"of {BASE}", per_word[BASE], "ns", LINEAR)
        for size in SIZES
        if size > BASE
    ]
    return [*rows.values(), *growth]


if __name__ == "__main__":
    sys.exit(0 if print_table("Verifier: Cython against its plain twin", run()) else 1)
