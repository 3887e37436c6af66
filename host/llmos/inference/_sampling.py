"""The choice of one token among those that are allowed."""

import numpy as np
from numpy.typing import NDArray

Logits = NDArray[np.float32]


class Sampler:
    """Chooses among allowed tokens: the likeliest at temperature 0, else drawn with the request's seed."""

    def __init__(self, temperature: float, seed: int) -> None:
        self._temperature = temperature
        self._rng = np.random.default_rng(seed)

    def pick(self, logits: Logits, allowed: NDArray[np.intp] | None = None) -> int:
        """Pick a token; `allowed` are the permitted ones' numbers, None permits all."""
        scores: NDArray[np.floating] = logits if allowed is None else logits[allowed]
        if self._temperature > 0:  # adding Gumbel noise and taking the maximum draws from the softmax
            scores = scores / self._temperature + self._rng.gumbel(size=len(scores))
        best = int(np.argmax(scores))
        return best if allowed is None else int(allowed[best])
