"""Other agents: found, called, and checked for a project."""

from typing import Annotated, Any

from pydantic import Field

from llmos.agents import Status, delegate, find_agent, load_agents, load_model_size
from llmos.errors import LlmosError
from llmos.kernel.orchestration import load_orchestration
from llmos.tools.session import Session
from llmos.tools.tool import Arguments, Name, ToolError, tool


class Wanted(Arguments):
    """What agents are wanted for; all where nothing is said."""

    task: Annotated[str, Field(max_length=300)] = ""


class Delegation(Arguments):
    """Which agent is to do what."""

    agent: Name
    task: Annotated[str, Field(min_length=1, max_length=1000)]


class Project(Arguments):
    """A project; the session's own where none is named."""

    project: Annotated[str, Field(max_length=60)] = ""


@tool("agents", "read", {"task": "measure the room"}, {})
def discover_subagents(session: Session, arguments: Wanted) -> dict[str, Any]:
    """List agents, those whose words fit the task first."""
    said = set(arguments.task.lower().split())
    rows = []
    for agent in load_agents(session.volumes, session.project).values():
        words = " ".join([agent.description, *agent.capabilities, *agent.triggers]).lower()
        fit = len(said & set(words.replace(",", " ").replace(".", " ").split()))
        rows.append((-fit, agent.name, agent))
    return {
        "agents": [
            {"name": name, "category": one.category, "description": one.description, "tools": list(one.tools)}
            for _, name, one in sorted(rows)
        ]
    }


@tool("agents", "move", {"agent": "planning", "task": "plan: drive to 1, 1 and back"})
def invoke_subagent(session: Session, arguments: Delegation) -> dict[str, Any]:
    """Have another agent do a task; its tools work with this session's robot and budget."""
    run = delegate(session, arguments.agent, arguments.task)
    if run.status != Status.DONE:
        raise ToolError(f"{run.agent} ended with {run.status}: {run.answer}")
    return {"agent": run.agent, "answer": run.answer, "tools": [call.tool for call in run.calls]}


@tool("agents", "read", {"project": "kitchen"}, {})
def validate_project_agents(session: Session, arguments: Project) -> dict[str, Any]:
    """Say whether a project has the agents that it needs, and what is wrong with them."""
    project = arguments.project or session.project
    if not project:
        raise ToolError("validate_project_agents: which project? Name one")
    least = load_orchestration().least_agents
    own = [one for one in session.volumes.entries("agents", project) if one.path.startswith("projects/")]
    wrong = []
    if len(own) < least:
        wrong.append(
            f"project {project} has {len(own)} agents of its own, at least {least} are wanted "
            "(kernel/orchestration.md, least_agents)"
        )
    for one in own:
        try:
            find_agent(session.volumes, one.name, project)
        except LlmosError as error:
            wrong.append(str(error))
    return {"project": project, "agents": [one.name for one in own], "valid": not wrong, "problems": wrong}


class Chosen(Arguments):
    """An agent."""

    agent: Name


@tool("agents", "read", {"agent": "reactive_robot_agent"})
def execution_strategy(session: Session, arguments: Chosen) -> dict[str, Any]:
    """Say how an agent is run by the model that is there, by `kernel/model_size.md`."""
    rules, agent = load_model_size(), find_agent(session.volumes, arguments.agent, session.project)
    size = rules.parameters(session.kernel)
    return {
        "agent": agent.name,
        "kernel": session.kernel.name,
        "parameters": size,
        "strategy": rules.strategy(agent, size),
        "steps": len(agent.steps),
    }
