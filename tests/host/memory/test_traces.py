"""Traces form a forest, end once, and are forgotten and restored without a trace of it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.own_rules import own_rules

from llmos.memory import Dependency, IllegalLink, Memory, RecallError, ShortTerm, Trace

LINKS = ("hierarchical", "sequential", "dependency", "parallel")


class Clock:
    """A wall clock that is set by hand."""

    def __init__(self) -> None:
        self.now_s = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    """Its time passes where a test says so."""
    return Clock()


@pytest.fixture
def memory(clock: Clock) -> Iterator[Memory]:
    """An empty memory in the test's own state folder."""
    with Memory(clock=clock) as opened:
        yield opened


def test_a_trace_tells_all_that_was_said_of_it(memory: Memory, clock: Clock) -> None:
    """What goes in comes out, from another connection, too."""
    needed = memory.begin("weights", kind="program")
    memory.end(needed, "success", files=["weights.json"])
    begun = memory.begin(
        "drive a square", kind="skill", agent="driver", agent_type="specialist",
        agent_path="agents/driver.md", skill="square", version="ab12", project="home", run="r1",
        depends=[Dependency(needed.id, "weights.json", "model")],
    )  # fmt: skip
    clock.now_s += 1.5
    ended = memory.end(
        begun, "partial", "two sides", tools=["hal_drive"], files=["a.md"], data={"x": [1, {"y": None}]}
    )
    with Memory() as other:
        assert other.find(begun.id) == ended
    assert (ended.duration_ms, ended.status, ended.tools) == (1500, "partial", ("hal_drive",))
    assert ended.depends == (Dependency(needed.id, "weights.json", "model"),)


def test_a_block_ends_its_trace_by_how_it_is_left(memory: Memory) -> None:
    """Success at its end, failure with the error, cancelled by an interrupt, or what it says itself."""
    with memory.trace("one") as one:
        pass
    with pytest.raises(ValueError, match="no"), memory.trace("two") as two:
        raise ValueError("no")
    with pytest.raises(KeyboardInterrupt), memory.trace("three") as three:
        raise KeyboardInterrupt
    with memory.trace("four") as four:
        memory.end(four, "partial", "half of it")
    found = [memory.find(one.id) for one in (one, two, three, four)]
    assert [(one.status, one.outcome) for one in found if isinstance(one, Trace)] == [
        ("success", ""), ("failure", "ValueError: no"), ("cancelled", "KeyboardInterrupt: "),
        ("partial", "half of it"),
    ]  # fmt: skip


def test_uses_are_those_that_prove_something(memory: Memory) -> None:
    """Running and cancelled ones do not; versions are apart."""
    for status, version in (("success", "a"), ("failure", "a"), ("cancelled", "a"), ("success", "b")):
        memory.end(memory.begin("square", kind="skill", skill="square", version=version), status)
    memory.begin("square", kind="skill", skill="square", version="a")
    assert [one.status for one in memory.uses("square", "a")] == ["failure", "success"]
    assert len(memory.uses("square")) == 3


def test_what_runs_below_a_trace_that_ends_is_cancelled(memory: Memory) -> None:
    """All the way down; what has ended stays as it is."""
    top = memory.begin("top")
    middle = memory.begin("middle", kind="agent", parent=top)
    done = memory.begin("done", kind="tool", parent=middle)
    memory.end(done, "failure")
    leaf = memory.begin("leaf", kind="tool", parent=middle)
    memory.end(top, "success")
    statuses = {one.goal: one.status for one in memory.traces()}
    assert statuses == {"top": "success", "middle": "cancelled", "done": "failure", "leaf": "cancelled"}
    assert (leaf.depth, memory.siblings(leaf), [one.id for one in memory.children(top)]) == (
        2,
        [done.id],
        [middle.id],
    )


@pytest.mark.parametrize(
    ("kind", "parent_kind", "parent_status", "link", "named"),
    [
        ("project", "task", "running", "hierarchical", "allows no project below a task"),
        ("tool", "program", "running", "hierarchical", "allows no tool below a program"),
        ("tool", "task", "success", "hierarchical", "is success, not running"),
        ("task", "task", "running", "sequential", "is running, not success"),
        ("task", "task", "failure", "dependency", "is failure, not success or partial"),
        ("task", "task", "running", "sideways", "a link 'sideways'"),
    ],
)
def test_an_illegal_link_is_refused_by_name(
    memory: Memory, kind: str, parent_kind: str, parent_status: str, link: str, named: str
) -> None:
    """Nothing is written then."""
    parent = memory.begin("above", kind=parent_kind)
    if parent_status != "running":
        memory.end(parent, parent_status)
    with pytest.raises(IllegalLink, match=named):
        memory.begin("below", kind=kind, parent=parent, link=link)
    assert [one.goal for one in memory.traces()] == ["above"]


