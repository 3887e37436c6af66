"""Edits that may let a refused block pass, for each rule that is broken by form or by what the robot lacks.

Each function yields edits, the smallest first; whether one passes is for the verifier to say.
"""

from bisect import bisect_left
from collections.abc import Iterator
from typing import NamedTuple

from llmbytecode._draft import Draft, Item, set_field
from llmbytecode._isa import CHANNELS, INSTRUCTIONS, KINDS, Limits, Op, Rule
from llmbytecode._verify_py import HEADS, MAX_CALLS, RULES, Block
from llmbytecode.disassembler import word_texts
from llmbytecode.errors import Refusal
from llmbytecode.program import OPCODE_MASK, Program, decode, get

MOST_WORDS = (
    16384  # in all the programs that are tried for one refusal: each costs time for each of its words
)
MOST_AIMS = 8  # of the procedures that a CALL may be meant for, the nearest


class Edit(NamedTuple):
    """A changed program, where it is changed, and how."""

    where: str
    what: str
    program: Program

    @property
    def text(self) -> str:
        """The change in words."""
        return f"{self.where}: {self.what}"


def place(program: Program, first: int, last: int = -1) -> str:
    """Return how a word or some words are called: by their lines where these are known."""
    kind = "line" if program.line(first) else "word"
    number = program.line(first) or first
    if last <= first:
        return f"{kind} {number}"
    return f"{kind}s {number} to {program.line(last) or last}"


def text_of(program: Program, at: int) -> str:
    """Return a word as assembly on one line."""
    return " ".join(word_texts(program)[at].split())


def code_of(word: int) -> int:
    """Return a word's code."""
    return word & OPCODE_MASK


def _write(program: Program, at: int, word: int) -> Iterator[Edit]:
    """Write another word in the place of one."""
    draft = Draft(program)
    draft.items[at].word, draft.items[at].links = word, draft.links(at, word)
    changed = draft.program()
    if changed and changed.words != program.words:
        what = f"write {text_of(changed, at)} instead of {text_of(program, at)}"
        yield Edit(place(program, at), what, changed)


def leave_out(program: Program, at: int) -> Iterator[Edit]:
    """Take a word away."""
    draft = Draft(program)
    draft.leave_out(at)
    changed = draft.program()
    if changed:
        yield Edit(place(program, at), f"leave out {text_of(program, at)}", changed)


def _add(program: Program, at: int, item: Item) -> Iterator[Edit]:
    """Put a word in before another one, or behind the last."""
    draft = Draft(program)
    item.line = program.line(min(at, len(program.words) - 1))
    draft.items.insert(at, item)
    changed = draft.program()
    if changed:
        name = Op(code_of(item.word)).name
        before = at == 0 or code_of(item.word) in (Op.PROC, Op.ENDLOOP)
        where = f"before {place(program, at)}" if before else f"behind {place(program, at - 1)}"
        yield Edit(where if program.words else "line 1", f"add {name}", changed)


# Rules 1 to 5: the words by themselves.


def length(program: Program, _limits: Limits, _refusal: Refusal) -> Iterator[Edit]:
    """Give an empty block an END."""
    if not program.words:
        yield from _add(program, 0, Item(Op.END))


def constants(program: Program, limits: Limits, _refusal: Refusal) -> Iterator[Edit]:
    """Leave out as many constants as are too many: those that nothing uses, or that LDI can hold."""
    small, loads = KINDS["int16"], {word >> 16 for word in program.words if code_of(word) == Op.LDK}
    spare = [
        n for n, value in enumerate(program.constants) if n not in loads or small.lo <= value <= small.hi
    ]
    spare = spare[: len(program.constants) - limits.max_constants]
    if len(spare) < len(program.constants) - limits.max_constants:
        return
    words, users, gone = list(program.words), list[str](), set(spare)
    for at, word in enumerate(words):
        number = word >> 16
        if code_of(word) != Op.LDK:
            continue
        if number in gone:
            words[at] = set_field(word & ~OPCODE_MASK | Op.LDI, "i", program.constants[number])
            users.append(place(program, at))
        else:
            words[at] = set_field(word, "i", number - bisect_left(spare, number))
    kept = [value for n, value in enumerate(program.constants) if n not in gone]
    changed = Program(words, kept, program.lines, program.autonomous_ms)
    what = "write LDI instead of LDK" if users else "leave out " + ", ".join(f"k{n}" for n in spare)
    yield Edit(", ".join(users) or ".constants", what, changed)


def operand(program: Program, _limits: Limits, refusal: Refusal) -> Iterator[Edit]:
    """Give each field of a word the nearest number that its kind allows."""
    word = program.words[refusal.word]
    instruction = INSTRUCTIONS[code_of(word)]
    right = int(instruction.code)
    for name, kind_name in instruction.operands:
        kind = KINDS[kind_name]
        number = max(kind.lo, min(kind.hi, get(word, name, kind_name)))
        if kind_name == "watch" and number >> 2 & 3 > 1:
            number &= ~0b1100
        right = set_field(right, name, number)
    yield from _write(program, refusal.word, right)


