"""The eight phases of a project's goal: each is one function that does its part and says what it did."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from llmos.agents import AgentRun, Status, delegate, load_agents
from llmos.errors import LlmosError
from llmos.kernel.goal import Goal
from llmos.kernel.orchestration import PHASES, Orchestration
from llmos.memory import Experience, ShortTerm
from llmos.memory.missions import remember_run
from llmos.project.staff import Post, staff
from llmos.report import GOOD, Report
from llmos.text import plain
from llmos.tools import Session
from llmos.tools.planning import steps as read_steps
from llmos.volumes import Change, Tier

AUTHOR = "llmos run --project"
Show = Callable[["Phase"], None]
Agree = Callable[[str], bool]


class ProjectError(LlmosError):
    """A project that cannot go on: its name is none, or a person has not agreed."""


@dataclass
class Phase:
    """One phase: what it is called, and what it says of itself as it goes on."""

    name: str
    said: list[str] = field(default_factory=list)

    @property
    def number(self) -> int:
        """Its place among the eight, from 1."""
        return PHASES.index(self.name) + 1


DONE, FAILED = 0.2, 0.7  # weights of notes: what failed outlives the run


@dataclass
class Work:
    """A project's goal, as far as it has come.

    Args:
        goal: the sentence.
        project: the project's name.
        session: what tools work with.
        rules: how it goes.
        agree: asks a person, and returns whether the answer is yes.
        say: tells one more line of the phase under way.
    """

    goal: str
    project: str
    session: Session
    rules: Orchestration
    agree: Agree
    say: Callable[[str], None] = lambda line: None
    trace: str = ""
    sure: float = 1.0
    steps: list[Goal] = field(default_factory=list)
    recalled: list[Experience] = field(default_factory=list)
    posts: list[Post] = field(default_factory=list)
    runs: list[AgentRun] = field(default_factory=list)
    done: list[tuple[Goal, Report | None]] = field(default_factory=list)
    outcome: str = "failed"
    reason: str = ""

    @cached_property
    def notes(self) -> ShortTerm:
        """What the run has in mind; what weighs enough outlives it as facts."""
        return self.session.memory.short_term(self.session.run)

    @property
    def reports(self) -> list[Report]:
        """What came of each mission that was driven."""
        return [report for _, report in self.done if report]

    def ask(self, role: str, task: str, posts: list[Post] | None = None) -> AgentRun:
        """Have whoever has a role do a task, and say how it went."""
        name = next(post.agent for post in posts or self.posts if post.role == role)
        run = delegate(self.session, name, task)
        failed = run.status != Status.DONE
        note = f"{run.agent} was asked “{task}”: {run.status}: {run.answer}"
        self.notes.add(note, f"agent {run.agent}", FAILED if failed else DONE)
        self.runs.append(run)
        tools = ", ".join(dict.fromkeys(call.tool for call in run.calls)) or "no tool"
        self.say(f"{run.agent} ({run.strategy}): {tools}; {run.status}: {plain(run.answer)[:160]}")
        return run


def understand(work: Work) -> None:
    """Read the goal: each of its parts has to be something that this robot can do."""
    work.steps = read_steps(work.session, work.goal)
    for step in work.steps:
        work.say(f"“{plain(step.text)}”: {step}")


def recall(work: Work) -> None:
    """Look up what came of goals like this one."""
    most = work.rules.recalled
    found = work.session.memory.search(
        work.goal, kinds=("experience",), scope="similar", project=work.project, limit=3 * most
    )
    known = [one.item for one in found if isinstance(one.item, Experience)]
    # a project's and its missions' are of one run
    by_run = {one.run or one.id: one for one in reversed(known)}
    work.recalled = list(reversed(by_run.values()))[:most]
    for one in work.recalled:
        work.say(f"“{plain(one.primary_goal)}”: {plain(one.final_outcome)}; {one.source}, {one.when}")
    if not work.recalled:
        work.say("nothing like it has been tried")


def plan(work: Work) -> None:
    """Have the planner put the steps in order, and settle whether they may be gone."""
    posts = staffed(work, [])
    if all(post.how != "created" for post in posts if post.role == "planner"):  # else it plans the next goal
        work.steps = planned(work, work.ask("planner", work.goal, posts))
    if len(work.steps) > work.rules.steps:
        most = f"at most {work.rules.steps} (kernel/orchestration.md)"
        raise ProjectError(f"the plan has {len(work.steps)} steps, {most}: say it in several goals")
    for number, step in enumerate(work.steps, 1):
        work.say(f"step {number}: {plain(step.text)} ({step.kind})")
    sure, config = confidence(work), work.session.config
    work.sure = sure
    if sure >= config.run_above:
        work.say(f"confidence {sure:.0%}: it runs at once")
    elif sure >= config.ask_below:
        work.say(f"confidence {sure:.0%}: it runs, and stops at the first check that fails")
    elif not work.agree(f"The plan's confidence is {sure:.0%}. Shall it run?"):
        raise ProjectError(
            f"the plan's confidence is {sure:.0%}, and nobody has agreed: add --yes, or say the goal plainer"
        )


def planned(work: Work, run: AgentRun) -> list[Goal]:
    """Return the steps that the planner's tool has made; what was understood, where it has made none."""
    lists = [call.result.data for call in run.calls if call.tool == "plan_task" and call.result.success]
    texts = [str(one["step"]) for one in lists[-1]["steps"]] if lists else []
    try:
        return [goal for text in texts for goal in read_steps(work.session, text)] or work.steps
    except LlmosError as error:
        work.say(f"the planner's steps are left: {error}")
        return work.steps


