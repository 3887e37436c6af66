"""SPEC.md as the tests read it: its tables, its formulas as Python, and its examples as containers."""

import importlib
import struct
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import CodeType

from llmbytecode import Certificate, Limits, Program, Refusal, Rule, assemble, verify
from llmbytecode._isa import HEADER_FORMAT, RULES, Header
from llmbytecode.container import HEADER_SIZE, pack_container, seal

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tools"))
gen = importlib.import_module("gen")
sys.path.remove(str(ROOT / "tools"))
SPEC = (ROOT / "bytecode/llmbytecode/SPEC.md").read_text(encoding="utf-8")

# The notation of sections 4 and 5 in Python's; ⌈ ⌉ and ⌊ ⌋ hold one quotient.
NOTATION = (
    ("−", "-"), ("·", "*"), ("^", "**"), ("⊕", "^"), ("∧", "&"), ("∨", "|"), ("∪", "|"), ("∖", "-"),
    ("=", "=="), ("≠", "!="), ("≥", ">="),
    ("⌈", "-(-("), ("⌊", "(("), (" / ", ") // ("), ("⌉", "))"), ("⌋", "))"),
)  # fmt: skip


@cache
def compiled(formula: str) -> CodeType:
    """Return a formula of the SPEC as Python's code."""
    for theirs, ours in NOTATION:
        formula = formula.replace(theirs, ours)
    return compile(formula, formula, "eval")


def value(formula: str, names: Mapping[str, object]) -> object:
    """Return what a formula of the SPEC is worth."""
    return eval(compiled(formula), {"__builtins__": {}}, dict(names))


class Example:
    """The SPEC's example of a broken rule: the robot's limits, and the container that is refused."""

    def __init__(self, rule: Rule, cube: Limits) -> None:
        text = RULES[rule]
        name, _, number = text.given.partition(" ")
        where, _, field = name.rpartition(".")
        self.limits = cube._replace(**{name: int(number)}) if name and not where else cube
        self.program = assemble(text.example)
        container = pack_container(self.program, certificate(self.program, self.limits), self.limits)
        if where:
            header = Header(*struct.unpack_from(HEADER_FORMAT, container))._replace(**{field: int(number)})
            container = seal(struct.pack(HEADER_FORMAT, *header) + container[HEADER_SIZE:])
        self.container = container


def certificate(program: Program, limits: Limits) -> Certificate:
    """Return a program's certificate, zeros where it is refused."""
    try:
        return verify(program, limits)
    except Refusal:
        return Certificate(*[0] * len(Certificate._fields))
