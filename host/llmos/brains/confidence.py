"""What a model's choice is worth: how its probabilities and the candidates' scores make one probability.

p(c is best) is proportional to (m(c) / b(c))^model * s(c)^score, where m is the model's probability, b how
probable it finds a candidate at this place of the list on the average (contextual calibration, Zhao et al.
2021, arXiv 2102.09690), and s the score. The weights are fitted on frames whose best candidate is known, by
maximum likelihood (a conditional logit, McFadden 1974; without the score it is temperature scaling, Guo et
al. 2017, arXiv 1706.04599). A model that chooses at chance gets the weight 0, and the scores decide.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain, repeat

from pydantic import BaseModel, ConfigDict

from llmos.errors import LlmosError
from llmos.inference import taught_trust
from llmos.resources import system_volume
from llmos.tables import read_table
from llmos.trust import Trust, Weights

LEAST = 1e-3  # no probability and no score counts as less


class ConfidenceError(LlmosError):
    """The file of weights is missing or wrong."""


class Table(BaseModel):
    """The file: weights for each kernel by name, and for those that nobody has measured."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    unmeasured: Trust
    kernels: dict[str, Trust] = {}


@dataclass(frozen=True)
class Judged:
    """A choice with its calibrated probability of being the best."""

    id: str
    confidence: float
    chances: Mapping[str, float]  # of each candidate
    swayed: bool  # the model's opinion changed what the scores alone would have chosen


def load_trust(kernel: str) -> Trust:
    """Return a kernel's weights: of one that was taught, those on its adapter's card.

    Raises:
        ConfidenceError: the file that ships is missing or wrong.
        AdapterError: the adapter's card is.
    """
    path = system_volume() / "kernel" / "confidence.toml"
    table = read_table(path, Table, "the weights of confidence", ConfidenceError)
    return taught_trust(kernel) or table.kernels.get(kernel, table.unmeasured)


def alone(weights: Weights) -> Weights:
    """Return the weights of a model that decides without the scores."""
    return weights.model_copy(update={"model": weights.model or 1.0, "score": 0.0})


def posterior(
    probabilities: Mapping[str, float], scores: Mapping[str, float], weights: Weights
) -> dict[str, float]:
    """Return for each candidate the probability that it is the best.

    Args:
        probabilities: the model's, by name; may be empty.
        scores: the candidates', in the order in which the model read them.
        weights: how much either counts.
    """
    logs = {
        name: weights.model * (math.log(max(probabilities.get(name, 1.0), LEAST)) - bias)
        + weights.score * math.log(max(score, LEAST))
        for (name, score), bias in zip(scores.items(), chain(weights.bias, repeat(0.0)), strict=False)
    }
    top = max(logs.values())
    parts = {name: math.exp(value - top) for name, value in logs.items()}
    return {name: part / sum(parts.values()) for name, part in parts.items()}


def judged(probabilities: Mapping[str, float], scores: Mapping[str, float], weights: Weights) -> Judged:
    """Return the likeliest best candidate; of equal ones the first offered."""
    chances = posterior(probabilities, scores, weights)
    best = max(chances, key=lambda name: chances[name])
    return Judged(best, chances[best], chances, best != max(scores, key=lambda name: scores[name]))
