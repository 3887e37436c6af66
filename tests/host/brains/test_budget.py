"""A budget is never passed, whoever asks, from however many threads."""

import threading
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmos.brains.budget import Budget, BudgetSpent, Metered
from llmos.inference import Answer, InferenceError, Request

REQUEST = Request(system="s" * 10, user="u" * 20, max_tokens=5)


class Model:
    """Answers with what the test says that it costs."""

    name, vision = "model", False

    def __init__(self, seconds: float = 0.0, share: float = 1.0) -> None:
        self.calls, self.tokens, self.seconds, self._share = 0, 0, seconds, share
        self.deadlines: list[float] = []
        self._lock = threading.Lock()

    def __call__(self, request: Request) -> Answer:
        """Read a share of the prompt's bytes as tokens, and write as many as are allowed."""
        read = int(self._share * (len(request.system) + len(request.user)))
        with self._lock:
            self.calls, self.tokens = self.calls + 1, self.tokens + read + request.max_tokens
            self.deadlines.append(request.deadline_s)
        return Answer("yes", read, request.max_tokens, 0, self.seconds)

    def close(self) -> None:
        """Nothing is held."""


@given(
    calls=st.integers(0, 20), tokens=st.integers(0, 500), share=st.floats(0, 1),
    batches=st.lists(st.integers(0, 5)),
)  # fmt: skip
def test_no_limit_is_ever_passed(calls: int, tokens: int, share: float, batches: list[int]) -> None:
    model = Model(share=share)
    metered = Metered(model, Budget(calls, tokens, 1.0))
    for size in batches:
        answers = metered.batch([REQUEST] * size)
        assert len(answers) == size
        assert all(isinstance(one, Answer | BudgetSpent) for one in answers)
    assert model.calls <= calls
    assert model.tokens <= tokens


def test_what_was_not_used_can_be_used_later() -> None:
    """A prompt's bytes are held back, and what of them were no tokens is given back."""
    metered = Metered(Model(share=0.0), Budget(calls=100, tokens=60, seconds=1.0))
    for _ in range(6):
        metered(REQUEST)
    assert metered.left.tokens == 30
    with pytest.raises(BudgetSpent, match="budget of tokens"):
        metered(REQUEST)


def test_no_deadline_is_longer_than_what_is_left() -> None:
    model = Model(seconds=4.0)
    metered = Metered(model, Budget(seconds=10.0))
    for _ in range(3):
        metered(REQUEST)
    assert model.deadlines == [10.0, 6.0, 2.0]
    with pytest.raises(BudgetSpent, match="budget of seconds for models is spent: allow more"):
        metered(REQUEST)


def test_threads_share_a_budget() -> None:
    model = Model()
    metered = Metered(model, Budget(calls=50))
    refused = []

    def ask() -> None:
        for _ in range(20):
            try:
                metered(REQUEST)
            except BudgetSpent as refusal:
                refused.append(refusal)

    threads = [threading.Thread(target=ask) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (model.calls, len(refused)) == (50, 50)


def test_a_failed_call_counts() -> None:
    """Nobody knows what a model used that gave no answer, so its tokens count as used."""

    class Broken(Model):
        def __call__(self, request: Request) -> Answer:
            raise InferenceError("broken")

        def batch(
            self, requests: Sequence[Request], cancelled: Callable[[], bool]
        ) -> list[Answer | InferenceError]:
            return [InferenceError("broken") for _ in requests]

    metered = Metered(Broken(), Budget(calls=3, tokens=100))
    with pytest.raises(InferenceError, match="broken"):
        metered(REQUEST)
    (failure,) = metered.batch([REQUEST])
    assert str(failure) == "broken"
    assert (metered.left.calls, metered.left.tokens) == (1, 30)
