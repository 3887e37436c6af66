"""The audit of a skill, an agent or a text: six categories, what each found, and if the file may be used.

A category begins with 100 points and loses some for each finding, as `kernel/evolution.md` says; the total is
their weighted mean. A file is refused for less than its tier asks, for one critical finding or error, and for
too many warnings. An audit reads one file and nothing else: it runs no program and asks no model.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from llmos.evolution.checks import Subject, findings
from llmos.evolution.findings import BLOCKING, Finding
from llmos.evolution.rules import CATEGORIES, Evolution, load_evolution
from llmos.kernel.config import load_config
from llmos.kernel.registry import load_registry
from llmos.resources import system_volume
from llmos.volumes import Document, Entry

FULL = 100.0
ON_LOADING = ("injection", "permissions")  # categories that keep a file from being loaded
KEPT = 512  # audits in memory: a file is audited again when it or a rule was changed
_done: dict[tuple[str, ...], tuple[tuple[Any, ...], "Audit"]] = {}


@dataclass(frozen=True)
class Audit:
    """What an audit came to.

    Args:
        path: of the file, as its document has it.
        kind: skill, agent or text.
        tier: whose threshold it was held against: user, team or system.
        findings: what was found, the worst first.
        scores: points of 100, by category.
        total: their weighted mean.
        least: what the tier asks.
        most_warnings: how many it bears.
    """

    path: str
    kind: str
    tier: str
    findings: tuple[Finding, ...]
    scores: Mapping[str, float]
    total: float
    least: float
    most_warnings: int

    @property
    def blocking(self) -> tuple[Finding, ...]:
        """The findings that refuse the file by themselves."""
        return tuple(finding for finding in self.findings if finding.blocks)

    @property
    def injected(self) -> tuple[Finding, ...]:
        """The blocking findings of text that gives orders, or leads out of its folder."""
        return tuple(finding for finding in self.blocking if finding.category == "injection")

    @property
    def reason(self) -> str:
        """Why the file is refused, in one line; empty where it is not."""
        if self.blocking:
            first, more = self.blocking[0], len(self.blocking) - 1
            where = f"line {first.line}: " if first.line else ""
            rest = f" (and {more} more)" if more else ""
            return f"{first.category}, {where}{first.text}: {first.remedy}{rest}"
        warnings = sum(finding.severity == "warning" for finding in self.findings)
        if warnings > self.most_warnings:
            return f"{warnings} warnings; at most {self.most_warnings} are borne: mend some"
        if self.total < self.least:
            weak = min(self.scores, key=lambda name: self.scores[name])
            return (
                f"{self.total:.0f} points of 100; the {self.tier} volume asks for {self.least:g}: "
                f"mend {weak} first ({self.scores[weak]:.0f})"
            )
        return ""

    @property
    def passed(self) -> bool:
        """Whether the file may be used in its tier."""
        return not self.reason

    def lines(self) -> list[str]:
        """Return the audit for people, line by line."""
        scores = ", ".join(f"{name} {score:.0f}" for name, score in self.scores.items())
        verdict = "passed" if self.passed else "refused"
        head = f"{self.path}: {verdict} for {self.tier}, {self.total:.0f} of 100 (asked {self.least:g})"
        return [head, f"  {scores}", *(f"  {finding}" for finding in self.findings)]


def audit(file: Any, tier: str = "user", kind: str = "", rules: Evolution | None = None) -> Audit:
    """Audit a file.

    Args:
        file: a document, or a skill or agent with its document.
        tier: whose threshold counts: user, team or system.
        kind: skill, agent or text; by default what its folder or its type says.
        rules: the numbers of evolution; by default the kernel's.

    Raises:
        DocumentError: a file of the kernel's rules is wrong. What is wrong with `file` is a finding.
    """
    document: Document = file if isinstance(file, Document) else file.document
    rules = rules or load_evolution()
    key = (str(document.path), document.source, kind, str(tier))
    state = (rules, load_config(), load_registry())
    done = _done.get(key)
    if done is None or any(was is not now for was, now in zip(done[0], state, strict=True)):
        if len(_done) >= KEPT:
            _done.clear()
        done = _done[key] = (state, _audited(document, kind or kind_of(document), str(tier), rules))
    return done[1]


def unfit(document: Document, entry: Entry, kind: str) -> str:
    """Return why a volume's file may not even be loaded, in one line; empty where it may.

    What ships was audited before; anything else must neither give orders to who reads it nor want what it
    may not have.
    """
    if entry.file.is_relative_to(system_volume()):
        return ""
    found = (one for one in audit(document, entry.tier, kind).blocking if one.category in ON_LOADING)
    bad = next(found, None)
    if bad is None:
        return ""
    where = f"{entry.file}:{bad.line}" if bad.line else str(entry.file)
    return f"{where}: {bad.text}: {bad.remedy}"


def _audited(document: Document, kind: str, tier: str, rules: Evolution) -> Audit:
    subject = Subject(document, kind, tier)
    found = sorted(findings(subject), key=lambda finding: SEVERITIES.index(finding.severity))
    scores = {name: _score(name, found, rules) for name in CATEGORIES}
    weights = {name: getattr(rules, f"weight_{name}") for name in CATEGORIES}
    total = sum(scores[name] * weights[name] for name in CATEGORIES) / sum(weights.values())
    least = getattr(rules, f"audit_{tier}")
    return Audit(
        str(document.path),
        kind,
        tier,
        tuple(found),
        scores,
        total,
        least,
        rules.most_warnings,
    )


SEVERITIES = (*BLOCKING, "warning", "note")


def kind_of(document: Document) -> str:
    """Return what a document is: by its folder, else by the type in its front matter."""
    folder = document.path.parent.name
    if folder in ("skills", "agents"):
        return folder[:-1]
    kind = document.values.get("type")
    if kind in ("physical", "guide"):
        return "skill"
    return "agent" if "tools" in document.values or "capabilities" in document.values else "text"


def _score(category: str, found: list[Finding], rules: Evolution) -> float:
    lost: float = sum(
        getattr(rules, f"cost_{finding.severity}") for finding in found if finding.category == category
    )
    return max(0.0, FULL - lost)
