"""Many tasks, one after the other or in worker processes; Ctrl-C ends all of them."""

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import islice
from types import FrameType
from typing import Any, TypeVar

from llmos.errors import LlmosError

GRACE_S = 2.0  # of wall time for a worker's task to clean up once its parent is gone

Task = TypeVar("Task")
Result = TypeVar("Result")


class WorkersError(LlmosError):
    """Workers that cannot be had, or that ended before their task."""


@dataclass(frozen=True)
class Pool:
    """An executor, and how many tasks it runs at once."""

    executor: Executor
    width: int

    def in_turn(self, one: Callable[[Task], Result], tasks: Sequence[Task]) -> Iterator[tuple[int, Result]]:
        """Run tasks, and give each one's place and result as it comes.

        Never more are handed over than can run at once: none waits where Ctrl-C cannot reach it.

        Args:
            one: runs a task; a function of a module, so that workers find it.
            tasks: what to run.

        Raises:
            WorkersError: a worker was killed.
        """
        todo = iter(enumerate(tasks))
        running: dict[Future[Result], int] = {}
        try:
            while True:
                for place, task in islice(todo, self.width - len(running)):
                    running[self.executor.submit(one, task)] = place
                if not running:
                    return
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    yield running.pop(future), future.result()
        except BrokenProcessPool:
            raise WorkersError("a worker was killed, as when memory runs out: try fewer --jobs") from None

    def results(
        self,
        one: Callable[[Task], Result],
        tasks: Sequence[Task],
        watch: Callable[[Result], None] | None = None,
    ) -> list[Result]:
        """Run tasks as `in_turn` does, and return the results in the tasks' order.

        Args:
            one: runs a task.
            tasks: what to run.
            watch: called with each result as it comes.
        """
        done: dict[int, Result] = {}
        for place, result in self.in_turn(one, tasks):
            done[place] = result
            if watch:
                watch(result)
        return [done[place] for place in range(len(tasks))]


class Here(Executor):
    """An executor that runs a task in this process, when it is handed over."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> "Future[Any]":
        """Run a task; what it raises is raised here."""
        future: Future[Any] = Future()
        future.set_result(fn(*args, **kwargs))
        return future


@contextmanager
def workers(jobs: int) -> Iterator[Pool]:
    """Have a pool of `jobs` processes, this one alone where it is 1.

    However the block ends, tasks that run are interrupted, and waited for.
    """
    if jobs == 1:
        yield Pool(Here(), 1)
        return
    ending = False

    def pass_on(number: int, frame: FrameType | None) -> None:
        nonlocal ending
        pool.interrupt()
        if not ending:
            ending = True
            raise KeyboardInterrupt

    pool = _Processes(jobs)
    previous = signal.signal(signal.SIGINT, pass_on)
    try:
        yield Pool(pool, jobs)
    finally:
        ending = True
        pool.interrupt()
        pool.shutdown(cancel_futures=True)
        signal.signal(signal.SIGINT, previous)


class _Processes(ProcessPoolExecutor):
    """Processes that hear of Ctrl-C from this one alone."""

    def __init__(self, jobs: int) -> None:
        super().__init__(jobs, initializer=_begin_worker)

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> "Future[Any]":
        return super().submit(_one_in_worker, fn, *args, **kwargs)

    def interrupt(self) -> None:
        """Interrupt what the workers do; other children of this process are none of ours."""
        for pid in list(self._processes or ()):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGINT)


_interrupted = False  # in a worker: a signal came while no task was running


def _begin_worker() -> None:
    """Let the parent alone hear Ctrl-C; it passes the signal on."""
    os.setpgrp()
    signal.signal(signal.SIGINT, _note)
    threading.Thread(target=_follow, daemon=True).start()


def _follow() -> None:
    """End once the parent is gone: where it was killed, nobody else says so, and its queue stays open."""
    parent = multiprocessing.parent_process()
    if parent:
        parent.join()
        os.kill(os.getpid(), signal.SIGINT)  # what runs cleans up
        time.sleep(GRACE_S)
        os._exit(1)


def _note(number: int, frame: FrameType | None) -> None:
    global _interrupted
    _interrupted = True


def _one_in_worker(fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        if _interrupted:
            raise KeyboardInterrupt
        return fn(*args, **kwargs)
    finally:
        signal.signal(signal.SIGINT, _note)
