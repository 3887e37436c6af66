"""What must not be learnt from: the wishes of the behaviours, by which the writing of programs is judged."""

import re
from functools import cache

from llmos.behaviours import load_behaviours
from llmos.writing import question

MOST = 0.5  # Jaccard index of the trigrams of words above which two wishes are nearly the same
_WORD = re.compile(r"[\w.]+")

Trigram = tuple[str, ...]


def held_out(wish: str) -> bool:
    """Return whether a wish is a behaviour's, or nearly one."""
    words = _words(wish)
    mine = _trigrams(words)
    wishes, having = _held()
    near = {number for trigram in mine for number in having.get(trigram, ())}
    return words in wishes or any(_like(mine, _trigrams(wishes[number])) for number in near)


def _like(one: frozenset[Trigram], other: frozenset[Trigram]) -> bool:
    return len(one & other) > MOST * len(one | other)


def _words(wish: str) -> Trigram:
    return tuple(_WORD.findall(question(wish)))


def _trigrams(words: Trigram) -> frozenset[Trigram]:
    return frozenset(zip(words, words[1:], words[2:], strict=False))


@cache
def _held() -> tuple[tuple[Trigram, ...], dict[Trigram, list[int]]]:
    """Return the wishes' words, and which wishes have a trigram."""
    wishes = tuple(_words(behaviour.wish) for behaviour in load_behaviours())
    having: dict[Trigram, list[int]] = {}
    for number, words in enumerate(wishes):
        for trigram in _trigrams(words):
            having.setdefault(trigram, []).append(number)
    return wishes, having
