"""What the model reads is bounded, whatever the room and whoever speaks, and says what it must."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmos.inference._session import CONTEXT_TOKENS, Session
from llmos.inference._weights import fast_weights, packaged_weights
from llmos.kernel.frame import (
    FrameCandidate,
    FrameState,
    HistoryEntry,
    LastStep,
    NavigationFrame,
    SymbolicLayer,
    WorldModel,
    one_line,
)
from llmos.kernel.prompt import system_prompt
from llmos.world.grid import Grid
from llmos.world.serialize import ascii_maps

TEXT_TOKENS, RICH_TOKENS, MAPS_TOKENS, SHORT_TOKENS, ANSWER_TOKENS = 840, 1028, 570, 60, 96

WORLD = WorldModel(cell_m=0.1, shape=(1, 1), free_pct=0, occupied_pct=0, unknown_pct=100, rle="U")
KINDS = ("subgoal", "frontier", "recovery", "waypoint")
texts = st.text(max_size=400) | st.sampled_from(["機" * 400, "🤖" * 400, "c1 " * 200, "\n" * 300, "x" * 4000])
metres = st.floats(-99, 99)
onward = st.none() | st.floats(0, 99)


@pytest.fixture(scope="module")
def session():
    weights = packaged_weights()
    if weights is None:
        pytest.skip("the model's weights are not packaged here")
    opened = Session(fast_weights(weights))
    yield opened
    opened.close()


def candidate(number, kind="frontier", score=0.5, path_m=1.0, note="", pos_m=(1.0, 2.0), onward_m=None):
    return FrameCandidate(
        id=f"c{number}", type=kind, pos_m=pos_m, score=score, path_m=path_m, note=note, onward_m=onward_m
    )


def frame(candidates=(), goal="go to 1.0,2.0", last=None, history=(), objects=(), room="", foresight=""):
    state = FrameState(
        mode="avoiding_obstacle", position_m=(-12.3, -4.5), yaw_deg=359, speed_mps=0, battery_pct=100,
        is_stuck=True, stuck_counter=12, confidence=1, sensor_age_ms=99_999,
    )  # fmt: skip
    return NavigationFrame(
        cycle=1, goal=goal, goal_m=(-12.3, -45.6), world_model=WORLD,
        symbolic_layer=SymbolicLayer(objects=list(objects), room=room), candidates=list(candidates),
        last_step=last, state=state, history=list(history), foresight=foresight,
    )  # fmt: skip


def seen(label, age_ms=2500):
    return {"id": "t1", "type": "object", "bbox_m": [0, 0, 1, 1], "label": label, "pos_m": (-12.3, -1.0),
            "confidence": 0.5, "age_ms": age_ms}  # fmt: skip


def maps(size, place, seed):
    """The maps of a room full of everything, which no tokenizer can press together."""
    random = np.random.default_rng(seed)
    grid = Grid(size)
    grid.logodds[:] = random.choice([-2.9, 0.0, 4.0], grid.shape)
    grid.visits[:] = random.integers(0, 2, grid.shape)
    pose = (place[0] * size[0] / 2, place[1] * size[1] / 2, 1.0)
    return ascii_maps(grid, pose, (0.0, 0.0))


@settings(max_examples=25)
@given(
    st.lists(st.builds(candidate, st.integers(1, 4), st.sampled_from(KINDS), st.floats(0, 1),
             st.floats(0, 99), texts, st.tuples(metres, metres), onward), max_size=4),
    texts, texts, texts, texts, texts, st.integers(0, 60),
)  # fmt: skip
def test_the_text_is_bounded_in_tokens(session, candidates, goal, details, label, room, said, many):
    last = LastStep(action=said, result="collision", details=details)
    history = [HistoryEntry(cycle=n, action=said, result="blocked") for n in range(1, many + 1)]
    whole = frame(candidates, goal, last, history, [seen(label)] * many, room, said)
    assert len(session.tokens(whole.text())) <= TEXT_TOKENS
    assert len(session.tokens(whole.text("x"))) <= RICH_TOKENS
    assert len(whole.text().splitlines()) <= 5 + len(candidates)


def test_the_longest_text_there_can_be_is_bounded(session):
    """Digits are a token each, so this is as many tokens as bytes."""
    long = "1" * 900
    offered = [candidate(n, "recovery", 0.98, 99.9, long, (-99.9, -99.9), 99.9) for n in range(1, 5)]
    history = [HistoryEntry(cycle=n, action=long, result=long) for n in range(1, 9)]
    last = LastStep(action=long, result="collision", details=long)
    whole = frame(offered, long, last, history, [seen(long, 99_000_000)] * 9, long, long)
    assert len(session.tokens(whole.text())) <= TEXT_TOKENS
    assert len(session.tokens(whole.text("x"))) <= RICH_TOKENS


@pytest.mark.parametrize("size", [(0.3, 0.3), (5.0, 5.0), (20.0, 20.0), (20.0, 3.0)])
def test_maps_are_bounded_in_tokens_whatever_the_room(session, size):
    for seed, place in enumerate([(0, 0), (0.99, 0.99), (-0.99, 0.5)]):
        assert len(session.tokens(maps(size, place, seed))) <= MAPS_TOKENS


def test_the_longest_frame_fits_the_model_s_context(session):
    system = len(session.prompt(system_prompt(), ""))
    assert system + RICH_TOKENS + MAPS_TOKENS + ANSWER_TOKENS <= CONTEXT_TOKENS


@settings(max_examples=30)
@given(
    st.lists(st.builds(candidate, st.just(0), st.sampled_from(KINDS[:3]), st.floats(0, 1), st.floats(0, 99),
             st.sampled_from(["goal", "towards goal", "9999 cells"]), st.just((1.0, 2.0)), onward),
             min_size=1, max_size=4),
    st.sampled_from([None, "blocked", "timeout", "collision", "invalid", "refused"]),
)  # fmt: skip
def test_the_instinct_s_changed_tail_is_short(session, candidates, failure):
    """What is evaluated anew: all behind the goal's line, the template's end, the choices' shared start."""
    numbered = [one.model_copy(update={"id": f"c{n}"}) for n, one in enumerate(candidates, 1)]
    last = failure and LastStep(action="MOVE_TO c1", result=failure, details="x" * 500)
    short = frame(numbered, last=last).short()
    goal, _, _ = short.partition("\n")
    whole, held = session.prompt("s", short), session.prompt("s", goal + "\n")
    stays = next(n for n, (a, b) in enumerate(zip(whole, held, strict=False)) if a != b)
    assert len(whole) - stays + 1 <= SHORT_TOKENS


