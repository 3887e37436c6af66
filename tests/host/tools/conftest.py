"""A caller with permissions."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Caller:
    """An agent, as far as a session needs it."""

    name: str = "tester"
    category: str = "robot"
    tools: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
