"""The grammar for models: all that it lets through are programs of the robot's, the skills among them."""

import re
from functools import cache
from typing import Any

import pytest

from llmbytecode import Program, Refusal, Rule, assemble, disassemble, verify
from llmbytecode._isa import Limits, Op
from llmbytecode.grammar import BLOCKS, RUNS, closed, grammar
from llmos.inference import Request, open_kernel
from llmos.manifest import load_manifest
from llmos.skills import load_skills

llguidance = pytest.importorskip("llguidance")

CUBE = load_manifest().limits
# A robot with few parts: no LED, no tone, no reports, two rangers, slow, on a short lead.
SPARE = CUBE._replace(
    actuators=1, channels=0b110000000001, max_reports=0, top_speed=7, top_rate=80, max_path_mm=90, max_ms=4000
)
STILL = CUBE._replace(actuators=6, channels=1 << 10)  # it stands, lights and sounds
ROBOTS = {"cube": CUBE, "spare": SPARE, "still": STILL}
COSTS = {Rule.OK, *range(Rule.FUEL, Rule.REPORTS + 1)}


@cache
def drawn(limits: Limits, seed: int, tokens: int = 250) -> str:
    """A text of a robot's grammar, drawn by chance."""
    request = Request("", "", grammar=grammar(limits), seed=seed, max_tokens=tokens, deadline_s=60.0)
    answer = open_kernel("random")(request)
    return closed(answer.text) if answer.cut else answer.text


def broken_rule(program: Program, limits: Limits) -> Rule:
    """The rule that a program breaks."""
    try:
        verify(program, limits)
    except Refusal as refusal:
        return refusal.rule
    return Rule.OK


@pytest.mark.parametrize("robot", ROBOTS)
def test_what_it_lets_through_is_refused_for_its_costs_alone(robot: str) -> None:
    """Every text is a program, and breaks no rule of form, whatever parts the robot has."""
    broken = {broken_rule(assemble(drawn(ROBOTS[robot], seed)), ROBOTS[robot]) for seed in range(50)}
    assert broken <= COSTS
    assert Rule.OK in broken


def test_a_text_that_was_cut_anywhere_can_be_closed() -> None:
    """What was written stays, but for a torn line; the result is again a text of the grammar."""
    for seed in range(8):
        text = drawn(CUBE, seed)[:900]
        for end in range(0, len(text), 3):
            whole = closed(text[:end])
            assert closed(whole) == whole
            assert whole.startswith(text[: text.rfind("\n", 0, end) + 1])
            assert accepts(CUBE, whole)
            assert broken_rule(assemble(whole), CUBE) in COSTS


def test_a_drawn_text_tells_of_every_part_of_the_grammar() -> None:
    """Loops, both cases of conditions, all ways to leave, and nearly every instruction turn up."""
    text = "".join(drawn(CUBE, seed) for seed in range(100))
    names = set(re.findall(r"^[A-Z]{2,}", text, re.MULTILINE))
    assert {"LOOP", "LOOPR", "EXIT", "JMP", "FAIL", "BEQ", "MOVE", "GUARD"} <= names
    assert len(names) > 30
    assert not names & {"LDK", "TONE", "CALL", "PROC", "RET"}


@pytest.mark.parametrize(
    ("line", "cube", "spare"),
    [
        ("MOVE 30mm, 7mm/s", True, True),
        ("MOVE 30mm, 8mm/s", True, False),
        ("MOVE 30mm, 47mm/s", True, False),
        ("MOVE 30mm, 48mm/s", False, False),
        ("MOVE -9cm, 5mm/s", True, True),
        ("MOVE 10cm, 5mm/s", True, False),
        ("MOVE 5m, 5mm/s", True, False),
        ("MOVE 5001mm, 5mm/s", False, False),
        ("TURN 90deg, 4deg/s", True, True),
        ("TURN 90deg, 5deg/s", True, False),
        ("TURN 90deg, 54deg/s", False, False),
        ("WAIT 4s", True, True),
        ("WAIT 5s", True, False),
        ("SENSE r15, front", True, True),
        ("SENSE r16, front", False, False),
        ("SENSE r1, rear", True, False),
        ("GUARD g3, front < 20cm", True, True),
        ("GUARD g4, front < 20cm", False, False),
        ("GUARD g0, left < 20cm", True, False),
        ("GUARD g0, front < 20deg", False, False),
        ("LED 0, 0, 255", True, False),
        ("LED 0, 0, 256", False, False),
        ("TONE 440Hz, 200ms", False, False),
        ("REPORT 1, r1", True, False),
        ("MODE exploring", True, True),
        ("LOOP 99\nENDLOOP", True, True),
        ("LOOP 100\nENDLOOP", False, False),
        ("LOOP 2", False, False),
        ("EXIT", False, False),
        ("LOOP 2\nEXIT\nENDLOOP", False, False),
        ("LOOP 2\nBEQ r0, r1, L11\nEXIT\nL11:\nENDLOOP", True, True),
        ("BEQ r0, r1, L1\nL1:", True, True),
        ("BEQ r0, r1, L2\nL2:", False, False),
        ("BEQ r0, r1, L1\nEND\nL1:", True, True),
        ("END", False, False),
    ],
)
def test_it_knows_the_robots_parts_and_ranges(line: str, cube: bool, spare: bool) -> None:
    """A line is in the grammar of the robot that can do it, and in no other's."""
    assert (accepts(CUBE, f"{line}\nEND\n"), accepts(SPARE, f"{line}\nEND\n")) == (cube, spare)


