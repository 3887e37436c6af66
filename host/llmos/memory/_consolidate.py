"""Consolidation: what experiences and uses say again and again becomes facts, and traces age.

Facts are counted, nobody's opinion: of each goal in each arena, and of each version of a skill, how often it
was tried, how often it succeeded, how long it took, and what went wrong most often. All of it is counted anew
each time, so that it may be done twice, or be cut short and done again, without a difference.
"""

import statistics
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from llmos.memory._items import (
    ACTIVE,
    ARCHIVED,
    CANCELLED,
    CONSOLIDATED,
    RUNNING,
    SUCCESS,
    Experience,
    Fact,
    Item,
    Trace,
)
from llmos.memory._words import terms

if TYPE_CHECKING:
    from llmos.memory._memory import Memory
    from llmos.volumes import Volumes

AUTHOR = "consolidation"
DAY_S = 86_400
_TRACES = 50  # of a fact, the newest, that are named
_GOAL, _CAUSE = 120, 160  # characters of a goal and of a failure that a fact quotes


@dataclass(frozen=True)
class Consolidated:
    """What a consolidation has done.

    Args:
        project: whose memory.
        facts: those that are new or say something else than before.
        traces: how many were consolidated.
        archived: how many went to the archive.
        file: where the facts can be read, relative to the user volume; empty where there are none.
        commit: the commit of that file; empty where nothing was to be written.
    """

    project: str
    facts: tuple[Fact, ...] = ()
    traces: int = 0
    archived: int = 0
    file: str = ""
    commit: str = ""


@dataclass(frozen=True)
class Attempt:
    """One try of something, as a trace or an experience has it."""

    about: str
    success: bool
    seconds: float
    outcome: str
    trace: str
    at: float


def consolidate(memory: "Memory", project: str, force: bool, volumes: "Volumes") -> Consolidated:
    """Consolidate one project's memory; see `Memory.consolidate`."""
    with memory.store.writing():
        waiting = due(memory, project)
        enough = len(waiting) >= memory.schema.consolidate_after or force
        facts = _counted(memory, project) if enough else []
        now = memory.clock()
        old = memory.table.items(
            "lifecycle = :lifecycle AND project = :project "
            "AND json_extract(own, '$.consolidated_at') <= :before",
            {
                "lifecycle": CONSOLIDATED,
                "project": project,
                "before": now - DAY_S * memory.schema.archive_days,
            },
        )
        for one in old:
            if isinstance(one, Trace):
                memory.table.change(replace(one, lifecycle=ARCHIVED))
        for trace in waiting if enough else []:
            memory.table.change(replace(trace, lifecycle=CONSOLIDATED, consolidated_at=now))
    file, commit = _written(memory, project, volumes, facts)
    return Consolidated(project, tuple(facts), len(waiting) if enough else 0, len(old), file, commit)


def due(memory: "Memory", project: str) -> list[Trace]:
    """Return the traces of a project that have ended and wait for consolidation."""
    found = memory.traces(project=project, lifecycle=ACTIVE, limit=10**6)
    return [one for one in found if one.status != RUNNING]


def _counted(memory: "Memory", project: str) -> list[Fact]:
    """Count, and return the facts that this changed."""
    groups: dict[str, list[Attempt]] = defaultdict(list)
    items = memory.table.items("project = :project AND forgotten = '' ORDER BY at, n", {"project": project})
    for key, attempt in _attempts(items):
        groups[key].append(attempt)
    changed = []
    known = {one.key: one for one in items if isinstance(one, Fact) and one.key}
    for key, attempts in groups.items():
        if len(attempts) < memory.schema.min_occurrences:
            continue
        statement, measures = _said(attempts)
        was = known.get(key)
        if was and was.statement == statement and was.measures == measures:
            continue
        traces = [one.trace for one in attempts if one.trace][-_TRACES:]
        sure = len(attempts) / (
            len(attempts) + 2
        )  # rule of succession (Laplace, 1814), less its prior success
        changed.append(
            memory.learn(statement, AUTHOR, project, sure, key=key, traces=traces, measures=measures)
        )
    return changed


