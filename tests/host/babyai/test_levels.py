"""BabyAI: what the agent knows is true, what it may choose can be done, and who plays how well."""

import sys
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmos.babyai import FAMILIES, BabyAIError, make_level, play
from llmos.babyai.belief import COLOURS, EMPTY, KINDS, STATES, Belief, Pose, beside, read
from llmos.babyai.mission import Wanted, read_mission
from llmos.babyai.motion import Reach
from llmos.babyai.subgoals import exploring, subgoals
from llmos.brains.budget import Budget, Metered
from llmos.evaluation import KINDS as EVALUATIONS
from llmos.evaluation import EvaluationError, as_text, run, write
from llmos.inference import Kernel, open_kernel

pytest.importorskip("minigrid")
constants: Any = pytest.importorskip("minigrid.core.constants")
BABYAI = EVALUATIONS["babyai"]
families = st.sampled_from(FAMILIES)
seeds = st.integers(0, 10_000)
DEADLINE_S = 60.0


def begun(family: str, seed: int, distractors: int = 8) -> tuple[Any, Any, Belief]:
    """A level at its beginning, its observation, and what the agent knows."""
    level = make_level(family, distractors)
    observation, _ = level.reset(seed=seed)
    belief = Belief()
    belief.observe(observation["image"], observation["direction"])
    return level, observation, belief


def done(level: Any, belief: Belief, action: int) -> bool:
    """Act, and see what it did; whether the episode is over."""
    belief.moved(action)
    observation, _, terminated, truncated, _ = level.step(action)
    belief.observe(observation["image"], observation["direction"])
    return bool(terminated or truncated)


def explored(family: str, seed: int) -> tuple[Any, str, Belief]:
    """A level in which all is seen that can be, without anything done to it."""
    level, observation, belief = begun(family, seed)
    while (look := exploring(belief)) is not None:
        if any(done(level, belief, action) for action in look.way):
            break
    return level, observation["mission"], belief


def test_observations_are_numbered_as_minigrid_does() -> None:
    """The tables are the package's own."""
    assert {name: number for number, name in enumerate(KINDS)} == constants.OBJECT_TO_IDX
    assert {name: number for number, name in enumerate(COLOURS)} == constants.COLOR_TO_IDX
    assert {name: number for number, name in enumerate(STATES)} == constants.STATE_TO_IDX


@settings(max_examples=15, deadline=None)
@given(families, seeds, st.lists(st.integers(0, 5), max_size=40))
def test_the_map_is_true(family: str, seed: int, actions: list[int]) -> None:
    """Whatever is done: each cell that was seen is what it is, the place is right, and so are the hands."""
    level, _, belief = begun(family, seed)
    x, y = level.agent_pos
    for action in actions:
        if done(level, belief, action):
            break
        assert (belief.pose.x + x, belief.pose.y + y) == tuple(level.agent_pos)
        assert (belief.carried and belief.carried.name) == (
            level.carrying and f"{level.carrying.color} {level.carrying.type}"
        )
        visible = {
            belief.pose.at(6 - row, column - 3): (column, row) for column in range(7) for row in range(7)
        }
        for cell, seen in belief.cells.items():
            true = level.grid.get(cell[0] + x, cell[1] + y)
            if cell in visible or (true and true.type == "wall"):
                assert seen == (read(*true.encode()) if true else EMPTY)


@settings(max_examples=6, deadline=None)
@given(families, seeds)
def test_what_is_offered_can_be_done(family: str, seed: int) -> None:
    """Every option's way leads where it says, in a copy of the true level, with empty and with full hands."""
    level, _, belief = explored(family, seed)
    options = subgoals(belief)
    assert len({one.text for one in options}) == len(options)
    assert [one.steps for one in options] == sorted(one.steps for one in options)
    taking = next((one for one in options if one.verb == "pick up"), None)
    after = followed(level, belief, taking.way) if taking else None
    for here, knows in [(level, belief), *([after] if after else [])]:
        for one in subgoals(knows):
            reached, known = followed(here, knows, one.way)
            assert one.cell
            if one.verb == "go to":
                assert known.pose.front == one.cell
                assert known.cells[one.cell] == one.thing
            elif one.verb == "pick up":
                assert known.carried == one.thing
            elif one.verb == "open":
                assert known.cells[one.cell].state == "open"
            else:
                assert known.carried is None
                assert known.pose.front in beside(one.cell)
                assert known.cells[known.pose.front] == knows.carried
            assert reached.step_count - here.step_count == one.steps


