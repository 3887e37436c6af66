"""When the planner is set to work: every reason, their order, their rest, and where the figures come from."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmos.brains import Circumstances
from llmos.brains.escalation import NEW_CELLS, REASONS, Escalation, Sight, Track, needs_plan, reasons

# reason -> a cycle in which it alone holds, and one that is just not enough
CASES: dict[str, tuple[Sight, Sight]] = {
    "user_request": (Sight(Circumstances(asked=True)), Sight(Circumstances())),
    "stuck": (Sight(Circumstances(still_ms=5000)), Sight(Circumstances(still_ms=4999))),
    "looping": (Sight(Circumstances(visits=4)), Sight(Circumstances(visits=3))),
    "unknown_object": (Sight(Circumstances(doubtful=("thing",))), Sight(Circumstances())),
    "new_area": (Sight(Circumstances(new_room=True)), Sight(Circumstances())),
    "goal_requires_plan": (
        Sight(Circumstances(needs_plan=True)),
        Sight(Circumstances(needs_plan=True), planned=True),
    ),
    "frontier_exhaustion": (
        Sight(Circumstances(known=0.85, frontiers=3)),
        Sight(Circumstances(known=0.85, frontiers=4)),  # the offer is full: there may be more
    ),
    "low_confidence": (Sight(Circumstances(), confidence=0.39), Sight(Circumstances(), confidence=0.4)),
    "periodic": (Sight(Circumstances(), since=50), Sight(Circumstances(), since=49)),
}

circumstances = st.builds(
    Circumstances,
    still_ms=st.sampled_from([0, 5000]),
    visits=st.sampled_from([0, 4]),
    known=st.sampled_from([0.5, 0.9]),
    frontiers=st.integers(0, 4),
    doubtful=st.sampled_from([(), ("thing",)]),
    new_room=st.booleans(),
    needs_plan=st.booleans(),
    asked=st.booleans(),
)


@pytest.mark.parametrize("name", REASONS)
def test_every_reason_can_be_raised_alone(name: str) -> None:
    """Each holds where it should, and not where a little is missing."""
    enough, short = CASES[name]
    assert (reasons(enough), reasons(short)) == ([name], [])


@pytest.mark.parametrize(("known", "frontiers"), [(0.84, 3), (0.95, 0)])
def test_a_room_is_not_exhausted_before_its_end_nor_after(known: float, frontiers: int) -> None:
    """Neither while much is unknown, nor when no frontier is left."""
    assert reasons(Sight(Circumstances(known=known, frontiers=frontiers))) == []


def test_the_weightiest_reason_is_raised_first_and_the_others_after_it() -> None:
    """All at once come one a cycle, in the order of the table."""
    everything = Circumstances(9000, 9, 0.9, 2, ("thing",), True, True, True)
    escalation = Escalation()
    found = [escalation.reason(everything, 50 + n, confidence=0.1) for n in range(8)]
    assert found == ["user_request"] * 8  # who asks anew in each cycle is served in each
    lasting = Circumstances(9000, 9, 0.9, 2, ("thing",), False, True, False)
    escalation = Escalation()
    found = [escalation.reason(lasting, 50 + n, confidence=0.1) for n in range(7)]
    assert found == [
        "stuck",
        "looping",
        "unknown_object",
        "goal_requires_plan",
        "frontier_exhaustion",
        "low_confidence",
        "",
    ]


@pytest.mark.parametrize("name", [name for name, rule in REASONS.items() if not rule.event])
def test_what_lasts_is_not_raised_in_every_cycle(name: str) -> None:
    """A reason rests after it was raised, then comes again if it still holds."""
    now, rest = CASES[name][0], REASONS[name].rest
    escalation = Escalation()
    raised = [
        cycle
        for cycle in range(100, 100 + 3 * rest)
        if escalation.reason(now.now, cycle, confidence=now.confidence, planned=now.planned) == name
    ]
    assert raised == [100, 100 + rest, 100 + 2 * rest]


@pytest.mark.parametrize("name", ["user_request", "new_area"])
def test_an_event_waits_until_the_planner_is_free(name: str) -> None:
    """What is true in one cycle only is not lost while a plan is in the making, and raised once."""
    escalation = Escalation()
    quiet = Circumstances()
    assert escalation.reason(CASES[name][0].now, 1, free=False) == ""
    assert escalation.reason(quiet, 2, free=False) == ""
    assert [escalation.reason(quiet, cycle) for cycle in (3, 4, 5)] == [name, "", ""]


def test_a_cycle_may_ask_twice() -> None:
    """Before the instinct has chosen and after: what was raised before is not raised again for the cycle."""
    escalation = Escalation()
    asked = Circumstances(asked=True)
    assert escalation.reason(asked, 7) == "user_request"
    assert escalation.reason(asked, 7, confidence=0.9) == ""
    assert escalation.reason(Circumstances(), 8) == ""
    assert escalation.reason(Circumstances(), 9, confidence=0.1) == "low_confidence"


@given(
    st.lists(st.tuples(circumstances, st.none() | st.floats(0, 1), st.booleans(), st.booleans()), max_size=80)
)
def test_nothing_is_raised_without_ground(
    cycles: list[tuple[Circumstances, float | None, bool, bool]],
) -> None:
    """Only while the planner is free, only what holds or is an event that waited, and after its rest."""
    escalation, last, events = Escalation(), dict[str, int](), set[str]()
    for cycle, (now, confidence, planned, free) in enumerate(cycles, 1):
        since = cycle - max(last.values(), default=0)
        holding = set(reasons(Sight(now, since, confidence, planned)))
        events |= {name for name in holding if REASONS[name].event}
        name = escalation.reason(now, cycle, confidence=confidence, planned=planned, free=free)
        assert free or not name
        if name:
            assert name in holding | events
            assert cycle - last.get(name, -1000) >= REASONS[name].rest
            last[name] = cycle
            events.discard(name)


def test_a_robot_that_circles_without_news_loops_and_news_end_it() -> None:
    """Four visits to one place are a loop; new ground forgets them."""
    track = Track()
    way = [(0.3 * math.cos(a), 0.3 * math.sin(a)) for a in (0, 1.5, 3, 4.5)] * 4
    seen = [track.note(place, 20_000 * n, 1000)[1] for n, place in enumerate(way)]
    assert (seen[0], max(seen)) == (1, 4)
    assert track.note(way[0], 400_000, 1000 + NEW_CELLS - 1)[1] > 3
    assert track.note(way[0], 420_000, 1000 + NEW_CELLS) == (0, 1)


def test_a_robot_that_stands_and_sees_nothing_new_is_stuck() -> None:
    """The time counts from the last five centimetres, or the last new ground, by the robot's clock."""
    track = Track()
    assert track.note((0.0, 0.0), 1000, 500) == (0, 1)
    assert track.note((0.04, 0.0), 9000, 500)[0] == 8000
    assert track.note((0.04, 0.0), 12_000, 600)[0] == 0  # a look round that has shown something
    assert track.note((0.0, 0.0), 15_000, 600)[0] == 3000
    assert track.note((0.10, 0.0), 16_000, 600)[0] == 0


@pytest.mark.parametrize(
    ("goal", "wanted"),
    [
        ("find the red box", True),
        ("Explore the room", True),
        ("bring me the ball", True),
        ("collecting things", True),
        ("drive to 1.0, 1.5", False),
        ("a profound bridge", False),
        ("", False),
    ],
)
def test_goals_of_several_steps(goal: str, wanted: bool) -> None:
    """A goal of several steps is told by its verb, at the start of a word."""
    assert needs_plan(goal) == wanted
