"""Arenas by kernels by seeds: every mission run, every figure counted."""

import json
import statistics
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from functools import cache
from itertools import product
from typing import Any

from llmos.errors import LlmosError
from llmos.inference import Kernel, open_kernel
from llmos.mission import run_mission
from llmos.report import GOOD, Order
from llmos.sim.arena import list_arenas

Row = dict[str, Any]
GOAL = "go where the arena says"


class EvaluationError(LlmosError):
    """A mission of an evaluation that could not be run."""


@dataclass(frozen=True)
class Plan:
    """What to evaluate; every combination is one mission."""

    arenas: tuple[str, ...]
    kernels: tuple[str, ...]
    seeds: int
    deadline_s: float = 10.0
    shuffle: bool = False

    def orders(self) -> Iterator[Order]:
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
    """Return the arenas that a comma-separated list names; `all` stands for every one that ships."""
    return tuple(name for part in names.split(",") for name in (list_arenas() if part == "all" else [part]))


@cache
def kept_open(kernel: str) -> Kernel:
    """Return a kernel that stays open for this process's missions."""
    return open_kernel(kernel)


def one(order: Order) -> Row:
    """Run one mission and return its summary; one that could not begin is an outcome too."""
    try:
        kernel = None if order.kernel.startswith("replay:") else kept_open(order.kernel)
        return run_mission(order, kernel=kernel).summary()
    except LlmosError as error:
        raise EvaluationError(f"{order.kernel} in {order.arena}, seed {order.seed}: {error}") from None


def evaluate(plan: Plan, jobs: int, watch: Callable[[Row], None]) -> list[Row]:
    """Run every mission, `jobs` at a time, and return their summaries in the plan's order.

    Raises:
        EvaluationError: a mission could not begin; the first one ends the evaluation.
    """
    orders = list(plan.orders())
    if jobs == 1:
        return [seen(one(order), watch) for order in orders]
    with ProcessPoolExecutor(jobs) as pool:
        waiting = {pool.submit(one, order): place for place, order in enumerate(orders)}
        done = [(waiting[future], seen(future.result(), watch)) for future in as_completed(waiting)]
    return [row for _, row in sorted(done, key=lambda pair: pair[0])]


def seen(row: Row, watch: Callable[[Row], None]) -> Row:
    """Show a summary, and return it."""
    watch(row)
    return row


def table(rows: Iterable[Row]) -> list[Row]:
    """Sum the missions up by kernel and arena, and by kernel over all arenas."""
    rows = list(rows)
    kernels = list(dict.fromkeys(row["kernel"] for row in rows))
    arenas = list(dict.fromkeys(row["arena"] for row in rows))
    lines = []
    for kernel in kernels:
        mine = [row for row in rows if row["kernel"] == kernel]
        lines += [line(kernel, arena, [row for row in mine if row["arena"] == arena]) for arena in arenas]
        lines.append(line(kernel, "all", mine))
    return lines


def line(kernel: str, arena: str, rows: list[Row]) -> Row:
    """Sum up missions of one kernel."""
    calls = sum(row["llm"]["calls"] for row in rows)
    spls = [row["spl"] for row in rows if row["spl"] is not None]
    return {
        "kernel": kernel,
        "arena": arena,
        "runs": len(rows),
        "success": sum(row["outcome"] in GOOD for row in rows) / len(rows),
        "collisions": sum(row["collisions"] for row in rows),
        "spl": round(statistics.mean(spls), 3) if spls else None,
        "coverage": round(statistics.mean(row["coverage"] for row in rows), 3),
        "cycles": round(statistics.mean(row["cycles"] for row in rows), 1),
        "path_m": round(statistics.mean(row["path_m"] for row in rows), 2),
        "valid": sum(row["llm"]["valid"] for row in rows) / calls if calls else 1.0,
        "p50_ms": round(statistics.median(row["llm"]["p50_ms"] for row in rows), 1),
        "refused": sum(row["blocks"]["refused"] for row in rows),
        "speedup": round(sum(row["sim_s"] for row in rows) / sum(row["wall_s"] for row in rows), 1),
    }


def as_text(lines: list[Row]) -> str:
    """Return the table for a terminal."""
    head = list(lines[0])
    cells = [head] + [
        [show(row[key]) if key not in ("success", "valid") else f"{row[key]:.0%}" for key in head]
        for row in lines
    ]
    widths = [max(len(row[i]) for row in cells) for i in range(len(head))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in cells
    )


def show(value: object) -> str:
    """Return a table cell."""
    return "–" if value is None else str(value)


def as_json(rows: list[Row]) -> str:
    """Return the missions and the table as one JSON object."""
    return json.dumps({"runs": rows, "table": table(rows)})
