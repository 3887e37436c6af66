"""The planner in its thread: when a plan arrives, that it is one at a time, and how long it holds."""

import threading
from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.host.brains.questions import candidate, question
from tests.host.brains.scripted import PLACES, Scripted, cycle, decision, drawn, failing

from llmos.brains.planner import (
    LAST_CYCLES,
    NEAR_M,
    Plan,
    Planner,
    Rates,
    follow,
    in_hand,
    nominal_ms,
    over,
)
from llmos.brains.rsa import PRESETS
from llmos.inference import Kernel, Request, open_kernel
from llmos.kernel.decision import read_decision


@pytest.fixture(scope="module")
def smollm2() -> Iterator[Kernel]:
    """The real model; skipped where the extra `llm` is not installed."""
    pytest.importorskip("llama_cpp")
    kernel = open_kernel("smollm2")
    yield kernel
    kernel.close()


def made(said: str = "c2", number: int = 1) -> Plan:
    """Return a plan to go to one of the places."""
    planner = Planner(Scripted(lambda _: decision(said)))
    assert planner.start(cycle(number), "stuck", 0)
    plan = planner.poll(0, arrived=True)
    assert plan
    return plan


def test_a_plan_arrives_when_the_modelled_time_has_passed() -> None:
    """Neither before, though the model is done, nor after, though it is not; and once."""
    gate = threading.Event()
    kernel = Scripted(lambda one: (gate.wait(), drawn(one))[1])
    planner = Planner(kernel)
    plans = []
    for open_at in ("once", "late"):
        gate.clear() if open_at == "late" else gate.set()
        assert planner.start(cycle(), "stuck", 5000)
        if open_at == "once":
            while not planner.ready():
                pass
        else:
            assert not planner.ready()
            threading.Timer(0.05, gate.set).start()
        due = 5000 + nominal_ms(planner.preset, kernel.asked[0], Rates())
        assert planner.poll(due - 1) is None
        assert planner.busy
        plan = planner.poll(due)
        assert plan
        assert (plan.started_ms, plan.ready_ms, plan.reason, plan.cycle) == (5000, due, "stuck", 1)
        assert (planner.busy, planner.poll(due + 1), planner.failure) == (False, None, "")
        plans.append(replace(plan, seconds=0.0))
    assert plans[0] == plans[1]


def test_on_a_wall_clock_a_plan_arrives_when_it_is_ready() -> None:
    """What the caller says that `ready` said is believed, and waited for."""
    planner = Planner(Scripted())
    assert planner.poll(0, arrived=False) is None
    assert planner.start(cycle(), "periodic", 100)
    assert planner.poll(10**9, arrived=False) is None
    plan = planner.poll(101, arrived=True)
    assert plan
    assert (plan.ready_ms, plan.generations) == (101, len(plan.trace))


def test_the_modelled_time_is_that_of_its_tokens() -> None:
    """More text, more answers or slower rates take longer; the wall takes no part."""
    short, long = (Request(system="s" * n, user="u" * n) for n in (100, 1000))
    quick, deep = PRESETS["quick"], PRESETS["deep"]
    base = nominal_ms(quick, short, Rates())
    assert base < nominal_ms(quick, long, Rates())
    assert base < nominal_ms(deep, short, Rates())
    assert nominal_ms(quick, short, Rates(250.0, 50.0)) == pytest.approx(2 * base, abs=2)


def test_a_plan_says_where_and_how_sure() -> None:
    """The place is the candidate's in the frame that was asked about; the votes are the last population's."""
    planner = Planner(Scripted(), replace(PRESETS["deep"], consensus=None))
    assert planner.start(cycle(), "looping", 0)
    plan = planner.poll(0, arrived=True)
    assert plan
    named = read_decision(plan.decision, cycle().frame.candidates, failed=False).action.target_id
    assert named
    assert plan.place_m == PLACES[named]
    assert plan.share == plan.votes[named] == max(plan.votes.values())  # deep takes the majority
    assert sum(plan.votes.values()) == pytest.approx(1.0)
    assert list(plan.votes.values()) == sorted(plan.votes.values(), reverse=True)
    assert (plan.generations, plan.stopped) == (112, "rounds")


def test_a_plan_is_never_to_turn_or_to_mend_the_map() -> None:
    """Both would be out of date when it arrives, so they are not offered, even after a failed step."""
    kernel = Scripted()
    planner = Planner(kernel)
    asked = question([candidate("c1", "subgoal"), candidate("c2", at=(0.0, 2.0))], failed=True)
    assert "ROTATE_TO" in str(asked.schema["properties"]["action"])
    assert planner.start(asked, "stuck", 0)
    assert planner.poll(0, arrived=True)
    assert all("ROTATE_TO" not in str((one.schema or {})["properties"]["action"]) for one in kernel.asked)
    assert {one.user[: len(asked.text)] for one in kernel.asked} == {asked.text}


def test_there_must_be_something_to_choose() -> None:
    """With one candidate nothing is asked."""
    kernel = Scripted()
    assert not Planner(kernel).start(question([candidate("c1")]), "stuck", 0)
    assert kernel.asked == []


