"""Promotion: a skill or an agent moves up a tier by its uses, a lower bound, an audit, and its own tests now.

From the user's volume to the team's, and from there above the system's. What decides stands in
`kernel/evolution.md`: so many uses of exactly this version, a share of them that went well, a lower bound of
the true success, the audit's points, and the file's own tests on seeds that nobody knew before. The kernel's
rules are never promoted; into the system volume a person says yes.
"""

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from llmos.agents import agent_of
from llmos.agents.trying import try_agent
from llmos.errors import LlmosError
from llmos.evolution import ledger
from llmos.evolution.audit import Audit, audit
from llmos.evolution.bounds import wanted
from llmos.evolution.evidence import Evidence, evidence
from llmos.evolution.ledger import Event, quarantined
from llmos.evolution.rules import Evolution, load_evolution
from llmos.memory import Memory
from llmos.skills import skill_of
from llmos.skills.checking import checks, run_check
from llmos.text import plain
from llmos.volumes import Change, Document, NoEntry, Tier, Volumes
from llmos.volumes.access import PROMOTION

KINDS = ("skill", "agent")
BELOW = {Tier.TEAM: Tier.USER, Tier.SYSTEM: Tier.TEAM}
SEEDS = 10**9  # fresh seeds are drawn below this
SHOWN = 60

Runs = Callable[[str, Document, list[int]], "list[OwnTest]"]


class PromotionRefused(LlmosError):
    """A promotion that is short of something; the message says of what, and by how much."""


@dataclass(frozen=True)
class OwnTest:
    """One of the file's own tests, run now; `faults` is empty where it passed."""

    name: str
    faults: tuple[str, ...] = ()


@dataclass(frozen=True)
class Promotion:
    """A promotion that was made.

    Args:
        kind, name, path: what moved.
        source, target: from which tier into which.
        version: of the file.
        evidence: its uses.
        bound: the lower bound of its success.
        confidence: of that bound.
        audit: for the new tier.
        tests: its own, run now.
        seeds: on which a physical skill's were run.
        commit: in the new tier's history.
        waited: another promotion was going on.
    """

    kind: str
    name: str
    path: str
    source: Tier
    target: Tier
    version: str
    evidence: Evidence
    bound: float
    confidence: float
    audit: Audit
    tests: tuple[OwnTest, ...]
    seeds: tuple[int, ...]
    commit: str
    waited: bool = False

    def facts(self) -> dict[str, object]:
        """Return the promotion for a JSON object."""
        plainly = (
            "kind",
            "name",
            "path",
            "source",
            "target",
            "version",
            "bound",
            "seeds",
            "commit",
            "waited",
        )
        return {name: getattr(self, name) for name in plainly} | {
            "good": self.evidence.good,
            "uses": self.evidence.count,
            "audit": {"total": self.audit.total, "scores": dict(self.audit.scores)},
            "tests": {"passed": _passed(self.tests), "count": len(self.tests)},
        }

    def lines(self) -> list[str]:
        """Return the promotion for people, line by line."""
        scores = ", ".join(f"{name} {score:.0f}" for name, score in self.audit.scores.items())
        seeds = f", seeds {', '.join(map(str, self.seeds))}" if self.seeds else ""
        return [
            f"{self.kind} {self.name} {self.version} moved from {self.source} to {self.target} "
            f"(commit {self.commit[:10]})",
            f"  uses     {self.evidence.good} of {self.evidence.count} went well; "
            f"at {self.confidence:.0%} confidence at least {self.bound:.0%} do",
            f"  audit    {self.audit.total:.0f} of 100, asked {self.audit.least:g}: {scores}",
            f"  tests    {_passed(self.tests)} of {len(self.tests)} passed{seeds}",
            *(["  waited   until another promotion was done"] if self.waited else []),
        ]


def promote(
    volumes: Volumes,
    memory: Memory,
    kind: str,
    name: str,
    to: Tier | str,
    change: Change,
    approved: bool = False,
    tests: Runs | None = None,
) -> Promotion:
    """Move a file up a tier, by a commit that carries the evidence.

    Args:
        volumes: where it lies.
        memory: where its uses are.
        kind: skill or agent.
        name: its name.
        to: team or system.
        change: who asks for it, and why.
        approved: a person said yes; the system volume asks for that.
        tests: runs the file's own tests on seeds; by default `own_tests`.

    Raises:
        PromotionRefused: something is short; the message names all of it.
        AccessDenied: the author may not write there.
        DocumentError: the file, or one of the kernel's rules, is wrong.
    """
    if kind not in KINDS:
        raise PromotionRefused(f"{plain(kind)[:SHOWN]!r} is never promoted: only skills and agents are")
    if to not in tuple(BELOW):
        raise PromotionRefused(f"nothing is promoted to {plain(str(to))[:SHOWN]!r}: name team or system")
    if change.agent:
        raise PromotionRefused(f"agent {change.agent} asks for a promotion: only persons may")
    target = Tier(to)
    with ledger.turn() as waited:
        case = _Case(volumes, memory, kind, name, target, load_evolution())
        return case.promote(change, approved, tests or own_tests, waited)


