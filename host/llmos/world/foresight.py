"""What the unseen cells probably hold, guessed from what is seen, and scored against what is then seen.

Nothing of it enters the grid: a guess is neither free nor occupied, and no block drives on it. Each source
names the cells of which it has something to say, at a level; P(occupied) at a level is how often such cells
turned out occupied in drives through generated arenas (`tools/fit_foresight.py`). The first guess made of a
cell stands until the cell is measured; then its error is (p - outcome) squared (Brier 1950).

The guesses are better than any constant, but made no way shorter (`llmos eval --variants plain,predict`), so
ways are planned with them, and the model told, only where `--predict` asks for it.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llmos.world.candidates import VIEW_CELLS, Candidate, box_sum
from llmos.world.grid import FREE, OCCUPIED, UNKNOWN

Occupancy = NDArray[np.uint8]  # UNKNOWN, FREE or OCCUPIED, by the sensors alone
Mask = NDArray[np.bool_]
Field = NDArray[np.float32]
Levels = NDArray[np.uint8]  # of one source: 0 where it has nothing to say
Way = tuple[int, int]  # a step to a neighbour: rows, columns

EAST_WEST: tuple[Way, Way] = ((0, 1), (0, -1))
NORTH_SOUTH: tuple[Way, Way] = ((1, 0), (-1, 0))
LONG = 5  # cells; a straight row of so many is a wall, of fewer perhaps the side of a thing
WALL_REACH = 5  # cells that a wall is continued
CORNER_REACH = 10  # cells that two walls are continued to meet
CORRIDOR_REACH = 5  # cells that a corridor is continued
WIDEST = 8  # cells between the walls of a corridor
NEAR = 2  # cells around one in which open space is counted
FREE_NEAR = (3, 6, 10, 15)  # free cells among these 25 from which a level begins

DETOUR = 27.0  # cells lost where a way turns out blocked; with P(UNSEEN) it makes the costmap's cost of 5
UNSEEN = 0.15  # P(occupied) of an unknown cell of which nobody has anything to say
DEAD_END = 12.0  # a frontier that probably opens fewer cells is called so


def shifted(mask: Mask, way: Way) -> Mask:
    """Return a mask moved by one step; what leaves the grid is lost."""
    rows, cols = way
    out = np.zeros_like(mask)
    height, width = mask.shape
    out[max(rows, 0) : height + min(rows, 0), max(cols, 0) : width + min(cols, 0)] = mask[
        max(-rows, 0) : height + min(-rows, 0), max(-cols, 0) : width + min(-cols, 0)
    ]
    return out


def runs(mask: Mask) -> NDArray[np.intp]:
    """Return for each set cell how many set cells lie in line with it in its row, without a gap."""
    cols = np.arange(mask.shape[1])
    last = np.maximum.accumulate(np.where(mask, -1, cols), axis=1)
    after = np.minimum.accumulate(np.where(mask, mask.shape[1], cols)[:, ::-1], axis=1)[:, ::-1]
    return np.where(mask, after - last - 1, 0)


class Seen:
    """What the sources look at: a map by the sensors alone, with the ends of its walls."""

    def __init__(self, measured: Occupancy) -> None:
        self.unknown, self.free, self.wall = (measured == s for s in (UNKNOWN, FREE, OCCUPIED))
        east_west, north_south = runs(self.wall), runs(self.wall.T).T
        self._lines = {
            EAST_WEST: (east_west, (east_west > north_south) & (east_west > 1)),
            NORTH_SOUTH: (north_south, (north_south > east_west) & (north_south > 1)),
        }

    def ahead(self, way: Way, reach: int, *, long: bool) -> Levels:
        """Return how many unknown cells away in a direction a wall ends, 0 where none does within `reach`."""
        length, line = self._lines[EAST_WEST if way in EAST_WEST else NORTH_SOUTH]
        return self.carried(line & ((length >= LONG) == long), way, reach)

    def carried(self, mask: Mask, way: Way, reach: int) -> Levels:
        """Return how many unknown cells away a mask is, coming along a direction, 0 where it is farther."""
        found = np.zeros(mask.shape, np.uint8)
        for step in range(1, reach + 1):
            mask = shifted(mask, way) & self.unknown
            if not mask.any():
                break
            found[mask] = step
        return found


def nearest(levels: Iterable[Levels]) -> Levels:
    """Return the least level that is not 0."""
    least = np.minimum.reduce([level - np.uint8(1) for level in levels])  # 0 becomes 255
    return np.asarray(least + np.uint8(1))


def walls(seen: Seen) -> Levels:
    """Continue long walls; the level is how many cells away the end was seen."""
    return nearest(seen.ahead(way, WALL_REACH, long=True) for way in (*EAST_WEST, *NORTH_SOUTH))


def sides(seen: Seen) -> Levels:
    """Continue short rows of cells, likewise."""
    return nearest(seen.ahead(way, WALL_REACH, long=False) for way in (*EAST_WEST, *NORTH_SOUTH))


def corners(seen: Seen) -> Levels:
    """Continue two perpendicular walls to where they meet: level 1 there, 2 on the way."""
    ahead = {way: seen.ahead(way, CORNER_REACH, long=True) for way in (*EAST_WEST, *NORTH_SOUTH)}
    found = np.zeros(seen.unknown.shape, np.uint8)
    for one in EAST_WEST:
        for other in NORTH_SOUTH:
            meet = (ahead[one] > 0) & (ahead[other] > 0)
            for way in (one, other) if meet.any() else ():
                back = meet
                while back.any():
                    found[back & (found == 0)] = 2
                    back = shifted(back, (-way[0], -way[1])) & (ahead[way] > 0)
            found[meet] = 1
    return found


def rim(seen: Seen) -> Levels:
    """The outermost cells hold the room's border."""
    found = np.zeros(seen.unknown.shape, np.uint8)
    found[[0, -1], :] = found[:, [0, -1]] = 1
    found[~seen.unknown] = 0
    return found


