"""A skill's file: what it says, and what is wrong with a broken one, in one line with its place."""

import contextlib
import pickle
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmbytecode import assemble
from llmos.errors import LlmosError
from llmos.skills import Skill, SkillError, load_skills, skill_of
from llmos.skills.making import template
from llmos.volumes import parse

HOP = template("hop")
SKILLS = load_skills(kind="")


def read(source: str, name: str = "hop") -> Skill:
    """Return the skill that a text is."""
    return skill_of(parse(source, Path(f"{name}.md")))


def line_of(source: str, text: str) -> int:
    """Return the first line that holds a text."""
    return next(number for number, line in enumerate(source.split("\n"), 1) if text in line)


BROKEN = {  # a part of the file, what takes its place, what the line holds that is named, what is said
    "no type": ("type: physical\n", "", "---", "key type is missing"),
    "no YAML": ("[drive, blink]", "[drive, blink", "version", "this is no YAML"),
    "unknown type": ("type: physical", "type: magic", "magic", "key type"),
    "no description": ("description: Drive", "describes: Drive", "---", "key description is missing"),
    "another name": ("name: hop", "name: hip", "hip", "the skill is called hip, the file hop.md"),
    "no program": ("```lasm", "```text", "# Objective", "there is no program: put one between"),
    "no end": ("        END\n```\n", "        END\n", "```lasm", "the block has no end"),
    "two programs": ("\n# Program", "```lasm\nEND\n```\n# Program", "", "there is a program on line"),
    "no instruction": ("LED     0, 0, 255", "LID     0, 0, 255", "LID", "LID"),
    "refused word": ("distance, 40mm/s", "distance, 90mm/s", "90mm/s", "rule"),
    "refused program": ("MOVE    distance", "MOVE    9m", "; A .const line", "rule duration"),
    "no range": ("; 5cm..100cm: how far", "; how far", "; how far", "distance has no range"),
    "outside": ("distance 30cm", "distance 3cm ", "distance 3cm", "distance is 3, outside of 5 to 100"),
    "no such value": ("{distance_cm: 20}", "{distance: 20}", "{distance: 20}", "it has no 'distance'"),
    "too large": ("{distance_cm: 40}", "{distance_cm: 400}", "400", "give a whole number from 5 to 100"),
    "no number": ("{distance_cm: 40}", "{distance_cm: far}", "far}", "key examples.0.values.distance_cm"),
    "nothing measured": ("{ahead_mm", "{ahaed_mm", "ahaed_mm", "nothing measures 'ahaed_mm'"),
    "bounds turned": ("[185, 215]", "[215, 185]", "[215, 185]", "from 215 to 185 holds nothing"),
    "no such light": ("lights: [blue]", "lights: [pink]", "arena", "'pink' is none of red"),
    "no such arena": ("arena: empty", "arena: ../empty", "../empty", "arena '../empty' is none of"),
    "no such key": ("    seeds: 2", "    sead: 2", "sead", "key tests.0.sead is unknown"),
    "no seeds": ("    seeds: 2", "    seeds: 0", "seeds: 0", "key tests.0.seeds"),
}  # fmt: skip


@pytest.mark.parametrize("case", BROKEN)
def test_what_is_wrong_is_told_in_one_line(case: str) -> None:
    """With the file and the line."""
    old, new, place, said = BROKEN[case]
    source = HOP.replace(old, new, 1)
    assert source != HOP
    with pytest.raises(LlmosError) as wrong:
        read(source)
    assert said in str(wrong.value)
    assert re.match(rf"hop\.md:{line_of(source, place) if place else '[0-9]+'}:", str(wrong.value))
    assert "\n" not in str(wrong.value)


def test_a_test_has_to_ask_for_something() -> None:
    """One without a measurement cannot fail."""
    lines = [line for line in HOP.split("\n") if "check:" not in line and "lights:" not in line]
    with pytest.raises(LlmosError, match=r"hop\.md:12: key tests\.0: the test asks for nothing"):
        read("\n".join(lines))


@given(st.text(alphabet="ab`-\n ;:lasm{}", max_size=100))
@settings(max_examples=40)
def test_no_text_breaks_the_reader(text: str) -> None:
    """Whatever stands around the program is a skill, or is refused by name."""
    for source in (text, HOP + text, f"{HOP[:-5]}{text}", HOP.replace("# Safety", text)):
        with contextlib.suppress(LlmosError):
            assert read(source).name == "hop"


@pytest.mark.parametrize("skill", [s for s in SKILLS.values() if s.kind == "physical"], ids=lambda s: s.name)
def test_lines_of_the_program_are_lines_of_the_file(skill: Skill) -> None:
    """So is what is refused; around the program nothing is left."""
    rows = skill.document.source.split("\n")
    program = skill.program({})
    for word in range(len(program.words)):
        line = program.line(word)
        assert rows[line - 1] == skill.text.split("\n")[line - 1] != ""
    assert assemble(skill.block).words == program.words


def test_another_program_in_its_place_changes_nothing_else() -> None:
    """The rest of the file stays; what the verifier refuses is refused."""
    skill = SKILLS["square"]
    other = skill.with_block(skill.block.replace("45mm/s", "30mm/s"))
    changed = [
        (a, b)
        for a, b in zip(skill.document.source.split("\n"), other.document.source.split("\n"), strict=True)
        if a != b
    ]
    assert [b.strip() for _, b in changed] == ["MOVE    side, 30mm/s"]
    assert other.version != skill.version
    assert other.with_block(skill.block).document.source == skill.document.source
    with pytest.raises(SkillError, match=r"square\.md:\d+: rule"):
        skill.with_block(skill.block.replace("LOOP    4", "LOOP    200"))


@pytest.mark.parametrize("skill", SKILLS.values(), ids=SKILLS)
def test_a_skill_goes_to_other_processes(skill: Skill) -> None:
    """As rollouts send it."""
    assert pickle.loads(pickle.dumps(skill)) == skill
