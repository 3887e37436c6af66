"""A sentence sets a place to reach, or a room to explore."""

import pytest

from llmos.kernel.goal import GoalError, read_goal

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
