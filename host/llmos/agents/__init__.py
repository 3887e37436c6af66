"""Agents: markdown files that say what an agent is for and which tools it has, and the loop that runs them.

Errors: `LlmosError` <- `AgentError`.
"""

from .agent import Agent, AgentError, AgentTest, Step, agent_of, find_agent, load_agents, problems
from .loop import AgentRun, Call, Status, run_agent

__all__ = [
    "Agent",
    "AgentError",
    "AgentRun",
    "AgentTest",
    "Call",
    "Status",
    "Step",
    "agent_of",
    "find_agent",
    "load_agents",
    "problems",
    "run_agent",
]