def followed(level: Any, belief: Belief, way: tuple[int, ...]) -> tuple[Any, Belief]:
    """Copies of a level and of what is known, some actions later."""
    level, belief = deepcopy(level), deepcopy(belief)
    for action in way:
        done(level, belief, action)
    return level, belief


@settings(max_examples=15, deadline=None)
@given(families, seeds)
def test_ways_are_the_shortest(family: str, seed: int) -> None:
    """Neighbours differ by one action, and a way is as long as it is said to be."""
    _, _, belief = begun(family, seed)
    reach = Reach(belief)
    for pose, steps in reach.steps.items():
        assert len(reach.way(pose)) == steps
        near = [reach.steps[pose._replace(direction=(pose.direction + turn) % 4)] for turn in (1, -1)]
        ahead = reach.steps.get(Pose(*pose.front, pose.direction))
        behind = reach.steps.get(Pose(*pose.at(-1, 0), pose.direction))
        assert all(abs(steps - other) <= 1 for other in near)
        assert ahead is None or ahead <= steps + 1
        assert steps == 0 or min(*near, steps if behind is None else behind) == steps - 1


def test_the_grammar_reads_every_mission() -> None:
    """What it reads is what the level checks, over many drafts of every family."""
    for family in FAMILIES:
        level = make_level(family, 4)
        for seed in range(30):
            mission = level.reset(seed=seed)[0]["mission"]
            told = [(step.verb, step.what, step.beside) for step in read_mission(mission)]
            assert told == list(instructions(level.instrs)), mission
    assert read_mission("fetch the red ball") == ()


def instructions(one: Any) -> Iterator[tuple[str, Wanted, Wanted | None]]:
    """What a level checks, in its order."""
    name = type(one).__name__
    if name in ("BeforeInstr", "AfterInstr"):
        parts = [one.instr_a, one.instr_b]
        for part in parts if name == "BeforeInstr" else reversed(parts):
            yield from instructions(part)
    elif name == "PutNextInstr":
        yield "put", wanted(one.desc_move), wanted(one.desc_fixed)
    else:
        verbs = {"GoToInstr": "go to", "PickupInstr": "pick up", "OpenInstr": "open"}
        yield verbs[name], wanted(one.desc), None


def wanted(description: Any) -> Wanted:
    """A level's description of a thing."""
    return Wanted(description.color or "", description.type or "")


def solved(spec: str, way: str, kernel: Kernel | None, count: int, first: int = 0) -> int:
    """In how many of so many episodes of each family somebody has success."""
    return sum(
        play(make_level(family, 8), seed, spec, way, kernel, DEADLINE_S).success
        for family in FAMILIES
        for seed in range(first, first + count)
    )


def test_who_knows_more_does_better() -> None:
    """The expert and the rule that reads the mission solve all; the nearest thing and chance do not."""
    rule, chance = open_kernel("rule"), open_kernel("random")
    assert solved("expert", "–", None, 2) == 10
    assert solved("rule", "steps", rule, 4) == 20
    assert solved("rule", "named", rule, 2) >= 9
    assert solved("rule", "all", rule, 2) <= 8
    assert solved("random", "actions", chance, 1) <= 3


def test_smollm2_understands_missions(smollm2: Kernel) -> None:
    """Offered all that can be done, and nothing of the mission but its words, it does most of it."""
    assert solved("smollm2", "all", smollm2, 1, first=200) >= 4


def test_episodes_repeat() -> None:
    """The same seed, the same episode; another one, another."""
    kernel = open_kernel("random")
    level = make_level("putnext", 8)
    one, again, other = (play(level, seed, "random", "all", kernel, DEADLINE_S) for seed in (5, 5, 6))
    assert one == again
    assert one.mission != other.mission


