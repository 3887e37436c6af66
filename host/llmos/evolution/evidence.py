"""What memory knows of the uses of one version of a skill or an agent."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from llmos.evolution.bounds import lower_bound
from llmos.memory import Memory, Trace

MOST = 1000  # uses that are read, the newest
ENDED = ("success", "failure")  # one that was cancelled proves nothing


@dataclass(frozen=True)
class Evidence:
    """The uses of one version.

    Args:
        uses: whether each went well, the oldest first.
        repeated: uses that were left out, as they are the same simulated run again.
    """

    uses: tuple[bool, ...]
    repeated: int = 0

    @property
    def count(self) -> int:
        """How many uses."""
        return len(self.uses)

    @property
    def good(self) -> int:
        """How many of them went well."""
        return sum(self.uses)

    @property
    def success(self) -> float:
        """The share of them; 0 of none."""
        return self.good / self.count if self.count else 0.0

    def bound(self, confidence: float) -> float:
        """Return the lower bound of the true success."""
        return lower_bound(self.good, self.count, confidence)


def evidence(
    memory: Memory, kind: str, name: str, version: str, since: float = 0.0, distinct: bool = True
) -> Evidence:
    """Return the uses of exactly this version since some time.

    A use that was forgotten counts, as forgetting is no way to a better record.

    Args:
        memory: where the traces are.
        kind: skill or agent.
        name: its name.
        version: of its file, as volumes tell it.
        since: seconds since 1970.
        distinct: count a run on the virtual robot once where arena, seed and values were the same before, as
            it comes out as it did then.
    """
    who = {"skill": name} if kind == "skill" else {"agent": name}
    traces = memory.traces(**who, version=version, since=since or None, forgotten=True, limit=MOST)
    ended = [trace for trace in reversed(traces) if trace.status in ENDED]
    if kind == "agent":
        ended = [trace for trace in ended if not trace.skill]
    counted = _distinct(ended) if distinct else ended
    return Evidence(tuple(trace.success for trace in counted), len(ended) - len(counted))


def _distinct(traces: Sequence[Trace]) -> list[Trace]:
    """Return the traces, of the same simulated run the first only."""
    found: dict[str, Trace] = {}
    for trace in traces:
        found.setdefault(_run(trace), trace)
    return list(found.values())


def _run(trace: Trace) -> str:
    """Return what makes a simulated run what it is; of the real robot each is its own."""
    if not trace.data.get("arena") or "seed" not in trace.data:
        return trace.id
    arena = str(trace.data["arena"])
    place = arena if ":" in arena else Path(arena).stem
    return json.dumps(
        [place, trace.data["seed"], trace.data.get("robot"), trace.data.get("values")], sort_keys=True
    )
