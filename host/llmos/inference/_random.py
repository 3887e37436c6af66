"""The kernel that draws a legal answer by chance: what any other has to beat."""

import json
import time
from random import Random

from ._schema import draw
from ._types import Answer, InferenceError, Request


def open_random() -> "RandomKernel":
    """Open the kernel of chance."""
    return RandomKernel()


class RandomKernel:
    """Draws an answer from the request's schema and seed."""

    name = "random"
    vision = False

    def __call__(self, request: Request) -> Answer:
        """Draw; each combination of the schema's discrete choices is as likely."""
        started = time.monotonic()
        if request.schema is None:
            raise InferenceError("kernel random needs a schema to draw from")
        value = draw(request.schema, Random(request.seed))
        text = json.dumps(value, separators=(",", ":"))
        return Answer(text, 0, 0, 0, time.monotonic() - started)

    def close(self) -> None:
        """Nothing is held."""
