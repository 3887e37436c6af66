"""A mission is remembered as trace, experience and facts, and never fails for it."""

from pathlib import Path

import pytest

from llmos.memory import Experience, Fact, Memory, Trace
from llmos.memory.missions import remember_run
from llmos.mission import run_mission
from llmos.report import Order, Report


@pytest.fixture(scope="module")
def report() -> Report:
    """Of a mission that sees things and is cut short."""
    return run_mission(
        Order("find the red box", arena="playroom", kernel="rule", camera=True, max_cycles=2, seed=3)
    )


def test_a_mission_becomes_memory(report: Report) -> None:
    """Goal, arena, kernel, outcome and figures are those of the report; what was seen is a fact each."""
    with Memory() as memory:
        above = memory.begin("do it", project="home")
        assert remember_run(memory, report, "r1", parent=above) == ""
        (trace,) = memory.traces(kind="mission")
        (experience,) = (one for one in memory.newest(100) if isinstance(one, Experience))
        facts = [one for one in memory.newest(100) if isinstance(one, Fact)]
        assert memory.children(above) == [trace]
        summary = report.summary()
        assert (trace.goal, trace.status, trace.run, trace.project) == (
            report.order.goal,
            "failure",
            "r1",
            "home",
        )
        assert trace.duration_ms == pytest.approx(1000 * report.wall_s, abs=0.01)
        assert experience.components == {"arena": "playroom", "kernel": "rule", "robot": "cube"}
        assert (experience.success, experience.final_outcome, experience.learnings) == (
            False, summary["outcome"], summary["reason"],
        )  # fmt: skip
        for name in ("path_m", "sim_s", "cycles", "collisions", "spl", "seed"):
            assert experience.measures[name] == trace.data[name] == summary[name]
        things = summary["eyes"]["objects"]
        assert things, "nothing was seen; another seed might"
        assert {one.statement.split(":")[0] for one in facts} == {one["label"] for one in things}
        assert all(one.source == f"said by the eyes (colour), trace {trace.id}, run r1" for one in facts)
        assert memory.search("where is the " + things[0]["label"], kinds=["fact"])[0].item in facts


def test_what_was_seen_again_is_one_fact(report: Report) -> None:
    """The newer run's word counts."""
    with Memory() as memory:
        remember_run(memory, report, "r1")
        before = [one for one in memory.newest(100) if isinstance(one, Fact)]
        remember_run(memory, report, "r2")
        after = [one for one in memory.newest(100) if isinstance(one, Fact)]
        assert {one.id for one in before} == {one.id for one in after}
        assert {one.run for one in after} == {"r2"}


def test_a_memory_that_fails_fails_no_run(report: Report, state_folder: Path) -> None:
    """The reason comes back as one line, and nothing is half remembered."""
    with Memory() as memory:
        assert "no trace 'gone'" in remember_run(memory, report, "r1", parent="gone")
        assert memory.newest() == []
    (state_folder / "memory.sqlite").write_bytes(b"no database at all, but some text" * 20)
    for told in (remember_run(None, report, "r1"),):
        assert "damaged" in told
        assert "\n" not in told
    assert remember_run(None, report, "r1") == ""
    with Memory() as memory:
        assert isinstance(memory.traces()[0], Trace)
