"""Examples on disk: one JSON line each, what a kernel is asked and what the teacher would have it answer."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from llmos.training import TrainingError

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
    """Yield the examples of some files.

    Raises:
        TrainingError: one cannot be read, or a line of it is no example.
    """
    for path in paths:
        try:
            lines = path.read_bytes().splitlines()
        except OSError as error:
            raise TrainingError(f"{path} cannot be read: {error.strerror}") from None
        for number, line in enumerate(lines, 1):
            try:
                yield Example.model_validate_json(line)
            except ValidationError:
                raise TrainingError(
                    f"{path}:{number}: this is no example; llmos train data makes the file again"
                ) from None