def test_the_planner_thinks_where_the_instinct_doubts() -> None:
    """A model that chooses by chance doubts; each escalation has a reason, and no other decision has one."""
    level = make_level("putnext", 8)
    one, again = (play(level, 4, "dual:random", "all", open_kernel("random"), DEADLINE_S) for _ in range(2))
    assert [(step.text, step.brain) for step in one.choices] == [
        (step.text, step.brain) for step in again.choices
    ]
    thought = [step for step in one.choices if step.brain == "planner"]
    assert thought
    assert all((step in thought) == bool(step.escalation) for step in one.choices)
    assert {step.escalation for step in thought} <= {"low_confidence", "looping"}
    assert all(len(step.calls) > 2 for step in thought)


def test_the_rule_stands_in_for_a_model_that_fails() -> None:
    """A model that may not be asked: what the rule would do is done, and said."""
    rule = open_kernel("rule")
    for spec in ("smollm2", "dual"):
        for family in FAMILIES:
            level = make_level(family, 8)
            expected = play(level, 3, "rule", "named", rule, DEADLINE_S)
            played = play(level, 3, spec, "named", Metered(rule, Budget(calls=0)), DEADLINE_S)
            assert [one.text for one in played.choices] == [one.text for one in expected.choices]
            assert all(one.note for one in played.choices if one.brain == "rule")
            assert {one.brain for one in played.choices} <= {"rule", "reactive", "instinct"}


def test_an_evaluation_goes_on_and_sums_up(tmp_path: Path) -> None:
    """Half of it, then all of it: the first half is not played again; every share lies where it can."""
    options = BABYAI.options | {"kernels": "expert,random,rule", "ways": "named,steps", "seeds": 1}
    half = BABYAI.plan(**options | {"families": "goto,open"})
    whole = BABYAI.plan(**options)
    told: list[tuple[int, int]] = []
    run(BABYAI, half, 1, tmp_path, lambda row, done, count, before: None)
    rows = run(BABYAI, whole, 1, tmp_path, lambda row, done, count, before: told.append((before, count)))
    assert told == [(10, 25)] * 15
    facts = write(BABYAI, rows, options, tmp_path)
    players = [(row["player"], row["way"]) for row in facts["table"]]
    assert players == [("expert", "–"), ("random", "named"), ("random", "steps"), ("rule", "named"),
                       ("rule", "steps")]  # fmt: skip
    for row in facts["table"]:
        assert all(row[key] is None or 0 <= row[key] <= 1 for key in ("success", "right", "chance"))
    assert facts["families"][0].keys() == {"player", "way", *FAMILIES}
    for name in ("table", "families", "published", "notes"):
        assert len(as_text(facts[name], BABYAI.shares, BABYAI.columns.get(name, ())).splitlines()) > 2


def test_wrong_orders_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """In one line that says what to do, before the first episode."""
    with pytest.raises(BabyAIError, match=r"family 'fetch': unknown; name one of goto, pickup"):
        BABYAI.plan(**BABYAI.options | {"families": "goto,fetch"})
    with pytest.raises(EvaluationError, match=r"way 'write': unknown; name one of actions, all"):
        BABYAI.plan(**BABYAI.options | {"ways": "write"})
    monkeypatch.setitem(sys.modules, "llmos.babyai.levels", None)
    with pytest.raises(BabyAIError, match=r"install it with pip install 'llmos\[babyai\]'"):
        make_level("goto", 0)


def test_levels_are_not_all_alike() -> None:
    """Seeds make different rooms; the number of objects is as asked."""
    level = make_level("goto", 3)
    rooms = []
    for seed in Random(0).sample(range(1000), 5):
        level.reset(seed=seed)
        things = [one for one in level.grid.grid if one and one.type in ("ball", "box", "key")]
        assert len(things) == 4
        rooms.append(level.grid.encode().tobytes())
    assert len(set(rooms)) == 5
