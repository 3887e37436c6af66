"""Plain English: of every block, in the SPEC's sentences alone, with every value, and no two alike."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.cases import Case, cases
from tests.generate import nearly_valid, noise, valid

from llmbytecode import Program, assemble
from llmbytecode._isa import CHANNELS, INSTRUCTIONS, KINDS, Mode
from llmbytecode.explain import explain
from llmbytecode.program import FIELDS, decode, get
from llmos.manifest import load_manifest

CUBE = load_manifest().limits
seeds = st.integers(0, 2**64 - 1)


def sentences(text: str) -> list[str]:
    """The steps of an explanation, without numbers and indentation."""
    return [line.split(". ", 1)[1].strip() for line in text.splitlines() if re.match(r" *\d+\. ", line)]


def values_of(program: Program, at: int) -> list[str]:
    """What a word's operands must show, whatever else is said."""
    decoded = decode(program.words[at])
    assert decoded
    shown = []
    for name, kind_name in decoded[0].operands:
        kind, value = KINDS[kind_name], decoded[1][name]
        number = abs(value) * kind.step
        if kind.form in ("r", "v", "g"):
            shown.append(f"{kind.form}{value}")
        elif kind.form == "pair":
            shown += [f"r{value >> 4} ", f"r{value & 15} "]
        elif kind.form == "watch":
            shown += [f"g{value & 3}", CHANNELS[value >> 4].name, "<>"[value >> 2 & 3]]
        elif kind.form == "channel":
            shown.append(CHANNELS[value].name)
        elif kind.form == "mode":
            shown.append(Mode(value).name.lower())
        elif kind.form == "const":
            shown.append(str(program.constants[value]))
        elif kind.form not in ("label", "implied"):
            unit = CHANNELS[decoded[1]["a"] >> 4].unit if kind.form == "threshold" else kind.unit
            seconds = unit == "ms" and number >= 1000
            shown.append(f"{number / 1000:g} s" if seconds else f"{number} {unit}".strip())
    return shown


@given(seeds, st.integers(1, 80))
def test_every_value_is_said(seed: int, size: int) -> None:
    """Each word of a valid block is a sentence with all of its operands."""
    program = valid(seed, CUBE, size)
    said = sentences(explain(program))
    assert len(said) == len(program.words)
    for at, sentence in enumerate(said):
        assert sentence[0].isupper()
        assert sentence[-1] in ".:"
        for value in values_of(program, at):
            assert value in sentence


@given(seeds, st.integers(0, 3), st.sampled_from(["a", "b", "c", "i"]), st.sampled_from([1, 7, 0x80]))
def test_blocks_that_differ_are_explained_differently(seed: int, at: int, name: str, bit: int) -> None:
    """In a field or in a constant, whether both are accepted or not."""
    program = valid(seed, CUBE, 30)
    words, constants = list(program.words), list(program.constants)
    words[at % len(words)] ^= bit << FIELDS[name][0]
    assert explain(Program(words, constants, [], program.autonomous_ms)) != explain(program)
    if constants:
        constants[at % len(constants)] ^= bit
        assert explain(Program(program.words, constants, [], program.autonomous_ms)) != explain(program)
    assert explain(Program(program.words, program.constants, [], program.autonomous_ms ^ bit)) != explain(
        program
    )


@given(seeds)
def test_every_block_has_an_explanation(seed: int) -> None:
    """Damaged ones and noise too, and always the same."""
    for program in (nearly_valid(seed, CUBE), noise(seed)):
        assert explain(program) == explain(program)
        assert len(sentences(explain(program))) == len(program.words)


@pytest.mark.parametrize("name", [row.name for row in INSTRUCTIONS.values()])
def test_the_sentences_are_the_specs(name: str) -> None:
    """Between its operands stand the words of the SPEC's meaning, and no others."""
    row = next(row for row in INSTRUCTIONS.values() if row.name == name)
    found = 0
    for program in [*(case.program for case in cases("ok")), assemble("TONE 440Hz, 200ms\nEND")]:
        said = sentences(explain(program))
        for at, word in enumerate(program.words):
            if word & 0xFF == row.code:
                meaning = re.escape(row.meaning).replace("its\\ ENDLOOP", r"step \d+")
                pattern = re.sub(r"\\\{[a-ci]\\\}", "(.+)", meaning)
                assert re.fullmatch(pattern, said[at][:-1], re.I), said[at]
                found += 1
    assert found


@pytest.mark.parametrize("case", cases("ok"), ids=lambda case: case.name)
def test_branches_name_the_step_that_they_go_to(case: Case) -> None:
    """Or the procedure, under its heading."""
    text = explain(case.program)
    for at, sentence in enumerate(sentences(text)):
        for name, kind in INSTRUCTIONS[case.program.words[at] & 0xFF].operands:
            target = at + get(case.program.words[at], name)
            if KINDS[kind].form == "label" and not sentence.startswith("Run"):
                assert f"go on at step {target + 1}." in sentence.lower()
            elif KINDS[kind].form == "label":
                heading = re.search(r"procedure (P\d+)", sentence)
                assert heading
                assert re.search(rf"\nProcedure {heading[1]}\n *{target + 1}\. ", text)


def test_loops_are_indented() -> None:
    """Their bodies two columns deeper, their ENDLOOP where they begin."""
    text = explain(assemble("LOOP 2\nLOOPR r1, max 3\nWAIT 1s\nENDLOOP\nENDLOOP\nEND"))
    assert text == (
        "1. Repeat 2 times what follows, down to step 5:\n"
        "2.   Repeat r1 times, at most 3, what follows, down to step 4:\n"
        "3.     Wait 1 s.\n"
        "4.   End one round of the loop.\n"
        "5. End one round of the loop.\n"
        "6. End the block: completed.\n"
    )


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("MOVE -30cm, 40mm/s", "Drive 300 mm backward at 40 mm/s."),
        ("TURN 90deg, 30deg/s", "Turn 90° (1570 mrad) to the left on the spot at 30°/s (520 mrad/s)."),
        ("TURN -5mrad, 1rad/s", "Turn 0.3° (5 mrad) to the right on the spot at 57°/s (1000 mrad/s)."),
        ("WAIT 2s", "Wait 2 s."),
        ("WAIT 999ms", "Wait 999 ms."),
        ("GUARD g1, front < 15cm", "From now on end a move or wait when front < 150 mm (guard g1)."),
        ("GUARD g0, clock > 2500ms", "From now on end a move or wait when clock > 2.5 s (guard g0)."),
        ("LDK r1, 100000", "Set r1 to the constant 100000."),
        (".word 0x00000000", "The word 0x00000000, which is no instruction here."),
    ],
)
def test_quantities(line: str, said: str) -> None:
    """As people say them."""
    assert sentences(explain(assemble(f"{line}\nEND")))[0] == said


def test_what_is_read_is_explained() -> None:
    """Each channel once, in the SPEC's words."""
    text = explain(assemble("SENSE r1, x\nSENSE r2, front\nGUARD g0, front < 1m\nEND"))
    assert text.endswith(f"\n\nfront: {CHANNELS[0].meaning}, in mm.\nx: {CHANNELS[7].meaning}, in mm.\n")
