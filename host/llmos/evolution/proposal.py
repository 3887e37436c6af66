"""What a dream proposes: the changed file, with its evidence in the front matter, the text and the commit."""

import time
from typing import TYPE_CHECKING

from llmos.document import next_version
from llmos.evolution.breeding import Rated
from llmos.evolution.judge import Verdict
from llmos.skills import Skill

if TYPE_CHECKING:
    from llmos.evolution.dream import Dream

_HISTORY = "# Evolution history"


def proposed(skill: Skill, winner: Rated, verdict: Verdict, night: "Dream") -> tuple[str, str]:
    """Return the file's new text, and the reason of its commit."""
    version = next_version(skill.front.version)
    evidence = told(verdict, night)
    changes = ", ".join(lineage(winner, night))
    line = f"- {version} ({time.strftime('%Y-%m-%d')}, dream {night.journal.stamp}): {evidence}; {changes}."
    document = winner.variant.skill.document.changed(
        version=version, evolved_from=f"{skill.name}@{skill.version}"
    )
    body = document.source.rstrip("\n")
    head = "" if f"\n{_HISTORY}\n" in body else f"\n\n{_HISTORY}\n"
    return f"{body}{head}\n{line}\n", evidence


def told(verdict: Verdict, night: "Dream") -> str:
    """Return the evidence in a sentence."""
    seeds = [case.seed for case in night.unseen]
    return (
        f"{verdict.before:.0%} -> {verdict.after:.0%} of {verdict.cases} held-out runs "
        f"({verdict.mended} mended, {verdict.broken} broken), p {verdict.corrected:.1g} "
        f"over {len(night.verdicts)} offered, odd seeds {min(seeds)} to {max(seeds)}"
    )


def lineage(winner: Rated, night: "Dream") -> list[str]:
    """Return the operators that led to a variant, the first one first."""
    known = {one.variant.id: one for one in night.bred.rated} if night.bred else {}
    found: list[str] = []
    here: Rated | None = winner
    while here is not None and here.variant.parents:
        found.append(here.variant.operator)
        here = known.get(here.variant.parents[0])
    return found[::-1]
