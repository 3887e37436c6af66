"""A small picture of a drive in plain characters, for any terminal."""

import math
from collections.abc import Iterable

from llmos.world.draw import HEADINGS, Point, RunRecord, dots

WIDTH, HEIGHT = 60, 18  # characters at most
ASPECT = 2.0  # a character is so many times as high as wide
AROUND_M = 0.3  # shown around the way
WALL, DISC, WAY, START, STOP = "#", "o", "·", "S", "x"


def sketch(record: RunRecord) -> str:
    """Return the part of the room that was driven through, north up, and what the characters mean.

    The start is S, the end an arrow along the heading; a cross is where something was cut short.
    """
    west, south, east, north = _view(record)
    per_column = max((east - west) / WIDTH, (north - south) / HEIGHT / ASPECT)
    per_line = per_column * ASPECT
    # the start stands in the middle of a character
    first = math.floor((west - record.start[0]) / per_column)
    top = math.ceil((north - record.start[1]) / per_line)
    columns = math.ceil((east - record.start[0]) / per_column) - first + 1
    lines = top - math.floor((south - record.start[1]) / per_line) + 1
    signs = [[" "] * columns for _ in range(lines)]

    def put(places: Iterable[Point], sign: str) -> None:
        for x, y in places:
            column = math.floor((x - record.start[0]) / per_column + 0.5) - first
            line = top - math.floor((y - record.start[1]) / per_line + 0.5)
            if 0 <= column < columns and 0 <= line < lines:
                signs[line][column] = sign

    for x1, y1, x2, y2 in [*record.walls, *_border(record)]:
        put(dots([(x1, y1), (x2, y2)], per_column / 2), WALL)
    for x, y, radius in record.discs:
        put(_rim(x, y, radius, per_column / 2), DISC)
    put(dots(record.truth, per_column / 2), WAY)
    put([record.start[:2]], START)
    put([place for place, _ in record.stops], STOP)
    if record.end:
        put([record.end[:2]], HEADINGS[round(record.end[2] / (math.pi / 4)) % 8])
    drawn = "\n".join("".join(line).rstrip() for line in signs).strip("\n")
    scale = f"a character is {100 * per_column:.2g} cm wide and {100 * per_line:.2g} cm high"
    return f"{drawn}\n({scale})"


def _view(record: RunRecord) -> tuple[float, float, float, float]:
    """Return what is shown: west, south, east, north, in metres."""
    xs, ys = zip(*(place[:2] for place in [record.start, *record.truth]), strict=True)
    x, y = record.size_m[0] / 2 + 0.01, record.size_m[1] / 2 + 0.01
    west, east = max(min(xs) - AROUND_M, -x), min(max(xs) + AROUND_M, x)
    south, north = max(min(ys) - AROUND_M, -y), min(max(ys) + AROUND_M, y)
    return west, south, east, north


def _border(record: RunRecord) -> list[tuple[float, float, float, float]]:
    x, y = record.size_m[0] / 2, record.size_m[1] / 2
    return [(-x, -y, x, -y), (x, -y, x, y), (x, y, -x, y), (-x, y, -x, -y)]


def _rim(x: float, y: float, radius: float, spacing: float) -> list[Point]:
    count = max(8, math.ceil(2 * math.pi * radius / spacing))
    angles = (2 * math.pi * n / count for n in range(count))
    return [(x + radius * math.cos(angle), y + radius * math.sin(angle)) for angle in angles]
