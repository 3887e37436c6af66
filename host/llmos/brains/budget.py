"""A hard limit on what a run may ask of its models: calls, tokens and seconds."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from llmos.inference import Answer, Around, InferenceError, Kernel, Request, ask_all


class BudgetSpent(InferenceError):
    """The run has no more calls, tokens or seconds for its models."""


@dataclass(frozen=True)
class Budget:
    """What a run may use, all its brains together.

    Args:
        calls: requests to models.
        tokens: of prompts and answers, cached ones included.
        seconds: wall time of the models' answers, summed.
    """

    calls: int = 2_000
    tokens: int = 2_000_000
    seconds: float = 1_800.0


USUAL_BUDGET = Budget()
PICTURE = 4096  # tokens of a picture at most; the largest that Qwen-VL makes of one


class Purse:
    """What is left of a budget; shared by threads, and by all kernels of a run.

    A request is let through only if the most that it can cost is left: a token is a byte of text at least,
    and a picture no more than `PICTURE` tokens. So the limits on calls and tokens are never passed, and that
    on seconds by no more than a kernel's own lateness, as no deadline is longer than what is left.
    """

    def __init__(self, budget: Budget) -> None:
        self.budget = self.left = budget
        self.spent = ""  # which limit was met, in words
        self._lock = threading.Lock()

    def used(self) -> Budget:
        """Return what has been taken out of it."""
        whole, left = self.budget, self.left
        seconds = round(whole.seconds - left.seconds, 3)
        return Budget(whole.calls - left.calls, whole.tokens - left.tokens, seconds)

    def reserve(self, request: Request) -> tuple[Request, int]:
        """Take a call and its most tokens out of the budget; return the request as it may be asked."""
        texts = [request.system, request.user, *(text for turn in request.turns for text in turn)]
        most = sum(len(text.encode()) for text in texts) + request.max_tokens + PICTURE * len(request.images)
        with self._lock:
            left = self.left
            wanted = {"calls": left.calls < 1, "tokens": left.tokens < most, "seconds": left.seconds <= 0}
            self.spent = self.spent or next((name for name, over in wanted.items() if over), "")
            if any(wanted.values()):
                raise BudgetSpent(f"the run's budget of {self.spent} for models is spent: allow more")
            self.left = replace(left, calls=left.calls - 1, tokens=left.tokens - most)
            return replace(request, deadline_s=min(request.deadline_s, left.seconds)), most

    def charge(self, held: int, answer: Answer | None) -> None:
        """Give back what was held too much; a failure keeps its tokens, as nobody knows what it used."""
        with self._lock:
            if answer:
                back = max(0, held - answer.tokens_in - answer.tokens_out)
                seconds = self.left.seconds - answer.seconds
                self.left = replace(self.left, tokens=self.left.tokens + back, seconds=seconds)


class Metered(Around):
    """A kernel that refuses once the budget is spent."""

    def __init__(self, kernel: Kernel, budget: Budget | Purse) -> None:
        super().__init__(kernel)
        self.purse = budget if isinstance(budget, Purse) else Purse(budget)

    @property
    def left(self) -> Budget:
        """What is left."""
        return self.purse.left

    @property
    def spent(self) -> str:
        """Which limit was met, in words; empty where none."""
        return self.purse.spent

    def __call__(self, request: Request) -> Answer:
        """Answer within what is left, or raise `BudgetSpent`."""
        allowed, held = self.purse.reserve(request)
        answer = None
        try:
            answer = self._kernel(allowed)
        finally:
            self.purse.charge(held, answer)
        return answer

    def batch(
        self, requests: Sequence[Request], cancelled: Callable[[], bool] = lambda: False
    ) -> list[Answer | InferenceError]:
        """Answer several requests, each refused by itself once the budget is spent."""
        results: list[Answer | InferenceError | None] = []
        allowed: list[tuple[Request, int]] = []
        for request in requests:
            try:
                allowed.append(self.purse.reserve(request))
                results.append(None)
            except BudgetSpent as refusal:
                results.append(refusal)
        answers = ask_all(self._kernel, [request for request, _ in allowed], cancelled)
        for (_, held), answer in zip(allowed, answers, strict=True):
            self.purse.charge(held, answer if isinstance(answer, Answer) else None)
        rest = iter(answers)
        return [next(rest) if result is None else result for result in results]

    def close(self) -> None:
        """The kernel stays open; who opened it closes it."""
