"""The tests in the skills' own files: each skill passes its own; one that does something else does not."""

from dataclasses import replace

import pytest

from llmos.measures import Drive, faults
from llmos.skills import Case, cases, load_skills, try_case
from llmos.skills.checking import checks, run_check
from llmos.trial import try_block

SKILLS = load_skills(kind="")


@pytest.mark.parametrize("name", SKILLS)
def test_a_skill_passes_its_own_tests(name: str) -> None:
    """One seed of each."""
    todo = checks(SKILLS[name], range(1))
    assert todo
    for check in todo:
        done = run_check(check)
        assert done.success, (check.name, done.faults)


def test_a_failure_says_what_was_measured_and_what_was_asked() -> None:
    """In words and in numbers."""
    skill = SKILLS["forward"]
    slow = skill.with_block(skill.block.replace("MOVE    distance", "MOVE    10cm"))
    done = try_case(slow, Case("empty", values={"distance_cm": 30}, check={"ahead_mm": (285, 315)}))
    assert done.faults == ("ahead_mm 100, not 285 to 315",)
    assert done.misses == {"ahead_mm": (pytest.approx(100, abs=2), 285, 315)}
    assert not done.success


def test_an_end_that_was_not_asked_for_is_a_failure() -> None:
    """Completing where it should fail, and the other way about."""
    skill = SKILLS["forward"]
    blocked = Case("near_wall", values={"distance_cm": 50})
    assert try_case(skill, blocked).faults == ("it ended as failed with code 1, not completed",)
    assert try_case(skill, Case("near_wall", values={"distance_cm": 2}, code=1)).faults == (
        "it ended as completed, not failed with code 1",
    )


def test_a_collision_is_a_failure() -> None:
    """Whatever else was right."""
    trial = try_block(SKILLS["stand"].program({"time_s": 1}))
    assert faults(Drive(trial, 0.075), {}) == []
    last = trial.truth.samples[-1]._replace(collisions=1)
    hit = replace(trial, truth=replace(trial.truth, samples=[*trial.truth.samples[:-1], last]))
    assert faults(Drive(hit, 0.075), {}) == ["it hit something"]


def test_what_is_refused_is_told() -> None:
    """It is not raised, as a thousand rollouts shall go on."""
    skill = SKILLS["forward"]
    assert "distance_cm is 999" in try_case(skill, Case("empty", values={"distance_cm": 999})).refused
    assert "unknown" in try_case(skill, Case("castle")).refused


def test_seeds_make_cases() -> None:
    """A family has an arena for each; a fixed arena has other noise."""
    found = cases(SKILLS["creep_to_wall"], [7, 1001])
    assert [case.arena for case in found[:2]] == ["wall:7", "wall:1001"]
    assert [case.arena for case in found[2:]] == ["wall_ahead", "wall_ahead", "empty", "empty"]
    assert [case.seed for case in found] == 3 * [7, 1001]
    assert len(cases(SKILLS["creep_to_wall"])) == 3 + 1 + 1
    assert cases(SKILLS["measure_room"]) == []


def test_the_same_case_measures_the_same() -> None:
    """All chance is the seed's."""
    case = cases(SKILLS["creep_to_wall"], [3])[0]
    assert try_case(SKILLS["creep_to_wall"], case) == try_case(SKILLS["creep_to_wall"], case)
