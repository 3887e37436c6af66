"""One of a few texts, read from the logits where they part, with how likely each was."""

from collections.abc import Sequence

import numpy as np

from ._sampling import Logits, Sampler


class Choices:
    """Follows the choices' tokens from where they begin to the one that is taken.

    What all choices that are left share is never sampled. Where they part, the softmax over the tokens that
    go on, and no others, shares the probability out; the branches that are not taken split theirs equally
    among their choices, because to look into each would cost an evaluation. So where all choices part at one
    token, the answer at temperature 0 is the likeliest one; else it is the likeliest at each parting. The
    probabilities are the model's own: the temperature changes what is drawn, not them.
    """

    def __init__(self, choices: Sequence[Sequence[int]], sampler: Sampler) -> None:
        """Take the choices as tokens; none begins another."""
        self._choices = choices
        self._sampler = sampler
        self._left = list(range(len(choices)))
        self._depth = 0  # tokens of the answer so far
        self.probabilities = [1 / len(choices)] * len(choices)

    @property
    def complete(self) -> bool:
        """Whether one choice is left, and said to its end."""
        return len(self._left) == 1 and self._depth == len(self._choices[self.taken])

    @property
    def taken(self) -> int:
        """The number of the choice that is taken, once complete."""
        return self._left[0]

    def forced(self) -> list[int]:
        """Take the tokens that all choices that are left share."""
        begun = self._depth
        while not self.complete and len(self._branches()) == 1:
            self._depth += 1
        return list(self._choices[self.taken][begun : self._depth])

    def choose(self, logits: Logits) -> int:
        """Choose one of the tokens at which the choices part."""
        branches = self._branches()
        tokens = np.array(sorted(branches))  # the order of the choices changes nothing
        scores = logits[tokens].astype(np.float64)
        shares = np.exp(scores - scores.max())
        shares /= shares.sum()
        mass = sum(self.probabilities[number] for number in self._left)
        for token, share in zip(tokens, shares, strict=True):
            for number in branches[token]:
                self.probabilities[number] = float(mass * share) / len(branches[token])
        token = self._sampler.pick(logits, tokens)
        self._left = branches[token]
        self._depth += 1
        return token

    def _branches(self) -> dict[int, list[int]]:
        """Group the choices that are left by their next token."""
        branches: dict[int, list[int]] = {}
        for number in self._left:
            branches.setdefault(self._choices[number][self._depth], []).append(number)
        return branches
