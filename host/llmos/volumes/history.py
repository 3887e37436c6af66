"""What a volume's commits say: their messages written and read, the log, and differences."""

from collections.abc import Sequence

from llmos.text import plain

from .tiers import Change

_REASON = 120  # characters of a reason in a subject


def message(change: Change, tier: str, paths: Sequence[str]) -> str:
    """Return a commit's message: `path: reason`, and as trailers the tier, the agent and the run."""
    more = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
    reason = " ".join(plain(change.reason).split())
    subject = f"{paths[0] if paths else tier}{more}: {reason[:_REASON]}"
    body = f"{reason}\n\n" if len(reason) > _REASON else ""
    trailers = {"Tier": tier, "Agent": change.agent, "Project": change.project, "Run": change.run}
    lines = [f"{key}: {plain(value)}" for key, value in trailers.items() if value]
    return f"{subject}\n\n{body}" + "\n".join(lines) + "\n"
