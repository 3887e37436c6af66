"""Patterns: what was wanted again and again, and done well, becomes a skill, as a proposal.

Goals are the same when they are after `normalized`: small letters, no punctuation, no articles, and in the
place of each number with its unit a slot named by its dimension, so that 50 cm and half a metre are one. The
signature is the first 16 hex digits of the SHA-256 of that. Nothing here asks a model or draws at random: the
same memory gives the same proposals.
"""

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llmos.errors import LlmosError
from llmos.evolution.audit import Audit, audit
from llmos.evolution.evidence import ENDED
from llmos.evolution.rules import Evolution, load_evolution
from llmos.memory import Memory, Trace
from llmos.skills import Skill, load_skills, skill_of
from llmos.volumes import Change, Document, Tier, Volumes, parse, written
from llmos.writing import slotted

MOST = 5000  # traces that are looked through, the newest
GOALS = 5  # of a pattern, that are kept as they were said
NAME_CHARS, LONG = 40, 300  # characters of a name, and of a description
BODY = """# Objective

{goal}

# How to work

Go through the steps in their order. Stop at the first that fails, and say which.
"""
_DROPPED = {"a", "an", "the", "please", "now", "then", "and"}
_WORDS = re.compile(r"\{[^}]*\}|[^\W_]+(?:_\w+)*")


@dataclass(frozen=True)
class Pattern:
    """A goal that came back.

    Args:
        signature: 16 hex digits.
        goal: normalized.
        occurrences: how often.
        good: how often it went well.
        confidence: that it goes well again, and in the same way: the rule of succession's estimate, times the
            share of the good ones that went the commonest way.
        steps: that way: skills as `skill:NAME`, tools by name, in order.
        values: of each step the values that nearly always were the same.
        goals: some of them as they were said.
        traces: the ids of all.
    """

    signature: str
    goal: str
    occurrences: int
    good: int
    confidence: float
    steps: tuple[str, ...]
    values: tuple[Mapping[str, int], ...]
    goals: tuple[str, ...]
    traces: tuple[str, ...]

    @property
    def line(self) -> str:
        """The pattern, in a line."""
        told = [
            " ".join([step.removeprefix("skill:"), *(f"{key}={value}" for key, value in values.items())])
            for step, values in zip(self.steps, self.values, strict=True)
        ]
        return (
            f"{self.signature} {self.goal!r}: {self.good} of {self.occurrences} went well, "
            f"by {' then '.join(told)}; confidence {self.confidence:.2f}"
        )


@dataclass(frozen=True)
class Proposal:
    """A skill that a pattern became: a branch of the user volume, until a person merges it."""

    pattern: Pattern
    name: str
    branch: str
    audit: Audit
    commit: str

    @property
    def line(self) -> str:
        """The proposal, in a line."""
        return f"{self.branch}: skill {self.name}, audit {self.audit.total:.0f} of 100"


def normalized(goal: str) -> str:
    """Return a goal as patterns compare it."""
    alone = slotted(" ".join(_WORDS.findall(slotted(goal))))  # a number beside a point is one without it
    return " ".join(word for word in _WORDS.findall(alone) if word not in _DROPPED)


def signature(goal: str) -> str:
    """Return the first 16 hex digits of the SHA-256 of the normalized goal."""
    return hashlib.sha256(normalized(goal).encode()).hexdigest()[:16]


def patterns(memory: Memory, rules: Evolution | None = None) -> list[Pattern]:
    """Return the goals that came back often enough, went well, and in one way; the surest first."""
    rules = rules or load_evolution()
    groups: defaultdict[str, list[Trace]] = defaultdict(list)
    for trace in reversed(memory.traces(limit=MOST)):
        if trace.skill and trace.parent:
            continue  # part of what is above it
        if trace.status in ENDED and normalized(trace.goal):
            groups[signature(trace.goal)].append(trace)
    found = [
        _pattern(memory, key, group, rules.least_pattern_success)
        for key, group in groups.items()
        if len(group) >= rules.least_occurrences
        and sum(trace.success for trace in group) >= rules.least_pattern_success * len(group)
    ]
    sure = [one for one in found if one.confidence >= rules.least_confidence and one.steps]
    return sorted(sure, key=lambda one: (-one.confidence, -one.occurrences, one.signature))


def propose(volumes: Volumes, memory: Memory, rules: Evolution | None = None) -> list[Proposal]:
    """Write a proposal for each pattern that no skill covers yet, and return the new ones.

    A pattern whose skill would be refused by the audit, or is no skill, is passed over.
    """
    skills = load_skills(volumes, kind="")
    known = {*volumes.branches(Tier.USER)}
    made = []
    for pattern in patterns(memory, rules):
        document = drafted(pattern, skills)
        if document is None:
            continue
        name, branch = document.path.stem, f"pattern/{document.path.stem}-{pattern.signature[:6]}"
        judged = audit(document, "user", "skill")
        if branch in known or name in skills or not judged.passed:
            continue
        reason = f"propose a skill: {pattern.good} of {pattern.occurrences} times {pattern.goal!r} went well"
        change = Change("patterns", reason)
        commit = volumes.branch(Tier.USER, branch, {f"skills/{name}.md": document.source}, change)
        made.append(Proposal(pattern, name, branch, judged, commit))
    return made


