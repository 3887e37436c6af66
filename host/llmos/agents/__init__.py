"""Agents: markdown files that say what an agent is for and which tools it has, and the loop that runs them.

Errors: `LlmosError` <- `AgentError`, `ContextError`, `MessageError`.
"""

from .agent import Agent, AgentError, AgentTest, agent_of
from .delegation import delegate
from .loading import find_agent, load_agents
from .loop import AgentRun, Call, Status, run_agent
from .messages import Content, Message, MessageError, Messages, Priority
from .strategy import load_model_size

__all__ = [
    "Agent",
    "AgentError",
    "AgentRun",
    "AgentTest",
    "Call",
    "Content",
    "Message",
    "MessageError",
    "Messages",
    "Priority",
    "Status",
    "agent_of",
    "delegate",
    "find_agent",
    "load_agents",
    "load_model_size",
    "run_agent",
]
