"""What a kernel is asked, what it answers, and how it fails."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import permutations
from typing import Any, Protocol

from llmos.errors import LlmosError

Schema = dict[str, Any]
BYTES = 2.5  # of an estimated token


class InferenceError(LlmosError):
    """A kernel could not be opened, or gave no answer that can be used."""


class DeadlineExpired(InferenceError):
    """A kernel did not answer within the request's deadline."""


@dataclass(frozen=True)
class Request:
    """One question to a kernel.

    Args:
        system: text that stays the same from call to call; its evaluation is cached.
        user: text that changes with every call.
        images: PNG files, for kernels whose `vision` is true.
        turns: earlier turns between the two, such as worked examples: pairs of question and answer.
        schema: JSON schema that the answer must satisfy; objects should set `additionalProperties` to false.
        grammar: GBNF that the answer must follow, in place of a schema; no text of it may begin another one.
            A server that knows no grammars is asked without: look at what it says.
        choices: the answer is one of these texts, in place of a schema; no one begins another. The answer's
            `probabilities` tell how likely each was; at temperature 0 the likeliest is taken.
        deadline_s: longest time for the whole call.
        seed: fixes every random choice.
        max_tokens: longest answer.
        temperature: 0 takes the likeliest token always; above, tokens are drawn.
    """

    system: str
    user: str
    images: tuple[bytes, ...] = ()
    turns: tuple[tuple[str, str], ...] = ()
    schema: Schema | None = None
    grammar: str | None = None
    choices: tuple[str, ...] = ()
    deadline_s: float = 10.0
    seed: int = 0
    max_tokens: int = 96
    temperature: float = 0.0

    def __post_init__(self) -> None:
        """Refuse two constraints, and choices of which one begins another."""
        given = (self.schema is not None, self.grammar is not None, bool(self.choices))
        if sum(given) > 1:
            raise InferenceError("a request has two of schema, grammar and choices; give it one of them")
        for one, other in permutations(self.choices, 2):
            if not one or other.startswith(one):
                raise InferenceError(f"the choice {one!r} is empty or begins {other!r}; make them differ")


@dataclass(frozen=True)
class Answer:
    """One answer, with its cost.

    Args:
        text: the answer; JSON without white space where the request had a schema.
        tokens_in: length of the prompt.
        tokens_out: length of the answer.
        tokens_cached: prompt tokens whose evaluation was reused.
        seconds: measured wall time of the call.
        tokens_forced: answer tokens that the schema or grammar left no choice about.
        cut: whether `max_tokens` ended it; never so under a schema, where that is an error.
        probabilities: of each of the request's choices, in their order, summing to 1; empty where the kernel
            cannot tell.
    """

    text: str
    tokens_in: int
    tokens_out: int
    tokens_cached: int
    seconds: float
    tokens_forced: int = 0
    cut: bool = False
    probabilities: tuple[float, ...] = ()


Inference = Callable[[Request], Answer]


class Kernel(Protocol):
    """An `Inference` with a name, which holds resources until it is closed."""

    @property
    def name(self) -> str:
        """The spec that opened it."""

    @property
    def vision(self) -> bool:
        """Whether it looks at the request's images."""

    def __call__(self, request: Request) -> Answer:
        """Answer within the deadline, or raise `DeadlineExpired` or `InferenceError`."""

    def count(self, text: str) -> int:
        """Count a text's tokens by the model's own tokenizer, or estimate them; see `Estimating`."""

    def close(self) -> None:
        """Free what the kernel holds; closing twice is allowed."""


def note_of(kernel: Kernel) -> str:
    """Return why a kernel is not what was asked for: its `note`; empty where it is."""
    note: str = getattr(kernel, "note", "")
    return note


class Estimating:
    """A base for kernels whose tokenizer is not here."""

    def count(self, text: str) -> int:
        """Estimate a text's tokens: one for each 2.5 bytes of UTF-8.

        SmolLM2's tokens are 2.9 to 3.5 bytes long in prose and code, and 1.6 to 2.3 in tables of numbers.
        """
        return math.ceil(len(text.encode(errors="replace")) / BYTES)


class Around:
    """What a kernel around another has of it: a base for those that count, record or bound its answers."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel

    @property
    def name(self) -> str:
        """The inner kernel's name."""
        return self._kernel.name

    @property
    def vision(self) -> bool:
        """Whether it sees."""
        return self._kernel.vision

    @property
    def parameters(self) -> int | None:
        """How many numbers the inner model has learnt; None where it cannot tell."""
        return getattr(self._kernel, "parameters", None)

    @property
    def note(self) -> str:
        """Why it is not what was asked for."""
        return note_of(self._kernel)

    def count(self, text: str) -> int:
        """Count as the inner kernel does."""
        return self._kernel.count(text)
