"""Variants: whatever an operator, a crossover or a model does, it makes a skill that the robot takes."""

from collections import Counter
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmbytecode import verify
from llmos.evolution.lenses import Lenses, Reflection, load_lenses
from llmos.evolution.lines import Quantity, read_rows, written_rows
from llmos.evolution.operators import OPERATORS
from llmos.evolution.variants import (
    Refusals,
    Variant,
    blocks_of,
    by_weight,
    checked,
    crossed,
    first_line,
    identity,
    mutated,
    reverted,
)
from llmos.inference import Answer, Around, InferenceError, Kernel, Request, open_kernel
from llmos.manifest import load_manifest
from llmos.resources import system_volume
from llmos.skills import load_skills, skill_of
from llmos.volumes import DocumentError, parse

SKILLS = load_skills()
LIMITS = load_manifest().limits
EVEN = by_weight(dict.fromkeys(OPERATORS, 1.0))
PLAIN = skill_of(
    parse(
        "---\nname: plain\ntype: physical\ndescription: Drives a little, and looks at nothing.\n---\n"
        "```lasm\n        MOVE    10cm, 40mm/s\n        TURN    90deg, 30deg/s\n        END\n```\n",
        Path("plain.md"),
    )
)
LENSES = (system_volume() / "kernel" / "lenses.md").read_text(encoding="utf-8")


def test_rows_are_the_lines_again() -> None:
    """Of every program that ships."""
    for skill in SKILLS.values():
        lines = [line.rstrip() for line in skill.block.split("\n")]
        assert written_rows(read_rows(skill.block)).split("\n") == lines


@settings(max_examples=60)
@given(
    number=st.fractions(1, 500, max_denominator=10),
    unit=st.sampled_from(["mm", "cm", "m", "mm/s", "deg", "ms", "s", ""]),
    factor=st.sampled_from([0.3, 0.5, 0.95, 1.05, 2.0]),
)
def test_a_scaled_quantity_goes_the_way_that_was_meant(number, unit, factor) -> None:
    """It is never what it was, keeps its kind, and is a whole number."""
    old = Quantity(number, unit)
    new = old.times(factor)
    assert (new.base > old.base) == (factor > 1) or abs(new.base - old.base) <= 1
    assert new.base != old.base
    assert (new.kind, new.number.denominator) == (old.kind, 1)


@settings(max_examples=12)
@given(name=st.sampled_from(sorted(SKILLS)), seed=st.integers(0, 2**32))
def test_a_mutant_is_a_skill_that_the_robot_takes(name: str, seed: int) -> None:
    """It verifies, keeps parameters and ranges, and does something else; its seed makes it again."""
    parent = Variant(SKILLS[name])
    child, again = (mutated(parent, Random(seed), EVEN, Refusals()) for _ in range(2))
    assert child == again
    if child is None:
        return
    verify(child.skill.program({}), LIMITS)
    ranges = [(one.key, one.lo, one.hi) for one in parent.skill.parameters]
    assert [(one.key, one.lo, one.hi) for one in child.skill.parameters] == ranges
    assert blocks_of(child.skill) <= blocks_of(parent.skill)
    assert child.id != parent.id
    assert child.skill.front == parent.skill.front
    assert first_line(parent.skill) <= child.line


@pytest.mark.parametrize("operator", OPERATORS)
def test_each_operator_changes_some_program(operator: str) -> None:
    """Somewhere among the skills that ship, in a way that passes verifier and audit."""
    for skill in [*SKILLS.values(), PLAIN]:
        rows = read_rows(skill.block)
        for place in OPERATORS[operator].places(rows):
            for seed in range(4):
                changed = OPERATORS[operator].act(rows, place, Random(seed))
                if (
                    changed
                    and (made := checked(skill, changed, Refusals()))
                    and identity(made) != identity(skill)
                ):
                    return
    pytest.fail(f"{operator} changes nothing")


def test_what_does_the_same_is_the_same() -> None:
    """A comment and spaces make no new program; a number does."""
    square = SKILLS["square"]
    assert identity(square.with_block("; hello\n" + square.block)) == identity(square)
    assert identity(square.with_block(square.block.replace("45mm/s", "44mm/s"))) != identity(square)


@settings(max_examples=12)
@given(seed=st.integers(0, 2**32), name=st.sampled_from(["square", "wander", "creep_to_wall", "zigzag"]))
def test_a_child_of_two_has_lines_of_both_only(seed: int, name: str) -> None:
    """And verifies, as every variant does."""
    chance, parent = Random(seed), Variant(SKILLS[name])
    one, other = (mutated(parent, chance, EVEN, Refusals()) or parent for _ in range(2))
    child = crossed(one, other, chance, Refusals())
    if child is None:
        return
    verify(child.skill.program({}), LIMITS)
    both = {str(row) for parent in (one, other) for row in read_rows(parent.skill.block)}
    assert {str(row) for row in read_rows(child.skill.block)} <= both
    assert child.parents == (one.id, other.id)


