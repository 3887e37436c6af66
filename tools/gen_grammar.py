"""The grammar of what a model may write, in llama.cpp's GBNF, from the tables of SPEC.md.

It takes in a subset of the assembly in which form cannot go wrong: one instruction a line, loops closed and
nested four deep, every label defined once and below its branch, quantities in whole units and in range.
Procedures, named constants and comments are left out.
"""

import re
from collections.abc import Iterator
from fractions import Fraction
from math import ceil

NAME = re.compile(r'"[^"]*"|\[[^]]*\]|([a-z][a-z0-9-]*)')
Row = dict[str, str]
Tables = dict[str, list[Row]]

DEPTH = 4  # loops
LABELS = 12  # branches in one program
CONTROL = ("LOOP", "LOOPR", "ENDLOOP", "EXIT", "PROC", "CALL", "RET", "JMP", "END")
INT32_DIGITS = 9  # digits of a constant, so that it stays a 32-bit integer
COMMON_UNITS = ("mm", "cm", "mm/s", "cm/s", "deg", "deg/s", "mrad", "mrad/s", "ms", "s", "Hz", "mV", "V")


def grammar(tables: Tables) -> str:
    """Return the grammar's rules."""
    rules = dict([*program_rules(), *operand_rules(tables), *instruction_rules(tables)])
    used, found = {"root"}, ["root"]
    while found:
        names = [name for name in NAME.findall(rules[found.pop()]) if name in rules and name not in used]
        used.update(names)
        found += names
    return "".join(f"{name} ::= {body}\n" for name, body in rules.items() if name in used)


# Numbers.


def numbers(low: int, high: int) -> str:
    """Return the whole numbers from `low` to `high`, 0 or more; `low` is one digit, then zeros."""
    forms = ['"0"'] if low == 0 else []
    least = str(max(low, 1))
    for length in range(len(least), len(str(high))):
        first = least[0] if length == len(least) else "1"
        forms.append(f"[{first}-9]{digits(length - 1)}")
    return " | ".join(forms + same_length(str(high), least if len(least) == len(str(high)) else "1"))


def same_length(high: str, least: str) -> list[str]:
    """Return the numbers with as many digits as `high`, up to it, from the first digit of `least` on."""
    forms = []
    for place, digit in enumerate(high):
        first = int(least[0]) if place == 0 else 0
        if int(digit) > first:
            head = f'"{high[:place]}" ' if place else ""
            forms.append(f"{head}[{first}-{int(digit) - 1}]{digits(len(high) - place - 1)}")
    return [*forms, f'"{high}"']


def digits(count: int) -> str:
    """Return so many digits."""
    return f" [0-9]{{{count}}}" if count > 1 else " [0-9]" * count


def quantities(low: int, high: int, base: str, units: list[Row]) -> str:
    """Return the quantities of a base unit from `low` to `high`, in each unit that people use."""
    forms = []
    for row in units:
        factor = Fraction(row["factor"])
        if row["base"] != base or row["unit"] not in COMMON_UNITS or int(high / factor) < 1:
            continue
        body = numbers(ceil(low / factor), int(high / factor))
        forms.append(f'({body}) "{row["unit"]}"')
    return " | ".join(forms)


# Operands.


def operand_rules(tables: Tables) -> Iterator[tuple[str, str]]:
    """Yield one rule for each kind of operand."""
    channels = [row["name"] for row in tables["channels"]]
    for row in tables["kinds"]:
        if row["form"] not in ("implied", "label"):
            yield rule_name(row["kind"]), operand(row, tables, channels)


