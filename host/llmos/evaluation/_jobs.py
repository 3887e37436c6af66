"""The tasks of an evaluation, one after the other or in worker processes; Ctrl-C ends all of them."""

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from functools import cache
from itertools import islice
from types import FrameType
from typing import Any, TypeVar

from llmos.errors import LlmosError
from llmos.inference import Kernel, open_kernel

Row = dict[str, Any]
Task = TypeVar("Task")


class EvaluationError(LlmosError):
    """An evaluation that cannot be run."""


@cache
def kept_open(kernel: str) -> Kernel:
    """Return a kernel that stays open for this process's tasks."""
    return open_kernel(kernel)


def evaluate(
    tasks: Sequence[Task], one: Callable[[Task], Row], jobs: int, watch: Callable[[Row], None]
) -> list[Row]:
    """Run every task, `jobs` at a time, and return their rows in the tasks' order.

    Args:
        tasks: what to run.
        one: runs a task; a function of a module, so that workers find it.
        jobs: processes; 1 for this one alone.
        watch: called with each row as it comes.

    Raises:
        EvaluationError: a task could not begin; the first one ends the evaluation.
    """
    if jobs == 1:
        return [seen(one(task), watch) for task in tasks]
    try:
        with _workers(jobs) as pool:
            done = dict(_in_turn(pool, jobs, tasks, one, watch))
    except BrokenProcessPool:
        raise EvaluationError("a worker was killed, as when memory runs out: try fewer --jobs") from None
    return [done[place] for place in range(len(tasks))]


@contextmanager
def _workers(jobs: int) -> Iterator[ProcessPoolExecutor]:
    """Have a pool whose tasks are interrupted, and waited for, however the block ends."""
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
    pool: ProcessPoolExecutor,
    jobs: int,
    tasks: Sequence[Task],
    one: Callable[[Task], Row],
    watch: Callable[[Row], None],
) -> Iterator[tuple[int, Row]]:
    """Run tasks in a pool, never more than it can run at once: none waits where Ctrl-C cannot reach it."""
    todo = iter(enumerate(tasks))
    running: dict[Future[Row], int] = {}
    while True:
        for place, task in islice(todo, jobs - len(running)):
            running[pool.submit(_one_in_worker, one, task)] = place
        if not running:
            return
        for future in wait(running, return_when=FIRST_COMPLETED).done:
            yield running.pop(future), seen(future.result(), watch)


_interrupted = False  # in a worker: a signal came while no task was running


def _begin_worker() -> None:
    """Let the parent alone hear Ctrl-C; it passes the signal on."""
    os.setpgrp()
    signal.signal(signal.SIGINT, _note)


def _note(number: int, frame: FrameType | None) -> None:
    global _interrupted
    _interrupted = True


def _one_in_worker(one: Callable[[Task], Row], task: Task) -> Row:
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        if _interrupted:
            raise KeyboardInterrupt
        return one(task)
    finally:
        signal.signal(signal.SIGINT, _note)


def seen(row: Row, watch: Callable[[Row], None]) -> Row:
    """Show a row, and return it."""
    watch(row)
    return row
