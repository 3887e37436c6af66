"""How much a kernel's word counts: weights fitted to what it said of frames whose best candidate is known.

They maximize the likelihood of the candidates that the teacher calls the best; see
host/llmos/brains/confidence.py. Report what they are worth on other arenas than those they were fitted on.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from llmos.brains.confidence import LEAST, load_trust
from llmos.evaluation import Choices, arenas_of, one_choice
from llmos.trust import Trust, Weights

ARENAS = "maze:40@50000,clutter:40@50000,maze:15@50000:explore,clutter:15@50000:explore"  # of validation
SHOWS = ("shown", "hidden")  # how scores are, on half of the frames each
FRAMES = 10  # of an arena
ROUNDS = 50  # of Newton's method
CHANCE = 3.84  # chi square with one degree of freedom, 5 %
MOST = 10.0  # that a weight may be; more would count nobody else
RIDGE = 0.01  # keeps a weight finite that nothing speaks against

Floats = NDArray[np.float64]


class Said(NamedTuple):
    """Log shares and log scores of a frame's candidates, shape (n,), and which of them are the best."""

    shares: Floats
    scores: Floats
    best: NDArray[np.bool_]


@dataclass(frozen=True)
class Fit:
    """Weights, and what they gain.

    Args:
        weights: the most likely ones.
        frames: that they were fitted on.
        gain: likelihood ratio of the model's word, which counts from `CHANCE` on.
        scores_alone: the weight of the scores without the model.
    """

    weights: Weights
    frames: int
    gain: float
    scores_alone: float


def calibrated(kernel: str, arenas: str = ARENAS, tell: Callable[[str], None] = lambda line: None) -> Trust:
    """Return a kernel's weights: the instinct's by frames of arenas, all else as it is now.

    Args:
        kernel: its spec.
        arenas: as `llmos eval` takes them; none that the kernel was taught on, or is tested on.
        tell: hears how far it is.

    Raises:
        EvaluationError: the kernel cannot be opened, or the arenas are wrong.
    """
    tasks = list(Choices(arenas_of(arenas), (kernel,), ("pass",), SHOWS, frames=FRAMES).tasks())
    rows = []
    for number, task in enumerate(tasks, 1):
        rows.append(one_choice(task))
        tell(f"calibration: {number} of {len(tasks)}")
    found = fitted(said(rows, kernel, "pass"), biased=True)
    return load_trust(kernel).model_copy(update={"instinct": found.weights})


def said(rows: Iterable[dict[str, Any]], kernel: str, way: str) -> list[Said]:
    """Return what a kernel said in one way, by an evaluation's rows, where no score was made wrong."""
    return [
        Said(logs(one["shares"]), logs(told(one["scores"])), np.array(one["best"]))
        for row in rows
        if (row["kernel"], row["way"]) == (kernel, way) and row["show"] in SHOWS
        for one in row["frames"]
    ]


def told(scores: Sequence[float | None]) -> list[float]:
    """Return scores, those that were hidden all alike."""
    return [1.0 if score is None else score for score in scores]


def logs(values: Sequence[float]) -> Floats:
    """Return logarithms, as `posterior` takes them."""
    return np.asarray(np.log(np.maximum(np.array(values, float), LEAST)))


def fitted(frames: Sequence[Said], *, biased: bool = False) -> Fit:
    """Return the weights of the greatest likelihood.

    The model gets no weight where it would be negative, or gains no more than chance may (likelihood ratio);
    and what it always says of a place in the list is taken off only where that is better.

    Args:
        frames: what was said.
        biased: whether the model has read a list, and so may like a place in it.
    """
    best, alone = climb(frames, (True, True)), climb(frames, (False, True))
    bias = np.zeros(0)
    if biased:
        usual = position_bias(frames)
        moved = [one._replace(shares=one.shares - padded(usual, len(one.shares))) for one in frames]
        again = climb(moved, (True, True))
        if likelihood(moved, again) > likelihood(frames, best):
            frames, best, bias = moved, again, usual
    gain = 2 * (likelihood(frames, best) - likelihood(frames, alone))
    model, score = best if best[0] > 0 and gain >= CHANCE else alone
    weights = Weights(
        model=round(min(float(model), MOST), 3),
        score=round(min(max(0.0, float(score)), MOST), 3),
        bias=tuple(round(float(one), 3) for one in bias),
    )
    return Fit(weights, len(frames), gain, float(alone[1]))


def position_bias(frames: Sequence[Said]) -> Floats:
    """Return the mean log share of each place of the list."""
    longest = max(len(one.shares) for one in frames)
    columns = [[one.shares[place] for one in frames if len(one.shares) > place] for place in range(longest)]
    return np.array([np.mean(column) for column in columns])


def padded(bias: Floats, count: int) -> Floats:
    """Return the bias of a list of so many."""
    return np.pad(bias, (0, max(0, count - len(bias))))[:count]


def climb(frames: Sequence[Said], free: tuple[bool, bool]) -> Floats:
    """Return the maximum of the likelihood by Newton's method, over the free weights; the others are 0."""
    chosen = np.array(free)
    weights = np.where(chosen, 1.0, 0.0)
    for _ in range(ROUNDS):
        slope, curve = -RIDGE * weights, -RIDGE * np.eye(2)
        for one in frames:
            features = np.column_stack((one.shares, one.scores))
            chance = softmax(features @ weights)
            right = chance * one.best / max(float(chance[one.best].sum()), 1e-12)
            slope = slope + features.T @ (right - chance)
            curve = curve - spread(features, chance)
        step = np.linalg.solve(curve[np.ix_(chosen, chosen)], slope[chosen])
        weights[chosen] -= np.clip(step, -1.0, 1.0)
        if np.abs(step).max() < 1e-6:
            break
    return weights


def spread(features: Floats, chance: Floats) -> Floats:
    """Return the covariance of the features under a distribution."""
    mean = chance @ features
    return (features * chance[:, None]).T @ features - np.outer(mean, mean)


def likelihood(frames: Sequence[Said], weights: Floats) -> float:
    """Return the log likelihood of the best candidates."""
    chances = (softmax(np.column_stack((one.shares, one.scores)) @ weights)[one.best].sum() for one in frames)
    return sum(math.log(max(1e-12, float(chance))) for chance in chances)


def softmax(values: Floats) -> Floats:
    """Return probabilities."""
    parts = np.exp(values - values.max())
    return np.asarray(parts / parts.sum())
