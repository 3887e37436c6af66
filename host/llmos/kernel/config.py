"""What the kernel allows: limits of agents, tools, plans and files; `volumes/system/kernel/config.md`."""

from typing import Annotated

from pydantic import Field

from llmos.kernel.prompt import Rules, read_rules

Count = Annotated[int, Field(gt=0, le=10**6)]
Seconds = Annotated[float, Field(gt=0, le=86_400)]
Share = Annotated[float, Field(ge=0, le=1)]


class Config(Rules):
    """The kernel's limits; see the file for what each means."""

    iterations: Count
    tool_calls: Count
    served_calls: Count
    retries: Annotated[int, Field(ge=0, le=100)]
    agent_depth: Count
    agent_s: Seconds
    file_bytes: Count
    context_tokens: Count
    run_above: Share
    ask_below: Share


def load_config() -> Config:
    """Return the limits.

    Raises:
        DocumentError: the file is wrong.
    """
    return read_rules("config", Config)
