"""What assembly text may look like."""

from pathlib import Path

import pytest

import llmbytecode
from llmbytecode import AssemblyError, Op, assemble, verify
from llmos.manifest import load_manifest


@pytest.mark.parametrize(
    "text",
    [
        "move 300MM, 40Mm/S\nend",
        "MOVE 300 mm , 40 mm/s ; a comment\nEND # another",
        "MOVE 30cm, 4cm/s\r\nEND\r\n",
        "\n\t MOVE\t0.3m,+40mm/s\n\n\nEND",
        ".const way 30cm\n.const pace 40mm/s\nMOVE way, pace\nEND",
        "MOVE -back, pace\nEND\n.const pace 40mm/s\n.const back -300mm",
        ".word 0x012C2823\nEND",
        "a: b: MOVE 300mm, 40mm/s\nc:\nd: END",
    ],
)
def test_the_same_program(text: str) -> None:
    """Case, blanks, comments, units, signs, names and labels say the same in many ways."""
    assert assemble(text).words == [0x012C2823, Op.END]


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("180deg", 3141),
        ("-180deg", -3141),
        ("1rad", 1000),
        ("0.0005rad", 0),
        ("7.999", 7),
        ("-7.999", -7),
        ("0x7FFF", 32767),
        ("12V", 12000),
        ("1.5kHz", 1500),
        (".5m", 500),
    ],
)
def test_quantities_round_toward_zero(text: str, number: int) -> None:
    """The robot never does more than was written."""
    assert assemble(f"LDI r0, {text}\nEND").words[0] >> 16 == number & 0xFFFF


def test_constants_count_from_anywhere() -> None:
    """In directives, too."""
    program = assemble(".autonomous long\n.constants far\nLDK r1, k0\nEND\n.const far 100m\n.const long 2s")
    assert (program.autonomous_ms, program.constants) == (2000, [100_000])


def test_the_example_of_the_specification() -> None:
    """It is a program that the reference robot takes."""
    spec = Path(llmbytecode.__file__).with_name("SPEC.md").read_text(encoding="utf-8")
    example = spec.split("```\n")[1]
    assert verify(assemble(example), load_manifest().limits).guarded == 1


def test_lines_are_those_of_the_source() -> None:
    """Each word knows its line."""
    assert assemble("; nothing\nLDI r1, 1\n\nx: END\n").lines == [2, 4]


def test_at_most_twenty_mistakes_are_told() -> None:
    """The rest would only follow from them."""
    with pytest.raises(AssemblyError) as caught:
        assemble("WRONG\n" * 1000)
    assert len(caught.value.problems) == 20
    assert "(and 19 more)" in str(caught.value)


@pytest.mark.parametrize("name", ["r1", "V15", "g0", "k12", "max"])
def test_names_with_a_meaning_cannot_be_taken(name: str) -> None:
    """Neither for labels nor for constants."""
    for text in (f"{name}: END", f".const {name} 5\nEND"):
        with pytest.raises(AssemblyError, match="has a meaning of its own"):
            assemble(text)


def test_names_distinguish_case() -> None:
    """Unlike instructions."""
    assert assemble("JMP a\nA: LDI r1, 1\na: END").words[0] >> 16 == 2
