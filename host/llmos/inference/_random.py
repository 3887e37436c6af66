"""The kernel that draws a legal answer by chance: what any other has to beat."""

import json
import time
from random import Random

import numpy as np

from ._constraint import Guided
from ._registry import require
from ._sampling import Sampler
from ._schema import draw
from ._types import Answer, DeadlineExpired, Estimating, InferenceError, Request

_TOKEN = 4  # characters of a model's token, about: a text is drawn character by character


def open_random() -> "RandomKernel":
    """Open the kernel of chance."""
    return RandomKernel()


class RandomKernel(Estimating):
    """Draws an answer from the request's schema, grammar or choices, and its seed."""

    name = "random"
    vision = False

    def __call__(self, request: Request) -> Answer:
        """Draw: of a schema each combination of discrete choices, of a grammar each next character alike."""
        started = time.monotonic()
        if request.choices:
            text, count = Random(request.seed).choice(request.choices), len(request.choices)
            seconds = time.monotonic() - started
            return Answer(text, 0, 0, 0, seconds, probabilities=(1 / count,) * count)
        if request.grammar is not None:
            text, cut = _drawn(request, started + request.deadline_s)
            return Answer(text, 0, 0, 0, time.monotonic() - started, cut=cut)
        if request.schema is None:
            raise InferenceError("kernel random needs a schema, a grammar or choices to draw from")
        value = draw(request.schema, Random(request.seed))
        text = json.dumps(value, separators=(",", ":"))
        return Answer(text, 0, 0, 0, time.monotonic() - started)

    def close(self) -> None:
        """Nothing is held."""


def _drawn(request: Request, deadline: float) -> tuple[str, bool]:
    """Draw a text of the grammar, byte by byte, and say whether it was cut off."""
    tokenizer = require("llguidance", "random").LLTokenizer("byte")
    constraint = Guided(tokenizer, request, Sampler(1.0, request.seed))
    alike = np.zeros(tokenizer.vocab_size, np.float32)
    text: list[int] = []
    while True:
        text += constraint.forced()
        if constraint.complete:
            break
        if len(text) >= _TOKEN * request.max_tokens:
            return tokenizer.decode_str(text), True
        if time.monotonic() > deadline:
            raise DeadlineExpired("random did not come to an end within the deadline; allow more")
        text.append(constraint.choose(alike))
    return tokenizer.decode_str([byte for byte in text if byte != tokenizer.eos_token]), False