class _Case:
    """One promotion under way."""

    def __init__(
        self, volumes: Volumes, memory: Memory, kind: str, name: str, target: Tier, rules: Evolution
    ) -> None:
        self.volumes, self.kind, self.name, self.target, self.rules = volumes, kind, name, target, rules
        self.source = BELOW[target]
        self.path = f"{kind}s/{name}.md"
        self.who = f"{kind} {plain(name)[:SHOWN]} is not promoted to {target}"
        self.document = self._read()
        self.version = self.document.version
        self.evidence = evidence(memory, kind, name, self.version)
        self.audit = audit(self.document, target, kind)

    def promote(self, change: Change, approved: bool, run: Runs, waited: bool) -> Promotion:
        short = [*self._shortages(approved)]
        if short:
            raise PromotionRefused(f"{self.who}: {'; '.join(short)}")
        seeded = self.document.values.get("type") == "physical"  # a guide's and an agent's tests name theirs
        drawn = random.SystemRandom().sample(range(SEEDS), self.rules.fresh_seeds) if seeded else []
        tests = tuple(run(self.kind, self.document, drawn))
        self._check(tests)
        bound = self.evidence.bound(self.rules.bound_confidence)
        commit = self._write(change, tests, bound)
        return Promotion(
            self.kind, self.name, self.path, self.source, self.target, self.version, self.evidence, bound,
            self.rules.bound_confidence, self.audit, tests, tuple(drawn), commit, waited,
        )  # fmt: skip

    def _read(self) -> Document:
        try:
            return self.volumes.read(self.source, self.path)
        except NoEntry:
            has = [tier for tier in Tier if self._version(tier)]
            where = f"it is in {', '.join(has)}" if has else "no volume has it"
            raise PromotionRefused(
                f"{self.who}: the {self.source} volume does not have it, {where}; "
                "it moves up one tier at a time"
            ) from None

    def _version(self, tier: Tier) -> str:
        try:
            return self.volumes.read(tier, self.path).version
        except LlmosError:
            return ""

    def _shortages(self, approved: bool) -> Iterable[str]:
        """Yield what is short, each with by how much."""
        if self._version(self.target) == self.version:
            log = self.volumes.log(self.target, self.path, 1)
            by = f", by {log[0].author} ({log[0].id[:10]})" if log else ""
            yield f"version {self.version} is there already{by}"
            return
        bad = quarantined().get(self.version)
        if bad:
            yield f"version {self.version} was quarantined ({bad.reason}): change it, or have it released"
        yield from self._short_of_uses()
        if not self.audit.passed:
            yield f"the audit refuses it: {self.audit.reason}"
        if self.target is Tier.SYSTEM and not approved:
            yield "a person's yes is missing: read the file, then add --yes"

    def _short_of_uses(self) -> Iterable[str]:
        asked = self.rules.system_success if self.target is Tier.SYSTEM else self.rules.team_success
        least = self.rules.system_uses if self.target is Tier.SYSTEM else self.rules.team_uses
        found, confidence = self.evidence, self.rules.bound_confidence
        again = f" ({found.repeated} repeat the same simulated run)" if found.repeated else ""
        if found.count < least:
            yield f"{found.count} uses of version {self.version}{again}, {least} are asked"
        if found.count and found.success < asked:
            yield f"{found.good} of {found.count} went well, {found.success:.0%}; {asked:.0%} are asked"
        more = wanted(found.good, found.count, asked, confidence)
        if more:
            yield (
                f"at {confidence:.0%} confidence {found.bound(confidence):.0%} succeed at least, "
                f"{asked:.0%} are asked: {more} more successes without a failure are wanted"
            )

    def _check(self, tests: tuple[OwnTest, ...]) -> None:
        asked = self.rules.system_success if self.target is Tier.SYSTEM else self.rules.team_success
        passed = _passed(tests)
        if not tests:
            raise PromotionRefused(
                f"{self.who}: it has no tests of its own; add `tests:` to its front matter"
            )
        if passed < asked * len(tests):
            bad = next(test for test in tests if test.faults)
            raise PromotionRefused(
                f"{self.who}: {passed} of {len(tests)} of its own tests passed, {asked:.0%} are asked; "
                f"{bad.name}: {bad.faults[0]}"
            )

    def _write(self, change: Change, tests: tuple[OwnTest, ...], bound: float) -> str:
        """Commit the file, then note it; a kill between them leaves it in its tier on probation."""
        system = self.target is Tier.SYSTEM
        told = (
            f"promote {self.version} from {self.source}: {change.reason}; "
            f"{self.evidence.good} of {self.evidence.count} uses went well, at least {bound:.0%} at "
            f"{self.rules.bound_confidence:.0%} confidence, audit {self.audit.total:.0f} of 100 "
            f"({', '.join(f'{name} {score:.0f}' for name, score in self.audit.scores.items())}), "
            f"{_passed(tests)} of {len(tests)} own tests passed"
            + (f"; {change.author} said yes" if system else "")
        )
        made = change._replace(author=PROMOTION if system else change.author, reason=told)
        commit = self.volumes.write(self.target, self.path, self.document.source, made)
        ledger.add(
            Event(
                what="promoted",
                kind=self.kind,
                name=self.name,
                tier=self.target,
                version=self.version,
                at=ledger.now(),
                who=change.author,
                reason=change.reason,
                commit=commit,
                good=self.evidence.good,
                uses=self.evidence.count,
                bound=bound,
            )
        )
        return commit


def own_tests(kind: str, document: Document, seeds: list[int]) -> list[OwnTest]:
    """Run a file's own tests: a physical skill's on these seeds, a guide's and an agent's as they stand."""
    if kind == "skill":
        done = [run_check(one) for one in checks(skill_of(document), seeds)]
        return [OwnTest(one.check.name, one.faults) for one in done]
    agent = agent_of(document)
    return [OwnTest(test.task, try_agent(agent, test).problems) for test in agent.tests]


def _passed(tests: Iterable[OwnTest]) -> int:
    return sum(not test.faults for test in tests)
