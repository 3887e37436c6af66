"""Arenas by kernels by seeds: every mission run, every figure counted."""

import statistics
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import product

from llmos.errors import LlmosError
from llmos.mission import run_mission
from llmos.report import GOOD, Order
from llmos.sim.arena import list_arenas, load_arena

from ._jobs import EvaluationError, Row, kept_open

GOAL = "go where the arena says"


@dataclass(frozen=True)
class Missions:
    """What to evaluate; every combination is one mission."""

    arenas: tuple[str, ...]
    kernels: tuple[str, ...]
    seeds: int
    deadline_s: float = 10.0
    shuffle: bool = False

    def tasks(self) -> Iterator[Order]:
        """Return an order for each mission, kernels outermost so that a model is loaded once."""
        for kernel, arena, seed in product(self.kernels, self.arenas, range(self.seeds)):
            yield Order(
                goal=GOAL,
                arena=arena,
                kernel=kernel,
                seed=seed,
                deadline_s=self.deadline_s,
                shuffle=self.shuffle,
            )


def arenas_of(names: str) -> tuple[str, ...]:
    """Return the arenas that a comma-separated list names; `all` stands for each that ships with a task.

    Raises:
        ArenaError: one of them is wrong; said before the first mission.
        EvaluationError: one of them sets no task.
    """
    tasks = [name for name in list_arenas() if load_arena(name).task]
    arenas = [name for part in names.split(",") for name in (tasks if part == "all" else [part])]
    for name in arenas:
        if not load_arena(name).task:
            raise EvaluationError(
                f"arena {name!r} sets no task: give it a goal or criteria.min_coverage, or name another"
            )
    return tuple(arenas)


def one_mission(order: Order) -> Row:
    """Run one mission and return its summary; one that could not begin ends the evaluation."""
    try:
        kernel = None if order.kernel.startswith("replay:") else kept_open(order.kernel)
        report = run_mission(order, kernel=kernel)
    except LlmosError as error:
        raise EvaluationError(f"{order.kernel} in {order.arena}, seed {order.seed}: {error}") from None
    if report.interrupted:
        raise KeyboardInterrupt
    return report.summary()


def mission_table(rows: Iterable[Row]) -> list[Row]:
    """Sum the missions up by kernel and arena, and by kernel over all arenas."""
    rows = list(rows)
    kernels = list(dict.fromkeys(row["kernel"] for row in rows))
    arenas = list(dict.fromkeys(row["arena"] for row in rows))
    lines = []
    for kernel in kernels:
        mine = [row for row in rows if row["kernel"] == kernel]
        lines += [_line(kernel, arena, [row for row in mine if row["arena"] == arena]) for arena in arenas]
        lines.append(_line(kernel, "all", mine))
    return lines


def _line(kernel: str, arena: str, rows: list[Row]) -> Row:
    """Sum up missions of one kernel."""
    calls = sum(row["llm"]["calls"] for row in rows)
    spls = [row["spl"] for row in rows if row["spl"] is not None]
    return {
        "kernel": kernel,
        "arena": arena,
        "runs": len(rows),
        "success": sum(row["outcome"] in GOOD for row in rows) / len(rows),
        "collisions": sum(row["collisions"] or 0 for row in rows),
        "spl": round(statistics.mean(spls), 3) if spls else None,
        "coverage": round(statistics.mean(row["coverage"] for row in rows), 3),
        "cycles": round(statistics.mean(row["cycles"] for row in rows), 1),
        "path_m": round(statistics.mean(row["path_m"] for row in rows), 2),
        "valid": sum(row["llm"]["valid"] for row in rows) / calls if calls else 1.0,
        "p50_ms": round(statistics.median(row["llm"]["p50_ms"] for row in rows), 1),
        "refused": sum(row["blocks"]["refused"] for row in rows),
        "speedup": round(sum(row["sim_s"] for row in rows) / sum(row["wall_s"] for row in rows), 1),
    }
