"""The grammar of what a model may write for one robot, in GBNF, from the SPEC's tables and the limits.

It takes in a part of the assembly in which form cannot go wrong. Every line is an instruction that this
robot has, with quantities in its range. Loops and conditions are closed by structure. A label is named after
the place of its condition, so that none is undefined or defined twice, and every branch goes forward within
its loop. What is left out: procedures, named constants, comments and LDK.

llama.cpp and its kin read GBNF; llguidance reads it through its `grammar_from("gbnf", text)`.
"""

import re
from collections.abc import Iterator
from fractions import Fraction
from math import ceil

from llmbytecode._isa import CHANNELS, INSTRUCTIONS, KINDS, UNITS, Instruction, Kind, Limits, Mode
from llmbytecode._verify_py import ACTUATORS

# Blocks (loops and conditions) in the program, in one of its blocks, in one of those; these hold none.
BLOCKS = (6, 2, 1)
RUNS = (12, 12, 12, 8)  # instructions in a row there; a case then has less than 255 words, a branch's reach
ROUNDS = 99  # of a loop
UNITS_SHOWN = ("mm", "cm", "m", "mm/s", "cm/s", "deg", "mrad", "deg/s", "mrad/s", "ms", "s", "Hz", "mV", "V")
LEFT_OUT = ("LDK", "PROC", "CALL", "RET")
NAME = re.compile(r'"(?:[^"\\]|\\.)*"|\[[^]]*\]|([a-z][a-z0-9-]*)')
OPENING = re.compile(r"LOOPR? |B[A-Z]+ .*, (L\d+)$|JMP (E\d+)$")

Rules = dict[str, str]


def grammar(limits: Limits) -> str:
    """Return the grammar of a robot's programs; such a text can only be refused for what it costs in all."""
    rules = {"root": r'body ("END\n" | "FAIL " byte "\n")'}
    rules |= {**structure(), **line_rules(limits), **operand_rules(limits)}
    used, found = {"root"}, ["root"]
    while found:
        names = {name for name in NAME.findall(rules[found.pop()]) if name} - used
        used |= names
        found += names
    return "".join(f"{name} ::= {text}\n" for name, text in rules.items() if name in used)


def instructions(limits: Limits) -> Iterator[Instruction]:
    """Yield the instructions that the grammar has for a robot."""
    for row in INSTRUCTIONS.values():
        if row.name not in LEFT_OUT and possible(row, limits):
            yield row


def closed(text: str) -> str:
    """Return a text of the grammar that was cut off as a program: without a torn line, each block closed."""
    lines = text.split("\n")[:-1]
    ends: list[str] = []
    for line in lines:
        opening = OPENING.match(line)
        if ends and line == ends[-1]:
            ends.pop()
        elif opening and opening[2]:  # the other case of a condition follows its first
            ends[-1:] = [f"{opening[2]}:", ends[-1]]
        elif opening:
            ends.append(f"{opening[1]}:" if opening[1] else "ENDLOOP")
    ended = not ends and lines and re.match(r"END$|FAIL ", lines[-1])
    return "\n".join([*lines, *reversed(ends), *([] if ended else ["END"]), ""])


# Structure. A block's place is its number in each body that it lies in, the outermost first: the first block
# in the second one of the program is 21. A condition's first case has the low numbers, its other the next.


def structure() -> Rules:
    """Return the rules of the program's body, and of all bodies and blocks within it."""
    rules = {"body": body("", 1, BLOCKS[0], ""), "deep": f"line{{0,{RUNS[-1]}}}"}
    places = [str(number) for number in range(1, BLOCKS[0] + 1)]
    while places:
        place = places.pop(0)
        for within in ("", "-in"):  # whether a loop is around the block, so that EXIT may stand in its cases
            rules[f"block-{place}{within}"] = block(place, within)
        if len(place) < len(BLOCKS):
            most = BLOCKS[len(place)]
            places += [f"{place}{number}" for number in range(1, most + 2)]
            for within in ("", "-in"):
                rules[f"then-{place}{within}"] = body(place, 1, most, within)
                rules[f"else-{place}{within}"] = body(place, most + 1, most + 1, within)
    return rules


def body(place: str, first: int, last: int, within: str) -> str:
    """Return the body whose blocks have these numbers: lines, and blocks between them."""
    chain = run = f"line{{0,{RUNS[len(place)]}}}"
    for number in range(last, first - 1, -1):
        chain = f"{run} (block-{place}{number}{within} {chain})?"
    return chain


def block(place: str, within: str) -> str:
    """Return the choice between a loop and a condition, with and without its other case.

    Only a case may end with what leaves the program or the loop: elsewhere nothing could follow it.
    """
    first, other, inner = f"then-{place}{within}", f"else-{place}{within}", f"then-{place}-in"
    if len(place) == len(BLOCKS):
        first = other = inner = "deep"
    both = rf'"JMP E{place}\nL{place}:\n" {other} last{within}? "E{place}:\n"'
    case = rf'condition "L{place}\n" {first} last{within}? ({both} | "L{place}:\n")'
    return rf'head {inner} "ENDLOOP\n" | {case}'


# Lines.


def line_rules(limits: Limits) -> Rules:
    """Return the rules of the lines that this robot can execute."""
    rows = list(instructions(limits))
    plain = [row for row in rows if row.category != "control" and row.name != "GUARD"]
    branches = [row for row in rows if "ahead8" in (kind for _, kind in row.operands)]
    guards = guarding(limits)
    return {
        "head": r'"LOOP " count "\n" | "LOOPR " reg ", " count8 "\n"',
        "last": r'"END\n" | "FAIL " byte "\n"',
        "last-in": r'"EXIT\n" | "END\n" | "FAIL " byte "\n"',
        "condition": " | ".join(written(row, '", "') for row in branches),
        "line": " | ".join([*(written(row, r'"\n"') for row in plain), *["guarding"] * bool(guards)]),
        "guarding": guards,
    }


