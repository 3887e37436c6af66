"""How to fit: what a person may choose, and the usual choice."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    """How to fit.

    Args:
        rank: of the adapter; 12 on all matrices makes 7.4 MB in half precision.
        alpha: its strength.
        rate: highest learning rate; it rises over `warm` steps and falls along a cosine.
        steps: of the whole fit.
        warm: steps.
        every: steps between two validations.
        patience: validations without a better one after which the fit ends.
        seed: of the adapter's first values and the order of the examples.
    """

    rank: int = 12
    alpha: float = 24.0
    rate: float = 1e-3
    steps: int = 1000
    warm: int = 40
    every: int = 125
    patience: int = 6
    seed: int = 0
