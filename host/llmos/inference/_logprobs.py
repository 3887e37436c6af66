"""How likely each choice was, by what a server tells of the likeliest tokens."""

import math
from collections.abc import Sequence
from typing import Any


def shares(choices: Sequence[str], entries: Sequence[Any]) -> tuple[float, ...]:
    """Return each choice's probability, summing to 1; empty where the entries tell of none.

    At each token that was said, the likeliest tokens that go on with one of the choices share the probability
    out. A branch that was not taken splits its own equally among its choices; one that is not among the
    server's likeliest gets nothing.

    Args:
        choices: the texts that could be said, of which no one begins another.
        entries: `choices[0].logprobs.content` of a chat completion: for each token of the text that was said
            its `token`, `logprob` and `top_logprobs`.
    """
    probabilities = [1 / len(choices)] * len(choices)
    left, said, told = list(range(len(choices))), "", len(choices) == 1
    for entry in entries:
        if len(left) == 1:
            break
        likely = {each["token"]: each["logprob"] for each in [*(entry.get("top_logprobs") or []), entry]}
        branches = {token: _branch(choices, left, said + token) for token in likely}
        weights = {token: math.exp(likely[token]) for token, branch in branches.items() if branch}
        total = sum(weights.values())
        taken = branches[entry["token"]]
        if not taken or not total:
            return ()
        mass = sum(probabilities[number] for number in left)
        for number in left:
            probabilities[number] = mass * sum(
                weight / total / len(branches[token])
                for token, weight in weights.items()
                if number in branches[token]
            )
        left, said, told = taken, said + entry["token"], True
    return tuple(probabilities) if told and len(left) == 1 else ()


def _branch(choices: Sequence[str], left: Sequence[int], said: str) -> list[int]:
    """Name the choices that a text begins, or that begin it."""
    return [number for number in left if choices[number].startswith(said) or said.startswith(choices[number])]
