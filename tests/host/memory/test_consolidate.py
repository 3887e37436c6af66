"""What is seen again and again becomes facts, by counting; nothing is counted twice, or lost."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.host.memory.test_traces import Clock
from tests.own_rules import own_rules

from llmos.memory import Fact, Memory, Trace
from llmos.memory._consolidate import DAY_S
from llmos.volumes import Tier, Volumes

CONSOLIDATE = """
from llmos.memory import Memory
with Memory() as memory:
    print("open", flush=True)
    memory.consolidate()
    print("done", flush=True)
"""


def live(memory: Memory, outcomes: list[bool], project: str = "") -> None:
    """Try something, once per outcome."""
    goal, arena = "drive home", {"arena": "simple"}
    for good in outcomes:
        trace = memory.begin(goal, kind="mission", project=project, skill="square", version="ab")
        memory.experience(
            goal, "reached" if good else "failed", project=project, components=arena, success=good,
            execution_ms=2000, learnings="" if good else "2 collisions", trace=trace,
        )  # fmt: skip
        memory.end(trace, "success" if good else "failure", "" if good else "2 collisions")


def facts(memory: Memory, project: str = "") -> list[Fact]:
    """Return what is believed."""
    return [one for one in memory.newest(1000, project) if isinstance(one, Fact)]


def test_ten_traces_become_facts_that_can_be_read() -> None:
    """Not nine; the figures are counted, the traces named, and a commit of the markdown says why."""
    with Memory() as memory:
        live(memory, [True] * 6 + [False] * 3, "home")
        assert [one.facts for one in memory.consolidate()] == [()]
        assert memory.due("home") == 9
        live(memory, [True], "home")
        (done,) = memory.consolidate("home")
        told = {one.statement for one in done.facts}
        assert told == {
            "“drive home” in arena simple: 7 of 10 attempts succeeded (70%), 2.0 s each on average; "
            "the usual failure, 3 of 3: 2 collisions",
            next(
                one
                for one in told
                if one.startswith("skill square in version ab: 7 of 10 attempts succeeded")
            ),
        }
        assert all(one.measures["attempts"] == 10 and len(one.traces) == 10 for one in done.facts)
        assert {one.lifecycle for one in memory.traces(project="home")} == {"consolidated"}
        page = Volumes().read(Tier.USER, done.file)
        assert done.file == "projects/home/memory/learnings.md"
        assert all(one.statement in page.body and one.id in page.body for one in done.facts)
        (commit,) = Volumes().log(Tier.USER, done.file)
        assert (commit.id, commit.author) == (done.commit, "consolidation")
        assert done.facts[0].traces[0][:6] in commit.subject or "from traces" in commit.subject


@settings(max_examples=3)
@given(st.lists(st.lists(st.booleans(), min_size=1, max_size=14), min_size=1, max_size=3))
def test_consolidation_is_idempotent(
    tmp_path_factory: pytest.TempPathFactory, days: list[list[bool]]
) -> None:
    """Twice is as once, and in portions is as all at once."""
    folder = tmp_path_factory.mktemp("twice")
    volumes = Volumes(folder / "volumes")

    def believed(memory: Memory) -> set[tuple[str, tuple[tuple[str, float], ...]]]:
        shown = [one for one in facts(memory) if one.key.startswith("goal")]
        return {(one.statement, tuple(one.measures.items())) for one in shown}

    with Memory(folder / "a.sqlite") as portions, Memory(folder / "b.sqlite") as whole:
        for day in days:
            live(portions, day)
            live(whole, day)
            portions.consolidate(force=True, volumes=volumes)
        first = portions.newest(1000)
        again = portions.consolidate(force=True, volumes=volumes)
        assert portions.newest(1000) == first
        assert [(one.facts, one.traces, one.commit) for one in again] == [((), 0, "")]
        whole.consolidate(force=True, volumes=volumes)
        assert believed(whole) == believed(portions)


def test_a_kill_in_the_middle_loses_nothing() -> None:
    """Facts, life cycles and file are, in the end, as without it."""
    with Memory() as memory:
        live(memory, [True, False] * 30)
    for lines in (1, 1, 2):
        child = subprocess.Popen([sys.executable, "-c", CONSOLIDATE], stdout=subprocess.PIPE, text=True)
        assert child.stdout
        for _ in range(lines):
            child.stdout.readline()
        os.kill(child.pid, signal.SIGKILL)
        child.communicate()
    with Memory() as memory:
        (done,) = memory.consolidate()
        assert [one.measures["attempts"] for one in facts(memory)] == [60, 60]
        assert {one.lifecycle for one in memory.traces()} == {"consolidated"}
        page = Volumes().read(Tier.USER, done.file).body
        assert all(one.statement in page for one in facts(memory))


def test_traces_go_to_the_archive() -> None:
    """Days after they were consolidated; they are searched where the archive is asked for."""
    clock = Clock()
    with Memory(clock=clock) as memory:
        live(memory, [True] * 10)
        memory.consolidate()
        clock.now_s += 7 * DAY_S - 1
        assert [one.archived for one in memory.consolidate()] == [0]
        clock.now_s += 1
        assert [one.archived for one in memory.consolidate()] == [10]
        assert {one.lifecycle for one in memory.traces()} == {"archived"}
        assert memory.search("drive home", kinds=["trace"]) == []
        assert isinstance(memory.search("drive home", kinds=["trace"], archived=True)[0].item, Trace)


def test_what_is_forgotten_is_not_counted() -> None:
    """A person's word is above it; and a fact that a person forgot stays forgotten when it changes."""
    with Memory() as memory:
        live(memory, [True] * 10)
        (wrong, *_) = [one for one in memory.newest(100) if one.kind == "experience"]
        memory.forget(wrong.id, "the wheels were locked")
        memory.consolidate()
        (goal,) = (one for one in facts(memory) if one.key.startswith("goal"))
        assert goal.measures["attempts"] == 9
        memory.forget(goal.id, "so")
        live(memory, [False] * 10)
        memory.consolidate()
        assert goal.id not in {one.id for one in facts(memory)}
        assert [one.id for one in memory.forgotten()].count(goal.id) == 1
        assert "in arena simple" not in Volumes().read(Tier.USER, "memory/learnings.md").body


@pytest.mark.parametrize(
    ("rule", "value", "told"),
    [
        ("consolidate_after", 11, (0, 0, 0)),
        ("min_occurrences", 11, (10, 0, 0)),
        ("archive_days", 0, (10, 2, 10)),
        ("description", "mine", (10, 2, 0)),
    ],
)
def test_memory_schema_says_when(
    state_folder: Path, rule: str, value: object, told: tuple[int, int, int]
) -> None:
    """How many were consolidated, how many facts there are, and how many are archived a second later."""
    own_rules("memory_schema", **{rule: value})
    clock = Clock()
    with Memory(clock=clock) as memory:
        live(memory, [True] * 10)
        (done,) = memory.consolidate()
        clock.now_s += 1
        (later,) = memory.consolidate()
        assert (done.traces, len(facts(memory)), later.archived) == told
