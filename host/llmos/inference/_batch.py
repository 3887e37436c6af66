"""Several requests to one kernel: together where it can, else one after the other."""

from collections.abc import Callable, Sequence

from ._types import Answer, InferenceError, Kernel, Request


def ask_all(
    kernel: Kernel, requests: Sequence[Request], cancelled: Callable[[], bool] = lambda: False
) -> list[Answer | InferenceError]:
    """Return an answer or a failure for each request, in their order.

    Args:
        kernel: who is asked; one with a method `batch(requests, cancelled)` gets all at once.
        requests: what to ask; they should share their system text, and the start of the user's.
        cancelled: asked often; once it says so, what is not yet answered fails.
    """
    batch = getattr(kernel, "batch", None)
    if batch is not None:
        answers: list[Answer | InferenceError] = batch(requests, cancelled)
        return answers
    return [_one(kernel, request, cancelled) for request in requests]


def _one(kernel: Kernel, request: Request, cancelled: Callable[[], bool]) -> Answer | InferenceError:
    if cancelled():
        return InferenceError(f"{kernel.name}: cancelled")
    try:
        return kernel(request)
    except InferenceError as error:
        return error