def test_no_branch_is_too_far() -> None:
    """The fullest program that the grammar lets through, and the fullest loop, still assemble."""
    for text in (f"{fullest('')}END\n", f"LOOPR r1, max 2\n{fullest('1')[:-4]}ENDLOOP\nEND\n"):
        assert accepts(CUBE, text)
        assert broken_rule(assemble(text), CUBE) in {*COSTS, Rule.LENGTH}
    assert not accepts(CUBE, f"WAIT 1s\n{fullest('')}END\n")


def fullest(place: str, first: int = 1) -> str:
    """A body with as many lines and conditions as there can be."""
    run = "WAIT 1s\n" * RUNS[len(place)]
    blocks = (*BLOCKS, 0)[len(place)]
    numbers = range(first, blocks + 1) if first == 1 else range(first, first + (blocks > 0))
    last = "END\n" if place else ""
    return run + "".join(condition(f"{place}{number}") + run for number in numbers) + last


def condition(place: str) -> str:
    """A condition with two full cases."""
    other = fullest(place, (*BLOCKS, 0)[len(place)] + 1)
    return f"BEQ r1, r2, L{place}\n{fullest(place)}JMP E{place}\nL{place}:\n{other}E{place}:\n"


def test_the_skills_are_in_it() -> None:
    """All that keep to blocks, with labels named after their places; a jump across blocks is outside."""
    texts = {name: structured(assemble(skill.text)) for name, skill in load_skills().items()}
    inside = {name: text for name, text in texts.items() if text}
    for name, text in inside.items():
        assert assemble(text).words == assemble(load_skills()[name].text).words
        assert accepts(CUBE, text), text
    assert len(inside) > 0.9 * len(texts)


# A recogniser, and programs with the grammar's own labels.


@cache
def matcher(limits: Limits) -> Any:
    """The grammar, ready to follow bytes."""
    converted = llguidance.grammar_from("gbnf", grammar(limits))
    return llguidance.LLMatcher(llguidance.LLTokenizer("byte"), converted, log_level=0)


def accepts(limits: Limits, text: str) -> bool:
    """Whether a text is in a robot's grammar."""
    follower = matcher(limits).deep_copy()
    return follower.try_consume_tokens(list(text.encode())) == len(text) and follower.is_accepting()


BRANCHES = (Op.BEQ, Op.BNE, Op.BLT, Op.BGE)


def structured(program: Program) -> str:
    """A program's text with the labels that the grammar would give it; empty where a jump makes no block."""
    lines = [" ".join(line.split()) for line in disassemble(program).splitlines() if ":" not in line]
    codes = [word & 0xFF for word in program.words]
    aims = [
        at + (word >> 24 if codes[at] in BRANCHES else word >> 16) for at, word in enumerate(program.words)
    ]
    try:
        return "\n".join([*body(lines, codes, aims, range(len(lines)), "", 0), ""])
    except LookupError:
        return ""


def body(
    lines: list[str], codes: list[int], aims: list[int], span: range, place: str, count: int
) -> list[str]:
    """The lines of a span of words whose blocks count on from `count`; LookupError at a jump by itself."""
    out, at = [], span.start
    while at < span.stop:
        if codes[at] in (Op.LOOP, Op.LOOPR, *BRANCHES):
            count += 1
            inner, at = block(lines, codes, aims, range(at, span.stop), f"{place}{count}")
            out += inner
        elif codes[at] == Op.JMP:
            raise LookupError(lines[at])
        else:
            out.append(lines[at])
            at += 1
    return out


def block(
    lines: list[str], codes: list[int], aims: list[int], span: range, place: str
) -> tuple[list[str], int]:
    """The lines of the block at a span's first word, and the word behind it."""
    start, parts = span.start, (lines, codes, aims)
    if codes[start] not in BRANCHES:
        end = next(at for at in span if codes[at] == Op.ENDLOOP and 2 * at - aims[at] == start)
        return [lines[start], *body(*parts, range(start + 1, end), place, 0), "ENDLOOP"], end + 1
    head, target = f"{lines[start].rpartition(' ')[0]} L{place}", aims[start]
    if target - 1 == start or codes[target - 1] != Op.JMP or aims[target - 1] > span.stop:
        return [head, *body(*parts, range(start + 1, target), place, 0), f"L{place}:"], target
    end = aims[target - 1]
    first = body(*parts, range(start + 1, target - 1), place, 0)
    other = body(*parts, range(target, end), place, (*BLOCKS, 0)[len(place)])
    return [head, *first, f"JMP E{place}", f"L{place}:", *other, f"E{place}:"], end