def _attempts(items: Iterable[Item]) -> Iterable[tuple[str, Attempt]]:
    """Yield what each experience and each use of a skill is an attempt at, under the key of its fact."""
    for item in items:
        if isinstance(item, Experience) and item.success is not None:
            arena = item.components.get("arena", "")
            about = f"“{item.primary_goal[:_GOAL]}”" + (f" in arena {arena}" if arena else "")
            key = f"goal:{' '.join(sorted(terms(item.primary_goal)))}|{arena}"
            outcome = item.final_outcome if not item.learnings else item.learnings
            yield key, Attempt(about, item.success, item.execution_ms / 1000, outcome, item.trace, item.at)
        elif isinstance(item, Trace) and item.skill and item.status not in (RUNNING, CANCELLED):
            about = f"skill {item.skill}" + (f" in version {item.version}" if item.version else "")
            seconds = item.duration_ms / 1000
            key = f"skill:{item.skill}|{item.version}"
            yield key, Attempt(about, item.status == SUCCESS, seconds, item.outcome, item.id, item.at)


def _said(attempts: Sequence[Attempt]) -> tuple[str, Mapping[str, float]]:
    """Return what attempts at one thing say together, and the figures behind it."""
    good = [one for one in attempts if one.success]
    bad = Counter(" ".join(one.outcome.split())[:_CAUSE] for one in attempts if not one.success)
    mean_s = statistics.fmean(one.seconds for one in attempts)
    share = len(good) / len(attempts)
    said = f"{attempts[-1].about}: {len(good)} of {len(attempts)} attempts succeeded ({share:.0%})"
    said += f", {mean_s:.1f} s each on average"
    if bad:
        cause, count = max(bad.items(), key=lambda one: (one[1], one[0]))
        said += f"; the usual failure, {count} of {bad.total()}: {cause or 'no reason given'}"
    measures = {"attempts": len(attempts), "successes": len(good), "mean_s": round(mean_s, 3)}
    return said, {name: float(value) for name, value in measures.items()}


def _written(memory: "Memory", project: str, volumes: "Volumes", facts: Sequence[Fact]) -> tuple[str, str]:
    """Write a project's counted facts as markdown, unless they stand there already."""
    from llmos.volumes import Change, NoEntry, Tier
    from llmos.volumes.volumes import project_folder

    found = memory.table.items(
        "kind = 'fact' AND key != '' AND forgotten = '' AND project = :project ORDER BY key",
        {"project": project},
    )
    counted = [one for one in found if isinstance(one, Fact) and one.said_by == AUTHOR]
    if not counted:
        return "", ""
    path = str(PurePosixPath(project_folder(project, "memory") if project else "memory") / "learnings.md")
    text = _page(project, counted)
    try:
        if volumes.read(Tier.USER, path).source == text:
            return path, ""
    except NoEntry:
        pass
    named = sorted({name for one in facts for name in one.traces})
    reason = f"Count {len(counted)} facts anew" + (f", from traces {', '.join(named[:10])}" if named else "")
    run = next((one.run for one in facts if one.run), "")
    return path, volumes.write(Tier.USER, path, text, Change(AUTHOR, reason, run))


def _page(project: str, facts: Sequence[Fact]) -> str:
    from llmos.volumes import written

    values = {
        "name": "learnings",
        "type": "memory",
        "description": "What was learned by counting" + (f" in project {project}." if project else "."),
        "facts": len(facts),
    }
    lines = [
        f"- {' '.join(one.statement.split())} "
        f"({one.id}, confidence {one.confidence:.2f}, of {one.when[:10]}, traces {_some(one.traces)})"
        for one in facts
    ]
    return written(values, "# Learnings\n\n" + "\n".join(lines))


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[-3:]) + (f" and {len(names) - 3} more" if len(names) > 3 else "") or "none"
