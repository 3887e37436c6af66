"""Fits how much a kernel's word counts: from `llmos eval --choices --ways pass,rsa` to confidence.toml.

    llmos eval --choices --arenas generated:60@5000 --kernels smollm2:none --ways pass,rsa --out FOLDER
    tools/fit_confidence.py FOLDER… [--write]

Name a kernel that was taught `smollm2` or `smollm2:ADAPTER.gguf`, and its weights go on its adapter's card.
They maximize the likelihood of the candidates that the true map calls the best; see
host/llmos/brains/confidence.py. Report what they are worth on other arenas than those they were fitted on.
"""

import argparse
import json
import math
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from llmos.brains.confidence import LEAST, Table, load_trust
from llmos.document import read_document
from llmos.evaluation import EvaluationError
from llmos.inference._adapter import adapter_of, card_path
from llmos.resources import system_volume
from llmos.tables import read_table
from llmos.trust import Trust, Weights

FILE = system_volume() / "kernel" / "confidence.toml"
ROUNDS = 50  # of Newton's method
CHANCE = 3.84  # chi square with one degree of freedom, 5 %
RIDGE = 0.01  # keeps a weight finite that nothing speaks against
HEAD = """\
# How much a model's word counts beside the candidates' scores: exponents, see
# host/llmos/brains/confidence.py. `instinct` weighs the probabilities of one pass, `plan` the votes of the
# planner's last population; `bias` is the mean log probability of the first, second … candidate of a list.
# `verbs` is how much more readily BabyAI's verbs are said than they should, in log probability: the middle
# between missions that ask for the verb and missions that do not, SmolLM2's on seeds 100 to 111 with the
# examples of babyai.md. Written by tools/fit_confidence.py.

"""

Floats = NDArray[np.float64]


class Frame(NamedTuple):
    """Log shares and log scores of the candidates, shape (n,), and which of them are the best."""

    shares: Floats
    scores: Floats
    best: NDArray[np.bool_]


def main() -> int:
    """Fit, print, and write where that is asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folders", type=Path, nargs="+", help="of evaluations")
    parser.add_argument(
        "--write", action="store_true", help=f"put the weights into {FILE.name}, or on an adapter's card"
    )
    given = parser.parse_args()
    table = read_table(FILE, Table, "the weights of confidence", EvaluationError)
    rows = [row for folder in given.folders for row in read_rows(folder / "runs.jsonl")]
    kernels = dict(table.kernels)
    for kernel in sorted({row["kernel"] for row in rows if row["way"] in ("pass", "rsa")}):
        trust = load_trust(kernel)
        said = frames(rows, kernel, "pass")
        instinct = fitted(said, f"{kernel}, one pass", biased=True) if said else trust.instinct
        votes = [chosen_alone(one) for one in frames(rows, kernel, "rsa")]
        plan = fitted(votes, f"{kernel}, votes") if votes else trust.plan
        kernels[kernel] = Trust(instinct=instinct, plan=plan, verbs=trust.verbs)
    if given.write:
        cards = {kernel: path for kernel in kernels if (path := adapter_of(kernel))}
        for kernel, path in cards.items():
            write_card(card_path(path), kernels.pop(kernel))
        FILE.write_text(as_toml(table.unmeasured, kernels), encoding="utf-8")
        print(f"written: {FILE}")
    return 0


def write_card(path: Path, trust: Trust) -> None:
    """Put the weights of a kernel that was taught on its adapter's card."""
    card = read_document(path).changed(calibration=trust.model_dump(mode="json"))
    path.write_text(card.source, encoding="utf-8")
    print(f"written: {path}")


def read_rows(path: Path) -> Iterator[dict[str, Any]]:
    """Return an evaluation's rows."""
    for line in path.read_text(encoding="utf-8").splitlines():
        record = json.loads(line)
        row = record.get("row", record)
        if "frames" in row:
            yield row


def frames(rows: list[dict[str, Any]], kernel: str, way: str) -> list[Frame]:
    """Return what a kernel said in one way."""
    return [
        Frame(logs(one["shares"]), logs(one["scores"]), np.array(one["best"]))
        for row in rows
        if (row["kernel"], row["way"]) == (kernel, way)
        for one in row["frames"]
    ]


def logs(values: list[float]) -> Floats:
    """Return logarithms, as `posterior` takes them."""
    return np.log(np.maximum(np.array(values, float), LEAST))


