"""Assembly text to words, in two passes: first the lines, then each instruction's operands."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from llmbytecode._isa import CHANNELS, KINDS, Chan, Instruction, Kind, Mode, Op
from llmbytecode._lexer import Bad, Cursor, Quantity, Token, suggest, tokenize
from llmbytecode.errors import AssemblyError, Problem
from llmbytecode.program import BY_NAME, Program, encode

MAX_PROBLEMS = 20
MAX_WORDS = MAX_CONSTANTS = 65535  # what the container's header can count
INT32_MIN, INT32_MAX = -(2**31), 2**31 - 1
COMPARISONS = ("<", ">")
RESERVED = re.compile(r"(?:[rvgk]\d+|max)", re.I)


@dataclass
class Statement:
    """One word to be: its instruction (None for `.word`), what is left of its line, and where it stands."""

    instruction: Instruction | None
    cursor: Cursor
    line: int
    column: int
    word: int
    implied: int = 0  # distance in words, for an operand that the assembler knows


@dataclass
class Source:
    """What the first pass finds, and the problems of both."""

    filename: str
    statements: list[Statement] = field(default_factory=list)
    labels: dict[str, int] = field(default_factory=dict)
    quantities: dict[str, Quantity] = field(default_factory=dict)
    constants: list[int] = field(default_factory=list)
    numbers: dict[int, int] = field(default_factory=dict)  # constant -> its first place
    autonomous_ms: int = 0
    deferred: list[tuple[Cursor, int]] = field(default_factory=list)  # directives that may use any .const
    problems: list[Problem] = field(default_factory=list)

    def report(self, line: int, bad: Bad) -> None:
        """Keep a problem; stop when there are many."""
        self.problems.append(Problem(self.filename, line, bad.column, bad.message, bad.hint))
        if len(self.problems) >= MAX_PROBLEMS:
            raise AssemblyError(self.problems)

    def add_constant(self, value: int) -> int:
        """Append a constant and return its number."""
        if len(self.constants) >= MAX_CONSTANTS:
            raise Bad(1, f"more than {MAX_CONSTANTS} constants", "compute some of them")
        self.constants.append(value)
        return self.numbers.setdefault(value, len(self.constants) - 1)


def assemble(text: str, filename: str = "<string>") -> Program:
    """Return the program that an assembly text describes.

    Raises:
        AssemblyError: the text is no program; every problem found is in it, 20 at most.
    """
    source = Source(filename)
    for number, line in enumerate(text.split("\n"), 1):
        try:
            _read_line(source, Cursor(tokenize(line)), number)
        except Bad as bad:
            source.report(number, bad)
    _settle(source)
    _match_loops(source)
    words = [_encode(source, statement) for statement in source.statements]
    if source.problems:
        raise AssemblyError(sorted(source.problems, key=lambda problem: problem.line))
    lines = [statement.line for statement in source.statements]
    return Program(words, source.constants, lines, source.autonomous_ms)


# The first pass: labels, directives, names.


def _read_line(source: Source, cursor: Cursor, line: int) -> None:
    while cursor.token.kind == "name" and cursor.tokens[cursor.at + 1].text == ":":
        _define_label(source, cursor.take())
        cursor.take()
    if cursor.token.kind == "end":
        return
    name = cursor.name("an instruction", "such as MOVE 300mm, 40mm/s")
    if name.text.lower() in DIRECTIVES:
        DIRECTIVES[name.text.lower()](source, cursor, line)
        return
    instruction = BY_NAME.get(name.text.upper())
    if instruction is None:
        what = "directive" if name.text.startswith(".") else "instruction"
        raise Bad(
            name.column, f"unknown {what} {name.text[:40]!r}", suggest(name.text, [*BY_NAME, *DIRECTIVES])
        )
    _add(source, Statement(instruction, cursor, line, name.column, len(source.statements)))


def _add(source: Source, statement: Statement) -> None:
    if statement.word >= MAX_WORDS:
        raise Bad(statement.column, f"more than {MAX_WORDS} words", "split the program into several blocks")
    source.statements.append(statement)


def _new_name(token: Token, taken: dict[str, int] | dict[str, Quantity]) -> str:
    name = token.text
    if RESERVED.fullmatch(name) or name.startswith("."):
        raise Bad(token.column, f"{name[:40]!r} has a meaning of its own", "choose another name")
    if name in taken:
        raise Bad(token.column, f"{name[:40]!r} stands there twice", "rename one of them")
    return name


def _define_label(source: Source, token: Token) -> None:
    source.labels[_new_name(token, source.labels)] = len(source.statements)


def _const(source: Source, cursor: Cursor, _line: int) -> None:
    name = _new_name(cursor.name("a name", ".const speed 40mm/s"), source.quantities)
    source.quantities[name] = cursor.quantity(source.quantities, "a value")
    cursor.end()


def _defer(source: Source, cursor: Cursor, line: int) -> None:
    source.deferred.append((cursor, line))


def _settle(source: Source) -> None:
    """Read the directives that were put off."""
    for cursor, line in source.deferred:
        try:
            DEFERRED[cursor.tokens[cursor.at - 1].text.lower()](source, cursor)
        except Bad as bad:
            source.report(line, bad)


def _autonomous(source: Source, cursor: Cursor) -> None:
    source.autonomous_ms = _number(cursor, KINDS["time"], source)
    cursor.end()


def _constants(source: Source, cursor: Cursor) -> None:
    source.add_constant(_whole(cursor, source, INT32_MIN, INT32_MAX))
    while cursor.skip(","):
        source.add_constant(_whole(cursor, source, INT32_MIN, INT32_MAX))
    cursor.end()


def _word(source: Source, cursor: Cursor, line: int) -> None:
    _add(source, Statement(None, cursor, line, cursor.token.column, len(source.statements)))


DIRECTIVES: dict[str, Callable[[Source, Cursor, int], None]] = {
    ".const": _const,
    ".autonomous": _defer,
    ".constants": _defer,
    ".word": _word,
}
DEFERRED: dict[str, Callable[[Source, Cursor], None]] = {".autonomous": _autonomous, ".constants": _constants}


# Between the passes: the distances that loops imply.


def _match_loops(source: Source) -> None:
    heads: list[Statement] = []
    exits: list[list[Statement]] = []
    for statement in source.statements:
        try:
            _match(statement, heads, exits)
        except Bad as bad:
            source.report(statement.line, bad)
    for head in heads:
        source.report(head.line, Bad(head.column, "this loop is not closed", "close it with ENDLOOP"))


def _match(statement: Statement, heads: list[Statement], exits: list[list[Statement]]) -> None:
    code = statement.instruction.code if statement.instruction else 0
    if code in (Op.LOOP, Op.LOOPR):
        heads.append(statement)
        exits.append([])
    elif code in (Op.ENDLOOP, Op.EXIT) and not heads:
        raise Bad(
            statement.column,
            f"{Op(code).name} stands in no loop",
            "begin one with LOOP 4 or LOOPR r1, max 10",
        )
    elif code == Op.EXIT:
        exits[-1].append(statement)
    elif code == Op.ENDLOOP:
        head = heads.pop()
        head.implied = statement.implied = statement.word - head.word
        for leaving in exits.pop():
            leaving.implied = statement.word + 1 - leaving.word


# The second pass: operands, by the form of their kind.


def _encode(source: Source, statement: Statement) -> int:
    try:
        if statement.instruction is None:
            word = _whole(statement.cursor, source, 0, 2**32 - 1)
        else:
            word = encode(statement.instruction, _operands(source, statement, statement.instruction))
        statement.cursor.end()
    except Bad as bad:
        if not bad.hint and statement.instruction:
            bad.hint = usage(statement.instruction)
        source.report(statement.line, bad)
        return 0
    return word


def _operands(source: Source, statement: Statement, instruction: Instruction) -> dict[str, int]:
    values: dict[str, int] = {}
    comma = False
    for name, kind_name in instruction.operands:
        kind = KINDS[kind_name]
        if kind.form == "implied":
            known = statement.implied or kind.lo  # 0: a loop that is not closed, which is reported already
            values[name] = _in_range(known, kind, statement.column, "words of this loop")
            continue
        if comma:
            statement.cursor.expect(",", usage(instruction))
        values[name] = _operand(source, statement, kind, values)
        comma = kind.form != "watch"
    return values


def _operand(source: Source, statement: Statement, kind: Kind, before: dict[str, int]) -> int:
    cursor = statement.cursor
    if kind.form == "label":
        return _label(cursor, kind, source, statement.word)
    if kind.form == "threshold":
        unit = CHANNELS[before["a"] >> 4].unit
        return _number(cursor, kind._replace(unit=unit), source)
    return FORMS[kind.form](cursor, kind, source)


def usage(instruction: Instruction) -> str:
    """Return how an instruction is written, for a hint."""
    shown = [KINDS[kind].example for _, kind in instruction.operands if KINDS[kind].form != "implied"]
    return f"write {instruction.name} {', '.join(shown)}".replace("<, ", "< ").rstrip()


def _in_range(number: int, kind: Kind, column: int, what: str) -> int:
    if kind.lo <= number <= kind.hi:
        return number
    low, high = kind.lo * kind.step, kind.hi * kind.step
    raise Bad(column, f"{what} is {number * kind.step}{kind.unit}", f"allowed: {low} to {high}{kind.unit}")


def _indexed(cursor: Cursor, letter: str, last: int) -> int:
    wanted = f"{letter}0 to {letter}{last}"
    token = cursor.name(wanted)
    digits = token.text[1:]
    if token.text[0].lower() != letter or not digits.isdecimal() or len(digits) > 3 or int(digits) > last:
        raise Bad(token.column, f"expected {wanted}, not {token.text[:40]!r}")
    return int(digits)


def _register(cursor: Cursor, kind: Kind, _source: Source) -> int:
    return _indexed(cursor, kind.form, kind.hi)


def _pair(cursor: Cursor, _kind: Kind, _source: Source) -> int:
    left = _indexed(cursor, "r", KINDS["reg"].hi)
    cursor.expect(",")
    return left << 4 | _indexed(cursor, "r", KINDS["reg"].hi)


def _named(cursor: Cursor, what: str, numbers: dict[str, int]) -> int:
    token = cursor.name(f"a {what}")
    if token.text.lower() not in numbers:
        raise Bad(token.column, f"unknown {what} {token.text[:40]!r}", suggest(token.text, list(numbers)))
    return numbers[token.text.lower()]


CHANNEL_NUMBERS = {channel.name.lower(): int(channel) for channel in Chan}
MODE_NUMBERS = {mode.name.lower(): int(mode) for mode in Mode}


def _channel(cursor: Cursor, _kind: Kind, _source: Source) -> int:
    return _named(cursor, "channel", CHANNEL_NUMBERS)


def _mode(cursor: Cursor, _kind: Kind, _source: Source) -> int:
    return _named(cursor, "mode", MODE_NUMBERS)


def _watch(cursor: Cursor, _kind: Kind, source: Source) -> int:
    guard = _indexed(cursor, "g", KINDS["guard"].hi)
    cursor.expect(",", usage(BY_NAME[Op.GUARD.name]))
    channel = _channel(cursor, KINDS["channel"], source)
    if cursor.token.text not in COMPARISONS:
        raise cursor.bad(f"expected '<' or '>', not {cursor.shown()}", usage(BY_NAME[Op.GUARD.name]))
    return channel << 4 | COMPARISONS.index(cursor.take().text) << 2 | guard


def _what(kind: Kind) -> str:
    """Return a kind's name as people read it: time, not time_max or time100."""
    return kind.name.removesuffix("_max").rstrip("0123456789")