def drafted(pattern: Pattern, skills: Mapping[str, Skill]) -> Document | None:
    """Return the skill that a pattern becomes; None where a skill does it already, or one is not there.

    One physical skill, with values that are not its defaults, becomes a preset of it; anything else becomes
    a guide with the steps that went well.
    """
    used = [skills.get(step.removeprefix("skill:")) for step in pattern.steps if step.startswith("skill:")]
    if None in used:
        return None
    first = used[0] if used else None
    try:
        if len(pattern.steps) == 1 and first is not None:
            return _preset(pattern, first) if first.kind == "physical" else None
        return _guide(pattern)
    except LlmosError:
        return None


def _pattern(memory: Memory, key: str, group: Sequence[Trace], share: float) -> Pattern:
    good = [trace for trace in group if trace.success]
    ways = [_way(memory, trace) for trace in good]
    steps, times = Counter(tuple(step for step, _ in way) for way in ways).most_common(1)[0]
    same = [way for way in ways if tuple(step for step, _ in way) == steps]
    values = tuple(_usual([way[place][1] for way in same], share) for place in range(len(steps)))
    confidence = (len(good) + 1) / (len(group) + 2) * times / len(good)
    goals = tuple(dict.fromkeys(trace.goal for trace in good))[:GOALS]
    named = normalized(group[0].goal)
    return Pattern(
        key, named, len(group), len(good), confidence, steps, values, goals, tuple(one.id for one in group)
    )


def _way(memory: Memory, trace: Trace) -> list[tuple[str, Mapping[str, int]]]:
    """Return how a trace went: the skill that it is a use of, else the skills below it, else its tools."""
    if trace.skill:
        return [(f"skill:{trace.skill}", _numbers(trace.data.get("values")))]
    below = [one for one in memory.children(trace) if one.skill and one.success]
    if below:
        ordered = sorted(below, key=lambda one: one.at)
        return [(f"skill:{one.skill}", _numbers(one.data.get("values"))) for one in ordered]
    return [(tool, {}) for tool in trace.tools]


def _numbers(values: Any) -> Mapping[str, int]:
    return (
        {key: value for key, value in values.items() if isinstance(value, int)}
        if isinstance(values, dict)
        else {}
    )


def _usual(rows: Sequence[Mapping[str, int]], share: float) -> Mapping[str, int]:
    """Return the values that at least a share of the rows give."""
    counts = Counter(item for row in rows for item in row.items())
    kept = {key: value for (key, value), times in counts.items() if times >= share * len(rows)}
    return dict(sorted(kept.items()))


def _preset(pattern: Pattern, skill: Skill) -> Document | None:
    """Return a physical skill with other defaults; its tests keep the values that they were made for."""
    usual = {one.key: one.default for one in skill.parameters}
    fresh = {key: value for key, value in pattern.values[0].items() if usual.get(key, value) != value}
    if not fresh:
        return None
    name = _name([skill.name, *(str(value).replace("-", "m") for value in fresh.values())])
    preset = skill.with_block(skill.fill(fresh)).document
    tests = [dict(test) | {"values": usual | test.get("values", {})} for test in _rows(preset, "tests")]
    told = ", ".join(f"{key} {value}" for key, value in fresh.items())
    wishes = [{"wish": goal} for goal in _sayings(pattern)]
    changed = preset.changed(
        name=name,
        description=f"As {skill.name}, with {told}: {skill.description}"[:LONG],
        version="1",
        keywords=list(dict.fromkeys([*preset.values.get("keywords", []), *_words(pattern)])),
        examples=wishes or None,
        tests=tests or None,
        origin="evolved",
        evolved_from=skill.name,
        source_traces=list(pattern.traces),
    )
    document = parse(changed.source, Path(f"skills/{name}.md"))
    skill_of(document, "user")
    return document


def _guide(pattern: Pattern) -> Document:
    """Return a guide with the steps that went well."""
    steps: list[dict[str, Any]] = []
    for step, values in zip(pattern.steps, pattern.values, strict=True):
        if step.startswith("skill:"):
            arguments = {"skill": step.removeprefix("skill:"), "values": dict(values)}
            steps.append({"tool": "run_skill", "arguments": arguments})
        else:
            steps.append({"tool": step})
    tools = list(dict.fromkeys(step["tool"] for step in steps))
    told = " then ".join(step.removeprefix("skill:").replace("_", " ") for step in pattern.steps)
    name = _name(word for word in pattern.goal.split() if not word.startswith("{"))
    why = f"Went well {pattern.good} of {pattern.occurrences} times for {pattern.goal!r}: {told}."
    front = {
        "name": name,
        "type": "guide",
        "category": "learned",
        "description": why[:LONG],
        "keywords": _words(pattern),
        "version": "1",
        "origin": "evolved",
        "tools": tools,
        "steps": steps,
        "tests": [{"task": pattern.goals[0], "tools": tools}],
        "source_traces": list(pattern.traces),
    }
    body = BODY.format(goal=pattern.goals[0])
    document = parse(written(front, body), Path(f"skills/{name}.md"))
    skill_of(document, "user")
    return document


def _sayings(pattern: Pattern) -> list[str]:
    """Return its goals as people said them; a call such as `square side_cm=40` is none."""
    return [goal for goal in pattern.goals if "=" not in goal and 3 <= len(goal) <= 200]


def _words(pattern: Pattern) -> list[str]:
    return [word for word in dict.fromkeys(pattern.goal.split()) if word.isalpha() and len(word) > 2][:6]


def _name(words: Iterable[str]) -> str:
    text = re.sub(r"[^a-z0-9]+", "_", "_".join(words).lower()).strip("_")
    return (text if text[:1].isalpha() else f"do_{text}")[:NAME_CHARS].rstrip("_")


def _rows(document: Document, key: str) -> list[dict[str, Any]]:
    return [dict(row) for row in document.values.get(key) or []]
