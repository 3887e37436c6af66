"""One kernel shared by many threads: fairly, by priority, each request within its own deadline."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from types import TracebackType
from typing import Self

from ._batch import ask_all
from ._fair import RANKS, FairQueue, Flow, Priority, Ticket
from ._types import Answer, Around, DeadlineExpired, Estimating, InferenceError, Kernel, Request

PATIENCE_S = 30.0  # after so long a wait even the lowest priority goes before all but the robot's loop
_GLANCE_S = 0.05  # between two looks whether a waiting batch is still wanted


class Scheduler:
    """Gives each of its clients turns at one kernel, one request at a time; see `_fair` for the order.

    Requests are never put together, so that an answer depends on its own request alone. Batches of clients
    have turns of their own beside the single requests', as kernels that take batches answer single requests
    between a batch's steps. The kernel stays open; who opened it closes it, after this.
    """

    def __init__(self, kernel: Kernel, patience_s: float = PATIENCE_S) -> None:
        self._kernel = kernel
        self._singles, self._batches = _Lane(kernel.name, patience_s), _Lane(kernel.name, patience_s)

    def __enter__(self) -> Self:
        """Return the scheduler."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""
        self.close()

    def client(self, name: str, priority: Priority = "normal") -> "Client":
        """Return the kernel as one of its users has it.

        Args:
            name: whose requests they are, for messages; each call makes a client with a share of its own.
            priority: `robot` is for the loop that drives, above all others.
        """
        kind = BatchClient if hasattr(self._kernel, "batch") else Client
        return kind(self._kernel, name, RANKS[priority], self._singles, self._batches)

    def close(self) -> None:
        """End all: what waits fails, a batch that runs is cancelled, and nothing is taken in any more."""
        self._singles.close()
        self._batches.close()


class _Lane:
    """Lets one request run at a time."""

    def __init__(self, kernel: str, patience_s: float) -> None:
        self._kernel = kernel
        self._queue = FairQueue(patience_s)
        self._changed = threading.Condition()
        self._running: Ticket | None = None
        self._closed = ""
        self._least_s = 0.0  # the shortest time that an answer has taken; 0 before the first

    @contextmanager
    def turn(
        self, flow: Flow, name: str, deadline: float, cancelled: Callable[[], bool] | None = None
    ) -> Iterator["_Turn"]:
        """Wait for the turn of a flow's request; the lane is free again behind it.

        Args:
            flow: whose request it is.
            name: of the client, for messages.
            deadline: a moment of the monotonic clock.
            cancelled: asked often while it waits.

        Raises:
            DeadlineExpired: the deadline came first, or is nearer than any answer has come so far.
            InferenceError: it was cancelled, or the scheduler closed.
        """
        with self._changed:
            ticket = self._queue.arrive(flow, time.monotonic())
            ticket.lost = self._closed
            self._hand_over()
            try:
                self._wait(ticket, name, deadline, cancelled)
            except BaseException:
                self._give_up(ticket)
                raise
        turn, began = _Turn(ticket), time.monotonic()
        try:
            yield turn
        finally:
            with self._changed:
                if turn.answered:
                    seconds = time.monotonic() - began
                    self._least_s = min(self._least_s or seconds, seconds)
                self._end(ticket, turn.tokens)

    def _hand_over(self) -> None:
        """Let the next begin where none runs."""
        if self._running is None:
            self._running = self._queue.first(time.monotonic())
            if self._running:
                self._queue.begin(self._running)
                self._changed.notify_all()

    def _end(self, ticket: Ticket, tokens: int) -> None:
        self._queue.end(ticket, tokens)
        self._running = None
        self._hand_over()

    def _give_up(self, ticket: Ticket) -> None:
        """Let the others go on without a request, whose turn may just have come."""
        if self._running is ticket:
            self._end(ticket, 0)
        else:
            self._queue.leave(ticket)

    def _wait(self, ticket: Ticket, name: str, deadline: float, cancelled: Callable[[], bool] | None) -> None:
        began = now = time.monotonic()
        while True:
            if cancelled and cancelled():
                ticket.lost = ticket.lost or "cancelled"
            if ticket.lost:
                raise InferenceError(f"{name}: {ticket.lost} before {self._kernel} was asked")
            left = deadline - now - self._least_s
            if left <= 0:
                raise DeadlineExpired(
                    f"{name}: {self._kernel} was not asked: after {now - began:.1f} s of waiting "
                    f"{max(0.0, deadline - now):.2f} s are left, and its fastest answer took "
                    f"{self._least_s:.2f} s"
                )
            if self._running is ticket:
                return
            self._changed.wait(min(left, _GLANCE_S) if cancelled else left)
            now = time.monotonic()

    def cancel(self, flow: Flow | None, reason: str) -> None:
        """Give up what waits, and the batch that runs, of a flow or of all."""
        with self._changed:
            for ticket in [*self._queue.waiting, *filter(None, [self._running])]:
                if flow in (None, ticket.flow):
                    ticket.lost = reason
            self._changed.notify_all()

    def close(self) -> None:
        """Take nothing in any more."""
        with self._changed:
            self._closed = "the scheduler was closed"
        self.cancel(None, self._closed)