def corridors(seen: Seen) -> Levels:
    """Continue free ground between two parallel walls; the level is how many cells away it was seen."""
    lengthwise = {EAST_WEST: between(seen.free, seen.wall), NORTH_SOUTH: between(seen.free.T, seen.wall.T).T}
    return nearest(
        seen.carried(inside, way, CORRIDOR_REACH) for ways, inside in lengthwise.items() for way in ways
    )


def between(free: Mask, wall: Mask) -> Mask:
    """Tell which free cells have a wall on both sides in their column, at most WIDEST cells apart."""
    rows = np.arange(free.shape[0])[:, None]
    stop, start = ~free, free.shape[0]
    last = np.maximum.accumulate(np.where(stop, rows, -1), axis=0)
    after = np.minimum.accumulate(np.where(stop, rows, start)[::-1], axis=0)[::-1]
    cols = np.arange(free.shape[1])
    shut = (last >= 0) & (after < start) & wall[last, cols] & wall[np.minimum(after, start - 1), cols]
    return np.asarray(free & shut & (after - last - 1 <= WIDEST))


def open_space(seen: Seen) -> Levels:
    """Unseen cells beside free ground: 1 to 4 by how much of it, 5 to 8 where a wall is near, too."""
    free, wall = box_sum(seen.free, NEAR), box_sum(seen.wall, NEAR)
    level = np.digitize(free, FREE_NEAR) + np.where(wall > 0, len(FREE_NEAR), 0)
    return np.where(seen.unknown & (free >= FREE_NEAR[0]), level, 0).astype(np.uint8)


@dataclass(frozen=True)
class Source:
    """One way of guessing: what it says of which cells, and P(occupied) at its levels 1, 2, …"""

    name: str
    levels: Callable[[Seen], Levels]
    expected: tuple[float, ...]


SOURCES: tuple[Source, ...] = (  # of several that speak of a cell, the first holds
    Source("corner", corners, (0.83, 0.37)),
    Source("wall", walls, (0.66, 0.51, 0.46, 0.43, 0.40)),
    Source("rim", rim, (0.88,)),
    Source("side", sides, (0.61, 0.45, 0.36, 0.22, 0.22)),
    Source("corridor", corridors, (0.14, 0.04, 0.04, 0.03, 0.03)),
    Source("open", open_space, (0.06, 0.05, 0.04, 0.03, 0.10, 0.17, 0.23, 0.27)),
)

EXPECTED: Field = np.array([p for source in SOURCES for p in source.expected], np.float32)  # by kind
FIRST_KIND = np.cumsum([0, *(len(source.expected) for source in SOURCES)])  # of each source, and the end
NO_KIND = -1