def constant(program: Program, _limits: Limits, refusal: Refusal) -> Iterator[Edit]:
    """Name the last constant instead."""
    if program.constants:
        yield from _write(
            program, refusal.word, set_field(program.words[refusal.word], "i", len(program.constants) - 1)
        )


# Rules 6 to 9: parts, loops, branches, calls.


def region(program: Program, _limits: Limits, refusal: Refusal) -> Iterator[Edit]:
    """End the part; in the main program, write END for RET."""
    at = refusal.word
    if at == 0 and refusal.value == Op.PROC:
        yield from _add(program, 0, Item(Op.END))
    elif refusal.value == Op.RET:
        yield from _write(program, at, Op.END)
    in_procedure = any(code_of(word) == Op.PROC for word in program.words[: at + 1])
    yield from _add(program, at + 1, Item(Op.RET if in_procedure else Op.END))


def nesting(program: Program, _limits: Limits, refusal: Refusal) -> Iterator[Edit]:
    """Close the loop, or put it into a procedure; leave out an ENDLOOP without loop; EXIT for RET."""
    at, code = refusal.word, code_of(program.words[refusal.word])
    if code == Op.ENDLOOP and refusal.limit == 0:
        yield from leave_out(program, at)
    elif code == Op.ENDLOOP:
        yield from _write(program, at, set_field(program.words[at], "i", refusal.limit))
    elif code == Op.RET:
        yield from _exit(program, at)
    elif refusal.limit == 0:
        yield from _close(program, at)
    else:
        yield from _outline(program, at)  # where it is too deep
        if code == Op.LOOPR:  # where its distance is wrong
            yield from _write(program, at, set_field(program.words[at], "b", refusal.limit))


def _end_of(program: Program, head: int) -> int | None:
    """Return the ENDLOOP of a loop, None where its part has none."""
    depth = 0
    for at in range(head, len(program.words)):
        code = code_of(program.words[at])
        depth += (code in HEADS) - (code == Op.ENDLOOP)
        if depth == 0:
            return at
        if code == Op.PROC:
            break
    return None


def _exit(program: Program, at: int) -> Iterator[Edit]:
    """Leave the loop where RET stands."""
    heads = [head for head in range(at) if code_of(program.words[head]) in HEADS]
    ends = [end for head in heads if (end := _end_of(program, head)) is not None and end > at]
    if ends:
        yield from _write(program, at, set_field(Op.EXIT, "i", min(ends) + 1 - at))


def _close(program: Program, head: int) -> Iterator[Edit]:
    """Close the open loops before the last word of their part; or take the innermost one's head away."""
    procedures = [at for at, word in enumerate(program.words) if code_of(word) == Op.PROC]
    start = max([0, *(at for at in procedures if at < head)])
    last = min([len(program.words), *(at for at in procedures if at > head)]) - 1
    draft, heads = Draft(program), list[int]()
    for at in range(start, last + 1):
        code = code_of(program.words[at])
        if code in HEADS:
            heads.append(at)
        elif code == Op.ENDLOOP and heads:
            heads.pop()
    times = "" if len(heads) == 1 else f" {len(heads)} times"
    for number, opened in enumerate(reversed(heads)):
        item = Item(Op.ENDLOOP, program.line(last), {"i": (draft.items[opened], 0)})
        draft.items.insert(last + number, item)
        if code_of(program.words[opened]) == Op.LOOPR:
            draft.items[opened].links["b"] = (item, 0)
    changed = draft.program()
    if changed:
        yield Edit(f"before {place(program, last)}", f"add ENDLOOP{times}", changed)
    yield from leave_out(program, head)


def _outline(program: Program, head: int) -> Iterator[Edit]:
    """Put a loop into a procedure behind its part, and call that."""
    end = _end_of(program, head)
    if end is None:
        return
    draft = Draft(program)
    start, call_item = Item(Op.PROC, program.line(head)), Item(Op.CALL, program.line(head))
    call_item.links["i"] = (start, 0)
    body = draft.items[head : end + 1]
    draft.relink(body[0], call_item, inside=body)
    behind = [at for at in range(end, len(program.words)) if code_of(program.words[at]) == Op.PROC]
    stop = min([*behind, len(program.words)])
    moved = [start, *body, Item(Op.RET, program.line(end))]
    draft.items[head:] = [call_item, *draft.items[end + 1 : stop], *moved, *draft.items[stop:]]
    changed = draft.program()
    if changed:
        yield Edit(place(program, head, end), "put them into a procedure and CALL it there", changed)