@settings(max_examples=12)
@given(
    st.lists(
        st.tuples(st.integers(0, 9), st.integers(0, 9), st.sampled_from(LINKS), st.booleans()), max_size=24
    )
)
def test_links_form_a_forest(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[int, int, str, bool]]
) -> None:
    """However traces are hung, each has one way up, which ends, and a depth that says how long it is."""
    with Memory(tmp_path_factory.mktemp("forest") / "memory.sqlite") as memory:
        made = [memory.begin(f"task {number}") for number in range(10)]
        for child, parent, link, end in steps:
            try:
                memory.link(made[child], made[parent], link)
                if end:
                    memory.end(made[parent], "success")
            except RecallError:
                continue
        found = {one.id: one for one in memory.traces()}
        for one in found.values():
            depth, seen, here = 0, {one.id}, one
            while here.parent:
                depth += here.link == "hierarchical"
                here = found[here.parent]
                assert here.id not in seen
                seen.add(here.id)
            assert depth == one.depth


def test_a_trace_never_hangs_below_itself(memory: Memory) -> None:
    """Neither at once nor around a corner; and it hangs once only."""
    one, two, three = (memory.begin(f"task {number}") for number in range(3))
    memory.link(two, one, "hierarchical")
    memory.link(three, two, "hierarchical")
    for upper in (one, two, three):
        with pytest.raises(IllegalLink, match="below itself"):
            memory.link(one, upper, "hierarchical")
    with pytest.raises(IllegalLink, match="already"):
        memory.link(three, one, "parallel")


@settings(max_examples=6)
@given(st.text(min_size=1, max_size=40).filter(str.strip), st.sampled_from(["trace", "fact", "experience"]))
def test_forget_and_restore_is_nothing(
    tmp_path_factory: pytest.TempPathFactory, reason: str, kind: str
) -> None:
    """What is forgotten is not found, is listed, and comes back as it was."""
    with Memory(tmp_path_factory.mktemp("forget") / "memory.sqlite") as memory:
        trace = memory.begin("paint the fence", skill="brush")
        memory.end(trace, "success")
        item = {
            "trace": lambda: trace,
            "fact": lambda: memory.learn("fences are brown", "a person"),
            "experience": lambda: memory.experience("paint a fence", "brown", trace=trace),
        }[kind]()
        before = memory.find(item.id), memory.search("fence", kinds=[kind]), memory.uses("brush")
        memory.forget(item.id, reason)
        assert memory.search("fence", kinds=[kind]) == []
        assert [one.id for one in memory.forgotten()] == [item.id]
        assert memory.uses("brush") == ([] if kind == "trace" else before[2])
        with pytest.raises(RecallError, match="forgotten already"):
            memory.forget(item.id, "again")
        memory.restore(item.id)
        assert (memory.find(item.id), memory.search("fence", kinds=[kind]), memory.uses("brush")) == before
        with pytest.raises(RecallError, match="is not forgotten"):
            memory.restore(item.id)


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        (lambda memory: memory.begin("x", kind="dance"), "kind 'dance'"),
        (lambda memory: memory.begin(" "), "without goal"),
        (lambda memory: memory.begin("x" * 9000), "9000 characters"),
        (lambda memory: memory.begin("x", parent="t00"), "no trace 't00'"),
        (lambda memory: memory.begin("x", depends=["t00"]), "no trace 't00'"),
        (lambda memory: memory.end(memory.begin("x"), "well"), "cannot end as 'well'"),
        (lambda memory: memory.end(memory.begin("x"), "running"), "cannot end as 'running'"),
        (lambda memory: memory.end(memory.begin("x"), "success", data={"x": "y" * 70_000}), "carries"),
        (lambda memory: memory.learn("x", "me", confidence=1.5), "confidence 1.5"),
        (lambda memory: memory.learn("x", ""), "without source"),
        (lambda memory: memory.experience("x", ""), "without final_outcome"),
        (lambda memory: memory.find("t"), "nothing here"),
        (lambda memory: memory.find("\ud800'; --"), "nothing here"),
        (lambda memory: memory.forget(memory.begin("x").id, " "), "--because"),
    ],
)
def test_what_is_wrong_is_refused_by_name(memory: Memory, wrong: object, named: str) -> None:
    """One line, and nothing is half written."""
    assert callable(wrong)
    with pytest.raises(RecallError, match=named) as refused:
        wrong(memory)
    assert "\n" not in str(refused.value)


def test_a_trace_ends_once(memory: Memory) -> None:
    """A second end is refused, and changes nothing."""
    trace = memory.begin("x")
    memory.end(trace, "failure")
    with pytest.raises(RecallError, match="ended already, as failure"):
        memory.end(trace, "success")
    assert memory.traces()[0].status == "failure"