class Foresight:
    """Guesses about the unseen cells of one map, and how good they were.

    A kind is a source at a level; they are numbered through.
    """

    def __init__(self) -> None:
        self.kind = np.zeros((0, 0), np.intp)  # of the guess that now holds, NO_KIND for none
        self.unknown: Mask = self.kind > 0  # cells that are not measured now
        self.cells, self.occupied = (np.zeros(len(EXPECTED), np.intp) for _ in range(2))  # by kind, once seen
        self._never = self.unknown  # cells that have never been measured
        self._first = self.kind  # the kind of each cell's first guess; NO_KIND for none, or once it is scored

    def observe(self, measured: Occupancy) -> None:
        """Score the guesses about what is now measured, and guess anew about what is not."""
        if measured.shape != self._first.shape:
            self._first, self._never = np.full(measured.shape, NO_KIND), np.ones(measured.shape, bool)
        known = measured != UNKNOWN
        due = known & (self._first != NO_KIND)
        self.cells += np.bincount(self._first[due], minlength=len(EXPECTED))
        self.occupied += np.bincount(self._first[due & (measured == OCCUPIED)], minlength=len(EXPECTED))
        self._first[due] = NO_KIND
        self._never = self._never & ~known
        self.unknown, self.kind = ~known, kinds(measured)
        self._first = np.where(self._never & (self._first == NO_KIND), self.kind, self._first)

    def probable(self) -> Field:
        """Return P(occupied) of each unknown cell; of measured ones it means nothing."""
        return np.where(self.kind == NO_KIND, np.float32(UNSEEN), EXPECTED[self.kind])

    def costs(self, cost: Field) -> Field:
        """Return planning costs that tell unknown cells apart by what they probably hold.

        An unknown cell costs what it may in the end: P(occupied) times a detour. None becomes impassable.
        """
        if self.kind.shape != cost.shape:
            return cost
        change = np.where(self.unknown, np.float32(DETOUR) * (self.probable() - np.float32(UNSEEN)), 0)
        return np.maximum(cost + change, 1).astype(np.float32)

    def opens(self) -> Field:
        """Return for each cell how many cells around it are unknown and probably free."""
        return box_total(np.where(self.unknown, 1 - self.probable(), 0), VIEW_CELLS)

    def line(self, candidates: Sequence[Candidate]) -> str:
        """Say what the frontiers probably lead to, of four in at most 100 letters; empty without one."""
        frontiers = [one for one in candidates if one.type == "frontier"] if self.kind.size else []
        if not frontiers:
            return ""
        cells = self.opens()
        return "likely ahead: " + ", ".join(f"{c.id} {outlook(float(cells[c.cell]))}" for c in frontiers)

    def summary(self) -> dict[str, Any]:
        """Return how good the guesses were: cells seen of which one was made, and Brier scores.

        `base_brier` is what a constant would have scored on the same cells: the share of occupied cells among
        all of them, which no constant beats, and which only hindsight knows.
        """
        share = self.occupied.sum() / max(1, self.cells.sum())
        free = self.cells - self.occupied
        errors = self.occupied * (1 - EXPECTED) ** 2 + free * EXPECTED**2
        base = self.occupied * (1 - share) ** 2 + free * share**2
        parts = [slice(a, b) for a, b in pairwise(FIRST_KIND.tolist())]

        def figures(part: slice) -> dict[str, Any]:
            count = int(self.cells[part].sum())
            return {
                "cells": count,
                "occupied": int(self.occupied[part].sum()),
                "brier": round(float(errors[part].sum()) / count, 6) if count else None,
                "base_brier": round(float(base[part].sum()) / count, 6) if count else None,
            }

        by_source = {source.name: figures(part) for source, part in zip(SOURCES, parts, strict=True)}
        return {**figures(slice(None)), "sources": by_source}


def outlook(cells: float) -> str:
    """Say in words what a frontier that probably opens so many cells leads to."""
    return "a dead end" if cells < DEAD_END else f"opens {round(cells, -1):.0f} cells"


def kinds(measured: Occupancy) -> NDArray[np.intp]:
    """Return for each unknown cell the kind of guess that holds, NO_KIND for none."""
    seen, found = Seen(measured), np.full(measured.shape, NO_KIND)
    for source, first in reversed(list(zip(SOURCES, FIRST_KIND, strict=False))):
        level = source.levels(seen)
        found = np.where(level > 0, first + level - 1, found)
    return found


def box_total(field: Field, reach: int) -> Field:
    """Sum a field over the square of 2 * reach + 1 cells around each cell."""
    sums = np.pad(field, (reach + 1, reach)).cumsum(0, np.float64).cumsum(1, np.float64)
    side = 2 * reach + 1
    total = sums[side:, side:] - sums[:-side, side:] - sums[side:, :-side] + sums[:-side, :-side]
    return np.asarray(np.maximum(total, 0), np.float32)


def pooled(summaries: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the summary over the cells of several missions, each beside its own constant."""
    every = list(summaries)
    by_source = {s.name: pooled_figures([one["sources"][s.name] for one in every]) for s in SOURCES}
    return {**pooled_figures(every), "sources": by_source}


def pooled_figures(figures: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the figures over all cells, by the means over each part's cells."""
    count = sum(one["cells"] for one in figures)

    def mean(name: str) -> float | None:
        total = sum(one["cells"] * one[name] for one in figures if one["cells"])
        return round(total / count, 4) if count else None

    return {
        "cells": count,
        "occupied": sum(one["occupied"] for one in figures),
        "brier": mean("brier"),
        "base_brier": mean("base_brier"),
    }
