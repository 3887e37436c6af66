"""Grid search and distances in plain Python: the readable meaning of `_astar.pyx`, bit for bit.

Costs are whole numbers of 1/UNIT, so sums are exact and the order of any two paths is certain.
"""

import math
from collections.abc import Iterator
from itertools import cycle, pairwise, product
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

UNIT = 985  # a straight step at cost 1; 1393/985 is the square root of 2 to 4e-7
SQRT2_Q16 = 92682
MAX_COST = 1000
BUCKET_SHIFT = 6
WALL = -1
UNREACHED = 0x7FFFFFFF
LIMIT = 0x3FC00000  # of g and of the heuristic: both with one more step fit 32 bits in the compiled twin

FOUND, NO_PATH, BAD_COST, TOO_LONG, NO_MEMORY = range(5)

Found = tuple[int, NDArray[np.int32] | None, int]
Flooded = tuple[int, NDArray[np.int32] | None]

DISC = 8  # cells around the start of `geodesics` in which straight lengths are exact

_STRAIGHT = ((-1, 0), (0, -1), (0, 1), (1, 0))
_DIAGONAL = ((-1, -1), (-1, 1), (1, -1), (1, 1))


class _Grid(NamedTuple):
    """Costs as whole numbers, row after row, with a wall of one cell around them."""

    width: int
    enter: list[int]
    lowest: int
    highest: int


def _diagonal(straight: int) -> int:
    return (straight * SQRT2_Q16 + 32768) >> 16


def _load(cost: NDArray[np.float32]) -> tuple[int, _Grid]:
    rows, cols = cost.shape
    passable = cost <= MAX_COST
    bad = ~passable & (cost != np.inf) | (cost < 1)
    fixed = np.where(passable, cost, 0) * np.float32(UNIT) + np.float32(0.5)
    walled = np.full((rows + 2, cols + 2), WALL)
    walled[1:-1, 1:-1] = np.where(passable, fixed, WALL).astype(np.int32)
    inside = walled[walled >= 0]
    lowest, highest = (int(inside.min()), int(inside.max())) if inside.size else (UNIT, 0)
    status = BAD_COST if bad.any() else TOO_LONG if lowest * (rows + cols) > LIMIT else FOUND
    return status, _Grid(cols + 2, walled.ravel().tolist(), lowest, highest)


def _steps(grid: _Grid, cell: int) -> Iterator[tuple[int, bool]]:
    """(neighbour, is it diagonal); a diagonal step needs both cells beside it passable."""
    width, enter = grid.width, grid.enter
    for row, col in _STRAIGHT:
        yield cell + row * width + col, False
    for row, col in _DIAGONAL:
        if enter[cell + row * width] >= 0 and enter[cell + col] >= 0:
            yield cell + row * width + col, True


def _settle(grid: _Grid, start: int, goal: int | None) -> tuple[int, list[int]]:
    """(status, g of every cell): expand by rising f, newest first within a bucket."""
    enter, width, best = grid.enter, grid.width, [WALL if cost < 0 else UNREACHED for cost in grid.enter]
    straight = 0 if goal is None else grid.lowest
    corner = 2 * straight - _diagonal(straight)
    goal_row, goal_col = divmod(goal or 0, width)
    ring: list[list[tuple[int, int]]] = [[] for _ in range(_ring_size(grid))]

    def push(cell: int, g: int) -> int:
        best[cell] = g
        row, col = divmod(cell, width)
        rows, cols = abs(row - goal_row), abs(col - goal_col)
        level = (g + straight * (rows + cols) - corner * min(rows, cols)) >> BUCKET_SHIFT
        ring[level % len(ring)].append((cell, g))
        return level

    level, waiting = push(start, 0), 1
    while waiting:
        while not ring[level % len(ring)]:
            level += 1
        if goal is not None and level > best[goal] >> BUCKET_SHIFT:
            break
        cell, g = ring[level % len(ring)].pop()
        waiting -= 1
        if g != best[cell]:
            continue
        if g > LIMIT:
            return TOO_LONG, best
        for beside, is_diagonal in _steps(grid, cell):
            reached = g + (_diagonal(enter[beside]) if is_diagonal else enter[beside])
            if reached < best[beside]:  # never for a wall, whose g is below any cost
                push(beside, reached)
                waiting += 1
    return FOUND if goal is None or 0 <= best[goal] < UNREACHED else NO_PATH, best


def _ring_size(grid: _Grid) -> int:
    """One bucket more than the rise of f in one step can span."""
    return ((_diagonal(grid.highest) + _diagonal(grid.lowest)) >> BUCKET_SHIFT) + 2


def _trace(grid: _Grid, best: list[int], start: int, goal: int) -> list[int]:
    """Walk back from the goal, each time to the first neighbour from which the cell was reached at its g."""
    path = [goal]
    while path[-1] != start:
        cell = path[-1]
        for beside, is_diagonal in _steps(grid, cell):
            step = _diagonal(grid.enter[cell]) if is_diagonal else grid.enter[cell]
            if best[beside] >= 0 and best[beside] == best[cell] - step:
                path.append(beside)
                break
    return path[::-1]


