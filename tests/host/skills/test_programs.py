"""The skills that ship: every filling is a program that the robot accepts."""

from itertools import product

import pytest

from llmbytecode import assemble, verify
from llmos.inference._schema import conforms
from llmos.manifest import load_manifest
from llmos.skills import Skill, SkillError, call_text, load_skills

SKILLS = load_skills()
LIMITS = load_manifest("cube").limits


@pytest.mark.parametrize("skill", SKILLS.values(), ids=SKILLS)
def test_every_corner_of_the_ranges_is_accepted(skill: Skill) -> None:
    """With each parameter at its least, its greatest and its default."""
    ends = [sorted({p.lo, p.hi, p.default}) for p in skill.parameters]
    for values in product(*ends):
        keys = [p.key for p in skill.parameters]
        call = {"skill": skill.name, **dict(zip(keys, values, strict=True))}
        assert conforms(call, skill.schema)
        verify(assemble(call_text(call, SKILLS)), LIMITS)


@pytest.mark.parametrize("skill", SKILLS.values(), ids=SKILLS)
def test_every_forward_move_is_guarded(skill: Skill) -> None:
    """A skill that drives forward watches the way ahead."""
    assert verify(assemble(skill.text), LIMITS).guarded


def test_a_filling_changes_what_it_names_and_nothing_else() -> None:
    """The filled program differs in the parameter's line alone."""
    before, after = SKILLS["square"].block, SKILLS["square"].fill({"side_cm": 55})
    changed = [(a, b) for a, b in zip(before.splitlines(), after.splitlines(), strict=True) if a != b]
    assert [b.split(";")[0].split() for _, b in changed] == [[".const", "side", "55cm"]]


@pytest.mark.parametrize(
    ("call", "said"),
    [
        ({"skill": "fly"}, "none of this name"),
        ({"skill": "square", "side_cm": 81}, "from 5 to 80"),
        ({"skill": "square", "side_cm": "30"}, "from 5 to 80"),
        ({"skill": "square", "side_mm": 30}, "its parameters: side_cm"),
        ({}, "none of this name"),
    ],
)
def test_a_call_that_does_not_fit_is_refused(call: dict[str, object], said: str) -> None:
    """With what would fit."""
    with pytest.raises(SkillError, match=said):
        call_text(call, SKILLS)


@pytest.mark.parametrize("skill", SKILLS.values(), ids=SKILLS)
def test_every_example_is_a_call(skill: Skill) -> None:
    """There is one at least, and what it fills in is accepted."""
    assert skill.examples
    for _, call in skill.examples:
        assert conforms(call, skill.schema)
        verify(assemble(call_text(call, SKILLS)), LIMITS)


def test_every_skill_says_what_it_does() -> None:
    """In a sentence that a model and a person can choose by, with ranges that hold the default."""
    for skill in SKILLS.values():
        assert len(skill.description) > 20
        assert all(p.lo <= p.default <= p.hi and len(p.meaning) > 3 for p in skill.parameters)
