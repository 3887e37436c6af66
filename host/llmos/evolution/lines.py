"""A program's text as rows that can be edited: labels, instruction, operands, comment."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from llmbytecode._isa import INSTRUCTIONS, UNITS

_ROW = re.compile(
    r"^(?P<head>\s*(?:\w+:\s*)*)(?P<name>\.?[A-Za-z]\w*)?(?P<gap>[ \t]*)(?P<words>[^;#]*?)"
    r"(?P<tail>\s*(?:[;#].*)?)$"
)
_QUANTITY = re.compile(
    r"(?<![\w.])(?P<sign>-?)(?P<number>\d+(?:\.\d+)?)(?P<unit>[A-Za-z]+(?:/[A-Za-z]+)?)?(?![\w.])"
)
_RANGE = re.compile(r"^\s*;\s*(?P<lo>-?\d+)(?P<unit>[A-Za-z/]*)\.\.(?P<hi>-?\d+)(?P=unit):")
_LABEL = re.compile(r"\w+(?=:)")
_INDENT = " " * 8
NAMES = {instruction.name for instruction in INSTRUCTIONS.values()}
MOVES = ("MOVE", "MOVER")
KINDS = {"mm": "distance", "mm/s": "speed", "mrad": "angle", "mrad/s": "rate", "ms": "time", "": "count"}
_FINER = {"m": ("cm", 100), "s": ("ms", 1000), "m/s": ("mm/s", 1000), "rad": ("mrad", 1000), "cm": ("mm", 10),
          "cm/s": ("mm/s", 10)}  # fmt: skip


@dataclass(frozen=True)
class Quantity:
    """A number with its unit, as it is written."""

    number: Fraction
    unit: str

    @property
    def kind(self) -> str:
        """What it measures: distance, speed, angle, rate, time, count; empty where nothing here does."""
        base = UNITS[self.unit].base if self.unit in UNITS else self.unit
        return KINDS.get(base, "")

    @property
    def base(self) -> Fraction:
        """The number in the base unit: mm, mm/s, mrad, ms."""
        return self.number * Fraction(UNITS[self.unit].factor) if self.unit in UNITS else self.number

    def times(self, factor: float) -> "Quantity":
        """Return it scaled, a whole number of its unit or of a finer one, and never what it was."""
        number, unit = self.number * Fraction(factor).limit_denominator(1000), self.unit
        while unit in _FINER and abs(number) < 10:  # few steps of so coarse a unit
            unit, finer = _FINER[unit][0], _FINER[unit][1]
            number *= finer
        whole = Fraction(round(number))
        scaled = Quantity(whole, unit)
        if scaled.base == self.base:
            return Quantity(whole + (1 if factor > 1 else -1), unit)
        return scaled

    def __str__(self) -> str:
        number = str(self.number) if self.number.denominator == 1 else f"{float(self.number):g}"
        return f"{number}{self.unit}"


@dataclass(frozen=True)
class Row:
    """One line of a program."""

    head: str
    name: str
    gap: str
    words: str  # the operands as they are written
    tail: str

    @property
    def operands(self) -> tuple[str, ...]:
        """What stands between the commas."""
        return tuple(part.strip() for part in self.words.split(",")) if self.words else ()

    @property
    def op(self) -> str:
        """The instruction's name in capitals; empty on a line without one."""
        return self.name.upper() if self.name.upper() in NAMES else ""

    @property
    def labels(self) -> list[str]:
        """The labels that stand here."""
        return _LABEL.findall(self.head)

    @property
    def limits(self) -> tuple[int, int] | None:
        """The range of a parameter, in its own unit; None on every other line."""
        match = _RANGE.match(self.tail) if self.name.lower() == ".const" else None
        return (int(match["lo"]), int(match["hi"])) if match else None

    def with_words(self, words: str) -> "Row":
        """Return the row with other operands, its comment in the column where it was."""
        row = replace(self, words=words)
        comment = self.tail.lstrip()
        if not comment:
            return row
        column = len(str(self)) - len(comment)
        return replace(row, tail=" " * max(1, column - len(str(replace(row, tail="")))) + comment)

    def quantities(self) -> list[Quantity]:
        """The numbers with their units that stand in its operands, from left to right."""
        return [found for found, _ in _found(self)]

    def with_quantity(self, place: int, quantity: Quantity) -> "Row":
        """Return the row with another number at a place of `quantities`."""
        match = _found(self)[place][1]
        return self.with_words(self.words[: match.start()] + str(quantity) + self.words[match.end() :])

    def __str__(self) -> str:
        return f"{self.head}{self.name}{self.gap}{self.words}{self.tail}".rstrip()