@pytest.mark.parametrize(
    ("say", "part"),
    [
        (failing, "the table has no answer"),
        (lambda _: "{}", "no candidate"),
        (lambda _: "drive on", "no candidate"),
    ],
)
def test_a_plan_that_does_not_come_is_explained(say: object, part: str) -> None:
    """A model that fails, or names no candidate, makes no plan; the planner is free again."""
    planner = Planner(Scripted(say))  # type: ignore[arg-type]
    assert planner.start(cycle(), "stuck", 0)
    assert planner.poll(10**6) is None
    assert (planner.busy, part in planner.failure) == (False, True)
    assert planner.start(cycle(), "stuck", 10**6)


def test_a_cancelled_plan_is_forgotten_at_once_and_never_two_think() -> None:
    """The model hears of it before its next answer; the next plan waits until it has."""
    gate, begun = threading.Event(), threading.Event()

    def say(one: Request) -> str:
        begun.set()
        gate.wait()
        return drawn(one)

    kernel = Scripted(say)
    planner = Planner(kernel)
    assert planner.start(cycle(), "stuck", 0)
    begun.wait()
    planner.cancel()
    assert (planner.busy, planner.poll(10**9), planner.failure) == (False, None, "cancelled")
    threading.Timer(0.05, gate.set).start()
    assert planner.start(cycle(2), "looping", 0)
    plan = planner.poll(10**9)
    assert plan
    assert (plan.reason, plan.cycle) == ("looping", 2)
    assert kernel.most_at_once == 1
    assert len(kernel.asked) == 1 + plan.generations


def test_closing_waits_for_the_model_and_ends_its_thread() -> None:
    """After `close` nothing is asked any more; closing twice is allowed."""
    kernel = Scripted()
    planner = Planner(kernel, "deep")
    assert planner.start(cycle(), "stuck", 0)
    planner.close()
    count = len(kernel.asked)
    planner.close()
    assert not [one for one in threading.enumerate() if one.name == "planner"]
    assert len(kernel.asked) == count <= 112


moves = st.lists(st.tuples(st.sampled_from(["start", "poll", "cancel"]), st.integers(0, 4000)), max_size=20)


@given(moves)
def test_one_plan_at_a_time(steps: list[tuple[str, int]]) -> None:
    """Whatever the order: a start fails while one is in the making, and each plan arrives once, on time."""
    kernel = Scripted()
    planner = Planner(kernel)
    now, started, arrived = 0, 0, list[Plan]()
    for number, (what, ms) in enumerate(steps, 1):
        now += ms
        busy = planner.busy
        if what == "start":
            begun = planner.start(cycle(number), "periodic", now)
            assert begun != busy
            started += begun
        elif what == "cancel":
            planner.cancel()
        elif plan := planner.poll(now):
            assert busy
            assert plan.started_ms < plan.ready_ms <= now
            arrived.append(plan)
    planner.close()
    assert kernel.most_at_once <= 1
    assert len({plan.cycle for plan in arrived}) == len(arrived) <= started


@given(
    order=st.permutations(list(PLACES)),
    shift=st.tuples(st.floats(-0.34, 0.34), st.floats(-0.34, 0.34)),
    said=st.sampled_from(list(PLACES)),
)
def test_a_plan_follows_its_place_and_not_its_name(
    order: list[str], shift: tuple[float, float], said: str
) -> None:
    """Renamed, reordered and moved a little, the candidate at the plan's place stands for it."""
    plan = made(said)
    moved = {
        f"c{n}": (PLACES[name][0] + shift[0], PLACES[name][1] + shift[1]) for n, name in enumerate(order, 1)
    }
    later = cycle(2, **moved).frame
    name = in_hand(plan, later)
    assert name == f"c{order.index(said) + 1}"
    text = follow(plan, later)
    assert text
    assert read_decision(text, later.candidates, failed=False).action.target_id == name
    assert over(plan, later) == ""


def test_how_a_plan_ends() -> None:
    """Reached, too old, failed while it was followed, or its place is no candidate any more."""
    plan = made("c2", number=10)
    x, y = plan.place_m
    offered = cycle(11).frame.candidates
    stands = question(offered, cycle=10 + LAST_CYCLES)
    assert over(plan, stands.frame, followed=True) == ""
    assert over(plan, question(offered, cycle=11, position_m=(x, y - 0.1)).frame) == "reached"
    assert over(plan, question(offered, cycle=11 + LAST_CYCLES).frame) == "old"
    assert over(plan, question(offered, cycle=11, failed=True).frame, followed=True) == "failed"
    assert over(plan, question(offered, cycle=11, failed=True).frame) == ""
    gone = question([candidate("c1", at=(x + NEAR_M + 0.01, y)), candidate("c2", at=(-1.0, -1.0))], cycle=11)
    assert (over(plan, gone.frame), follow(plan, gone.frame)) == ("gone", None)
    assert over(plan, question([], cycle=11).frame) == "gone"


def test_the_real_model_makes_a_legal_plan(smollm2: Kernel) -> None:
    """SmolLM2 by the quick preset: a decision of the frame, from at most twelve answers, all legal."""
    planner = Planner(smollm2, deadline_s=600.0)  # a busy machine must not fail it
    assert planner.start(cycle(4), "stuck", 0)
    plan = planner.poll(10**6)
    planner.close()
    assert plan, planner.failure
    assert read_decision(plan.decision, cycle(4).frame.candidates, failed=False).action.target_id in PLACES
    assert plan.generations in (4, 8, 12)
    assert not [one for one in plan.trace if one.failure]
