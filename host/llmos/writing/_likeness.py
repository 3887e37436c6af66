"""How alike two sentences are, by the words that they share."""

import math
import re
from collections.abc import Iterable

_WORD = re.compile(r"[a-z]+")
_IDLE = frozenset(  # that something drives, and units of length, tell nothing of the skill
    "a an and as at be by for from in is it its of on or so than that the then to with you your ".split()  # noqa: SIM905
    + "drive drives driving go goes going move moves moving run".split()  # noqa: SIM905
    + "m mm cm metre metres centimetres millimetres".split()  # noqa: SIM905
)
_ENDINGS = ("wards", "ward", "ing", "es", "ed", "s")


class Likeness:
    """Likeness of sentences, the rare words counting most.

    A word's weight is its inverse document frequency (Spärck Jones, 1972) among `documents`, each of which is
    some sentences; a word that none of them has counts as rarer than any.
    """

    def __init__(self, documents: Iterable[Iterable[str]]) -> None:
        each = [frozenset().union(*map(words, document)) for document in documents]
        vocabulary = frozenset().union(*each)
        self._weights = {w: math.log(1 + len(each) / sum(w in some for some in each)) for w in vocabulary}
        self._rare = math.log(1 + 2 * len(each))

    def of(self, one: str, other: str) -> float:
        """Return the cosine of two sentences' weighed words, from 0 to 1."""
        mine, yours = words(one), words(other)
        sizes = math.sqrt(self._square(mine) * self._square(yours))
        return self._square(mine & yours) / sizes if sizes else 0.0

    def _square(self, some: frozenset[str]) -> float:
        return sum(self._weights.get(word, self._rare) ** 2 for word in some)


def words(text: str) -> frozenset[str]:
    """Return the telling words of a sentence, without their endings."""
    return frozenset(_stem(word) for word in spelled(text) if word not in _IDLE)


def spelled(text: str) -> list[str]:
    """Return all words of a sentence as they stand, in small letters."""
    return _WORD.findall(text.lower())


def _stem(word: str) -> str:
    ending = next((end for end in _ENDINGS if word.endswith(end) and len(word) - len(end) >= 3), "")
    return word.removesuffix(ending)
