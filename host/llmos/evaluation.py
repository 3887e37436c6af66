"""Arenas by kernels by seeds: every mission run, every figure counted."""

import json
import multiprocessing
import os
import signal
import statistics
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from itertools import islice, product
from types import FrameType
from typing import Any

from llmos.errors import LlmosError
from llmos.inference import Kernel, open_kernel
from llmos.mission import run_mission
from llmos.report import GOOD, Order
from llmos.sim.arena import list_arenas, load_arena

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


@cache
def kept_open(kernel: str) -> Kernel:
    """Return a kernel that stays open for this process's missions."""
    return open_kernel(kernel)


def one(order: Order) -> Row:
    """Run one mission and return its summary; one that could not begin ends the evaluation."""
    try:
        kernel = None if order.kernel.startswith("replay:") else kept_open(order.kernel)
        report = run_mission(order, kernel=kernel)
    except LlmosError as error:
        raise EvaluationError(f"{order.kernel} in {order.arena}, seed {order.seed}: {error}") from None
    if report.interrupted:
        raise KeyboardInterrupt
    return report.summary()


def evaluate(plan: Plan, jobs: int, watch: Callable[[Row], None]) -> list[Row]:
    """Run every mission, `jobs` at a time, and return their summaries in the plan's order.

    Raises:
        EvaluationError: a mission could not begin; the first one ends the evaluation.
    """
    orders = list(plan.orders())
    if jobs == 1:
        return [seen(one(order), watch) for order in orders]
    try:
        with _workers(jobs) as pool:
            done = dict(_in_turn(pool, jobs, orders, watch))
    except BrokenProcessPool:
        raise EvaluationError("a worker was killed, as when memory runs out: try fewer --jobs") from None
    return [done[place] for place in range(len(orders))]


@contextmanager
def _workers(jobs: int) -> Iterator[ProcessPoolExecutor]:
    """Have a pool whose missions are interrupted, and waited for, however the block ends."""
    ending = False

    def pass_on(number: int, frame: FrameType | None) -> None:
        nonlocal ending
        _interrupt_workers()
        if not ending:
            ending = True
            raise KeyboardInterrupt

    previous = signal.signal(signal.SIGINT, pass_on)
    pool = ProcessPoolExecutor(jobs, initializer=_begin_worker)
    try:
        yield pool
    finally:
        ending = True
        _interrupt_workers()
        pool.shutdown(cancel_futures=True)
        signal.signal(signal.SIGINT, previous)


def _interrupt_workers() -> None:
    for worker in multiprocessing.active_children():
        with suppress(ProcessLookupError):
            os.kill(worker.pid or 0, signal.SIGINT)


def _in_turn(
    pool: ProcessPoolExecutor, jobs: int, orders: list[Order], watch: Callable[[Row], None]
) -> Iterator[tuple[int, Row]]:
    """Run missions in a pool, never more than it can run at once: none waits where Ctrl-C cannot reach it."""
    todo = iter(enumerate(orders))
    running: dict[Future[Row], int] = {}
    while True:
        for place, order in islice(todo, jobs - len(running)):
            running[pool.submit(_one_in_worker, order)] = place
        if not running:
            return
        for future in wait(running, return_when=FIRST_COMPLETED).done:
            yield running.pop(future), seen(future.result(), watch)


_interrupted = False  # in a worker: a signal came while no mission was running


def _begin_worker() -> None:
    """Let the parent alone hear Ctrl-C; it passes the signal on."""
    os.setpgrp()
    signal.signal(signal.SIGINT, _note)


def _note(number: int, frame: FrameType | None) -> None:
    global _interrupted
    _interrupted = True


def _one_in_worker(order: Order) -> Row:
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        if _interrupted:
            raise KeyboardInterrupt
        return one(order)
    finally:
        signal.signal(signal.SIGINT, _note)


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