def chosen_alone(frame: Frame) -> Frame:
    """Return a frame in which the winner has its share and the others the rest: what a plan tells later."""
    count, top = len(frame.shares), int(frame.shares.argmax())
    share = math.exp(frame.shares[top])
    shares = np.full(count, max(LEAST, (1 - share) / max(1, count - 1)))
    shares[top] = share
    return frame._replace(shares=np.log(shares))


def fitted(frames: list[Frame], what: str, *, biased: bool = False) -> Weights:
    """Return the weights of the greatest likelihood, and print what they gain.

    The model gets no weight where it would be negative, or gains no more than chance may (likelihood ratio).
    """
    bias = position_bias(frames) if biased else np.zeros(0)
    moved = [one._replace(shares=one.shares - padded(bias, len(one.shares))) for one in frames]
    weights, without = climb(moved, np.array([True, True])), climb(moved, np.array([False, True]))
    gain = 2 * (likelihood(moved, weights) - likelihood(moved, without))
    print(
        f"{what}: {len(frames)} frames, model {weights[0]:.3f}, score {weights[1]:.3f}; "
        f"likelihood ratio {gain:.2f}, counts from {CHANCE} on; score alone {without[1]:.3f}"
    )
    if weights[0] < 0 or gain < CHANCE:
        weights = without
    model, score = (round(float(max(0.0, one)), 3) for one in weights)
    return Weights(model=model, score=score, bias=tuple(round(float(one), 3) for one in bias))


def position_bias(frames: list[Frame]) -> Floats:
    """Return the mean log share of each place of the list."""
    longest = max(len(one.shares) for one in frames)
    columns = [[one.shares[place] for one in frames if len(one.shares) > place] for place in range(longest)]
    return np.array([np.mean(column) for column in columns])


def padded(bias: Floats, count: int) -> Floats:
    """Return the bias of a list of so many."""
    return np.pad(bias, (0, max(0, count - len(bias))))[:count]


def climb(frames: list[Frame], free: NDArray[np.bool_]) -> Floats:
    """Return the maximum of the likelihood by Newton's method, over the free weights; the others are 0."""
    weights = np.where(free, 1.0, 0.0)
    for _ in range(ROUNDS):
        slope, curve = -RIDGE * weights, -RIDGE * np.eye(2)
        for one in frames:
            features = np.column_stack((one.shares, one.scores))
            chance = softmax(features @ weights)
            right = chance * one.best / max(float(chance[one.best].sum()), 1e-12)
            slope = slope + features.T @ (right - chance)
            curve = curve - spread(features, chance)
        step = np.linalg.solve(curve[np.ix_(free, free)], slope[free])
        weights[free] -= np.clip(step, -1.0, 1.0)
    return weights


def spread(features: Floats, chance: Floats) -> Floats:
    """Return the covariance of the features under a distribution."""
    mean = chance @ features
    return (features * chance[:, None]).T @ features - np.outer(mean, mean)


def likelihood(frames: list[Frame], weights: Floats) -> float:
    """Return the log likelihood of the best candidates."""
    return sum(
        math.log(
            max(1e-12, float(softmax(np.column_stack((one.shares, one.scores)) @ weights)[one.best].sum()))
        )
        for one in frames
    )


def softmax(values: Floats) -> Floats:
    """Return probabilities."""
    parts = np.exp(values - values.max())
    return np.asarray(parts / parts.sum())


def as_toml(unmeasured: Trust, kernels: dict[str, Trust]) -> str:
    """Return the file."""
    parts = [
        "[unmeasured]  # a model that nobody has measured is believed as much as the scores",
        entries(unmeasured),
    ]
    for name, trust in kernels.items():
        parts += ["", f'[kernels."{name}"]', entries(trust)]
    return HEAD + "\n".join(parts) + "\n"


def entries(trust: Trust) -> str:
    """Return a kernel's lines."""
    lines = [f"{name} = {inline(getattr(trust, name))}" for name in ("instinct", "plan")]
    verbs = ", ".join(f'"{verb}" = {bias}' for verb, bias in trust.verbs.items())
    return "\n".join([*lines, *([f"verbs = {{ {verbs} }}"] if verbs else [])])


def inline(weights: Weights) -> str:
    """Return weights as an inline table."""
    bias = f", bias = [{', '.join(map(str, weights.bias))}]" if weights.bias else ""
    return f"{{ model = {weights.model}, score = {weights.score}{bias} }}"


if __name__ == "__main__":
    sys.exit(main())
