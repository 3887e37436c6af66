"""The watch over what was promoted: what gets worse comes down again, by itself.

After each use of a version that lies in the team's volume, or was promoted into the system's, its uses there
are held against the success that was proved when it was promoted (`bounds.Watch`). A version that got there
otherwise, by hand or by a sync, was never proved: it is on probation for its first uses, where less is enough
to take it back. What is taken back is quarantined: no tier offers this version any more, until a person
releases it; the volume gets the version before again, as a commit of its own.
"""

from dataclasses import dataclass, field
from typing import Literal

from llmos.document import decoded
from llmos.errors import LlmosError
from llmos.evolution import ledger
from llmos.evolution.bounds import Watch, watch_of
from llmos.evolution.evidence import Evidence, evidence
from llmos.evolution.ledger import Event, quarantined
from llmos.evolution.rules import Evolution, load_evolution
from llmos.memory import Memory
from llmos.volumes import Change, DocumentError, Tier, Volumes, version_of
from llmos.volumes.access import PROMOTION
from llmos.volumes.tiers import Entry

__all__ = ["ReleaseError", "Verdict", "quarantined", "release", "watched"]

Status = Literal["unwatched", "probation", "watched", "quarantined"]
SHARED = (Tier.TEAM, Tier.SYSTEM)


class ReleaseError(LlmosError):
    """A version that cannot be released from quarantine."""


@dataclass(frozen=True)
class Verdict:
    """What the watch says after a use.

    Args:
        status: unwatched (nobody shares it), probation, watched, or quarantined.
        tier: the volume in which it is shared; empty where it is not.
        evidence: the uses that it is judged by.
        line: what to tell the user; empty where there is nothing to tell.
    """

    status: Status
    tier: str = ""
    evidence: Evidence = field(default_factory=lambda: Evidence(()))
    line: str = ""


def watched(volumes: Volumes, memory: Memory, kind: str, name: str) -> Verdict:
    """Judge a skill or an agent after a use of it; take it back where it got worse.

    Args:
        volumes: where it lies.
        memory: where its uses are.
        kind: skill or agent.
        name: its name.
    """
    entry = ledger.offered(volumes.entries(f"{kind}s", shadowed=True)).get(name)
    if entry is None:
        return Verdict("unwatched")
    verdict = Verdict("unwatched")
    for tier in SHARED:
        if _version(volumes, tier, entry.path) == entry.version:
            verdict = _judged(volumes, memory, kind, entry, tier, load_evolution())
            if verdict.status == "quarantined":
                break
    return verdict


def release(kind: str, name: str, who: str, reason: str) -> Event:
    """Let a quarantined version be used again, by a person's decision; its uses begin to count anew.

    Raises:
        ReleaseError: nothing of this name is quarantined.
    """
    found = [event for event in quarantined().values() if (event.kind, event.name) == (kind, name)]
    if not found:
        names = ", ".join(sorted({event.name for event in quarantined().values()})) or "nothing"
        raise ReleaseError(f"{kind} {name[:60]!r} is not quarantined; {names} is")
    last = found[-1]
    return ledger.add(
        Event(
            what="released",
            kind=kind,
            name=name,
            tier=last.tier,
            version=last.version,
            at=ledger.now(),
            who=who,
            reason=reason,
        )
    )


def test_of(proof: Event | None, tier: Tier, rules: Evolution) -> Watch:
    """Return the test of a settled version: against what was proved, else against what its tier asks."""
    asked = rules.system_success if tier is Tier.SYSTEM else rules.team_success
    return watch_of(proof.bound if proof else asked, rules.watch_worse, rules.watch_odds)


def _judged(
    volumes: Volumes, memory: Memory, kind: str, entry: Entry, tier: Tier, rules: Evolution
) -> Verdict:
    history = [event for event in ledger.events(entry.name, kind) if event.tier == tier]
    proof = next((event for event in reversed(history) if event.what == "promoted"), None)
    own = [event for event in history if event.version == entry.version]
    since = max((event.at for event in own), default=0.0)
    proved = proof is not None and proof.version == entry.version
    found = evidence(memory, kind, entry.name, entry.version, since, distinct=False)
    test = test_of(proof, tier, rules)
    short = test._replace(odds=rules.probation_odds)
    alarmed = test.alarmed(found.uses) or (not proved and short.alarmed(found.uses[: rules.probation_uses]))
    if alarmed:
        with ledger.turn():
            return _taken_back(volumes, kind, entry, tier, found, test)
    probation = not proved and found.count < rules.probation_uses
    return Verdict("probation" if probation else "watched", tier, found)


def _taken_back(
    volumes: Volumes, kind: str, entry: Entry, tier: Tier, found: Evidence, test: Watch
) -> Verdict:
    """Quarantine a version, then restore the one before it; a kill between them leaves it quarantined."""
    if entry.version in quarantined():  # by another process, a moment ago
        return Verdict("quarantined", tier, found)
    why = f"{found.good} of {found.count} uses went well, {test.good:.0%} are asked"
    event = Event(
        what="quarantined",
        kind=kind,
        name=entry.name,
        tier=tier,
        version=entry.version,
        at=ledger.now(),
        who="watch",
        reason=why,
        good=found.good,
        uses=found.count,
    )
    ledger.add(event)
    before = _before(volumes, kind, entry, tier)
    what = "the version before is back" if before else "it was removed"
    change = Change(
        PROMOTION if tier is Tier.SYSTEM else "watch", f"take {entry.version} back: {why}; {what}"
    )
    volumes.write_all(tier, {entry.path: before or None}, change)
    line = (
        f"{kind} {entry.name} got worse and was taken back from the {tier} volume: {why}; {what} "
        f"(`llmos volume log {tier} {entry.path}`)"
    )
    return Verdict("quarantined", tier, found, line)


def _before(volumes: Volumes, kind: str, entry: Entry, tier: Tier) -> str:
    """Return the text to go back to: the newest promoted version, else the newest other one; empty: none."""
    bad = {*quarantined(), entry.version}
    promoted = {
        event.version
        for event in ledger.events(entry.name, kind)
        if event.what == "promoted" and event.tier == tier
    }
    other = ""
    for commit in volumes.log(tier, entry.path):
        try:
            text = volumes.read_at(tier, entry.path, commit.id).source
        except LlmosError:  # it was removed by that commit, or could not be read then
            continue
        version = version_of(text)
        if version in promoted - bad:
            return text
        if version not in bad:
            other = other or text
    return other


def _version(volumes: Volumes, tier: Tier, path: str) -> str:
    """Return the version of a file in a tier's own folder; empty where it is not there."""
    file = volumes.folder(tier) / path
    try:
        return version_of(decoded(file.read_bytes(), file))
    except (OSError, DocumentError):
        return ""
