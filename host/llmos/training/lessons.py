"""From examples to what the model computes on: tokens, where it is asked something, and what it should say.

An example is a line of a data file: what the kernel is asked, and the answers with the probability that the
teacher gives each. Where the runtime would offer choices, the model is taught at the tokens at which they
part, among the tokens that go on and no others, because that is where its probabilities are read
(`llmos.inference.Choices`); elsewhere every token of the one answer is taught.
"""

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from llmos.training.examples import Example
from llmos.training.model import Model

# What a token of an answer competes with: the tokens of the batch's answers, and so many of the shortest,
# which come first in a vocabulary made by merging. All of it would cost as much as the rest of the model.
COMMON = 4096
WIDTH = 16  # batches are padded to a multiple: the same shapes come again, and need not be prepared anew
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
    left: Sequence[int] = range(len(answers))
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
    shared = common([one.tokens[: one.asked[0].at - 1] for one in lessons])
    longest = -(-max(len(one.tokens) - shared for one in lessons) // WIDTH) * WIDTH
    rest = torch.zeros(len(lessons), longest, dtype=torch.long)
    for row, one in enumerate(lessons):
        own = one.tokens[shared:]
        rest[row, : len(own)] = torch.tensor(own)
    asked = tuple(
        (row, place._replace(at=place.at - shared)) for row, one in enumerate(lessons) for place in one.asked
    )
    return Batch(torch.tensor(lessons[0].tokens[:shared]), rest, asked)


def common(texts: Sequence[Sequence[int]]) -> int:
    """Return how many tokens some texts begin with in common."""
    same = (len(set(tokens)) == 1 for tokens in zip(*texts, strict=False))
    return next((number for number, alike in enumerate(same) if not alike), min(map(len, texts)))


class Learnt(NamedTuple):
    """What a model made of a batch: the mean loss of a lesson, and each place's probabilities."""

    loss: Tensor
    shares: list[list[float]]


def studied(model: Model, given: Batch) -> Learnt:
    """Ask the model all that a batch asks; the loss is the cross-entropy, a mean over places and lessons."""
    device = model.norm.device
    states = model(given.head.to(device), given.rest.to(device))
    rows = torch.tensor([row for row, _ in given.asked], device=device)
    at = torch.tensor([place.at - 1 for _, place in given.asked], device=device)
    counts = torch.bincount(rows, minlength=len(given.rest))[rows].float()
    found = states[rows, at]
    parted = [number for number, (_, place) in enumerate(given.asked) if place.options]
    told = [number for number, (_, place) in enumerate(given.asked) if not place.options]
    losses, shares = torch.zeros(len(given.asked), device=device), [list[float]()] * len(given.asked)
    if told:
        tokens = torch.tensor([given.asked[number][1].token for number in told])
        rivals = torch.unique(torch.cat((tokens, torch.arange(min(COMMON, len(model.output))))))
        logits = functional.linear(found[told], model.output[rivals.to(device)]).float()
        right = torch.searchsorted(rivals, tokens).to(device)
        losses[told] = functional.cross_entropy(logits, right, reduction="none")
    if parted:
        logs, wanted, sizes = parting(model, found[parted], [given.asked[number][1] for number in parted])
        losses[parted] = -(logs * wanted).sum(-1)
        for number, row, size in zip(parted, logs.detach().exp().tolist(), sizes, strict=True):
            shares[number] = row[:size]
    return Learnt((losses / counts).sum() / len(given.rest), shares)


def parting(model: Model, states: Tensor, places: Sequence[Asked]) -> tuple[Tensor, Tensor, list[int]]:
    """Return the log probabilities of the options at some places, the wanted ones, and how many there are.

    Only the options' own logits are computed; rows of fewer than the most are filled up with options of
    weight 0 and next to no probability.
    """
    device, sizes = states.device, [len(place.options) for place in places]
    most = max(sizes)
    options = torch.tensor([[*place.options, *[0] * (most - len(place.options))] for place in places])
    wanted = torch.tensor([[*place.wanted, *[0.0] * (most - len(place.wanted))] for place in places])
    absent = torch.arange(most)[None, :] >= torch.tensor(sizes)[:, None]
    logits = torch.einsum("nkw,nw->nk", model.output[options.to(device)], states).float()
    logs = functional.log_softmax(logits.masked_fill(absent.to(device), -1e9), -1)
    return logs, wanted.to(device), sizes
