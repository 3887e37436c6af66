"""What one kind of evaluation is: its options, its tasks, and what is made of their rows."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from ._jobs import Row

Tables = dict[str, list[Row]]


class Plan(Protocol):
    """What to evaluate, settled and checked."""

    def tasks(self) -> Iterable[Any]:
        """Return a task, a frozen dataclass, for each thing to do."""


@dataclass(frozen=True)
class Kind:
    """One kind of evaluation.

    Args:
        name: the flag that asks for it, but for the first one, which is asked for by none.
        help: what it does, in a sentence.
        options: the options that it takes, with what they are where nothing is said; `llmos eval` has them.
        plan: makes a plan from the options, or raises an `LlmosError`.
        one: carries out a task; a function of a module, so that workers find it.
        line: a row as a line of progress.
        tables: what is made of all rows; the first table is the one that counts.
        columns: of a table by its name, what a terminal has room for; all where it is not named.
        shares: columns that are given in percent.
        page: one page of HTML about it all, from title, rows and tables.
        good: whether the evaluation as a whole counts as passed.
    """

    name: str
    help: str
    options: Mapping[str, Any]
    plan: Callable[..., Plan]
    one: Callable[[Any], Row]
    line: Callable[[Row], str]
    tables: Callable[[list[Row]], Tables]
    columns: Mapping[str, Sequence[str]] = field(default_factory=dict)
    shares: Sequence[str] = ()
    page: Callable[[str, list[Row], Tables], str] | None = None
    good: Callable[[list[Row]], bool] = lambda rows: True


def names(text: str) -> tuple[str, ...]:
    """Return the parts of a comma-separated list."""
    return tuple(part.strip() for part in text.split(",") if part.strip())
