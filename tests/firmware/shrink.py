"""Makes a program smaller for as long as something stays true of it, and keeps what is left as a vector."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import replace

from llmbytecode import Op, Program, Refusal, assemble, disassemble, read_container
from llmbytecode._isa import KINDS
from llmbytecode.program import FIELDS, decode
from tests.cases import Case as Vector
from tests.firmware.differential import ROBOTS, SLICES, Case, packed

Holds = Callable[[Program], bool]
DISTANCES = ("label", "implied")  # forms of operands that are distances in words


def shrink(program: Program, holds: Holds) -> Program:
    """Return a smaller program of which it still holds; none of the steps below makes it smaller yet."""
    smaller: Program | None = program
    while smaller is not None:
        program = smaller
        smaller = next((candidate for candidate in candidates(program) if holds(candidate)), None)
    return program


def candidates(program: Program) -> Iterator[Program]:
    """Return programs that are a step smaller, the boldest steps first."""
    count = len(program.words)
    size = count // 2
    while size:
        for start in range(0, count, max(1, size // 2)):
            yield without(program, range(start, min(count, start + size)))
        size //= 2
    for head, end in loops(program):
        yield without(program, [head, end])
    for at in range(count):
        yield from _simpler_words(program, at)
    if program.constants:
        yield replace(program, constants=program.constants[:-1])
    for at, constant in enumerate(program.constants):
        for simple in (0, 1, constant // 2):
            if abs(simple) < abs(constant):
                yield replace(
                    program, constants=[*program.constants[:at], simple, *program.constants[at + 1 :]]
                )
    if program.autonomous_ms:
        yield replace(program, autonomous_ms=0)


def without(program: Program, dropped: Iterator[int] | range | list[int]) -> Program:
    """Return a program without some words; what pointed at them points at the next one that is left."""
    gone = set(dropped)
    places, place = [], 0  # old place -> new place
    for at in range(len(program.words) + 1):
        places.append(place)
        place += at not in gone
    words = []
    for at, word in enumerate(program.words):
        if at not in gone:
            words.append(_moved(word, at, places))
    return replace(program, words=words, lines=[])


def _moved(word: int, at: int, places: list[int]) -> int:
    """Return a word with its distances in words made right for its new place."""
    decoded = decode(word)
    if decoded is None:
        return word
    instruction, values = decoded
    for field, kind in instruction.operands:
        if KINDS[kind].form in DISTANCES:
            way = -values[field] if kind == "back" else values[field]
            target = min(max(0, at + way), len(places) - 1)
            word = _with(word, field, abs(places[target] - places[at]))
    return word


def loops(program: Program) -> Iterator[tuple[int, int]]:
    """Return where the loops' heads and their ENDLOOPs stand."""
    heads: list[int] = []
    for at, word in enumerate(program.words):
        if word & 0xFF in (Op.LOOP, Op.LOOPR):
            heads.append(at)
        elif word & 0xFF == Op.ENDLOOP and heads:
            yield heads.pop(), at


def _with(word: int, field: str, number: int) -> int:
    shift, mask = FIELDS[field]
    return word & ~(mask << shift) & 0xFFFFFFFF | (number & mask) << shift


def _simpler_words(program: Program, at: int) -> Iterator[Program]:
    """Return the program with END for a word, or with one field of it nearer to nothing."""
    if program.words[at] != Op.END:
        yield _replaced(program, at, int(Op.END))
    decoded = decode(program.words[at])
    if decoded is None:
        return
    instruction, values = decoded
    for field, kind in instruction.operands:
        least = max(0, KINDS[kind].lo)
        number = values[field]
        if KINDS[kind].form in DISTANCES or number == least:
            continue
        for simple in dict.fromkeys((least, least + 1, number // 2, number - 1)):
            if abs(simple) < abs(number):
                yield _replaced(program, at, _with(program.words[at], field, simple))


def _replaced(program: Program, at: int, word: int) -> Program:
    return replace(program, words=[*program.words[:at], word, *program.words[at + 1 :]], lines=[])


def shrink_case(case: Case, differs: Callable[[Case], str]) -> Case:
    """Return a smaller case that differs in the same way; a damaged container is left as it is."""
    kind = differs(case).split(" ", 1)[0]
    if not kind:
        return case

    def same(candidate: Case) -> bool:
        return differs(candidate).split(" ", 1)[0] == kind

    try:
        program = read_container(case.container).program
    except Refusal:
        return case
    if same(repacked(case, program)):
        case = repacked(case, shrink(program, lambda smaller: same(repacked(case, smaller))))
    program = read_container(case.container).program
    for changes in (
        {"robot": 0, "container": packed(program, ROBOTS[0])},
        {"slice": SLICES[0]},
        *({"seed": seed} for seed in range(64)),
    ):
        if changes.get("seed", 0) < case.seed and same(case._replace(**changes)):
            case = case._replace(**changes)
            if "seed" in changes:
                break
    return case


def repacked(case: Case, program: Program) -> Case:
    """Return a case with another program in it."""
    return case._replace(container=packed(program, case.limits))


def vector(case: Case, title: str) -> str:
    """Return a case in the form of the vectors (tests/cases.py)."""
    text, exact = f"# {title}\n", False
    with contextlib.suppress(Refusal):
        program = read_container(case.container).program
        text += f"-- asm\n{disassemble(program)}"
        exact = packed(program, case.limits) == case.container
    text += f"-- world\nseed {case.seed}\nslice {case.slice}\nrobot {case.robot}\n"
    return text if exact else f"{text}-- container\n{case.container.hex()}\n"


def case_of(given: Vector) -> Case:
    """Return the case that a vector keeps."""
    world = given.numbers("world")
    container = bytes.fromhex(given.sections.get("container", ""))
    if "container" not in given.sections:
        container = packed(assemble(given.sections["asm"]), ROBOTS[world["robot"]])
    return Case(world["seed"], "vector", world["robot"], container, world["slice"])
