"""What is wrong with something that a model of pydantic describes, in parts that a message is made of."""

from typing import NamedTuple

from pydantic import ValidationError

from llmos.text import plain


class Invalid(NamedTuple):
    """The first thing that is wrong.

    Args:
        loc: the way to it: keys and places.
        kind: pydantic's name of what is wrong, such as `missing` or `extra_forbidden`.
        reason: why it is wrong.
        value: what stands there, shortened.
    """

    loc: tuple[str | int, ...]
    kind: str
    reason: str
    value: str

    @property
    def key(self) -> str:
        """The way to it as one word: `tests.0.arena`."""
        return plain(".".join(map(str, self.loc)))


def first_invalid(problem: ValidationError, longest: int = 60) -> Invalid:
    """Return the first thing that is wrong; `longest` characters of its value are shown."""
    first = problem.errors(include_url=False)[0]
    shown = plain(repr(first["input"]))
    value = shown if len(shown) <= longest else shown[:longest] + "…"
    return Invalid(first["loc"], first["type"], first["msg"].removeprefix("Value error, "), value)
