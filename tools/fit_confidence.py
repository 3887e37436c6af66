"""Fits how much a kernel's word counts: from `llmos eval --choices --ways pass,rsa` to confidence.toml.

    llmos eval --choices --arenas maze:40@50000,clutter:40@50000 --show shown,hidden --kernels smollm2:none \\
        --ways pass,rsa --out FOLDER
    tools/fit_confidence.py FOLDER… [--write]

Name a kernel that was taught `smollm2` or `smollm2:ADAPTER.gguf`, and its weights go on its adapter's card.
See host/llmos/training/calibrate.py.
"""

import argparse
import json
import math
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from llmos.brains.confidence import LEAST, Table, load_trust
from llmos.document import read_document
from llmos.evaluation import EvaluationError
from llmos.inference._adapter import adapter_of, card_path
from llmos.resources import system_volume
from llmos.tables import read_table
from llmos.training.calibrate import CHANCE, Said, fitted, said
from llmos.trust import Trust, Weights

FILE = system_volume() / "kernel" / "confidence.toml"
HEAD = """\
# How much a model's word counts beside the candidates' scores: exponents, see
# host/llmos/brains/confidence.py. `instinct` weighs the probabilities of one pass, `plan` the votes of the
# planner's last population; `bias` is the mean log probability of the first, second … candidate of a list.
# `verbs` is how much more readily BabyAI's verbs are said than they should, in log probability: the middle
# between missions that ask for the verb and missions that do not, SmolLM2's on seeds 100 to 111 with the
# examples of babyai.md. Written by tools/fit_confidence.py.

"""


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
        passes = said(rows, kernel, "pass")
        instinct = weights(passes, f"{kernel}, one pass", biased=True) if passes else trust.instinct
        votes = [chosen_alone(one) for one in said(rows, kernel, "rsa")]
        plan = weights(votes, f"{kernel}, votes", biased=False) if votes else trust.plan
        kernels[kernel] = Trust(instinct=instinct, plan=plan, verbs=trust.verbs)
        print(f"calibration: {kernels[kernel].model_dump_json()}")
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


def chosen_alone(one: Said) -> Said:
    """Return what was said with the winner's share and the rest for the others: what a plan tells later."""
    count, top = len(one.shares), int(one.shares.argmax())
    share = math.exp(one.shares[top])
    shares = np.full(count, max(LEAST, (1 - share) / max(1, count - 1)))
    shares[top] = share
    return one._replace(shares=np.log(shares))


def weights(frames: list[Said], what: str, *, biased: bool) -> Weights:
    """Return fitted weights, and print what they gain."""
    fit = fitted(frames, biased=biased)
    print(
        f"{what}: {fit.frames} frames, model {fit.weights.model}, score {fit.weights.score}; "
        f"likelihood ratio {fit.gain:.2f}, counts from {CHANCE} on; score alone {fit.scores_alone:.3f}"
    )
    return fit.weights


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


def inline(one: Weights) -> str:
    """Return weights as an inline table."""
    bias = f", bias = [{', '.join(map(str, one.bias))}]" if one.bias else ""
    return f"{{ model = {one.model}, score = {one.score}{bias} }}"


if __name__ == "__main__":
    sys.exit(main())