def _found(row: Row) -> list[tuple[Quantity, re.Match[str]]]:
    return [
        (Quantity(Fraction(match["sign"] + match["number"]), match["unit"] or ""), match)
        for match in _QUANTITY.finditer(row.words)
    ]


def read_rows(block: str) -> tuple[Row, ...]:
    """Return a program's lines as rows; every line is one, and their texts are the lines again."""
    rows = []
    for line in block.rstrip("\n").split("\n"):
        match = _ROW.match(line.rstrip())
        if match is None:  # what the assembler would refuse too
            rows.append(Row("", "", "", "", line.rstrip()))
            continue
        rows.append(Row(match["head"], match["name"] or "", match["gap"], match["words"], match["tail"]))
    return tuple(rows)


def written_rows(rows: Sequence[Row]) -> str:
    """Return rows as a program's text."""
    return "\n".join(str(row) for row in rows) + "\n"


def new_row(name: str, *operands: str) -> Row:
    """Return a row of our own."""
    return Row(_INDENT, name, " " * max(1, 8 - len(name)), ", ".join(operands), "")


def taking_labels(row: Row, other: Row) -> tuple[Row, Row]:
    """Return a new row that stands before another one and takes that one's labels, and the other without."""
    if not other.labels:
        return row, other
    return replace(row, head=other.head), replace(other, head=_INDENT)


def constants(rows: Sequence[Row]) -> dict[str, Quantity]:
    """The quantities that names stand for."""
    found = {}
    for row in rows:
        if row.name.lower() == ".const" and row.operands:
            name, _, _ = row.operands[0].partition(" ")
            if quantities := row.quantities():
                found[name] = quantities[-1]
    return found


def quantity_of(operand: str, rows: Sequence[Row]) -> Quantity | None:
    """Return what an operand stands for, a quantity or a constant's name, perhaps with a minus."""
    known, text = constants(rows), operand.strip().removeprefix("max ")
    named = known.get(text.removeprefix("-"))
    if named:
        return Quantity(-named.number, named.unit) if text.startswith("-") else named
    match = _QUANTITY.fullmatch(text)
    return Quantity(Fraction(match["sign"] + match["number"]), match["unit"] or "") if match else None


def armed_before(rows: Sequence[Row], place: int) -> dict[str, str]:
    """Return the guards that the lines before a place have armed, by the text alone: guard to condition."""
    armed: dict[str, str] = {}
    for row in rows[:place]:
        if row.op == "GUARD" and len(row.operands) == 2:
            armed[row.operands[0].lower()] = row.operands[1]
        elif row.op == "UNGUARD" and row.operands:
            armed.pop(row.operands[0].lower(), None)
    return armed


def free_register(rows: Sequence[Row]) -> str | None:
    """Return a register that no line names, but for r0, which is taken for zero; None where there is none."""
    text = " ".join(row.words.lower() for row in rows)
    used = set(re.findall(r"\br\d+\b", text))
    return next((f"r{number}" for number in range(15, 0, -1) if f"r{number}" not in used), None)


def free_guard(rows: Sequence[Row]) -> str | None:
    """Return a guard that no line names; None where there is none."""
    used = {word.lower() for row in rows for word in re.findall(r"\bg\d\b", row.words)}
    return next((f"g{number}" for number in range(4) if f"g{number}" not in used), None)


def forward_moves(rows: Sequence[Row]) -> Iterator[int]:
    """The places of moves that go forward, or may."""
    for place, row in enumerate(rows):
        if row.op not in MOVES or len(row.operands) < 2:
            continue
        far = quantity_of(row.operands[0], rows)
        if row.op == "MOVER" or far is None or far.number > 0:
            yield place