def confidence(work: Work) -> float:
    """Return how sure it is that the steps come to what is wanted, from 0 to 1."""
    certain = min(float(getattr(work.rules.certainty, step.kind)) for step in work.steps)
    known = [one.success for one in work.recalled if one.success is not None]
    return (work.rules.prior * certain + sum(known)) / (work.rules.prior + len(known))


def staffed(work: Work, kinds: list[str]) -> list[Post]:
    """Return who would have which role."""
    agents = load_agents(work.session.volumes, work.project)
    return staff(kinds, agents, work.project, work.rules)


def staff_up(work: Work) -> None:
    """Give each role to an agent, and the project the files of those that it has not yet."""
    work.posts = staffed(work, [step.kind for step in work.steps])
    folder = f"projects/{work.project}/agents"
    new = {f"{folder}/{post.agent}.md": post.source for post in work.posts if post.source}
    if new:
        change = Change(AUTHOR, f"staff {work.project}", run=work.session.run, project=work.project)
        work.session.volumes.write_all(Tier.USER, new, change)
    for post in work.posts:
        work.say(str(post))


def do(work: Work) -> None:
    """Have each step done by whoever has its role, and look after each whether to go on.

    One that fails ends the work where each step is checked, and where the plan was not sure enough.
    """
    careful = work.rules.checked == "each_step" or work.sure < work.session.config.run_above
    for step in work.steps:
        before = len(work.session.verdicts())
        run = work.ask(step.kind, step.text)
        driven = work.session.verdicts()[before:]
        work.done.append((step, driven[-1] if driven else None))
        if run.status != Status.DONE and careful:
            work.say("the steps behind it are left out")
            return


def check(work: Work) -> None:
    """Look whether each step came to what was wanted: the judge's word first, then the checker's."""
    for step, report in work.done:
        said = f"{report.outcome}: {report.reason}" if report else "no mission was driven"
        work.say(f"“{plain(step.text)}”: {said}")
    bad = [report for report in work.reports if report.outcome not in GOOD]
    left = len(work.steps) - len(work.reports)
    run = work.ask("checker", f"check what came of: {work.goal}")
    if bad or left:
        work.reason = bad[0].reason if bad else f"{left} of {len(work.steps)} steps were not driven"
    elif run.status != Status.DONE:
        work.reason = f"the checker: {run.answer}"
    else:
        work.outcome, work.reason = "done", f"all {len(work.steps)} steps came to what was wanted"
    work.say(f"{work.outcome}: {work.reason}")


