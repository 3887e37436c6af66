"""Skills: listed, run on the session's robot, tested in arenas; programs from wishes; what repeats itself."""

from typing import Annotated, Any, Literal

from pydantic import Field

from llmbytecode import Outcome
from llmos.agents import Status, agent_of, run_agent
from llmos.blackbox import data
from llmos.evolution.patterns import patterns
from llmos.mission import WRITING_S
from llmos.runs import ended
from llmos.skills import Skill, find_skill, load_skills
from llmos.skills.checking import checks, run_check
from llmos.skills.using import Use, using
from llmos.tools.hal import account, carried_out
from llmos.tools.session import Session
from llmos.tools.tool import Arguments, Name, Nothing, ToolError, tool
from llmos.writing import make_program, usual_way

Key = Annotated[str, Field(max_length=40)]
Value = Annotated[int, Field(ge=-1_000_000, le=1_000_000)]


class Kind(Arguments):
    """Which skills: programs, guides, or both."""

    kind: Literal["physical", "guide", "all"] = "all"


class Using(Arguments):
    """A skill with its numbers; what is left out keeps its default. A guide takes a task instead."""

    skill: Name
    values: Annotated[dict[Key, Value], Field(max_length=20, default_factory=dict)]
    task: Annotated[str, Field(max_length=500)] = ""


class Trying(Arguments):
    """A skill, and how many of its tests are run."""

    skill: Name
    most: Annotated[int, Field(ge=1, le=50)] = 10


class Wish(Arguments):
    """What a program is to do, and whether it is run."""

    wish: Annotated[str, Field(min_length=3, max_length=300)]
    run: bool = False


@tool("skills", "read", {"kind": "physical"}, {})
def list_skills(session: Session, arguments: Kind) -> dict[str, Any]:
    """List skills with their parameters."""
    kind = "" if arguments.kind == "all" else arguments.kind
    found = load_skills(session.volumes, kind, session.project)
    return {"skills": [shown(one) for one in found.values()]}


def shown(skill: Skill) -> dict[str, Any]:
    """Return what a caller needs to know of a skill; of each value the least, the greatest and the usual."""
    values = {one.key: [one.lo, one.hi, one.default] for one in skill.parameters}
    return {"name": skill.name, "kind": skill.kind, "description": skill.description, "values": values}


@tool("skills", "move", {"skill": "square", "values": {"side_cm": 40}}, requires=("drive",))
def run_skill(session: Session, arguments: Using) -> dict[str, Any]:
    """Run a skill on the robot, or follow a guide; memory keeps what came of it."""
    skill = find_skill(arguments.skill, session.volumes, session.project)
    guide = skill.kind == "guide"
    if guide != bool(arguments.task) or (guide and arguments.values):
        raise ToolError(f"run_skill: {skill.name} is {skill.kind}: a guide takes a task, other skills values")
    trace = {"project": session.project, "run": session.run, "parent": session.trace or None}
    agent = session.agent.name if session.agent else ""
    if guide and session.box.plays:
        raise ToolError(f"run_skill: {skill.name} is a guide: the calls that it led to are in the record")
    watched, values = None if session.box.plays else session.volumes, arguments.task or arguments.values
    with using(session.memory, watched, skill, values, agent=agent, **trace) as use:
        found = (followed if guide else driven)(session, skill, arguments, use)
    if not use.success:
        raise ToolError(f"run_skill: {skill.name}: {use.outcome}", found)
    return found | ({"verdict": use.verdict} if use.verdict else {})


def driven(session: Session, skill: Skill, arguments: Using, use: Use) -> dict[str, Any]:
    """Run a skill's program, and note what came of it."""
    robot, order = session.robot, session.order
    began_ms = robot.body.clock.now()
    run = robot.run(skill.program(arguments.values))
    truth = robot.judged(began_ms)
    hits = truth.collisions if truth else 0
    faults = [ended(run)] * (run.done.outcome != Outcome.COMPLETED) + [f"{hits} collisions"] * bool(hits)
    use.success, use.outcome = not faults, ended(run)
    use.data = {**order.setting, "values": dict(arguments.values), "faults": faults}
    return {"skill": skill.name, "version": skill.version, **account(robot, run)}


def followed(session: Session, skill: Skill, arguments: Using, use: Use) -> dict[str, Any]:
    """Have an agent follow a guide, and note what came of it."""
    done = run_agent(agent_of(skill.document), arguments.task, session)
    use.success, use.outcome = done.status == Status.DONE, done.answer
    use.data = {**session.order.setting, "values": done.given}
    return {"skill": skill.name, "answer": done.answer, "tools": [call.tool for call in done.calls]}


@tool("skills", "read", {"skill": "square", "most": 2})
def test_skill(session: Session, arguments: Trying) -> dict[str, Any]:
    """Run a skill's own tests in arenas of their own; the session's robot stays where it is."""
    skill = find_skill(arguments.skill, session.volumes, session.project)
    todo = checks(skill, robot=session.order.robot)[: arguments.most]
    if not todo:
        raise ToolError(f"test_skill: {skill.name} has no tests; add some to its file")
    done = [run_check(one) for one in todo]
    rows = [{"test": one.check.name, "passed": one.success, "faults": list(one.faults)} for one in done]
    return {"passed": sum(one.success for one in done), "of": len(done), "tests": rows}


@tool("skills", "move", {"wish": "drive a square of 40 cm"}, requires=("drive",))
def write_program(session: Session, arguments: Wish) -> dict[str, Any]:
    """Have the model write a program, verified; run it where that is wanted."""
    way = usual_way(session.kernel.name)
    draft = make_program(
        arguments.wish,
        session.kernel,
        session.manifest,
        way,
        seed=session.order.seed,
        deadline_s=WRITING_S,
    )
    if draft.program is None:
        raise ToolError(f"write_program: none was accepted; the last one: {draft.attempts[-1].refusal}")
    made = {"text": draft.text, "certificate": data(draft.certificate)}
    return made | (carried_out(session.robot, draft.program) if arguments.run else {})


@tool("memory", "read")
def find_patterns(session: Session, arguments: Nothing) -> dict[str, Any]:
    """List what was done often, and with success, and so could become a skill."""
    return {"patterns": [data(one) for one in patterns(session.memory)]}
