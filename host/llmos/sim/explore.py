"""A reference for exploring: how short a way could show a share of the room to somebody who knows its map.

The explorer goes from place to place and sees everything within `VIEW_M` that no wall hides, all around and
at once. Places are taken greedily, by what is new there over the way to it, for several weights of the two;
then places are left out and stretches of the order reversed (2-opt, Croes 1958) for as long as that shortens
the way to the wanted share. Somebody could drive the result, so it is an upper bound of the shortest way.
"""

import functools
import math
from itertools import combinations, pairwise

import numpy as np
from numpy.typing import NDArray

from llmos.planning import astar, reachable_costs
from llmos.sim.arena import Arena, ground
from llmos.sim.judge import VIEW_M, visible_points
from llmos.sim.route import route

Cell = tuple[int, int]
Seen = NDArray[np.bool_]

BLOCK = 6  # cells of the ground; 0.15 m: no wall with a robot's room on both sides fits into a block
PART = 4  # cells of the ground; 0.1 m, as on the robot's map
RAYS = 128
WEIGHTS = (0.5, 1.0, 2.0, 4.0)  # of what is new against the way
MOST_PLACES = 60


@functools.lru_cache(maxsize=256)
def reference_m(arena: Arena, radius_m: float, share: float) -> float | None:
    """Return the length of a good way that shows a share of the visible free area; None of no way."""
    survey = Survey(arena, radius_m, share)
    orders = [order for weight in WEIGHTS if (order := survey.greedy(weight))]
    if not orders:
        return None
    best = survey.shortened(min(orders, key=survey.way_cells))
    return survey.way_m(best)


