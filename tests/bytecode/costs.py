"""Computes certificates by sections 5.3 and 5.4 of the SPEC: tables of formulas, evaluated as they stand."""

from tests.bytecode.specification import SPEC, gen, value

from llmbytecode import Limits, Op, Program
from llmbytecode._isa import KINDS, Chan
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


def ends_of(program: Program) -> dict[int, int]:
    """Return the ENDLOOP of each loop's head."""
    steps = [decode(word) for word in program.words]
    return {at - s[1]["i"]: at for at, s in enumerate(steps) if s and s[0].code == Op.ENDLOOP}


def costs_from(program: Program, limits: Limits) -> list[dict[str, int]]:
    """Return C(w) of each word w, by measure."""
    words = program.words
    steps = [decode(word) for word in words]
    ends = ends_of(program)
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


# Section 5.4: which guards count at each word.


def named(program: Program) -> dict[int, set[int]]:
    """Return the guards that each loop's head and each PROC names."""
    steps = [decode(word) for word in program.words]
    names: dict[int, set[int]] = {}
    for start in reversed(range(len(steps))):
        code, depth = steps[start][0].code, 0  # type: ignore[index]
        if code not in (Op.PROC, Op.LOOP, Op.LOOPR):
            continue
        names[start] = set()
        for at in range(start + 1, len(steps)):
            op, fields = steps[at][0].code, steps[at][1]  # type: ignore[index]
            depth += (op in (Op.LOOP, Op.LOOPR)) - (op == Op.ENDLOOP)
            if op == Op.PROC or (depth < 0 and code != Op.PROC):
                break
            if op in (Op.GUARD, Op.UNGUARD):
                names[start].add(fields["a"] & 3)
            elif op == Op.CALL:
                names[start] |= names[at + fields["i"]]
    return names


def counting(program: Program) -> list[set[int] | None]:
    """Return the guards that count at each word, None where no way leads to it."""
    rows = [row | {"names": row["instruction at w"].split(", ")} for row in TABLES["passes"]]
    listed = {name for row in rows for name in row["names"]}
    names, ends = named(program), ends_of(program)
    counts: list[set[int] | None] = [None] * len(program.words)
    counts[0] = set()
    for w, word in enumerate(program.words):
        instruction, fields = decode(word)  # type: ignore[misc]
        if instruction.code == Op.PROC:
            counts[w] = set()
        if counts[w] is None:
            continue
        name = instruction.name if instruction.name in listed else "every other"
        guard = {fields["a"] & 3} if name in ("GUARD", "UNGUARD") else set()
        arms = name == "GUARD" and fields["a"] >> 2 == Chan.FRONT << 2
        formulas = fields | {
            "w": w, "G": counts[w], "end": ends.get(w), "names": names.__getitem__,
            "armed": guard if arms else set(), "dropped": set() if arms else guard,
        }  # fmt: skip
        for row in rows:
            if name in row["names"] and row["to"]:
                to = int(str(value(row["to"].strip("`"), formulas)))
                passed: set[int] = value(row["passes on"].strip("`"), formulas)  # type: ignore[assignment]
                counts[to] = passed if counts[to] is None else passed & counts[to]  # type: ignore[operator]
    return counts


def is_forward(word: int) -> bool:
    """Say whether a word is a forward move."""
    instruction, fields = decode(word)  # type: ignore[misc]
    return instruction.code in (Op.MOVER, Op.DRIVE) or (instruction.code == Op.MOVE and fields["i"] > 0)


def guarded(program: Program) -> int:
    """Return 1 where some guard counts at each forward move, else 0."""
    pairs = zip(program.words, counting(program), strict=True)
    return int(all(guards is None or guards for word, guards in pairs if is_forward(word)))
