"""The second tongue: pairs of English and LLMBytecode for the robot `cube`, from a seed.

A pair's program is built of steps (`steps`, `senses`), each of which knows words for itself. Every program is
accepted by the verifier; it is judged by what it does (`outcome`), never by its text.
"""

import re
import zlib
from collections.abc import Iterator
from functools import cache
from typing import Any, NamedTuple

from llmbytecode import Limits, Refusal, assemble, verify
from llmbytecode.explain import explain
from llmbytecode.grammar import grammar
from llmos.inference import accepts
from llmos.manifest import load_manifest
from llmos.writing import LONGEST_WISH, question

from . import cases, figures, senses  # noqa: F401 -- they register their steps
from .held_out import held_out
from .phrases import Draw, tidy
from .steps import STEPS, Loop, Step, lines

ROBOT = "cube"
SYSTEM = "programmer"  # the kernel file that is the system prompt
_SPLITS = {0: "val", 1: "test"}  # of so many parts; the others are for training
_PARTS = 40


class Pair(NamedTuple):
    """A wish, a program that does it, and of what kinds its steps are, joined by `+`."""

    wish: str
    text: str
    kind: str


def pairs(seed: int, count: int) -> Iterator[Pair]:
    """Yield so many pairs, no wish twice nor held out, each program accepted; a seed gives the same."""
    draw, seen = Draw(f"programs {seed}"), set[str]()
    while len(seen) < count:
        made = _pair(draw)
        if len(made.wish) > LONGEST_WISH or not _accepted(made.text):
            continue
        asked = question(made.wish)
        if asked not in seen and not held_out(asked):
            seen.add(asked)
            yield made


def examples(seed: int, count: int) -> Iterator[dict[str, Any]]:
    """Yield the pairs as examples to learn from, each with its split."""
    for pair in pairs(seed, count):
        yield {
            "tongue": "programs",
            "split": split_of(pair),
            "source": pair.kind,
            "system": SYSTEM,
            "user": question(pair.wish),
            "answers": [pair.text],
            "weights": [1.0],
        }


def split_of(pair: Pair) -> str:
    """Return what a pair is for: a wish, and a row of three or more kinds, is always for the same."""
    row = pair.kind if pair.kind.count("+") >= 2 else question(pair.wish)
    return _SPLITS.get(zlib.crc32(row.encode()) % _PARTS, "train")


def _accepted(text: str) -> bool:
    """Return whether the grammar lets a model say a text, and the robot takes it."""
    limits, rules = _robot()
    try:
        verify(assemble(text), limits)
    except Refusal:
        return False
    return accepts(rules, text)


@cache
def _robot() -> tuple[Limits, str]:
    """Return the robot's limits and its grammar."""
    limits = load_manifest(ROBOT).limits
    return limits, grammar(limits)


# How wishes are made of steps.


def _pair(draw: Draw) -> Pair:
    chance = draw.chance.random()
    if chance < 0.58:
        made = _step(draw)
    elif chance < 0.91:
        made = _row(draw, draw.pick((2, 2, 2, 2, 3, 3, 4)))
    elif chance < 0.97:
        made = _repeated(draw)
    else:
        return _explained(draw)
    return Pair(_asked(draw, made.words), _text(made), made.kind)


def _text(made: Step) -> str:
    return "\n".join([*lines(made.nodes), "END", ""])


def _explained(draw: Draw) -> Pair:
    """Return a program with its explanation as the wish, in the units of the explanation."""
    made = _row(draw, 2) if draw.often(0.35) else _step(draw)
    text = _UNIT.sub(lambda found: f"{int(found[1]) * _MM[found[2]]}mm", _text(made))
    said = explain(assemble(text)).partition("\n\n")[0]  # without its channels
    return Pair(" ".join(_MRAD.sub("", said).split()), text, "explained")


_MM = {"cm": 10, "m": 1000}
_UNIT = re.compile(r"\b(\d+)(cm|m)\b")
_MRAD = re.compile(r" \(-?\d+ mrad(/s)?\)")


def _step(draw: Draw) -> Step:
    kinds = list(STEPS)
    (kind,) = draw.chance.choices(kinds, [STEPS[kind][1] for kind in kinds])
    words, nodes = STEPS[kind][0](draw)
    if kind in _MOVING and draw.often(0.05):
        words = draw.say("asked.stop", w=words)  # which it does anyway
    return Step(kind, words, nodes)


_MOVING = (
    "forward",
    "back",
    "timed",
    "turn",
    "quarter",
    "spin",
    "arc",
    "circle",
    "polygon",
    "shuttle",
    "until_near",
)


def _row(draw: Draw, count: int) -> Step:
    """Join steps, one after the other."""
    steps = [_step(draw) for _ in range(count)]
    words = steps[0].words
    for number, part in enumerate(steps[1:], 2):
        joins = _LAST_JOINS if number == count > 2 else _JOINS
        join = draw.pick(_APART if steps[number - 2].kind in _OPEN else joins)
        words = tidy(f"{words}{join} {part.words}")
    if count > 1 and draw.often(0.08):
        words = f"first {words}"
    nodes = [node for part in steps for node in part.nodes]
    return Step("+".join(part.kind for part in steps), words, nodes)


def _repeated(draw: Draw) -> Step:
    """Repeat one or two steps."""
    some, times = _row(draw, draw.pick((1, 2, 2, 2))), draw.pick((2, 2, 3, 3, 4, 5))
    words = draw.say("asked.repeated", n=draw.times(times), w=some.words)
    nodes = list(some.nodes)
    if draw.often(0.2):
        time = draw.time(0.5, 1, 2, 3, 5)
        words, nodes = draw.say("asked.pausing", w=words, t=time.words), [*nodes, f"WAIT {time.text}"]
    return Step(f"repeated+{some.kind}", words, [Loop(times, nodes)])


_JOINS = (
    *(", then", ", then", " then", " and then", " and then", ", and then", " and", " and", ";", "; then"),
    ". then", ".", ",", ", after that", ". after that", ", next", " and afterwards", ", and after that",
)  # fmt: skip
_OPEN = ("case", "blocked", "levels", "do_until")  # steps whose words would take in what follows
_APART = (";", "; then", ". then", ". after that", ".", "; afterwards", ". in any case")
_LAST_JOINS = (
    ", then",
    " and",
    " and",
    ", and",
    ", and finally",
    ", finally",
    " and then",
    ", and then",
    ". finally",
)


def _asked(draw: Draw, words: str) -> str:
    """Ask for it, plainly in most cases."""
    plain = words if draw.often(0.82) else draw.say("asked.plain", w=words)
    return plain if plain.endswith("?") or draw.often(0.5) else plain[0].upper() + plain[1:] + "."
