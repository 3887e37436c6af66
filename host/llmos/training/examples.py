"""Examples on disk: one JSON line each, what a kernel is asked and what the teacher would have it answer."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

Split = Literal["train", "val", "test"]


class Example(BaseModel):
    """One example.

    Args:
        tongue: what is taught: decisions, or programs.
        split: what it may be used for.
        source: the arena, or where else it comes from.
        system: the kernel file whose text the model reads first.
        user: what it is asked.
        answers: what it may say, one or more; where there are more, they are the choices that are offered.
        weights: how probable each should be, summing to 1.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    tongue: Literal["decisions", "programs"]
    split: Split
    source: str
    system: str
    user: str
    answers: tuple[str, ...]
    weights: tuple[float, ...]


def read_examples(paths: Iterable[Path]) -> Iterator[Example]:
    """Yield the examples of some files."""
    for path in paths:
        with path.open(encoding="utf-8") as file:
            for line in file:
                yield Example.model_validate_json(line)
