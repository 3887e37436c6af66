"""Telemetry in few bytes: a number's change since the frame before, column by column."""

from collections.abc import Iterable, Sequence
from itertools import pairwise

from llmos.link import Telemetry

Column = int | list[int]
NEVER = Telemetry(*[0] * len(Telemetry._fields))  # what stands before the first


def packed(before: Telemetry, frames: Sequence[Telemetry]) -> list[Column]:
    """Return the changes of each field from frame to frame; one number where all its changes are the same."""
    changes = [[new - old for old, new in pairwise(column)] for column in zip(before, *frames, strict=True)]
    return [column[0] if len(set(column)) == 1 else column for column in changes]


def unpacked(before: Telemetry, count: int, columns: Iterable[Column]) -> list[Telemetry]:
    """Return the frames that `packed` wrote.

    Raises:
        ValueError, TypeError: the columns are not those of so many frames.
    """
    full = [[column] * count if isinstance(column, int) else column for column in columns]
    frames = []
    for change in zip(*full, strict=True):
        before = Telemetry(*(old + more for old, more in zip(before, change, strict=True)))
        frames.append(before)
    return frames
