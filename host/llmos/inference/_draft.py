"""One answer as it grows, token by token, whoever evaluates the model."""

from collections.abc import Callable

from ._choices import Choices
from ._constraint import Constraint
from ._sampling import Logits
from ._schema import checked_json
from ._types import Answer, InferenceError, Request


class Draft:
    """An answer under its constraint.

    By turns: `pending` are the tokens to evaluate, `take` gives the logits after the last of them; until
    `done`. Forced tokens wait for the next evaluation, so each costs a row of a batch and not a pass of its
    own.
    """

    def __init__(
        self, kernel: str, request: Request, constraint: Constraint, ends: Callable[[int], bool]
    ) -> None:
        """Begin; `ends` tells whether a token ends the model's turn. Raise `InferenceError` as `take`."""
        self._kernel, self._request = kernel, request
        self._constraint, self._ends = constraint, ends
        self._chosen = 0
        self._cut = False
        self.tokens: list[int] = []
        self.pending: list[int] = []
        self.done = False
        self._force()

    def take(self, logits: Logits) -> None:
        """Choose the next token, or raise `InferenceError` where the answer gets too long to be whole."""
        token = self._constraint.choose(logits)
        if self._ends(token):
            self.done = True
            return
        self.tokens.append(token)
        self._chosen += 1
        self.pending = [token]
        self._force()

    def _force(self) -> None:
        """Take what must come next, and see whether the answer ends there."""
        forced = self._constraint.forced()
        self.tokens += forced
        self.pending += forced
        most = self._request.max_tokens
        if self._constraint.complete:
            self.done = True
        elif len(self.tokens) >= most:
            if self._request.schema is not None or self._request.choices:
                raise InferenceError(f"{self._kernel}: no end after {most} tokens; allow more")
            self._cut = self.done = True

    def answer(
        self, text: Callable[[list[int]], str], tokens_in: int, tokens_cached: int, seconds: float
    ) -> Answer:
        """Give the finished answer; `text` turns tokens into text."""
        request = self._request
        probabilities: tuple[float, ...] = ()
        if isinstance(self._constraint, Choices):
            said = request.choices[self._constraint.taken]
            probabilities = tuple(self._constraint.probabilities)
        else:
            said = text(self.tokens)
        if request.schema is not None:
            said = checked_json(self._kernel, said, request.schema)
        return Answer(
            text=said,
            tokens_in=tokens_in,
            tokens_out=len(self.tokens),
            tokens_cached=tokens_cached,
            seconds=seconds,
            tokens_forced=len(self.tokens) - self._chosen,
            cut=self._cut,
            probabilities=probabilities,
        )
