"""From examples to what the model computes on: tokens, where it is asked something, and what it should say.

An example is a line of a data file: what the kernel is asked, and the answers with the probability that the
teacher gives each. Where the runtime would offer choices, the model is taught at the tokens at which they part,
among the tokens that go on and no others, because that is where its probabilities are read
(`llmos.inference.Choices`); elsewhere every token of the one answer is taught.
"""

import os
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from llmos.training.examples import Example
from llmos.training.model import Model

Tokens = list[int]
Turns = tuple[tuple[str, str], ...]


class Asked(NamedTuple):
    """A place where the model is asked: after `at` tokens, and how probable each token should be there."""

    at: int
    options: tuple[int, ...]  # the only tokens that go on; none where all of the vocabulary does
    wanted: tuple[float, ...]  # of the options, summing to 1
    token: int = -1  # the one to say where all of the vocabulary goes on


@dataclass(frozen=True)
class Lesson:
    """An example as tokens: the prompt with the answer behind it, and what is asked on the way."""

    tokens: tuple[int, ...]
    asked: tuple[Asked, ...]


class Tokenizer:
    """The runtime's own tokens: of prompts as it lays them out, and of answers."""

    def __init__(self, session: Any, system: Callable[[str], tuple[str, Turns]]) -> None:
        """Take the runtime's session, and what gives a kernel file's system text and worked examples."""
        self._session, self._system = session, system

    def prompt(self, example: Example) -> Tokens:
        """Return the prompt's tokens."""
        system, turns = self._system(example.system)
        tokens: Tokens = self._session.prompt(system, example.user, turns)
        return tokens

    def answer(self, text: str) -> Tokens:
        """Return an answer's tokens."""
        tokens: Tokens = self._session.tokens(text)
        return tokens


def lesson(example: Example, tokenizer: Tokenizer, chance: random.Random) -> Lesson:
    """Return the lesson of an example; of several right answers one is drawn and followed."""
    prompt = tokenizer.prompt(example)
    answers = [tokenizer.answer(answer) for answer in example.answers]
    taken = chance.choices(range(len(answers)), example.weights)[0]
    if len(answers) == 1:
        told = [Asked(len(prompt) + n, (), (), token) for n, token in enumerate(answers[0])]
        return Lesson((*prompt, *answers[0][:-1]), tuple(told))
    asked = list(partings(answers, example.weights, taken, len(prompt)))
    last = asked[-1].at - len(prompt) if asked else 0
    return Lesson((*prompt, *answers[taken][:last]), tuple(asked))


def partings(answers: Sequence[Tokens], weights: Sequence[float], taken: int, start: int) -> Iterator[Asked]:
    """Yield the places where answers part on the way of the one that is taken."""
    left = range(len(answers))
    for depth, token in enumerate(answers[taken]):
        shares: dict[int, float] = {}
        for number in left:
            shares[answers[number][depth]] = shares.get(answers[number][depth], 0.0) + weights[number]
        whole = sum(shares.values())
        if len(shares) > 1:
            yield Asked(start + depth, tuple(shares), tuple(share / whole for share in shares.values()))
        left = [number for number in left if answers[number][depth] == token]


class Batch(NamedTuple):
    """Lessons that begin alike; see `Model.forward`."""

    head: Tensor
    rest: Tensor
    asked: tuple[tuple[int, Asked], ...]  # with the number of the lesson


def batch(lessons: Sequence[Lesson]) -> Batch:
    """Put lessons together."""
    shared = len(os.path.commonprefix([one.tokens[: one.asked[0].at - 1] for one in lessons]))
    longest = max(len(one.tokens) for one in lessons) - shared
    rest = torch.zeros(len(lessons), longest, dtype=torch.long)
    for row, one in enumerate(lessons):
        own = one.tokens[shared:]
        rest[row, : len(own)] = torch.tensor(own)
    asked = tuple(
        (row, place._replace(at=place.at - shared)) for row, one in enumerate(lessons) for place in one.asked
    )
    return Batch(torch.tensor(lessons[0].tokens[:shared]), rest, asked)


class Learnt(NamedTuple):
    """What a model made of a batch: the mean loss of a lesson, and of each place the probability of each option."""

    loss: Tensor
    shares: list[list[float]]


def studied(model: Model, given: Batch) -> Learnt:
    """Ask the model all that a batch asks; the loss is the cross-entropy, a mean over places and lessons."""
    device = model.norm.device
    states = model(given.head.to(device), given.rest.to(device))
    rows = torch.tensor([row for row, _ in given.asked], device=device)
    at = torch.tensor([place.at - 1 for _, place in given.asked], device=device)
    logits = model.logits(states[rows, at])
    counts = torch.bincount(rows, minlength=len(given.rest)).float()
    losses, shares = [], []
    for (row, place), scores in zip(given.asked, logits, strict=True):
        if place.options:
            logs = functional.log_softmax(scores[list(place.options)], -1)
            losses.append(-(logs * torch.tensor(place.wanted, device=device)).sum() / counts[row])
            shares.append(logs.detach().exp().tolist())
        else:
            token = torch.tensor([place.token], device=device)
            losses.append(functional.cross_entropy(scores[None], token) / counts[row])
            shares.append([])
    return Learnt(torch.stack(losses).sum() / len(given.rest), shares)