def _number(cursor: Cursor, kind: Kind, source: Source) -> int:
    column = cursor.token.column
    found = cursor.quantity(source.quantities, f"a {_what(kind)}")
    if found.unit != kind.unit and kind.form != "any":
        wanted = f"in {kind.unit}" if kind.unit else "without a unit"
        raise Bad(
            column, f"{_what(kind)} {found.text!r} is not {wanted}", f"such as {KINDS[kind.name].example}"
        )
    return _in_range(int(found.value / kind.step), kind, column, f"{_what(kind)} {found.text!r}")


def _maximum(cursor: Cursor, kind: Kind, source: Source) -> int:
    cursor.expect("max", f"such as {KINDS[kind.name].example}")
    return _number(cursor, kind, source)


def _whole(cursor: Cursor, source: Source, low: int, high: int) -> int:
    column = cursor.token.column
    found = cursor.quantity(source.quantities, "a number")
    if not low <= int(found.value) <= high:
        raise Bad(column, f"{found.text} is out of range", f"allowed: {low} to {high}")
    return int(found.value)


def _constant(cursor: Cursor, kind: Kind, source: Source) -> int:
    column = cursor.token.column
    if cursor.token.kind == "name" and RESERVED.fullmatch(cursor.token.text):
        if not source.constants:
            raise cursor.bad("there are no numbered constants", "list them in a .constants line")
        return _in_range(_indexed(cursor, "k", len(source.constants) - 1), kind, column, "constant")
    value = _whole(cursor, source, INT32_MIN, INT32_MAX)
    number = source.numbers.get(value)
    return _in_range(
        source.add_constant(value) if number is None else number, kind, column, "this constant's number"
    )


def _label(cursor: Cursor, kind: Kind, source: Source, word: int) -> int:
    token = cursor.name("a label")
    if token.text not in source.labels:
        raise Bad(
            token.column, f"no label is named {token.text[:40]!r}", suggest(token.text, list(source.labels))
        )
    target = source.labels[token.text]
    if target <= word:
        raise Bad(
            token.column, f"label {token.text[:40]!r} stands above", "branches go forward; repeat with LOOP"
        )
    if target >= len(source.statements):
        raise Bad(token.column, f"label {token.text[:40]!r} has no instruction behind it", "put END there")
    if target - word > kind.hi:
        raise Bad(
            token.column, f"{token.text[:40]!r} is {target - word} words away", f"allowed: {kind.hi}; use JMP"
        )
    return target - word


FORMS: dict[str, Callable[[Cursor, Kind, Source], int]] = {
    "r": _register,
    "v": _register,
    "g": _register,
    "pair": _pair,
    "watch": _watch,
    "channel": _channel,
    "mode": _mode,
    "number": _number,
    "any": _number,
    "max": _maximum,
    "const": _constant,
}