def test_an_unguarded_move_is_never_made_of_a_guarded_one() -> None:
    """The audit refuses it, whatever bred it."""
    refusals, chance = Refusals(), Random(3)
    pick = by_weight({"remove_line": 1.0})
    for _ in range(12):
        child = mutated(Variant(SKILLS["forward"]), chance, pick, refusals)
        assert child is None or not blocks_of(child.skill)
    assert refusals["audit: guarded"] > 0


# Lenses.


def lenses(folder: Path, old: str, new: str) -> Lenses:
    """The views as a user's own file gives them."""
    assert old in LENSES
    own = folder / "volumes" / "user" / "kernel" / "lenses.md"
    own.parent.mkdir(parents=True, exist_ok=True)
    own.write_text(LENSES.replace(old, new, 1), encoding="utf-8")
    return load_lenses()


def test_the_file_of_lenses_is_read(state_folder: Path) -> None:
    """Each of its rules changes what is bred."""
    assert lenses(state_folder, "crossover: 0.4", "crossover: 0.0").crossover == 0
    assert lenses(state_folder, "reflection: 0.3", "reflection: 1.0").reflection == 1
    mute = lenses(state_folder, "circuits:\n    weight: 1.0", "circuits:\n    weight: 0")
    assert "circuits" not in {mute.drawn(Random(seed)) for seed in range(200)}
    told = lenses(state_folder, "See the program as a circuit.", "See a river.").lenses["circuits"]
    assert told.perspective.startswith("See a river.")
    more = lenses(state_folder, "{guard_move: 4, measure_first: 3,", "{guard_move: 40, measure_first: 3,")
    assert more.weights("circuits", {})["guard_move"] == 40
    hit = lenses(state_folder, "collision: {guard_move: 4,", "collision: {guard_move: 9,")
    assert hit.weights("circuits", {"collision": 2})["guard_move"] == 4 * (1 + 9)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("guard_move: 4", "jump: 4", "operator 'jump' is none of"),
        ("  collision:", "  boredom:", "failure 'boredom' is none of"),
        ("crossover: 0.4", "crossover: 4", "lenses.md:5: key crossover"),
    ],
)
def test_a_wrong_file_of_lenses_is_refused(state_folder: Path, old: str, new: str, said: str) -> None:
    """By name."""
    with pytest.raises(DocumentError, match=said):
        lenses(state_folder, old, new)


class Broken:
    """A model that fails."""

    name, vision, parameters = "broken", False, None

    def __call__(self, request: Request) -> Answer:
        raise InferenceError("no answer")

    def count(self, text: str) -> int:
        return len(text)

    def close(self) -> None:
        """Nothing is held."""


def reflected(kernel: Kernel, seed: int) -> Variant | None:
    """A variant that a model chose."""
    faults = Counter({"it hit something": 3})
    rules = load_lenses()
    pick = Reflection(kernel).picker(rules.weights("circuits", {"collision": 3}), "Think.", faults)
    return mutated(Variant(SKILLS["wander"]), Random(seed), pick, Refusals(), "circuits")


@pytest.mark.parametrize(("spec", "by"), [("random", "random"), ("broken", "chance")])
def test_a_model_chooses_operator_and_place_and_one_that_fails_is_replaced_by_chance(spec, by) -> None:
    """Whatever it says, a verified variant comes out, and is told whose idea it was."""
    children = [reflected(Broken() if spec == "broken" else open_kernel(spec), seed) for seed in range(6)]
    assert all(children)
    assert by in {child.by for child in children}


def test_smollm2_reflects(smollm2: Kernel) -> None:
    """The model that ships chooses under constraints: of the operators that fit, and of their lines."""
    asked: list[Request] = []

    class Heard(Around):
        def __call__(self, request: Request) -> Answer:
            asked.append(request)
            return self._kernel(request)

        def close(self) -> None:
            """It is the session's."""

    child = reflected(Heard(smollm2), 1)
    assert child is not None
    assert [set(request.choices) <= set(OPERATORS) for request in asked][:1] == [True]
    assert all("What went wrong:\n- it hit something (3 times)" in request.user for request in asked)


def test_a_change_that_is_taken_back_leaves_the_others() -> None:
    """One variant for each change, line by line; taken back one after the other, the original is left."""
    skill = SKILLS["square"]
    changed = skill.block.replace("45mm/s", "40mm/s").replace("front < 18cm", "front < 20cm")
    changed = changed.replace("WAIT    200ms", "WAIT    300ms")
    variant = Variant(skill.with_block(changed))
    simpler = reverted(variant, skill, Refusals())
    assert len(simpler) == 3
    diffs = [len([line for line in one.diff(skill) if line.startswith("+")]) for one in (variant, *simpler)]
    assert diffs == [3, 2, 2, 2]
    assert len({one.id for one in simpler}) == 3
    assert reverted(Variant(skill), skill, Refusals()) == []