def search(cost: NDArray[np.float32], row: int, col: int, goal_row: int, goal_col: int) -> Found:
    """(status, the cells of a cheapest path or None, its cost in units of 1/UNIT)."""
    status, grid = _load(cost)
    if status != FOUND:
        return status, None, 0
    start, goal = ((r + 1) * grid.width + c + 1 for r, c in ((row, col), (goal_row, goal_col)))
    status, best = _settle(grid, start, goal)
    if status != FOUND:
        return status, None, 0
    path = np.array(_trace(grid, best, start, goal), np.int32)
    cells = np.stack((path // grid.width - 1, path % grid.width - 1), axis=1)
    return FOUND, cells, best[goal]


def flood(cost: NDArray[np.float32], row: int, col: int) -> Flooded:
    """(status, the cheapest cost of every cell in units of 1/UNIT, -1 where it cannot be reached)."""
    status, grid = _load(cost)
    if status == FOUND:
        status, best = _settle(grid, (row + 1) * grid.width + col + 1, None)
    if status != FOUND:
        return status, None
    costs = np.array(best, np.int64).reshape(-1, grid.width)[1:-1, 1:-1]
    return FOUND, np.where(costs < UNREACHED, costs, -1).astype(np.int32)


def geodesics(passable: NDArray[np.uint8], row: int, col: int) -> NDArray[np.float32]:
    """Lengths in cells of the shortest ways that may run at any angle, inf where there is none.

    The eikonal equation by fast sweeping (Zhao 2005) with exact lengths around the start, where the upwind
    differences would err most. A length depends on shorter ones alone, so the sweeps come to rest.
    """
    walled = np.pad(passable, 1)
    walled[row + 1, col + 1] = 1
    free, width = walled.ravel().tolist(), walled.shape[1]
    start = (row + 1) * width + col + 1
    lengths = [math.inf] * len(free)
    for rows, cols in product(range(-DISC, DISC + 1), repeat=2):
        if rows * rows + cols * cols <= DISC * DISC and _sees(free, width, start, rows, cols):
            lengths[start + rows * width + cols] = math.sqrt(rows * rows + cols * cols)
    down, right = range(width, len(free) - width, width), range(1, width - 1)
    quiet = 0
    for lines, columns in cycle(product((down, down[::-1]), (right, right[::-1]))):
        quiet = 0 if _sweep(free, lengths, width, lines, columns) else quiet + 1
        if quiet == 4:
            break
    return np.array(lengths).reshape(walled.shape)[1:-1, 1:-1].astype(np.float32)


def _sees(free: list[int], width: int, cell: int, rows: int, cols: int) -> bool:
    """Whether the straight line over so many rows and columns is free, at a corner both cells beside it."""
    down, right = width if rows > 0 else -width, 1 if cols > 0 else -1
    rows, cols = abs(rows), abs(cols)
    row = col = 0
    while row < rows or col < cols:
        later = (2 * row + 1) * cols - (2 * col + 1) * rows  # below 0: the line leaves by the row's edge
        if later == 0 and not (free[cell + down] and free[cell + right]):
            return False
        if later <= 0:
            cell, row = cell + down, row + 1
        if later >= 0:
            cell, col = cell + right, col + 1
        if not free[cell]:
            return False
    return True


def _sweep(free: list[int], lengths: list[float], width: int, lines: range, columns: range) -> bool:
    """Lower the lengths, each from its neighbours', line by line; whether any was lowered."""
    lowered = False
    for line in lines:
        for cell in range(line + columns.start, line + columns.stop, columns.step):
            if not free[cell]:
                continue
            beside = min(lengths[cell - 1], lengths[cell + 1])
            along = min(lengths[cell - width], lengths[cell + width])
            low, high = min(beside, along), max(beside, along)
            if low + 1 <= high:
                length = low + 1
            else:
                apart = high - low
                length = (low + high + math.sqrt(2 - apart * apart)) / 2
            if length < lengths[cell]:
                lengths[cell] = length
                lowered = True
    return lowered


def clearance_squared(blocked: NDArray[np.uint8]) -> NDArray[np.int32]:
    """Squared distances, in half cells, from each cell's centre to the nearest edge of a blocked cell.

    Exact and linear in the number of cells; blocked cells are at 0, and all cells outside the grid are
    blocked. First along the columns, then along the rows with a lower envelope of parabolas, after
    Felzenszwalb and Huttenlocher (2012); the parabolas stand on the edges between columns, because that is
    where the nearest point of a cell in another column lies.
    """
    rows = [[int(value) for value in row] for row in _column_distances(blocked)]
    return np.array([_row_distances(row) for row in rows], np.int32).reshape(blocked.shape)


def _column_distances(blocked: NDArray[np.uint8]) -> NDArray[np.int32]:
    """Half cells to the nearest edge within the column: 0 if blocked, else 1, 3, 5 ..."""
    distances = np.where(blocked, 0, UNREACHED).astype(np.int64)
    for lines in (distances, distances[::-1]):
        before = np.zeros(distances.shape[1], np.int64)
        for line in lines:
            np.minimum(line, np.where(before > 0, before + 2, 1), out=line)
            before = line
    return distances.astype(np.int32)


def _row_distances(row: list[int]) -> list[int]:
    """Squared distances from the distances within each column.

    Edge e lies at 2e - 1 half cells, left of the centre of column e at 2e; its height is the squared
    distance within the nearer of its two columns. `until[i]` is the first column where hull[i + 1] is lower.
    """
    heights = [0, *(min(left, right) ** 2 for left, right in pairwise(row)), 0]
    hull: list[int] = []
    until: list[int] = []
    for edge, height in enumerate(heights):
        while hull:
            apart = edge - hull[-1]
            rise = height - heights[hull[-1]] + 4 * apart * (edge + hull[-1] - 1)
            cut = rise // (8 * apart) + 1
            if cut > (until[-1] if until else 0):
                until.append(cut)
                break
            hull.pop()
            del until[-1:]
        hull.append(edge)
    squares, index = [], 0
    for column, own in enumerate(row):
        while index < len(until) and until[index] <= column:
            index += 1
        squares.append(min(own * own, (2 * (column - hull[index]) + 1) ** 2 + heights[hull[index]]))
    return squares
