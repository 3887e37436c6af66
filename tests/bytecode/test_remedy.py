"""The change that a refusal names: it is what it says, and it lets the block pass."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.cases import Case, cases
from tests.generate import nearly_valid, noise, valid

from llmbytecode import (
    AssemblyError,
    EmptyRoom,
    Limits,
    Machine,
    Op,
    Outcome,
    Program,
    Refusal,
    Rule,
    assemble,
    disassemble,
)
from llmbytecode._edits import MOST_WORDS
from llmbytecode.remedy import PROPOSALS, remedy, repair
from llmbytecode.verify import refused_by
from llmos.manifest import load_manifest

CUBE = load_manifest().limits
TIGHT = CUBE._replace(
    max_words=40, max_constants=2, max_fuel=60, max_ms=4000, max_path_mm=100, max_rotation_mrad=500,
    max_reports=2, channels=0b111, actuators=1, top_speed=30, top_rate=300,
)  # fmt: skip
POOR = {"max_fuel": 20, "max_ms": 2000, "max_path_mm": 60, "max_rotation_mrad": 200, "max_reports": 1}
REFUSED = [case for case in cases("err") if case.sections["error"].startswith("rule ")]


def told(text: str, limits: Limits = CUBE) -> str:
    """The remedy for a text."""
    program = assemble(text)
    refusal = refused_by(program, limits)
    assert refusal is not None
    return remedy(program, limits, refusal)


def repaired(text: str) -> Machine:
    """A machine that has run the text as it was repaired."""
    program = assemble(text)
    refusal = refused_by(program, CUBE)
    found = repair(program, CUBE, refusal) if refusal else None
    assert found
    machine = Machine(found.program, CUBE, EmptyRoom(CUBE))
    assert machine.run() is Outcome.COMPLETED
    return machine


def check(program: Program, limits: Limits) -> None:
    """What is named lets the block pass; or a later rule, or the same farther down, is said to be next."""
    refusal = refused_by(program, limits)
    if refusal is None:
        return
    said, found = remedy(program, limits, refusal), repair(program, limits, refusal)
    assert "\n" not in said
    if found is None:
        assert refusal.hint in said
        return
    assert said.startswith(found.text)
    then = refused_by(found.program, limits)
    assert (then is None) is (found.refused is None)
    if then:
        assert then.rule >= refusal.rule
        assert f"; then rule {then.rule.name.lower()} is next" in said
        if then.rule == refusal.rule:
            assert Rule.OPCODE <= then.rule <= Rule.SPEED


@settings(max_examples=300)
@given(st.integers(0, 2**64 - 1), st.integers(1, 60), st.sampled_from([CUBE, TIGHT]))
def test_what_is_named_passes(seed: int, size: int, limits: Limits) -> None:
    """For nearly valid blocks, on a robot that allows much and on one that allows little."""
    check(nearly_valid(seed, CUBE, size), limits)


@given(st.integers(0, 2**64 - 1), st.sampled_from(sorted(POOR)))
def test_what_costs_too_much_can_be_less(seed: int, budget: str) -> None:
    """Valid blocks, on a robot that is poor in one measure."""
    check(valid(seed, CUBE, 40), CUBE._replace(**{budget: POOR[budget]}))


@given(st.integers(0, 2**64 - 1))
def test_noise_has_remedies_too(seed: int) -> None:
    """Whatever the words are."""
    check(noise(seed), CUBE)


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case.name)
def test_every_refused_vector(case: Case) -> None:
    """By bytes and, with lines, by text."""
    check(case.program, case.limits)
    try:
        check(assemble(case.sections.get("asm", "")), case.limits)
    except AssemblyError:
        assert case.sections.get("asm")


def test_every_rule_that_an_edit_can_mend_is_mended() -> None:
    """Each has a vector for which a change is found."""
    mended = set()
    for case in REFUSED:
        refusal = refused_by(case.program, case.limits)
        if refusal and repair(case.program, case.limits, refusal):
            mended.add(refusal.rule)
    assert mended == set(PROPOSALS)


@settings(max_examples=60)
@given(st.integers(0, 2**64 - 1))
def test_what_is_told_can_be_typed(seed: int) -> None:
    """A repaired block is written as assembly, and `write X` is a line of it."""
    program = nearly_valid(seed, CUBE)
    refusal = refused_by(program, TIGHT)
    found = repair(program, TIGHT, refusal) if refusal else None
    if refusal and found:
        text = disassemble(found.program)
        assert assemble(text) == found.program
        written = re.search(r": write (\S.*?) instead of", found.text)
        if written and refusal.rule not in (Rule.CONSTANTS, Rule.AUTONOMY):
            assert written[1] in [" ".join(line.split()) for line in text.splitlines()]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("MOVE 1m, 60mm/s\nEND", "line 1: write MOVE 1000mm, 47mm/s instead of MOVE 1000mm, 60mm/s"),
        (
            "MOVE 1m, 60mm/s\nWAIT 1s\nTURN 1rad, 1rad/s\nEND",
            "line 1: write MOVE 1000mm, 47mm/s instead of MOVE 1000mm, 60mm/s; likewise line 3",
        ),
        ("MOVE 1m, 5mm/s\nEND", "line 1: write MOVE 1000mm, 9mm/s instead of MOVE 1000mm, 5mm/s"),
        ("LOOP 70\nREPORT 1, r0\nENDLOOP\nEND", "line 1: write LOOP 64 instead of LOOP 70"),
        ("LOOP 3\nMOVE 2m, 47mm/s\nENDLOOP\nEND", "line 2: write MOVE 1666mm, 47mm/s instead of"),
        ("WAIT 65s\nWAIT 65s\nEND", "line 1: write WAIT 54899ms instead of WAIT 65000ms"),
        ("\n".join(["WAIT 20s"] * 9) + "\nEND", "every WAIT: at most 13283ms"),
        ("LOOP 60000\nADDI r1, 1\nADDI r1, 1\nADDI r1, 1\nENDLOOP\nEND", "line 1: write LOOP 49999 instead"),
        ("\n".join(["REPORT 1, r1"] * 65) + "\nEND", "line 1: leave out REPORT 1, r1"),
        ("\n".join(["REPORT 1, r1"] * 66) + "\nEND", "no change that passes was found; report less often"),
        ("WAIT 1s", "behind line 1: add END"),
        ("CALL p\nEND\np: PROC\nWAIT 1s", "behind line 4: add RET"),
        ("BEQ r0, r1, in\nLOOP 2\nin: WAIT 1s\nENDLOOP\nEND", "line 1: put its label at line 2 (LOOP 2)"),
        ("CALL p\nEND\np: WAIT 1s\nRET", "line 4: write END instead of RET; then rule call is next, line 1"),
        ("CALL p\nEND\np: WAIT 1s\nEND", "before line 3: add PROC"),
        ("TONE 440Hz, 50ms\nTRIP r1\nTONE 9kHz, 50ms\nEND", "line 1: leave out TONE 440Hz, 50ms; likewise"),
        (".autonomous 60s\nEND", ".autonomous: write 10000ms instead of 60000ms"),
        ("", "line 1: add END"),
    ],
)  # fmt: skip
def test_remedies(text: str, said: str) -> None:
    """The words of some."""
    assert told(text).startswith(said)


def test_a_loop_that_is_nested_too_deep_becomes_a_procedure() -> None:
    """Which does what it did."""
    text = "LOOP 2\n" * 5 + "ADDI r1, 1\n" + "ENDLOOP\n" * 5 + "END"
    assert told(text) == "lines 5 to 7: put them into a procedure and CALL it there"
    assert repaired(text).registers[1] == 2**5


def test_calls_that_are_nested_too_deep_are_written_out() -> None:
    """The last one, in the place of its CALL."""
    text = "CALL p1\nEND\n" + "".join(f"p{n}: PROC\nCALL p{n + 1}\nRET\n" for n in range(1, 5))
    text += "p5: PROC\nLOOP 3\nADDI r1, 5\nENDLOOP\nRET"
    assert told(text) == "line 13: write lines 16 to 18 in its place"
    assert repaired(text).registers[1] == 15


def test_the_largest_is_found() -> None:
    """One more would be refused."""
    program = assemble("LOOP 9\nWAIT 20s\nENDLOOP\nEND")
    refusal = refused_by(program, CUBE)
    assert refusal
    found = repair(program, CUBE, refusal)
    assert found
    changed = [at for at, word in enumerate(program.words) if found.program.words[at] != word]
    more = list(found.program.words)
    more[changed[0]] += 1 << 16
    assert refused_by(Program(more), CUBE)


@pytest.mark.parametrize("rule", [Rule.OPCODE, Rule.CERTIFICATE, Rule.CONTAINER, Rule.SPEC, Rule.MANIFEST])
def test_what_no_edit_of_a_program_mends_gets_the_hint(rule: Rule) -> None:
    """A damaged word, or what the header claims."""
    refusal = Refusal(rule, 0, 0, 0)
    assert remedy(Program([0]), CUBE, refusal) == refusal.hint


def test_a_robot_without_such_a_channel_tells_what_it_has() -> None:
    """Another in the same unit is named first, where there is one."""
    assert told("SENSE r1, rear\nEND", TIGHT).startswith("line 1: write SENSE r1, front instead of")
    said = told("SENSE r1, battery\nEND", TIGHT)
    hint = "use a channel that the manifest lists: front, front_left, front_right"
    assert said == f"no change that passes was found; {hint}"


ALIKE = {
    "speed": "MOVE 1mm, 99mm/s",
    "actuator": "TONE 440Hz, 50ms",
    "operand": ".word 0x00634D1F",
    "target": f".word 0x270F{int(Op.JMP):04X}",
    "duration": "WAIT 60s",
    "reports": "REPORT 1, r1",
}
"""By the rule that it breaks first, a line that is written again and again."""


def long_block(rule: str, words: int) -> Program:
    """A block that breaks a rule and for which there is much to try."""
    if rule != "call":
        return Program(assemble(f"{ALIKE[rule]}\nEND").words[:1] * (words - 1) + [Op.END])
    half = words // 2
    called, parts = [Op.CALL | half + 1 << 16] * (half - 1), [Op.PROC, Op.RET] * (half // 2)
    return Program([*called, Op.END, Op.LED, Op.END, *parts])


@pytest.mark.parametrize("words", [100, 1500, 30000])
def test_the_search_is_bounded(words: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """All that is verified for one refusal has, together, a bounded number of words."""
    verified = []

    def counted(program: Program, limits: Limits) -> Refusal | None:
        verified.append(len(program.words))
        return refused_by(program, limits)

    monkeypatch.setattr("llmbytecode.remedy.refused_by", counted)
    monkeypatch.setattr("llmbytecode._shrink.refused_by", counted)
    limits = CUBE._replace(max_words=2**16 - 1)
    for rule in ["call", *ALIKE]:
        program = long_block(rule, words)
        refusal = refused_by(program, limits)
        assert refusal is not None
        assert refusal.rule.name.lower() == rule
        verified.clear()
        assert remedy(program, limits, refusal)
        times = 100 if refusal.rule >= Rule.FUEL else 1  # a number is found by bisection
        assert sum(verified) <= times * MOST_WORDS