def record(work: Work) -> None:
    """Keep what came of it: an experience of the project, and the recorder's report."""
    memory = work.session.memory
    for report in work.reports:
        trouble = remember_run(
            memory, report, work.session.run, project=work.project, parent=work.session.trace
        )
        if trouble:
            work.say(f"a mission is not remembered: {trouble}")
    kept = memory.experience(
        work.goal,
        f"{work.outcome}: {work.reason}",
        project=work.project,
        components={"arena": work.session.order.arena, "kernel": work.session.order.kernel},
        success=work.outcome == "done",
        trace=work.trace or None,
        run=work.session.run,
        execution_ms=1000 * sum(report.sim_s for report in work.reports),
    )
    work.say(f"experience {kept.id}")
    if any(post.role == "recorder" for post in work.posts):
        work.ask("recorder", f"report on: {work.goal}; {work.outcome}: {work.reason}")
    taken = len(work.notes.notes)
    work.say(f"{len(work.notes.close())} of {taken} notes outlive the run")


def consolidate(work: Work) -> None:
    """Make facts of what has come often enough."""
    memory = work.session.memory
    waiting = memory.due(work.project)
    for one in memory.consolidate(work.project, volumes=work.session.volumes):
        if one.traces:
            work.say(f"{one.traces} traces made {len(one.facts)} facts{f': {one.file}' if one.file else ''}")
        else:
            work.say(f"{waiting} traces wait; {memory.schema.consolidate_after} make facts")


TABLE: dict[str, Callable[[Work], None]] = dict(
    zip(PHASES, (understand, recall, plan, staff_up, do, check, record, consolidate), strict=True)
)


def go(work: Work, show: Show) -> None:
    """Go through the phases; what halts one of the first five leaves out those up to the record."""
    memory = work.session.memory
    with memory.trace(work.goal, kind="project", project=work.project, run=work.session.run) as whole:
        work.trace = whole.id
        for name, function in TABLE.items():
            if work.reason and not work.done and name in ("plan", "staff", "do", "check"):
                continue
            with phase(work, name, show) as trace:
                work.session.trace = trace
                try:
                    function(work)
                except LlmosError as error:
                    work.say(f"{error}")
                    work.reason = work.reason or str(error)
        work.session.trace = ""
        status = "success" if work.outcome == "done" else "failure"
        memory.end(whole, status, f"{work.outcome}: {work.reason}")


@contextmanager
def phase(work: Work, name: str, show: Show) -> Iterator[str]:
    """Hold a phase's trace open, and show what it says as it says it."""
    now = Phase(name)

    def say(line: str) -> None:
        now.said.append(line)
        show(now)

    work.say = say
    show(now)
    trace = work.session.memory.begin(
        f"{name}: {work.goal}", kind="phase", project=work.project, parent=work.trace, run=work.session.run
    )
    yield trace.id
    status = "failure" if work.reason and not work.done else "success"
    work.session.memory.end(trace, status, "; ".join(now.said)[:2000])


def summary(work: Work) -> dict[str, Any]:
    """Return what came of it as the command line's --json prints it."""
    return {
        "project": work.project,
        "outcome": work.outcome,
        "reason": work.reason,
        "steps": [{"step": step.text, "kind": step.kind} for step in work.steps],
        "staff": [{"role": post.role, "agent": post.agent, "how": post.how} for post in work.posts],
        "agents": [{"agent": run.agent, "status": run.status, "calls": len(run.calls)} for run in work.runs],
        "missions": [report.summary() for report in work.reports],
        "trace": work.trace,
    }