class Survey:
    """What is seen from where, and the ways between."""

    def __init__(self, arena: Arena, radius_m: float, share: float) -> None:
        self.arena, self.radius_m = arena, radius_m
        self.where = ground(arena, radius_m)
        self.cost = np.where(self.where.reached, np.float32(1), np.float32(np.inf))
        first = self.where.nearest_free(arena.start.x, arena.start.y) or (0, 0)
        self.places = sorted({first, *self._middles()})
        self.block = {(row // BLOCK, column // BLOCK): (row, column) for row, column in self.places}
        self.first = first
        points = visible_points(arena, radius_m)
        rows, columns = zip(*(self.where.cell(x, y) for x, y in points), strict=True)
        parts = np.array(rows) // PART * self._wide + np.array(columns) // PART
        self.worth = np.bincount(parts, minlength=self._wide * (self.where.height // PART + 1))
        self.wanted = share * len(points)
        self.sees = self._sights()
        self._legs: dict[tuple[Cell, Cell], tuple[float, Seen]] = {}

    @property
    def _wide(self) -> int:
        return self.where.width // PART + 1

    def _middles(self) -> list[Cell]:
        """The reached cell nearest to the middle of each block."""
        rows, columns = np.nonzero(self.where.reached)
        off = (rows % BLOCK - BLOCK // 2) ** 2 + (columns % BLOCK - BLOCK // 2) ** 2
        found: dict[Cell, Cell] = {}
        for index in np.argsort(off, kind="stable"):
            cell = int(rows[index]), int(columns[index])
            found.setdefault((cell[0] // BLOCK, cell[1] // BLOCK), cell)
        return list(found.values())

    def _sights(self) -> dict[Cell, Seen]:
        """Which parts each place sees."""
        opaque = ground(self.arena, 0.75 * self.where.cell_m).blocked
        places = self.places
        seen = np.zeros((len(places), len(self.worth)), bool)
        for angle in np.arange(RAYS) * (2 * math.pi / RAYS):
            index = np.arange(len(places))
            row, column = (np.array(axis) + 0.5 for axis in zip(*places, strict=True))
            for _ in range(int(VIEW_M / self.where.cell_m)):
                row, column = row + math.sin(angle), column + math.cos(angle)
                r, c = row.astype(int), column.astype(int)
                clear = (row >= 0) & (column >= 0) & (r < opaque.shape[0]) & (c < opaque.shape[1])
                clear[clear] = ~opaque[r[clear], c[clear]]
                index, row, column = index[clear], row[clear], column[clear]
                seen[index, r[clear] // PART * self._wide + c[clear] // PART] = True
        return {place: seen[number] & (self.worth > 0) for number, place in enumerate(places)}

    def greedy(self, weight: float) -> list[Cell]:
        """Choose places one by one until enough is seen; empty where that cannot be."""
        order, seen = [self.first], self.sees[self.first].copy()
        places = self.places
        table = np.array([self.sees[place] for place in places]) * self.worth
        rows, columns = (np.array(axis) for axis in zip(*places, strict=True))
        while self.worth[seen].sum() < self.wanted and len(order) < MOST_PLACES:
            gain = table[:, ~seen].sum(axis=1)
            way = np.maximum(reachable_costs(self.cost, order[-1])[rows, columns], 1.0)
            value = np.where(np.isfinite(way), gain**weight / way, 0.0) * (gain > 0)
            if not value.any():
                return []
            order.append(places[int(value.argmax())])
            seen |= self.leg(order[-2], order[-1])[1]
        return order if self.worth[seen].sum() >= self.wanted else []

    def leg(self, here: Cell, there: Cell) -> tuple[float, Seen]:
        """The way from one place to another in cells, and what is seen on it."""
        if (here, there) not in self._legs:
            cells = self.cells(here, there)
            length = sum(math.dist(a, b) for a, b in pairwise(cells))
            seen = functools.reduce(np.logical_or, (self.sees[one] for one in self.passed(cells)))
            self._legs[here, there] = self._legs[there, here] = length, seen
        return self._legs[here, there]

    def cells(self, here: Cell, there: Cell) -> list[Cell]:
        """The cells of the way from one place to another."""
        found = astar(self.cost, here, there)
        return [(int(row), int(column)) for row, column in found.cells] if found else [here]

    def passed(self, cells: list[Cell]) -> list[Cell]:
        """The places that stand for what is seen on a way, in its order."""
        blocks = (self.block[row // BLOCK, column // BLOCK] for row, column in cells)
        return list(dict.fromkeys([cells[0], *blocks, cells[-1]]))

    def way_cells(self, order: list[Cell]) -> float:
        """The way in cells to the place where enough has been seen; infinite where that never is."""
        seen, way = self.sees[order[0]].copy(), 0.0
        for here, there in pairwise(order):
            if self.worth[seen].sum() >= self.wanted:
                return way
            length, more = self.leg(here, there)
            way += length
            seen |= more
        return way if self.worth[seen].sum() >= self.wanted else math.inf

    def shortened(self, order: list[Cell]) -> list[Cell]:
        """Leave places out and reverse stretches for as long as that helps."""
        best, length = order, self.way_cells(order)
        while True:
            fewer = [best[:at] + best[at + 1 :] for at in range(1, len(best))]
            spans = combinations(range(1, len(best) + 1), 2)
            turned = [best[:i] + best[i:j][::-1] + best[j:] for i, j in spans]
            found = min([*fewer, *turned], key=self.way_cells, default=best)
            if self.way_cells(found) >= length - 1e-9:
                return best
            best, length = found, self.way_cells(found)

    def way_m(self, order: list[Cell]) -> float:
        """The way in metres with each leg pulled taut, to the place of the last leg where enough is seen."""
        seen, way = self.sees[order[0]].copy(), 0.0
        for here, there in pairwise(order):
            if self.worth[seen].sum() >= self.wanted:
                break
            a, b = ((float(self.where.xs[c]), float(self.where.ys[r])) for r, c in (here, there))
            length = sum(math.dist(p, q) for p, q in pairwise(route(self.arena, self.radius_m, a, b)))
            places = self.passed(self.cells(here, there))
            for number, place in enumerate(places):
                seen |= self.sees[place]
                if self.worth[seen].sum() >= self.wanted:
                    length *= number / (len(places) - 1)
                    break
            way += length
        return way
