"""A use of a skill, as memory keeps it: what later promotes the skill, or takes it back."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from llmos.evolution.watch import watched
from llmos.memory import Memory, Trace
from llmos.volumes import Volumes

from ._skill import Skill


@dataclass
class Use:
    """One use; whoever runs the skill says what came of it.

    Args:
        trace: its trace in memory.
        success: whether it did what it is for.
        outcome: what came of it, in words.
        data: what a replay needs: arena, seed, values, faults.
        verdict: what the watch over promoted skills has to say afterwards; empty where it has nothing.
    """

    trace: Trace
    success: bool = False
    outcome: str = ""
    data: dict[str, Any] = field(default_factory=dict)
    verdict: str = ""


@contextmanager
def using(
    memory: Memory, volumes: Volumes | None, skill: Skill, values: Mapping[str, int] | str, **trace: Any
) -> Iterator[Use]:
    """Have a trace for a use of a skill; an error that leaves the block cancels it, as it proves nothing.

    Args:
        memory: where the trace goes.
        volumes: where a skill that got worse is rolled back; None where nobody watches, as in a replay.
        skill: which.
        values: a physical skill's parameters, or a guide's task.
        trace: more of the trace: project, parent, run, agent.
    """
    goal = said(skill, values)
    use = Use(memory.begin(goal, kind="skill", skill=skill.name, version=skill.version, **trace))
    try:
        yield use
    except BaseException as error:
        memory.end(use.trace, "cancelled", f"{type(error).__name__}: {error}", data=use.data)
        raise
    use.trace = memory.end(use.trace, "success" if use.success else "failure", use.outcome, data=use.data)
    if volumes:
        use.verdict = watched(volumes, memory, "skill", skill.name).line


def said(skill: Skill, values: Mapping[str, int] | str) -> str:
    """Return a use in a line: `square side_cm=40`."""
    if isinstance(values, str):
        return f"{skill.name}: {values}"
    return " ".join([skill.name, *(f"{key}={value}" for key, value in values.items())])
