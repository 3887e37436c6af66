"""Computes costs by section 5.3 of the SPEC: its two tables of formulas, evaluated as they stand."""

from tests.bytecode.specification import SPEC, gen, value

from llmbytecode import Limits, Op, Program
from llmbytecode._isa import KINDS
from llmbytecode.program import decode

CAP = 2**30 - 1
TABLES = gen.load(SPEC)[0]
SYMBOLS = {
    "distance": "d", "distance_max": "d", "angle": "φ", "angle_max": "φ", "speed": "v", "rate": "ω",
    "time": "t", "time_max": "t", "time100": "t",
}  # fmt: skip
MEASURES = ("fuel", "ms", "path_mm", "rotation_mrad", "reports")


def by_name(table: str, column: str) -> dict[str, dict[str, str]]:
    """Return a table's rows by each name in their first cell, the formulas without their quotes."""
    return {
        name: {key: cell.strip("`") for key, cell in row.items()}
        for row in TABLES[table]
        for name in row[column].split(", ")
    }


COSTS, TOTALS = by_name("costs", "instruction"), by_name("totals", "instruction at w")


def own_cost(word: int, limits: Limits) -> dict[str, int]:
    """Return what section 5.3 says that a word costs."""
    instruction, fields = decode(word)  # type: ignore[misc]
    operands = {SYMBOLS[k]: abs(fields[f]) * KINDS[k].step for f, k in instruction.operands if k in SYMBOLS}
    row = COSTS.get(instruction.name)
    cost = dict.fromkeys(MEASURES, 0) | {"fuel": 1}
    if row is None or (instruction.category == "move" and 0 in (operands.get("d"), operands.get("φ"))):
        return cost
    names = limits._asdict() | operands
    for measure in MEASURES[1:]:
        cost[measure] = int(str(value(row[measure], names | cost)))
    return cost


def costs_from(program: Program, limits: Limits) -> list[dict[str, int]]:
    """Return C(w) of each word w, by measure."""
    words = program.words
    steps = [decode(word) for word in words]
    ends = {at - s[1]["i"]: at for at, s in enumerate(steps) if s and s[0].code == Op.ENDLOOP}
    totals: list[dict[str, int]] = [{} for _ in words]
    for w in reversed(range(len(words))):
        instruction, fields = steps[w]  # type: ignore[misc]
        own = own_cost(words[w], limits)
        formula = TOTALS.get(instruction.name, TOTALS["every other"])["C(w)"]
        for m in MEASURES:
            names = fields | {"w": w, "own": own[m], "max": max, "end": ends.get(w)}
            exact = value(formula, names | {"C": lambda at, m=m: totals[at][m]})
            totals[w][m] = min(CAP, int(str(exact)))
    return totals


def certified(program: Program, limits: Limits) -> list[int]:
    """Return the five measures of a certificate by the formulas of section 5.3."""
    fuel, ms, *rest = costs_from(program, limits)[0].values()
    return [fuel, min(CAP, ms - -fuel * limits.instruction_us // 1000), *rest]
