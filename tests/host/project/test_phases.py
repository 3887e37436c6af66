"""A goal goes through eight phases; each rule of orchestration.md has its effect, and what fails is told."""

import pytest
from tests.own_rules import own_rules

from llmos.blackbox import NAME
from llmos.kernel.orchestration import PHASES, load_orchestration
from llmos.memory import Memory
from llmos.project import ProjectError, run_project
from llmos.report import Order
from llmos.state import new_run_folder
from llmos.volumes import Tier, Volumes

HALF = "turn left by 90 degrees, then drive to 0.6, 0"  # a rule cannot do the first: it makes no programs
ORDER = Order(goal="drive to 0.6, 0", arena="empty", kernel="rule")


class Told:
    """Hears what phases say."""

    def __init__(self):
        self.lines = {}

    def __call__(self, phase):
        self.lines[phase.name] = "\n".join(phase.said)


def carried_out(goal=ORDER.goal, agree=lambda question: False, project="yard"):
    told = Told()
    record = new_run_folder("empty") / NAME
    order = Order(goal=goal, arena=ORDER.arena, kernel=ORDER.kernel, record=record)
    return run_project(order, project, agree, told), told.lines


def test_a_goal_goes_through_all_phases_and_is_known_the_next_time():
    work, told = carried_out()
    assert (work.outcome, tuple(told)) == ("done", PHASES)
    assert all(told.values())
    assert work.reports[0].truth.collisions == 0
    files = {
        entry.name for entry in Volumes().entries("agents", "yard") if entry.path.startswith("projects/yard/")
    }
    assert files == {post.agent for post in work.posts}
    assert len(files) >= 3
    (commit, *_) = Volumes().log(Tier.USER, "projects/yard/agents/planning_agent.md")
    assert (commit.author, "staff yard" in commit.subject) == ("llmos run --project", True)
    with Memory() as memory:
        phases = memory.traces(kind="phase", parent=work.trace)
        assert [one.goal.partition(":")[0] for one in reversed(phases)] == list(PHASES)
        assert {one.status for one in phases} == {"success"}
    again, told = carried_out()
    assert "done: all 1 steps" in told["recall"]
    assert {post.how for post in again.posts} == {"there"}
    assert "confidence 93%: it runs at once" in told["plan"]  # (2 * 0.9 + 1) / 3


def test_what_does_not_come_to_what_was_wanted_is_told_and_kept():
    work, told = carried_out(HALF)
    assert work.outcome == "failed"
    assert "left out" in told["do"]
    assert work.reports == []
    with Memory() as memory:
        assert memory.traces(kind="project")[0].status == "failure"
        assert [one.item.success for one in memory.search(HALF, kinds=("experience",))] == [False]
        (kept,) = memory.search("robot_ai_agent turn left", kinds=("fact",))
    assert "only decides" in kept.item.text  # of the notes of a run, what failed outlives it
    assert "1 of" in told["record"]


@pytest.mark.parametrize(
    ("checked", "run_above", "driven"),
    [("each_step", 0.6, [False]), ("end", 0.8, [False]), ("end", 0.6, [False, True])],
)
def test_steps_behind_a_failure_are_done_where_checks_come_last_and_the_plan_is_sure(
    checked, run_above, driven
):
    own_rules("orchestration", checked=checked)
    own_rules("config", run_above=run_above)
    work, _ = carried_out(HALF)  # its confidence is 70 %
    assert [bool(report) for _, report in work.done] == driven
    assert work.outcome == "failed"


@pytest.mark.parametrize("goal", ["smash the vase", "colourless green ideas"])
def test_a_goal_that_the_robot_cannot_have_ends_before_anything_moves(goal):
    work, told = carried_out(goal)
    assert (work.outcome, work.reports, work.posts) == ("failed", [], [])
    assert set(told) == {"understand", "recall", "record", "consolidate"}
    assert work.reason == told["understand"]


@pytest.mark.parametrize(("agrees", "outcome"), [(False, "failed"), (True, "done")])
def test_a_doubtful_plan_needs_a_persons_yes(agrees, outcome):
    own_rules("orchestration", certainty=load_orchestration().certainty.model_dump() | {"place": 0.3})
    asked = []
    work, told = carried_out(agree=lambda question: asked.append(question) or agrees)
    assert asked == ["The plan's confidence is 30%. Shall it run?"]
    assert (work.outcome, bool(work.reports)) == (outcome, agrees)
    if not agrees:
        assert "add --yes" in told["plan"]


def test_the_config_says_below_what_a_plan_is_doubtful():
    own_rules("config", run_above=1, ask_below=0.95)
    work, told = carried_out()
    assert "confidence is 90%, and nobody has agreed" in told["plan"]
    assert work.reports == []


def test_a_plan_has_no_more_steps_than_the_rules_allow():
    own_rules("orchestration", steps=1)
    work, _ = carried_out("drive to 0.6, 0, then drive to 0, 0")
    assert "at most 1" in work.reason
    assert work.reports == []


def test_as_much_is_recalled_as_the_rules_say_and_counts_as_they_say():
    carried_out()
    own_rules("orchestration", recalled=0)
    assert carried_out()[1]["recall"] == "nothing like it has been tried"
    own_rules("orchestration", recalled=1, prior=1)
    assert "confidence 95%" in carried_out()[1]["plan"]


@pytest.mark.parametrize("name", ["", "..", "a/b", "Yard", "x" * 65, "kernel\n"])
def test_a_project_needs_a_name(name):
    with pytest.raises(ProjectError, match="a name has up to 64"):
        carried_out(project=name)
