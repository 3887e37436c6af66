"""The teacher's word is what the true map says, whatever the robot's map holds."""

import math
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmos.brains.points import doubt
from llmos.kernel.goal import read_goal
from llmos.manifest import load_manifest
from llmos.sim.arena import load_arena
from llmos.teacher import TIE_M, Drive, Seen, Teacher, best, disguised, frames, regrets, wanted
from llmos.training import data, decisions
from llmos.world.grid import Grid

CUBE = load_manifest("cube")


@pytest.fixture(scope="module")
def seen() -> list[Seen]:
    """Frames of three drives: to a goal, exploring, and of a robot that is held."""
    office, maze = load_arena("office:3"), load_arena("maze:7")
    drives = [
        (office, Drive("go to the goal", astray=0.5, seed=1)),
        (office, Drive("explore", seed=2)),
        (maze, Drive("go to the goal", astray=0.3, seed=3, held=0.3)),
    ]
    return [frame for arena, what in drives for frame in frames(arena, CUBE, what)]


def test_there_are_frames_of_every_kind(seen: list[Seen]) -> None:
    kinds = {one.type for each in seen for one in each.frame.candidates}
    assert kinds == {"subgoal", "frontier", "recovery"}
    assert {each.frame.goal_m is None for each in seen} == {True, False}


def test_no_way_is_shorter_than_straight() -> None:
    office = load_arena("office:3")
    teacher, grid = Teacher(office, CUBE), Grid(office.size_m)
    for each in frames(office, CUBE, Drive("go to the goal", astray=0.5, seed=1)):
        costs, here, goal = teacher.costs(each.frame, grid), each.frame.state.position_m, each.frame.goal_m
        for one in each.frame.candidates:
            straight = math.dist(here, one.pos_m) + math.dist(one.pos_m, goal)
            assert costs[one.id] >= straight - 0.4  # a candidate stands for the ground around it


def test_a_wall_between_makes_the_way_longer() -> None:
    # The same frame in two arenas: with a wall between robot and goal, and without.
    office = load_arena("office:3")
    bare = office.model_copy(update={"walls": ()})
    found = list(frames(office, CUBE, Drive("go to the goal", seed=1)))
    for each in found:
        grid = Grid(office.size_m)
        walled, free = (Teacher(place, CUBE).costs(each.frame, grid) for place in (office, bare))
        assert all(walled[name] >= free[name] - 0.05 for name in walled)
    assert any(min(each.lost.values()) == 0 for each in found)


lost = st.dictionaries(st.text("abc", min_size=1, max_size=3), st.floats(0, 9), min_size=1, max_size=5)


@given(lost)
def test_ties_are_ties_and_the_worse_is_wanted_less(costs: dict[str, float]) -> None:
    left = regrets(costs)
    shares = wanted(left)
    assert sum(shares.values()) == pytest.approx(1)
    assert len({shares[name] for name in best(left)}) == 1
    for one in left:
        for other in left:
            if left[one] < left[other] and left[other] > TIE_M:
                assert shares[one] >= shares[other]


def test_who_knows_no_way_teaches_nothing() -> None:
    assert regrets({"c1": math.inf, "c2": math.inf}) == {}
    assert regrets({}) == {}


def test_a_disguise_changes_names_and_order_alone(seen: list[Seen]) -> None:
    chance = Random(1)
    for each in seen:
        other = disguised(each, chance)
        before = sorted((one.pos_m, each.lost[one.id]) for one in each.frame.candidates)
        after = sorted((one.pos_m, other.lost[one.id]) for one in other.frame.candidates)
        assert before == after
        assert len(set(other.lost)) == len(each.lost)


def test_neither_place_nor_name_tells_the_best(seen: list[Seen]) -> None:
    chance, firsts, count = Random(2), 0.0, 0
    for _ in range(40):
        for each in seen:
            other = disguised(each, chance)
            firsts += (other.frame.candidates[0].id in best(other.lost)) - len(best(other.lost)) / len(
                other.lost
            )
            count += 1
    assert abs(firsts / count) < 0.05


def test_hidden_scores_are_nowhere(seen: list[Seen]) -> None:
    chance = Random(3)
    for each in seen:
        example = decisions.short_example(each, chance)
        assert set(example["answers"]) == set(each.lost)
        assert sum(example["weights"]) == pytest.approx(1, abs=0.01)
        assert "score" not in each.frame.text(scores=False)
        words = each.frame.short(scores=False).split()
        assert not {"bad", "poor", "fair", "good"} & set(words[:-1])


@pytest.mark.parametrize(("place", "state"), [((0.4, 0.0), "obstacle"), ((-0.4, 0.0), "free")])
def test_of_a_doubtful_cell_the_truth_is_taught(
    seen: list[Seen], place: tuple[float, float], state: str
) -> None:
    walled = load_arena("empty").model_copy(update={"walls": ((0.4, -1.0, 0.4, 1.0),)})
    truth = Teacher(walled, CUBE).state_of(place, 0.1)
    told = list(decisions.taught(seen[0]._replace(doubt=(doubt(place, "free"), truth)), Random(0)))
    (example,) = (one for one in told if one["system"] == "correction")
    assert dict(zip(example["answers"], example["weights"], strict=True))[state] == 1.0
    assert f"{place[0]}," in example["user"]


def test_the_split_keeps_families_and_seeds_apart() -> None:
    assert "office" not in decisions.FAMILIES
    assert decisions.VALIDATE >= 10_000
    validated = math.ceil(data.Amounts().decisions * data.VALIDATION["decisions"])
    assert decisions.VALIDATE + validated <= decisions.TRAIN


@pytest.mark.parametrize("kind", ["PLACES", "GOALS", "ROOMS"])
def test_every_wording_is_understood_as_meant(kind: str) -> None:
    for words in getattr(decisions, kind):
        goal = read_goal(words.format("1.0, 0.5"), (0.0, 0.0), (5.0, 5.0))
        meant = {"PLACES": (1.0, 0.5), "GOALS": (0.0, 0.0), "ROOMS": None}[kind]
        assert goal.place_m == meant, words
        assert not goal.behaviour, words