def test_a_fact_of_the_same_key_takes_the_place_of_the_older(memory: Memory) -> None:
    """Within its project."""
    old = memory.learn("the lamp is on", "a person", "home", key="lamp")
    new = memory.learn("the lamp is off", "a person", "home", key="lamp")
    memory.learn("the lamp is red", "a person", "office", key="lamp")
    assert new.id == old.id
    assert [one.item.text for one in memory.search("lamp", scope="project", project="home")] == [
        "the lamp is off"
    ]


def test_short_term_memory_ends_with_its_run(memory: Memory) -> None:
    """What weighs enough outlives it as a fact; of too many notes the oldest of the lightest goes."""
    with memory.short_term("r1") as mind:
        assert isinstance(mind, ShortTerm)
        mind.add("the door is shut", "the eyes", 0.9)
        for number in range(60):
            mind.add(f"step {number}", "the cycle", 0.1)
        assert len(mind.notes) == memory.schema.short_items
        assert (mind.notes[0].text, mind.notes[-1].text) == ("the door is shut", "step 59")
    assert [(one.text, one.source) for one in memory.newest()] == [
        ("the door is shut", "said by the eyes, run r1")
    ]
    assert mind.notes == []


@pytest.mark.parametrize(
    ("name", "changed", "legal"),
    [
        ("trace_linking", {"depth": 2}, False),
        ("trace_linking", {"children": 1}, False),
        ("trace_linking", {"links": {"sequential": {"parent": ["success"], "below": "any"}}}, False),
        ("trace_linking", {"links": {"hierarchical": {"parent": ["success"], "below": "any"}}}, False),
        (
            "trace_linking",
            {"links": {"hierarchical": {"parent": ["running"], "below": {"task": ["task"]}}}},
            False,
        ),
        ("trace_linking", {}, True),
    ],
)
def test_trace_linking_is_read(
    state_folder: Path, name: str, changed: dict[str, object], legal: bool
) -> None:
    """A chain of three, with two children at its end, is legal by the rules that ship only."""
    own_rules(name, **changed)
    with Memory() as memory:
        top = memory.begin("top")

        def build() -> None:
            middle = memory.begin("middle", parent=top)
            memory.begin("one", kind="tool", parent=middle)
            memory.begin("two", kind="tool", parent=middle)

        if legal:
            build()
        else:
            with pytest.raises(IllegalLink):
                build()


@pytest.mark.parametrize("status", ["running", "failure", "cancelled"])
def test_what_becomes_of_running_children_is_read(state_folder: Path, status: str) -> None:
    """trace_linking.md: `running_children`."""
    own_rules("trace_linking", running_children=status)
    with Memory() as memory:
        top = memory.begin("top")
        child = memory.begin("child", parent=top)
        memory.end(top, "success")
        found = memory.find(child.id)
        assert isinstance(found, Trace)
        assert found.status == status


def required(**names: list[str]) -> dict[str, object]:
    """Return a rule that asks for these fields, and for no others."""
    return {"required": {"trace": [], "experience": [], "fact": []} | names}


@pytest.mark.parametrize(
    ("changed", "act"),
    [
        ({"traces": ["mission"]}, lambda memory: memory.begin("x")),
        ({"statuses": ["failure"]}, lambda memory: memory.end(memory.begin("x"), "success")),
        (required(trace=["project"]), lambda memory: memory.begin("x")),
        (required(experience=["learnings"]), lambda memory: memory.experience("x", "y")),
        (required(fact=["run"]), lambda memory: memory.learn("x", "y")),
        (required(trace=["soul"]), lambda memory: memory.begin("x")),
        ({"text_chars": 3}, lambda memory: memory.begin("four")),
        ({"data_bytes": 10}, lambda memory: memory.begin("x")),
        ({"keep_above": 0.95}, None),
        ({"short_items": 1}, None),
    ],
)
def test_memory_schema_is_read(state_folder: Path, changed: dict[str, object], act: object) -> None:
    """Each rule that is made narrower refuses what the rules that ship allow."""

    def all_of_it(memory: Memory) -> list[str]:
        with memory.short_term("r") as mind:
            mind.add("heavy", "x", 0.9)
            mind.add("heavier", "x", 0.9)
        return [one.text for one in memory.newest()]

    with Memory() as memory:
        if callable(act):
            act(memory)
        else:
            assert all_of_it(memory) == ["heavier", "heavy"]
    own_rules("memory_schema", **changed)
    with Memory(state_folder / "other.sqlite") as memory:
        if callable(act):
            with pytest.raises(RecallError):
                act(memory)
        else:
            assert all_of_it(memory) != ["heavier", "heavy"]
