"""A mission's report as memory: its trace, its experience, and where things stand."""

import sqlite3
from collections import defaultdict
from typing import Any

from llmos.errors import LlmosError
from llmos.memory._items import CANCELLED, FAILURE, SUCCESS, Experience, Trace
from llmos.memory._memory import Memory
from llmos.report import GOOD, Report, spl

_LABEL = 80  # characters of a thing's name


def remember_run(
    memory: Memory | None, report: Report, run: str, *, project: str = "", parent: Trace | str | None = None
) -> str:
    """Remember a mission; return why that failed, or nothing: a run does not fail for its memory.

    Args:
        memory: where; None: the usual one, opened for this.
        report: what came of the mission.
        run: its record's name.
        project: whose it is.
        parent: the running trace that it is a part of.
    """
    try:
        if memory is not None:
            remember(memory, report, run, project=project, parent=parent)
        else:
            with Memory() as own:
                remember(own, report, run, project=project, parent=parent)
    except (LlmosError, OSError, sqlite3.Error, ValueError) as error:
        return str(error)
    return ""


def remember(
    memory: Memory, report: Report, run: str, *, project: str = "", parent: Trace | str | None = None
) -> Experience:
    """Remember a mission: all of it, or nothing.

    Raises:
        RecallError: memory refuses it.
    """
    order, most = report.order, memory.schema.text_chars // 8
    good = report.outcome in GOOD
    status = SUCCESS if good else CANCELLED if report.interrupted else FAILURE
    measures = _measures(report)
    components = {"arena": report.arena.name, "kernel": order.kernel, "robot": order.robot}
    with memory.store.writing():
        trace = memory.begin(
            order.goal[:most] or "nothing", kind="mission", run=run, project=project, parent=parent
        )
        memory.end(
            trace, status, f"{report.outcome}: {report.reason}"[:most], data={**components, **measures},
            duration_ms=1000 * report.wall_s,
        )  # fmt: skip
        for statement, label, sure in _things(report):
            memory.learn(
                statement, f"the eyes ({order.eyes})", trace.project, sure, run=run, traces=[trace.id],
                key=f"thing:{report.arena.name}|{label}",
            )  # fmt: skip
        return memory.experience(
            order.goal[:most] or "nothing", report.outcome, components=components,
            output_summary=_figures(measures), execution_ms=1000 * report.wall_s,
            learnings="" if good else report.reason[:most], success=None if status == CANCELLED else good,
            trace=trace, run=run, measures=measures,
        )  # fmt: skip


def _measures(report: Report) -> dict[str, float]:
    """Return the figures of a mission; those that nobody knows are not there."""
    found: dict[str, Any] = {
        "seed": report.order.seed,
        "cycles": len(report.steps),
        "path_m": round(report.driven_m(), 3),
        "sim_s": round(report.sim_s, 3),
    }
    if report.truth:
        found["collisions"] = report.truth.collisions
    shortest = report.shortest_m()
    if shortest is not None:
        found["spl"] = spl(report.outcome == "reached", shortest, report.driven_m())
    return {name: float(value) for name, value in found.items()}


def _figures(measures: dict[str, float]) -> str:
    told = f"{measures['path_m']:.2f} m in {measures['sim_s']:.1f} s"
    if "collisions" in measures:
        told += f", {measures['collisions']:.0f} collisions"
    return told + (f", SPL {measures['spl']:.2f}" if "spl" in measures else "")


def _things(report: Report) -> list[tuple[str, str, float]]:
    """Return what the eyes believe to have seen: a statement, the label, and how sure that is."""
    if report.eyes is None or report.belief is None:
        return []
    places = defaultdict(list)
    for one in report.belief.objects:
        if one.confirmed:
            places[one.label[:_LABEL]].append(one)
    found = []
    for label, some in places.items():
        where = " and ".join(f"({one.pos_m[0]:.2f}, {one.pos_m[1]:.2f}) m" for one in some[:8])
        sure = min(max(one.confidence for one in some), 1.0)
        found.append((f"{label}: at {where} in arena {report.arena.name}", label, max(sure, 0.0)))
    return found
