"""Draws random texts from a GBNF grammar: as much of the notation as tools/gen_grammar.py writes."""

import re
from collections.abc import Callable
from pathlib import Path
from random import Random

TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|\[[^]]*\]|[a-z][a-z0-9-]*|\{[\d,]+\}|[()|*?]')
MOST = 4  # rounds of a `*`

Draw = Callable[[Random], str]


class Sampler:
    """A grammar that texts are drawn from; call it with a random generator."""

    def __init__(self, path: Path) -> None:
        lines = [line for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
        self.rules: dict[str, Draw] = {}
        for line in lines:
            name, _, body = line.partition(" ::= ")
            self.tokens = TOKEN.findall(body)[::-1]  # the next one last
            self.rules[name] = self._choice()

    def __call__(self, rng: Random) -> str:
        """Return one text."""
        return self.rules["root"](rng)

    def _peek(self) -> str:
        return self.tokens[-1] if self.tokens else ""

    def _choice(self) -> Draw:
        choices = [self._sequence()]
        while self._peek() == "|":
            self.tokens.pop()
            choices.append(self._sequence())
        return lambda rng: rng.choice(choices)(rng)

    def _sequence(self) -> Draw:
        items = []
        while self._peek() not in ("", "|", ")"):
            items.append(self._repeated(self._item()))
        return lambda rng: "".join(item(rng) for item in items)

    def _repeated(self, item: Draw) -> Draw:
        bounds = {"*": (0, MOST), "?": (0, 1)}.get(self._peek(), (1, 1))
        if self._peek().startswith("{"):
            low, _, high = self._peek().strip("{}").partition(",")
            bounds = int(low), int(high or low)
        if self._peek()[:1] in ("*", "?", "{"):
            self.tokens.pop()
        return lambda rng: "".join(item(rng) for _ in range(rng.randint(*bounds)))

    def _item(self) -> Draw:
        token = self.tokens.pop()
        if token == "(":
            choice = self._choice()
            self.tokens.pop()
            return choice
        if token.startswith('"'):
            text = token[1:-1].encode().decode("unicode_escape")
            return lambda _: text
        if token.startswith("["):
            first, last = token[1], token[-2]
            between = range(ord(first), ord(last) + 1) if "-" in token else (ord(first), ord(last))
            return lambda rng: chr(rng.choice(between))
        return lambda rng: self.rules[token](rng)
