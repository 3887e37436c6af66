"""Which agents there are: of a project, of the user, of the team, and those that ship."""

from llmos.agents.agent import Agent, agent_of
from llmos.errors import LlmosError
from llmos.volumes import Entry, Volumes


def load_agents(volumes: Volumes, project: str = "") -> dict[str, Agent]:
    """Return all agents that can be used, by name; each is read anew, so that a saved file counts at once.

    A file that is wrong or refused is left out; `find_agent` says what is wrong with it.
    """
    found: dict[str, Agent] = {}
    for entry in volumes.entries("agents", project):
        try:
            found[entry.name] = usable(entry)
        except LlmosError:
            continue
    return dict(sorted(found.items()))


def find_agent(volumes: Volumes, name: str, project: str = "") -> Agent:
    """Return an agent by name.

    Raises:
        NoEntry: there is none.
        DocumentError: its file is wrong.
        AgentError: it is refused.
    """
    return usable(volumes.find("agents", name, project))


def usable(entry: Entry) -> Agent:
    """Return the agent of an entry.

    Raises:
        DocumentError: its file is wrong.
        AgentError: its name is not the file's.
    """
    return agent_of(entry.document())