def operand(kind: Row, tables: Tables, channels: list[str]) -> str:
    """Return the right-hand side of one kind's rule."""
    low, high = int(kind["lo"]) * int(kind["step"]), int(kind["hi"]) * int(kind["step"])
    sign = '"-"? ' if low < 0 else ""
    forms = {
        "r": lambda: f'"r" ({numbers(low, high)})',
        "v": lambda: f'"v" ({numbers(low, high)})',
        "g": lambda: f'"g" ({numbers(low, high)})',
        "pair": lambda: 'reg ", " reg',
        "watch": lambda: 'guard ", " channel " " [<>]',
        "channel": lambda: words(channels),
        "mode": lambda: words([row["name"] for row in tables["modes"]]),
        "const": lambda: f'"-"? ("0" | [1-9] [0-9]{{0,{INT32_DIGITS - 1}}})',
        "any": lambda: f"{sign}({numbers(0, high)})",
        "threshold": lambda: f"{sign}({numbers(0, high)})",
    }
    if kind["form"] in forms:
        return forms[kind["form"]]()
    body = (
        quantities(max(low, 0), high, kind["unit"], tables["units"]) if kind["unit"] else numbers(low, high)
    )
    return f'"max " ({body})' if kind["form"] == "max" else f"{sign}({body})"


def words(names: list[str]) -> str:
    """Return the choice between some words."""
    return " | ".join(f'"{name}"' for name in names)


def rule_name(kind: str) -> str:
    """Return a kind's rule; GBNF allows letters, digits and hyphens."""
    return kind.replace("_", "-")


# Instructions and their structure.


def instruction_rules(tables: Tables) -> Iterator[tuple[str, str]]:
    """Yield the rules of plain instructions, of branches, and of guards by the unit of their channel."""
    kinds = {row["kind"]: row for row in tables["kinds"]}
    live = [row for row in tables["instructions"] if row["name"] not in (*CONTROL, "removed")]
    branches = [row for row in live if row["category"] == "control" and "ahead8" in row["operands"]]
    plain = [row for row in live if row not in branches and row["name"] != "GUARD"]
    yield "plain", " | ".join([*(written(row, kinds) for row in plain), "guarding"])
    yield "branch", " | ".join(written(row, kinds, '", "') for row in branches)
    units: dict[str, list[str]] = {}
    for row in tables["channels"]:
        units.setdefault(row["unit"], []).append(row["name"])
    high = int(kinds["threshold"]["hi"])
    forms = [
        f'({words(names)}) " " [<>] " " ({quantities(0, high, unit, tables["units"])})'
        for unit, names in units.items()
    ]
    yield "guarding", f'"GUARD " guard ", " ({" | ".join(forms)}) "\\n"'


def written(row: Row, kinds: dict[str, Row], end: str = r'"\n"') -> str:
    """Return how an instruction is written; a label is left out, what stands before it goes to `end`."""
    names = [kind for _, kind in (operand.split(":") for operand in row["operands"].split())]
    shown = [rule_name(kind) for kind in names if kinds[kind]["form"] not in ("label", "implied")]
    return f'"{row["name"]}{" " if shown else ""}" ' + ' ", " '.join([*shown]) + (" " if shown else "") + end


def program_rules() -> Iterator[tuple[str, str]]:
    """Yield the rules of structure: a chain of parts, each with its own label, and loops within loops."""
    yield "root", r'part-1 "END\n"'
    for label in range(1, LABELS + 1):
        following = f"(choice-{label} part-{label + 1})?" if label < LABELS else f"choice-{label}?"
        yield f"part-{label}", f"line-0* {following}"
        inner = f'branch "L{label}\\n" line-1* "L{label}:\\n"'
        outer = f'branch "L{label}\\n" line-0* "L{label}:\\n"'
        loop = f'head line-1* {inner} line-1* "ENDLOOP\\n"'
        yield f"choice-{label}", f"{outer} | {loop}"
    for depth in range(DEPTH + 1):
        leave = r' | "EXIT\n"' if depth else ""
        deeper = f" | loop-{depth + 1}" if depth < DEPTH else ""
        yield f"line-{depth}", f'plain | "END\\n"{leave}{deeper}'
        if depth:
            yield f"loop-{depth}", f'head line-{depth}* "ENDLOOP\\n"'
    yield "head", r'"LOOP " count "\n" | "LOOPR " reg ", " count8 "\n"'
