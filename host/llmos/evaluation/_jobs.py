"""The tasks of an evaluation, one after the other or in worker processes; Ctrl-C ends all of them."""

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, TypeVar

from llmos.errors import LlmosError
from llmos.inference import Kernel, note_of, open_kernel
from llmos.workers import WorkersError, workers

Row = dict[str, Any]
Task = TypeVar("Task")


class EvaluationError(LlmosError):
    """An evaluation that cannot be run."""


@cache
def kept_open(kernel: str) -> Kernel:
    """Return a kernel that stays open for this process's tasks.

    Raises:
        EvaluationError: another one would stand in for it.
        InferenceError: it cannot be opened.
    """
    opened = open_kernel(kernel)
    if note := note_of(opened):
        opened.close()
        raise EvaluationError(f"kernel {kernel!r} would be evaluated untaught: {note}")
    return opened


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
    try:
        with workers(jobs) as pool:
            return pool.results(one, tasks, watch)
    except WorkersError as error:
        raise EvaluationError(str(error)) from None
