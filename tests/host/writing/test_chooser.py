"""Choosing a skill for a wish: what words settle, what is left to the kernel, and that every answer runs."""

import json

import pytest

from llmos.behaviours import load_behaviours
from llmos.inference import open_kernel
from llmos.manifest import load_manifest
from llmos.skills import load_skills
from llmos.writing import choose_program
from llmos.writing._chooser import call_schema, quantities, question, ranked, values

SKILLS = load_skills()
CUBE = load_manifest("cube")


@pytest.mark.parametrize(
    ("wish", "found"),
    [
        ("Drive 30 cm.", [(300, "mm")]),
        ("half a metre, then 1.5 m", [(500, "mm"), (1500, "mm")]),
        ("turn 90 degrees at 20 degrees per second", [(90, "deg"), (20, "deg/s")]),
        ("at 40 mm/s for half a second", [(40, "mm/s"), (500, "ms")]),
        ("blink three times", [(3, "")]),
        ("turn -45deg", [(-45, "deg")]),
        ("a hexagon", [(6, "")]),
        ("follow someone", []),
    ],
)
def test_the_numbers_of_a_wish(wish: str, found: list[tuple[int, str]]) -> None:
    """In digits or words, with their units."""
    assert quantities(wish) == found


@pytest.mark.parametrize(
    ("skill", "key", "wish", "allowed"),
    [
        ("square", "side_cm", "a square of 40 cm", [40]),
        ("square", "side_cm", "a square", [30]),
        ("square", "side_cm", "a square of 4 m", []),
        ("forward", "distance_cm", "go 3 km ahead", []),
        ("square", "red", "blink red at the corners", [255]),
        ("square", "blue", "blink red at the corners", [0]),
        ("light", "blue", "switch the light off", [0]),
        ("turn", "angle_deg", "turn right by 60 degrees", [-60]),
        ("turn", "angle_deg", "turn left by 60 degrees", [60]),
        ("turn", "angle_deg", "turn by 60 degrees", [60, -60]),
    ],
)
def test_what_a_parameter_can_be(skill: str, key: str, wish: str, allowed: list[int]) -> None:
    """The numbers that the wish names in its unit, else the default."""
    parameter = next(p for p in SKILLS[skill].parameters if p.key == key)
    assert values(parameter, wish) == allowed


def test_every_example_is_found_by_its_own_words() -> None:
    """And its call is legal under the schema that its wish makes, wherever the wish names the numbers."""
    for skill in SKILLS.values():
        for wish, _ in skill.examples:
            assert ranked(wish, SKILLS)[0] is skill, wish


def test_chance_under_the_schema_always_fills_a_skill() -> None:
    """Whatever is picked assembles and is accepted: the schema leaves nothing to get wrong."""
    kernel = open_kernel("random")
    for seed, behaviour in enumerate(load_behaviours()):
        draft = choose_program(behaviour.wish, kernel, CUBE, offered=4, seed=seed)
        assert draft.accepted, draft.text


def test_a_number_that_does_not_fit_is_refused() -> None:
    """No kernel is asked, nothing is driven, and the bounds are said."""
    draft = choose_program("Drive 3 m ahead.", open_kernel("random"), CUBE)
    assert not draft.accepted
    assert draft.program is None
    assert "from 1 to 200 cm" in draft.attempts[0].refusal


def test_a_wish_is_quoted_data() -> None:
    """It stands in one line of the question, its quotes escaped."""
    asked = question('say "stop"', ranked("stop", SKILLS)[:2])
    assert asked.splitlines()[-1] == 'Wish: "say \\"stop\\""'


def test_the_schema_names_the_numbers() -> None:
    """A kernel may answer with them alone."""
    schema = call_schema(SKILLS["forward"], "go 70 cm")
    assert json.dumps(schema["properties"]["distance_cm"]) == '{"enum": [70]}'
