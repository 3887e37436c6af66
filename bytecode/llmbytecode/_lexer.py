"""Assembly text, line by line: tokens with their columns, and the quantities they spell."""

import re
from difflib import get_close_matches
from fractions import Fraction
from typing import NamedTuple

from llmbytecode._isa import UNITS

LONGEST_NUMBER = 24  # characters
LONGEST_LINE = 1000
BLANKS = " \t\r\f\v"
TOKEN = re.compile(
    r"[ \t\r\f\v]*(?:"
    r"(?P<number>0[xX][0-9a-fA-F]+|[0-9]+(?:\.[0-9]+)?|\.[0-9]+)(?:[ \t]*(?P<unit>[A-Za-z]+(?:/[A-Za-z]+)?))?"
    r"|(?P<name>\.?[A-Za-z_][A-Za-z0-9_]*)"
    r"|(?P<mark>[-+,:<>]))"
)
COMMENT = re.compile(r"[;#]")
BASES = {name.lower(): (unit.base, Fraction(unit.factor)) for name, unit in UNITS.items()}


class Bad(Exception):
    """A mistake at a column; the assembler adds the file and the line."""

    def __init__(self, column: int, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.column, self.message, self.hint = column, message, hint


class Quantity(NamedTuple):
    """An exact number of a base unit; the unit is empty for a bare number."""

    value: Fraction
    unit: str
    text: str

    def opposite(self) -> "Quantity":
        """Return its opposite; the text of the opposite's opposite is the first one again."""
        text = self.text[1:] if self.text.startswith("-") else f"-{self.text}"
        return Quantity(-self.value, self.unit, text)


class Token(NamedTuple):
    """A piece of a line; `kind` is name, number, mark or end."""

    kind: str
    text: str
    column: int
    unit: str = ""


def suggest(name: str, known: list[str]) -> str:
    """Return a hint that names the nearest known name, or some of them."""
    known = [name for name in known[:500] if len(name) <= 64]
    near = get_close_matches(name[:40].lower(), [k.lower() for k in known], 1, 0.6)
    if near:
        return f"did you mean {next(k for k in known if k.lower() == near[0])}?"
    return f"known: {', '.join(known[:16])}{', …' if len(known) > 16 else ''}" if known else ""


def tokenize(line: str) -> list[Token]:
    """Return a line's tokens, an end token last; a comment is left out.

    Raises:
        Bad: a character that no token begins with, or a line of more than 1000 characters.
    """
    text = COMMENT.split(line, maxsplit=1)[0].rstrip(BLANKS)
    if len(text) > LONGEST_LINE:
        raise Bad(LONGEST_LINE + 1, f"a line of {len(text)} characters is too long", "one instruction a line")
    tokens, at = [], 0
    while at < len(text):
        match = TOKEN.match(text, at)
        if match is None:
            column = len(text) - len(text[at:].lstrip(BLANKS)) + 1
            raise Bad(
                column, f"unexpected character {text[column - 1]!r}", "operands are separated by commas"
            )
        kind = match.lastgroup if match.lastgroup != "unit" else "number"
        tokens.append(Token(str(kind), match[str(kind)], match.start(str(kind)) + 1, match["unit"] or ""))
        at = match.end()
    return [*tokens, Token("end", "the end of the line", len(text) + 1)]


class Cursor:
    """Reads one line's tokens from left to right."""

    def __init__(self, tokens: list[Token]) -> None:
        self.tokens, self.at = tokens, 0

    @property
    def token(self) -> Token:
        """The token to be read next."""
        return self.tokens[self.at]

    def take(self) -> Token:
        """Return the next token and go on behind it; the end is never passed."""
        token = self.token
        self.at = min(self.at + 1, len(self.tokens) - 1)
        return token

    def skip(self, text: str) -> bool:
        """Go on behind the next token if it reads so, in either case."""
        if self.token.kind == "end" or self.token.text.lower() != text:
            return False
        self.take()
        return True

    def expect(self, text: str, hint: str = "") -> None:
        """Go on behind a token that must read so."""
        if not self.skip(text):
            raise self.bad(f"expected {text!r}, not {self.shown()}", hint)

    def name(self, what: str, hint: str = "") -> Token:
        """Return the next token, which must be a name."""
        if self.token.kind != "name":
            raise self.bad(f"expected {what}, not {self.shown()}", hint)
        return self.take()

    def end(self) -> None:
        """Refuse anything that is left on the line."""
        if self.token.kind != "end":
            raise self.bad(f"{self.shown()} is too much", "one instruction a line; commas between operands")

    def shown(self) -> str:
        """Return the next token as messages show it."""
        return self.token.text if self.token.kind == "end" else repr((self.token.text + self.token.unit)[:40])

    def bad(self, message: str, hint: str = "") -> Bad:
        """Return a mistake at the next token."""
        return Bad(self.token.column, message, hint)

    def quantity(self, constants: dict[str, Quantity], what: str) -> Quantity:
        """Return a number with its unit, or what a constant's name stands for, with its sign."""
        negative = self.skip("-")
        if not negative:
            self.skip("+")
        if self.token.kind == "name":
            found = self._constant(constants, what)
        elif self.token.kind == "number":
            found = self._number()
        else:
            raise self.bad(f"expected {what}, not {self.shown()}")
        return found.opposite() if negative else found

    def _constant(self, constants: dict[str, Quantity], what: str) -> Quantity:
        token = self.token
        if token.text not in constants:
            raise self.bad(
                f"no constant is named {token.text[:40]!r} where {what} stands",
                suggest(token.text, list(constants)),
            )
        self.take()
        return constants[token.text]

    def _number(self) -> Quantity:
        token = self.token
        base, factor = BASES.get(token.unit.lower(), ("", Fraction(1)))
        if token.unit and not base:
            raise self.bad(f"unknown unit {token.unit[:20]!r}", suggest(token.unit, list(UNITS)))
        if len(token.text) > LONGEST_NUMBER:
            raise self.bad(f"a number of {len(token.text)} characters is too long")
        self.take()
        hexadecimal = token.text[:2].lower() == "0x"
        value = Fraction(int(token.text, 16) if hexadecimal else token.text)
        return Quantity(value * factor, base, token.text + token.unit)
