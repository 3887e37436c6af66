"""Which agents there are: of a project, of the user, of the team, and those that ship."""

import difflib
from functools import lru_cache

from llmos.agents.agent import Agent, AgentError, agent_of
from llmos.errors import LlmosError
from llmos.evolution.audit import unfit
from llmos.evolution.ledger import offered
from llmos.text import plain
from llmos.volumes import Entry, NoEntry, Volumes

_KEPT = 512  # agents in memory


def load_agents(volumes: Volumes, project: str = "") -> dict[str, Agent]:
    """Return all agents that can be used, by name; a file that somebody has just saved counts at once.

    A file that is wrong or refused is left out; `find_agent` says what is wrong with it. An agent of the same
    name in another volume does not step in for it: nobody would notice.
    """
    found: dict[str, Agent] = {}
    for name, entry in agent_entries(volumes, project).items():
        try:
            found[name] = usable(entry)
        except LlmosError:
            continue
    return found


def find_agent(volumes: Volumes, name: str, project: str = "") -> Agent:
    """Return an agent by name.

    Raises:
        NoEntry: there is none, or all of them are quarantined.
        DocumentError: its file is wrong.
        AgentError: it is refused.
    """
    entries = agent_entries(volumes, project)
    if name not in entries:
        near = difflib.get_close_matches(name, entries, 3) or list(entries)
        raise NoEntry(
            f"agent {plain(name)[:60]!r}: there is none, or it is quarantined; there is {', '.join(near)}"
        )
    return usable(entries[name])


def agent_entries(volumes: Volumes, project: str = "") -> dict[str, Entry]:
    """Return the file of each agent by its name; a quarantined version lets the next tier's step in."""
    return dict(sorted(offered(volumes.entries("agents", project, shadowed=True)).items()))


def usable(entry: Entry) -> Agent:
    """Return the agent of a volume's file; one that a person or a model wrote is audited.

    Raises:
        DocumentError: it is wrong.
        AgentError: it gives orders to who reads it, or wants what it may not have.
    """
    agent = _read(entry)
    refused = unfit(agent.document, entry, "agent") if agent.document else ""
    if refused:
        raise AgentError(refused)
    return agent


@lru_cache(_KEPT)
def _read(entry: Entry) -> Agent:
    return agent_of(entry.document())
