"""Who works on a project: for each role the agent that can most of it, as it is, taught the rest, or made."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from llmos.agents import Agent
from llmos.document import next_version
from llmos.kernel.orchestration import Orchestration
from llmos.kernel.registry import fitting
from llmos.volumes import written

How = Literal["there", "copied", "evolved", "created"]
ALWAYS = ("planner", "checker", "recorder")


@dataclass(frozen=True)
class Post:
    """Who has a role.

    Args:
        role: planner, checker, recorder, or a kind of goal.
        agent: the agent's name.
        how: whether the project had it already, or it was copied, evolved or created for it.
        share: of what the role needs, how much it could before.
        source: its file, which the project gets; empty where it is there.
    """

    role: str
    agent: str
    how: How
    share: float
    source: str = ""

    def __str__(self) -> str:
        told = "made" if self.how == "created" else f"{self.how}, {self.share:.0%}"
        return f"{self.role} {self.agent} ({told})"


def share(needed: Sequence[str], agent: Agent) -> float:
    """Return how much of what is needed an agent can, from 0 to 1."""
    return len(set(needed) & set(agent.capabilities)) / len(set(needed))


def staff(
    kinds: Iterable[str], agents: Mapping[str, Agent], project: str, rules: Orchestration
) -> list[Post]:
    """Return who has which role.

    Args:
        kinds: of the steps' goals; each is a role.
        agents: all there are, by name; those of the project say so.
        project: its name.
        rules: what the roles need, and how many agents there must be.
    """
    posts = [_post(role, agents, project, rules) for role in (*ALWAYS, *dict.fromkeys(kinds))]
    names = {post.agent for post in posts}
    wanted = {capability for post in posts for capability in rules.needs(post.role)}
    spare = sorted(
        (agent for name, agent in agents.items() if name not in names and agent.type != "orchestrator"),
        key=lambda agent: (-len(wanted & set(agent.capabilities)), agent.name),
    )
    for agent in spare[: max(0, rules.least_agents - len(names))]:
        posts.append(_taken("adviser", agent, 1.0, project))
    return posts


def _post(role: str, agents: Mapping[str, Agent], project: str, rules: Orchestration) -> Post:
    needed = rules.needs(role)
    able = [agent for agent in agents.values() if agent.type != "orchestrator"]
    best = max(able, key=lambda agent: _rank(needed, agent, project), default=None)
    if best is None or share(needed, best) < rules.evolve_at:
        return _made(role, needed, project, agents)
    if share(needed, best) >= rules.copy_at:
        return _taken(role, best, share(needed, best), project)
    return _taught(role, best, needed, project)


def _rank(needed: Sequence[str], agent: Agent, project: str) -> tuple[float, bool, int, str]:
    """Return by what the best is chosen: what it can, the project's own first, then the most special."""
    return (share(needed, agent), agent.project == project, -len(agent.capabilities), agent.name)


def _taken(role: str, agent: Agent, able: float, project: str) -> Post:
    if agent.project == project or agent.document is None:
        return Post(role, agent.name, "there", able)
    copy = agent.document.changed(origin="copied", project=project, evolved_from=agent.name)
    return Post(role, agent.name, "copied", able, copy.source)


def _taught(role: str, agent: Agent, needed: Sequence[str], project: str) -> Post:
    missing = [capability for capability in needed if capability not in agent.capabilities]
    tools = [*agent.tools, *(tool for tool in fitting(" ".join(missing)) if tool not in agent.tools)]
    name = agent.name if agent.project == project else f"{agent.name}_{role}"
    if agent.document is None:
        return _made(role, needed, project, {})
    evolved = agent.document.changed(
        name=name,
        origin="evolved",
        evolved_from=agent.name,
        project=project,
        version=next_version(agent.version),
        tools=tools,
        capabilities=[*agent.capabilities, *missing],
        tests=None,
    )
    return Post(role, name, "evolved", share(needed, agent), evolved.source)


def _made(role: str, needed: Sequence[str], project: str, agents: Mapping[str, Agent]) -> Post:
    name = next(one for one in _names(f"{role}_agent") if one not in agents)
    tools = fitting(f"{role} {' '.join(needed)}")
    front = {
        "name": name,
        "type": "specialist",
        "category": "robot" if "driving" in needed else "general",
        "description": f"The project's {role}: {', '.join(needed)}.",
        "tools": tools,
        "capabilities": list(needed),
        "version": "1",
        "origin": "created",
        "project": project,
    }
    body = f"You are the {role} of a project with a robot. Do the task with your tools; say what came of it."
    return Post(role, name, "created", 0.0, written(front, body))


def _names(name: str) -> Iterable[str]:
    yield name
    yield from (f"{name}_{number}" for number in range(2, 1000))
