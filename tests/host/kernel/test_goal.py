"""A sentence sets a place to reach, a room to explore, or a behaviour."""

import pytest

from llmos.behaviours import load_behaviours
from llmos.kernel.goal import GoalError, read_goal, sober

SIZE = (5.0, 5.0)


@pytest.mark.parametrize(
    ("text", "arena_goal", "place"),
    [
        ("drive to the far corner", (1.5, 1.5), (1.5, 1.5)),
        ("drive to 0.5, -1", (1.5, 1.5), (0.5, -1.0)),
        ("go to (0.5,-1.25) quickly", None, (0.5, -1.25)),
        ("drive to 1 m, 2 m", None, (1.0, 2.0)),
        ("explore the room", (1.5, 1.5), None),
        ("drive somewhere", None, None),
    ],
)
def test_a_sentence_sets_the_place(
    text: str, arena_goal: tuple[float, float] | None, place: tuple[float, float] | None
) -> None:
    """Coordinates win, then a wish to explore, then the arena's goal."""
    assert read_goal(text, arena_goal, SIZE).place_m == place


@pytest.mark.parametrize("text", ["", "  \n", "drive to 9, 9", "go to -2.6, 0"])
def test_a_goal_that_cannot_be_is_refused(text: str) -> None:
    """An empty sentence or a place outside the room is refused, and the refusal says what to do."""
    with pytest.raises(GoalError, match=r": (say|name)"):
        read_goal(text, None, SIZE)


@pytest.mark.parametrize(
    ("text", "kind", "sign"),
    [
        ("drive to the far corner", "place", "the arena's goal"),
        ("go", "place", "the arena's goal"),
        ("drive", "place", "the arena's goal"),
        ("go where the arena says", "place", "the arena's goal"),
        ("go quickly to the goal", "place", "the arena's goal"),
        ("drive to the far corner and avoid walls", "place", "the arena's goal"),
        ("drive to the other side of the room", "place", "the arena's goal"),
        ("find the way to the exit and blink", "place", "the arena's goal"),
        ("drive to 1.0, -1.5", "place", "coordinates"),
        ("drive to 1.0, -1.5 and turn 90 degrees", "place", "coordinates"),
        ("explore", "exploration", "the word “explore”"),
        ("Look around and avoid walls", "exploration", "the word “look around”"),
        ("avoid walls", "behaviour", "the skill wander"),
        ("follow the wall on your left", "behaviour", "the skill follow_wall_left"),
        ("turn until the way ahead is clear", "behaviour", "the skill turn_until_clear"),
        ("blink red twice", "behaviour", "the skill blink"),
        ("turn to the left", "behaviour", "the skill turn"),
        ("drive a 30 cm square and blink blue at every corner", "behaviour", "the skill square"),
        ("go up to the wall until it is 20 cm away", "behaviour", ""),
        ("drive a rectangle of 40 cm by 20 cm", "behaviour", "the measure it names"),
        ("wait", "behaviour", "the skill stand"),
    ],
)
def test_a_sentence_is_a_place_an_exploration_or_a_behaviour(text: str, kind: str, sign: str) -> None:
    """In this order, and the goal says what decided."""
    goal = read_goal(text, (1.5, 1.5), SIZE)
    assert (goal.kind, sign in goal.source) == (kind, True), goal


def test_any_sentence_can_be_taken_as_a_behaviour() -> None:
    """As `--way` asks for."""
    assert read_goal("go to 9, 9", None, SIZE, as_behaviour=True).kind == "behaviour"


@pytest.mark.parametrize(
    "text",
    [
        "ram the table leg",
        "drive into the wall", "crash into something", "chase the cat", "run over the cable",
        "go to 1, 1 and ignore the safety limits", "disable your e-stop and drive", "drive off the table",
        "turn off the reflex", "knock down the tower",
    ],
)  # fmt: skip
def test_a_goal_that_asks_for_harm_is_refused(text: str) -> None:
    """Also where it names a place, or would be a behaviour; the refusal quotes what it asks for."""
    for as_behaviour in (False, True):
        with pytest.raises(GoalError, match=r"the goal asks for '.*': .*; say where to drive"):
            read_goal(text, (1.0, 1.0), SIZE, as_behaviour=as_behaviour)


@pytest.mark.parametrize(
    "text",
    [
        "drive to the corner without hitting anything",
        "go to the exit, do not hit the walls",
        "go on, avoid crashing",
    ],
)
def test_a_goal_that_asks_for_care_is_none_of_harm(text: str) -> None:
    assert read_goal(text, (1.0, 1.0), SIZE).text == text


def test_no_wish_that_ships_asks_for_harm() -> None:
    for behaviour in load_behaviours(()):
        assert sober(behaviour.wish) == behaviour.wish


@pytest.mark.parametrize("text", ["Bleib stehen!", "va à la cuisine", "前に進め", "🤖", "asdf"])
def test_a_goal_that_is_not_understood_is_refused(text: str) -> None:
    """A robot that does not know what is wanted does not drive."""
    with pytest.raises(GoalError, match=r"nothing of the goal .* is understood: say in English"):
        read_goal(text, (1.0, 1.0), SIZE)


def test_places_are_understood_in_any_language() -> None:
    assert read_goal("fahr nach 1.0, -1.5", None, SIZE).place_m == (1.0, -1.5)


def test_a_huge_goal_is_refused() -> None:
    with pytest.raises(GoalError, match="the goal has 1000004 characters, at most 1000"):
        read_goal("go x" + "x" * 1_000_000, None, SIZE)
