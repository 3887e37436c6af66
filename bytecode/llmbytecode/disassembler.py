"""Words to assembly text; `assemble(disassemble(program)) == program` for every program, valid or not."""

from collections.abc import Callable

from llmbytecode._isa import CHANNELS, KINDS, Instruction, Kind, Mode, Op
from llmbytecode.assembler import COMPARISONS
from llmbytecode.program import OPCODE_MASK, Program, decode, encode

INDENT = "        "
ROW = 8  # constants on a line
Decoded = tuple[Instruction, dict[str, int]]


def disassemble(program: Program) -> str:
    """Return a program's canonical text: labels L1…, P1…, base units, `.word` for what nothing else says."""
    natural = natural_constants(program)
    words = sound_words(program)
    labels = _labels(program, words)
    lines = [f".autonomous {program.autonomous_ms}ms"] if program.autonomous_ms else []
    if not natural and program.constants:
        lines += [f".constants {', '.join(map(str, row))}" for row in _rows(program.constants)]
    for index, decoded in enumerate(words):
        if index in labels:
            lines.append(f"{labels[index]}:")
        lines.append(INDENT + _line(program, index, decoded, labels, natural))
    return "\n".join(lines) + "\n"


def word_texts(program: Program) -> list[str]:
    """Return the canonical text of each word: the instruction's line, without a label before it."""
    natural, words = natural_constants(program), sound_words(program)
    labels = _labels(program, words)
    return [_line(program, index, decoded, labels, natural) for index, decoded in enumerate(words)]


def sound_words(program: Program) -> list[Decoded | None]:
    """Return each word decoded, None for those that only `.word` can write."""
    words = [_sound(program, word) for word in program.words]
    _check_loops(words)
    for index, decoded in enumerate(words):
        if (target_of(index, decoded) or 0) >= len(words):
            words[index] = None
    return words


def _rows(numbers: list[int]) -> list[list[int]]:
    return [numbers[at : at + ROW] for at in range(0, len(numbers), ROW)]


def natural_constants(program: Program) -> bool:
    """Say whether collecting the constants from the LDK lines gives these, in this order."""
    found: dict[int, int] = {}  # value -> place
    for word in program.words:
        decoded = decode(word)
        if decoded is None or decoded[0].code != Op.LDK or _sound(program, word) is None:
            continue
        value = program.constants[decoded[1]["i"]]
        if found.setdefault(value, len(found)) != decoded[1]["i"]:
            return False
    return list(found) == program.constants


def _sound(program: Program, word: int) -> Decoded | None:
    """Return a word decoded, or None where its fields cannot be written."""
    decoded = decode(word)
    if decoded is None or encode(*decoded) != word:
        return None
    instruction, values = decoded
    for name, kind_name in instruction.operands:
        kind, value = KINDS[kind_name], values[name]
        if not kind.lo <= value <= kind.hi or (kind.form == "watch" and value >> 2 & 3 >= len(COMPARISONS)):
            return None
        if kind.form == "const" and value >= len(program.constants):
            return None
    return decoded


def _check_loops(words: list[Decoded | None]) -> None:
    """Set to None the loop words whose distances are not those that the assembler would give."""
    heads: list[int] = []
    ends: dict[int, int] = {}
    for index, decoded in enumerate(words):
        code = decoded[0].code if decoded else 0
        if code in (Op.LOOP, Op.LOOPR):
            heads.append(index)
        elif code == Op.ENDLOOP:
            if heads and _fits(words, heads[-1], index):
                ends[heads.pop()] = index
            else:
                words[index] = None
    for index in heads:
        words[index] = None
    _check_exits(words, ends)


def _fits(words: list[Decoded | None], head: int, end: int) -> bool:
    start, stop = words[head], words[end]
    if start is None or stop is None or stop[1]["i"] != end - head:
        return False
    return start[0].code == Op.LOOP or start[1]["b"] == end - head


def _check_exits(words: list[Decoded | None], ends: dict[int, int]) -> None:
    open_ends: list[int] = []
    for index, decoded in enumerate(words):
        if index in ends:
            open_ends.append(ends[index])
        elif open_ends and index == open_ends[-1]:
            open_ends.pop()
        elif decoded and decoded[0].code == Op.EXIT:
            right = bool(open_ends) and index + decoded[1]["i"] == open_ends[-1] + 1
            words[index] = decoded if right else None


def _labels(program: Program, words: list[Decoded | None]) -> dict[int, str]:
    """Return the names of branches' targets."""
    found = (target_of(index, decoded) for index, decoded in enumerate(words))
    targets = {target for target in found if target is not None}
    names, counts = {}, {"L": 0, "P": 0}
    for target in sorted(targets):
        letter = "P" if program.words[target] & OPCODE_MASK == Op.PROC else "L"
        counts[letter] += 1
        names[target] = f"{letter}{counts[letter]}"
    return names


def target_of(index: int, decoded: Decoded | None) -> int | None:
    """Return the word that a word's label stands for, None where it has no label."""
    if decoded:
        for name, kind in decoded[0].operands:
            if KINDS[kind].form == "label":
                return index + decoded[1][name]
    return None


def _line(
    program: Program, index: int, decoded: Decoded | None, labels: dict[int, str], natural: bool
) -> str:
    if decoded is None:
        return f".word 0x{program.words[index]:08X}"
    instruction, values = decoded
    text = ""
    for name, kind_name in instruction.operands:
        kind, value = KINDS[kind_name], values[name]
        if kind.form == "implied":
            continue
        text += "" if not text else " " if text.endswith(COMPARISONS) else ", "
        if kind.form == "label":
            text += labels[index + value]
        elif kind.form == "const":
            text += str(program.constants[value]) if natural else f"k{value}"
        elif kind.form == "threshold":
            text += f"{value}{CHANNELS[values['a'] >> 4].unit}"
        else:
            text += FORMS[kind.form](kind, value)
    return f"{instruction.name:<8}{text}".rstrip()


def _quantity(kind: Kind, value: int) -> str:
    return f"{value * kind.step}{kind.unit}"


def _watch(_kind: Kind, value: int) -> str:
    return f"g{value & 3}, {CHANNELS[value >> 4].name} {COMPARISONS[value >> 2 & 3]}"


FORMS: dict[str, Callable[[Kind, int], str]] = {
    "r": lambda _, value: f"r{value}",
    "v": lambda _, value: f"v{value}",
    "g": lambda _, value: f"g{value}",
    "pair": lambda _, value: f"r{value >> 4}, r{value & 15}",
    "watch": _watch,
    "channel": lambda _, value: CHANNELS[value].name,
    "mode": lambda _, value: Mode(value).name.lower(),
    "number": _quantity,
    "any": _quantity,
    "max": lambda kind, value: f"max {_quantity(kind, value)}",
}