def possible(row: Instruction, limits: Limits) -> bool:
    """Tell whether a robot has what an instruction needs, and numbers to write it with."""
    missing = ACTUATORS.get(row.code, 0) & ~limits.actuators
    if missing or (row.category == "report" and not limits.max_reports):
        return False
    kinds = [KINDS[kind] for _, kind in row.operands]
    return all(operand(kind, limits) for kind in kinds if shown(kind))


def shown(kind: Kind) -> bool:
    """Tell whether a line's rule names the operand: a label belongs to the structure."""
    return kind.form not in ("label", "implied", "watch", "threshold")


def written(row: Instruction, end: str) -> str:
    """Return how an instruction is written; what stands before a label, or the line's end, is `end`."""
    names = [rule_name(kind) for _, kind in row.operands if shown(KINDS[kind])]
    return " ".join([f'"{row.name} "', ' ", " '.join(names), end])


def guarding(limits: Limits) -> str:
    """Return the rule of GUARD: a threshold has its channel's unit."""
    units: dict[str, list[str]] = {}
    for number, channel in CHANNELS.items():
        if limits.channels >> number & 1:
            units.setdefault(channel.unit, []).append(channel.name)
    forms = []
    for unit, names in units.items():
        high = min(
            KINDS["threshold"].hi, greatest(limits, max(limits.range_max_mm, limits.max_path_mm))[unit]
        )
        forms.append(f'({words(names)}) " " [<>] " " ({quantities(0, high, unit)})')
    return rf'"GUARD " guard ", " ({" | ".join(forms)}) "\n"' if forms else ""


# Operands.


def rule_name(kind: str) -> str:
    """Return a kind's rule; GBNF allows letters, digits and hyphens."""
    return kind.replace("_", "-")


def operand_rules(limits: Limits) -> Rules:
    """Return one rule for each kind of operand."""
    return {rule_name(kind.name): operand(kind, limits) for kind in KINDS.values() if shown(kind)}


def operand(kind: Kind, limits: Limits) -> str:
    """Return the right-hand side of one kind's rule; empty where no number is left."""
    low, high = kind.lo * kind.step, highest(kind, limits)
    if kind.form in ("r", "v", "g"):
        return f'"{kind.form}" ({numbers(low, high)})'
    if kind.form == "pair":
        return 'reg ", " reg'
    if kind.form == "mode":
        return words([mode.name.lower() for mode in Mode])
    if kind.form == "channel":
        return words([channel.name for number, channel in CHANNELS.items() if limits.channels >> number & 1])
    body = quantities(max(low, 0), high, kind.unit) if kind.unit else numbers(max(low, 0), high)
    before = '"max " ' if kind.form == "max" else '"-"? ' if low < 0 else ""
    return f"{before}({body})" if body else ""


def highest(kind: Kind, limits: Limits) -> int:
    """Return the greatest number, in the kind's unit, that a line may ask this robot for."""
    encoded = kind.hi * kind.step
    if kind.name in ("count", "count8"):
        return min(encoded, ROUNDS)
    return min(encoded, greatest(limits, limits.max_path_mm)[kind.unit])


def greatest(limits: Limits, mm: int) -> dict[str, int]:
    """Return the greatest quantity that makes sense for a robot, by its unit; `mm` is that of lengths."""
    return {row.base: 2**31 - 1 for row in UNITS.values()} | {
        "": 2**31 - 1,
        "mm": mm,
        "mrad": limits.max_rotation_mrad,
        "mm/s": limits.top_speed,
        "mrad/s": limits.top_rate,
        "ms": limits.max_ms,
    }


def words(names: list[str]) -> str:
    """Return the choice between some words."""
    return " | ".join(f'"{name}"' for name in names)


def quantities(low: int, high: int, base: str) -> str:
    """Return the quantities of a base unit from `low` to `high`, in each unit that people use."""
    forms = []
    for name in UNITS_SHOWN:
        factor = Fraction(UNITS[name].factor)
        least, greatest = ceil(low / factor), int(high / factor)
        if UNITS[name].base == base and greatest >= max(least, 1):
            forms.append(f'({numbers(least, greatest)}) "{name}"')
    return " | ".join(forms)


def numbers(low: int, high: int) -> str:
    """Return the whole numbers from `low` to `high`, without leading zeros; empty where there are none."""
    forms: list[str] = []
    while low <= high:  # the longest run from `low` on that one pattern covers
        zeros = 0
        while low % 10 ** (zeros + 1) == 0 and low > 0 and low + 10 ** (zeros + 1) - 1 <= high:
            zeros += 1
        head, digit = divmod(low // 10**zeros, 10)
        last = digit
        while last < 9 and low + (last - digit + 2) * 10**zeros - 1 <= high:
            last += 1
        forms.append(pattern(head, digit, last, zeros))
        low += (last - digit + 1) * 10**zeros
    return " | ".join(forms)


def pattern(head: int, first: int, last: int, free: int) -> str:
    """Return the numbers that begin with `head`, go on with a digit of a range, and then with free digits."""
    parts = [f'"{head}"'] if head else []
    parts.append(f"[{first}-{last}]" if first < last else f'"{first}"')
    if free:
        parts.append(f"[0-9]{{{free}}}" if free > 1 else "[0-9]")
    return " ".join(parts)