class _Turn:
    """One request that runs, and what it has cost."""

    def __init__(self, ticket: Ticket) -> None:
        self._ticket = ticket
        self.tokens = 0
        self.answered = False

    @property
    def lost(self) -> bool:
        """Whether nobody wants it any more."""
        return bool(self._ticket.lost)

    def charge(self, request: Request, answer: Answer | InferenceError) -> None:
        """Take in what came of a request; of a failure nobody knows the cost, so it has the most."""
        if isinstance(answer, Answer):
            self.answered = True
            self.tokens += max(1, answer.tokens_in - answer.tokens_cached + answer.tokens_out)
        else:
            texts = [request.system, request.user, *(text for turn in request.turns for text in turn)]
            self.tokens += Estimating().count("".join(texts)) + request.max_tokens


class Client(Around):
    """The kernel, as one of its users has it."""

    def __init__(self, kernel: Kernel, name: str, rank: int, singles: _Lane, batches: _Lane) -> None:
        super().__init__(kernel)
        self._user = name
        self._singles, self._batches = singles, batches
        self._single, self._batch = Flow(rank), Flow(rank)

    def __call__(self, request: Request) -> Answer:
        """Answer within the deadline, waiting included; see `Kernel`."""
        deadline = time.monotonic() + request.deadline_s
        with self._singles.turn(self._single, self._user, deadline) as turn:
            left = replace(request, deadline_s=deadline - time.monotonic())
            try:
                answer = self._kernel(left)
            except InferenceError as error:
                turn.charge(request, error)
                raise
            turn.charge(request, answer)
            return answer

    def cancel(self) -> None:
        """Fail what waits now, and end a batch that runs; a single request that runs goes on."""
        self._singles.cancel(self._single, "cancelled")
        self._batches.cancel(self._batch, "cancelled")

    def close(self) -> None:
        """Cancel; the kernel stays open for the others."""
        self.cancel()


class BatchClient(Client):
    """The same of a kernel that takes several requests at once."""

    def batch(
        self, requests: Sequence[Request], cancelled: Callable[[], bool] = lambda: False
    ) -> list[Answer | InferenceError]:
        """Answer requests together, in a turn that takes as long as all of them; see `ask_all`."""
        began = time.monotonic()
        latest = began + max((request.deadline_s for request in requests), default=0.0)
        try:
            with self._batches.turn(self._batch, self._user, latest, cancelled) as turn:
                waited = time.monotonic() - began
                left = [replace(one, deadline_s=max(0.0, one.deadline_s - waited)) for one in requests]
                answers = ask_all(self._kernel, left, lambda: turn.lost or cancelled())
                for request, answer in zip(requests, answers, strict=True):
                    turn.charge(request, answer)
                return answers
        except InferenceError as error:
            return [error] * len(requests)