def target(program: Program, limits: Limits, refusal: Refusal) -> Iterator[Edit]:
    """Put the label at the nearest word that it may stand at."""
    at, word = refusal.word, program.words[refusal.word]
    if code_of(word) == Op.EXIT:
        if refusal.limit:
            yield from _write(program, at, set_field(word, "i", refusal.limit - at))
        yield from leave_out(program, at)
        return
    block = Block(program.words, len(program.constants), program.autonomous_ms, limits)
    for rule in RULES[: Rule.TARGET - 1]:
        rule(block)
    allowed = [to for to in range(at + 1, refusal.limit + 1) if block.body[to] == block.body[at]]
    for to in sorted(allowed, key=lambda to: abs(to - refusal.value)):
        yield from _aim(program, at, to)


def call(program: Program, _limits: Limits, refusal: Refusal) -> Iterator[Edit]:
    """Begin a procedure at the label, aim at a PROC, write out what is called, or leave the CALL out."""
    at, words = refusal.word, program.words
    if refusal.value == MAX_CALLS + 1 and refusal.limit == MAX_CALLS:
        yield from _inline(program, at)
    if refusal.value < len(words):
        yield from _begin(program, at, refusal.value, [Op.PROC])
        yield from _begin(program, at, refusal.value, [Op.END, Op.PROC])
    below = [to for to in range(at + 1, len(words)) if code_of(words[to]) == Op.PROC]
    for to in sorted(below, key=lambda to: abs(to - refusal.value))[:MOST_AIMS]:
        yield from _aim(program, at, to)
    yield from leave_out(program, at)


def _aim(program: Program, at: int, to: int) -> Iterator[Edit]:
    """Let a branch or CALL go to another word."""
    decoded = decode(program.words[at])
    if decoded is None:
        return
    name, kind = decoded[0].operands[-1]
    if KINDS[kind].lo <= to - at <= KINDS[kind].hi:
        draft = Draft(program)
        draft.items[at].links[name] = (draft.items[to], 0)
        changed = draft.program()
        if changed:
            what = f"put its label at {place(program, to)} ({text_of(program, to)})"
            yield Edit(place(program, at), what, changed)


def _begin(program: Program, at: int, to: int, codes: list[Op]) -> Iterator[Edit]:
    """Begin a procedure before the word that a CALL goes to."""
    draft = Draft(program)
    items = [Item(code, program.line(to)) for code in codes]
    draft.items[at].links["i"] = (items[-1], 0)
    draft.items[to:to] = items
    changed = draft.program()
    if changed:
        yield Edit(
            f"before {place(program, to)}", f"add {' and '.join(code.name for code in codes)}", changed
        )


def _inline(program: Program, at: int) -> Iterator[Edit]:
    """Write a procedure's words in the place of a CALL, where its only RET is its last word."""
    start = at + get(program.words[at], "i")
    behind = [to for to in range(start + 1, len(program.words)) if code_of(program.words[to]) == Op.PROC]
    last = min([*behind, len(program.words)]) - 1
    codes = [code_of(word) for word in program.words[start : last + 1]]
    if codes.count(Op.RET) != 1 or codes[-1] != Op.RET or last - start < 2:
        return
    draft = Draft(program)
    body = draft.copy(start + 1, last)
    draft.items[at + 1 : at + 1] = body
    draft.relink(draft.items[at], body[0], inside=body)
    del draft.items[at]
    changed = draft.program()
    if changed:
        what = f"write {place(program, start + 1, last - 1)} in its place"
        yield Edit(place(program, at), what, changed)


# Rules 10 to 12 and 18: what the robot has.


def channel(program: Program, limits: Limits, refusal: Refusal) -> Iterator[Edit]:
    """Use another channel that the robot has, in the same unit."""
    at, word = refusal.word, program.words[refusal.word]
    name, shift = ("b", 0) if code_of(word) == Op.SENSE else ("a", 4)
    rest = get(word, name) & (1 << shift) - 1
    for number, row in CHANNELS.items():
        if limits.channels >> number & 1 and row.unit == CHANNELS[refusal.value].unit:
            yield from _write(program, at, set_field(word, name, number << shift | rest))


def actuator(program: Program, _limits: Limits, refusal: Refusal) -> Iterator[Edit]:
    """Leave the instruction out."""
    yield from leave_out(program, refusal.word)


def speed(program: Program, limits: Limits, refusal: Refusal) -> Iterator[Edit]:
    """Drive or turn as fast as the robot can."""
    word = program.words[refusal.word]
    tops = {"speed": limits.top_speed, "rate": limits.top_rate}
    for name, kind_name in INSTRUCTIONS[code_of(word)].operands:
        kind = KINDS[kind_name]
        if kind_name in tops and tops[kind_name] // kind.step >= kind.lo:
            yield from _write(program, refusal.word, set_field(word, name, tops[kind_name] // kind.step))


def autonomy(program: Program, limits: Limits, _refusal: Refusal) -> Iterator[Edit]:
    """Ask for as much as the robot grants."""
    most = limits.max_autonomous_ms
    what = f"write {most}ms instead of {program.autonomous_ms}ms" if most else "leave it out"
    yield Edit(".autonomous", what, Program(program.words, program.constants, program.lines, most))