OFFERED = [
    candidate(1, "subgoal", 0.98, 0.4, "goal", onward_m=0.0),
    candidate(2, "subgoal", 0.6, 1.54, "towards goal", onward_m=2.36),
    candidate(3, "frontier", 0.1, 7.0, "176 cells", onward_m=120.0),
    candidate(4, "recovery", 0.4, 0.5, "left", onward_m=4.4),
]


def test_the_instinct_reads_ways_kind_score_and_the_failure():
    last = LastStep(action="MOVE_TO c1", result="blocked", details="long story")
    assert frame(OFFERED, last=last).short().splitlines() == [
        "goal: go to 1.0,2.0",
        "last blocked",
        "4 0 goal best c1",
        "15 24 towards good c2",
        "70 999 frontier bad c3",
        "5 44 recovery fair c4",
        "best",
    ]


def test_without_a_way_on_the_instinct_reads_what_a_place_promises():
    notes = ["176 cells", "12 cells not looked at", "left", "", "99999 cells", "8 cellars, 5 cells"]
    lines = frame([candidate(n, note=note) for n, note in enumerate(notes, 1)]).short().splitlines()
    assert [line.split()[1] for line in lines[1:-1]] == ["18", "1", "0", "0", "999", "0"]


def test_scores_can_be_left_out():
    assert frame(OFFERED).short(scores=False).splitlines()[1:] == [
        "4 0 goal c1", "15 24 towards c2", "70 999 frontier c3", "5 44 recovery c4", "best",
    ]  # fmt: skip
    assert frame(OFFERED).text(scores=False).splitlines()[-4:-2] == [
        "c1 subgoal 1.0,2.0 path 0.4m onward 0.0m goal",
        "c2 subgoal 1.0,2.0 path 1.5m onward 2.4m towards goal",
    ]


def test_candidates_of_before_ways_on_were_told_are_read():
    old = candidate(1).model_dump(exclude={"onward_m"})
    assert FrameCandidate(**old) == candidate(1)


def test_a_step_that_worked_is_not_mentioned_to_the_instinct():
    last = LastStep(action="MOVE_TO c1", result="success")
    assert frame([candidate(1)], last=last).short().count("\n") == 2


@given(texts, st.integers(1, 200))
def test_one_line_is_one_bounded_printable_line(text, limit):
    line = one_line(text, limit)
    assert len(line.encode()) <= limit
    assert line == "" or line.isprintable()
    assert one_line(line, limit) == line


def test_nothing_new_is_said_where_nothing_happened():
    """A common cycle's text has no more lines than before objects, rooms and history came."""
    plain = frame(
        [candidate(1)], history=[HistoryEntry(cycle=1, action="a", result="success")] * 5, room="room 1 of 2"
    )
    assert [line.split()[0] for line in plain.text().splitlines()] == ["goal:", "robot", "c1"]


def test_a_model_with_maps_reads_rooms_and_history_too():
    history = [HistoryEntry(cycle=n, action=f"EXPLORE c{n}", result="success") for n in range(1, 6)]
    rich = frame(
        [candidate(1)], history=history, room="room 2 of 3", objects=[seen("red box")], foresight="ahead: x"
    )
    lines = rich.text("map\n..").splitlines()
    assert lines[1:6] == [
        "room 2 of 3", "map", "..", "before: EXPLORE c2 success, EXPLORE c3 success, EXPLORE c4 success",
        "seen: red box -12.3,-1.0 2s",
    ]  # fmt: skip
    assert lines[7:] == ["ahead: x", "c1 frontier 1.0,2.0 score 0.50 path 1.0m"]
    told = frame([candidate(1, onward_m=2.25, note="6 cells")]).text().splitlines()[-1]
    assert told == "c1 frontier 1.0,2.0 score 0.50 path 1.0m onward 2.2m 6 cells"
