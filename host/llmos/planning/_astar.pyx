# distutils: language = c
# distutils: extra_compile_args = -O3 -ffp-contract=off
# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False, cdivision=True
"""The compiled twin of `_astar_py`: the same searches and the same distances, bit for bit.

The open list is a ring of buckets over f (Dial 1969), each a stack. Step costs are whole numbers and the
heuristic is consistent, so f never falls along a path and never rises by more than the dearest step and its
heuristic together: a short ring holds every open cell. A bucket is wider than one unit of f, so a cell may be
settled twice within it; the search ends only when the goal's own bucket is empty, hence with the optimum.
Cells lie in a grid with a one-cell wall around it, so no step needs a bounds check.
"""

from libc.math cimport sqrt
from libc.stdint cimport int32_t, uint8_t
from libc.stdlib cimport realloc
from libc.string cimport memset

import numpy as np


cdef enum:
    UNIT = 985               # a straight step at cost 1; 1393/985 is the square root of 2 to 4e-7
    SQRT2_Q16 = 92682
    ONE_BITS = 0x3F800000    # 1.0 as float32
    MAX_COST_BITS = 0x447A0000  # 1000.0
    INF_BITS = 0x7F800000
    BUCKET_SHIFT = 6
    WALL = -1
    UNREACHED = 0x7FFFFFFF
    LIMIT = 0x3FC00000       # of g and of the heuristic, so that their sum with one more step fits
    FOUND = 0
    NO_PATH = 1
    BAD_COST = 2
    TOO_LONG = 3
    NO_MEMORY = 4
    DISC = 8                 # cells around the start of `geodesics` in which straight lengths are exact


cdef struct Cell:
    int32_t enter  # cost of a straight step into the cell; WALL where impassable
    int32_t g      # cheapest known cost from the start; UNREACHED at first, WALL where impassable


cdef union Bits:
    float value
    int32_t bits


cdef struct Entry:
    int32_t row
    int32_t col
    int32_t g      # the cell's g when it was pushed; the entry is stale once the cell's g is lower
    int32_t next   # the entry below it in its bucket or in the free list; -1 ends a bucket


cdef struct Search:
    Cell *cells
    Py_ssize_t cell_capacity
    int width            # of the walled grid
    int32_t *ring        # the top entry of each bucket, or -1
    int ring_capacity
    int mask             # buckets in use - 1
    Entry *entries
    int entry_capacity
    int open             # entries in buckets
    int free             # head of the free list of the other entries
    int goal_row
    int goal_col
    int h_straight       # heuristic cost of a straight step
    int h_corner         # what a diagonal step saves against two straight ones


# One search at a time: every `def` below keeps the GIL while it uses these buffers.
cdef Search scratch
memset(&scratch, 0, sizeof(Search))
scratch.free = scratch.mask = -1


cdef inline int diagonal(int straight) noexcept nogil:
    return <int>((<long long>straight * SQRT2_Q16 + 32768) >> 16)


# --- the open list ------------------------------------------------------------------------------------------

cdef inline int heuristic(const Search *s, int row, int col) noexcept nogil:
    """The octile distance to the goal at the cheapest cost of any cell."""
    cdef int rows = row - s.goal_row if row > s.goal_row else s.goal_row - row
    cdef int cols = col - s.goal_col if col > s.goal_col else s.goal_col - col
    return s.h_straight * (rows + cols) - s.h_corner * (rows if rows < cols else cols)


cdef inline void push(Search *s, int row, int col, int g) noexcept nogil:
    cdef int bucket = ((g + heuristic(s, row, col)) >> BUCKET_SHIFT) & s.mask
    cdef int index = s.free
    cdef Entry *entry = &s.entries[index]
    s.free = entry.next
    s.open += 1
    entry.row, entry.col, entry.g, entry.next = row, col, g, s.ring[bucket]
    s.ring[bucket] = index


cdef inline Entry *pop(Search *s, int32_t *bucket) noexcept nogil:
    """Take the top entry off a bucket; it stays readable until the next push."""
    cdef int index = bucket[0]
    cdef Entry *entry = &s.entries[index]
    bucket[0] = entry.next
    entry.next = s.free
    s.free = index
    s.open -= 1
    return entry


cdef int reserve_entries(Search *s) noexcept nogil:
    """Make room for at least eight more entries."""
    cdef int first = s.entry_capacity, last = 2 * first + 1024, index
    cdef void *grown = realloc(s.entries, last * sizeof(Entry))
    if grown == NULL:
        return NO_MEMORY
    s.entries, s.entry_capacity = <Entry *>grown, last
    for index in range(first, last):
        s.entries[index].next = s.free
        s.free = index
    return FOUND


cdef int empty(Search *s, int longest) noexcept nogil:
    """Empty the ring and make it wide enough; `longest` is the most that f may rise in one step."""
    cdef int bucket, buckets = 64
    cdef void *grown
    for bucket in range(s.mask + 1):
        while s.open and s.ring[bucket] >= 0:
            pop(s, &s.ring[bucket])
    while buckets <= (longest >> BUCKET_SHIFT) + 1:
        buckets *= 2
    if buckets > s.ring_capacity:
        grown = realloc(s.ring, buckets * sizeof(int32_t))
        if grown == NULL:
            return NO_MEMORY
        s.ring, s.ring_capacity = <int32_t *>grown, buckets
        memset(s.ring, 0xFF, buckets * sizeof(int32_t))  # all -1
    s.mask = buckets - 1
    return FOUND


# --- the grid -----------------------------------------------------------------------------------------------

cdef int load(Search *s, const float[:, ::1] cost) noexcept nogil:
    """Copy the costs as whole numbers into the walled grid and size the ring for them."""
    cdef Py_ssize_t rows = cost.shape[0], cols = cost.shape[1], row
    cdef int *limits = [INF_BITS, 0, 0]
    cdef int lowest = UNIT
    cdef Bits least
    if reserve_cells(s, rows + 2, cols + 2) != FOUND:
        return NO_MEMORY
    for row in range(rows):
        load_row(&cost[row, 0], s.cells + (row + 1) * s.width + 1, cols, limits)
    if limits[0] < ONE_BITS or limits[2]:
        return BAD_COST
    if limits[1]:
        least.bits = limits[0]
        lowest = fixed(least.value)
    if lowest * (rows + cols) > LIMIT:
        return TOO_LONG
    s.h_straight, s.h_corner = lowest, 2 * lowest - diagonal(lowest)
    return empty(s, diagonal(limits[1]) + diagonal(lowest))


cdef inline int fixed(float cost) noexcept nogil:
    return <int>(cost * UNIT + <float>0.5)


cdef void load_row(const float *source, Cell *target, Py_ssize_t cols, int *limits) noexcept nogil:
    """Fill one row, without branches, so that compilers vectorize it; the bits of positive floats have the order of the floats.

    limits: the lowest bits, the highest fixed-point cost, and whether a cost is NaN or above MAX_COST.
    """
    cdef Py_ssize_t col
    cdef int lowest = limits[0], highest = limits[1], bad = limits[2], enter, passable
    cdef Bits cost
    (target - 1).enter = (target - 1).g = target[cols].enter = target[cols].g = WALL
    for col in range(cols):
        cost.value = source[col]
        passable = -(cost.bits <= MAX_COST_BITS)
        lowest = cost.bits if cost.bits < lowest else lowest
        bad |= (cost.bits > MAX_COST_BITS) & (cost.bits != INF_BITS)
        cost.bits = cost.bits if cost.bits < MAX_COST_BITS else MAX_COST_BITS
        enter = fixed(cost.value) & passable
        highest = enter if enter > highest else highest
        target[col].enter = enter | ~passable
        target[col].g = (UNREACHED & passable) | ~passable
    limits[0], limits[1], limits[2] = lowest, highest, bad


cdef int reserve_cells(Search *s, Py_ssize_t rows, Py_ssize_t cols) noexcept nogil:
    cdef void *grown
    if rows * cols > s.cell_capacity:
        grown = realloc(s.cells, rows * cols * sizeof(Cell))
        if grown == NULL:
            return NO_MEMORY
        s.cells, s.cell_capacity = <Cell *>grown, rows * cols
    s.width = <int>cols
    memset(s.cells, 0xFF, cols * sizeof(Cell))  # all ones is WALL
    memset(s.cells + (rows - 1) * cols, 0xFF, cols * sizeof(Cell))
    return FOUND


# --- the search ---------------------------------------------------------------------------------------------

cdef inline void relax(Search *s, int row, int col, Cell *cell, int g) noexcept nogil:
    if g < cell.g:  # never for a wall, whose g is below any cost
        cell.g = g
        push(s, row, col, g)


cdef inline void expand(Search *s, int row, int col, int g) noexcept nogil:
    """Relax the eight neighbours; a diagonal step needs both cells beside it passable."""
    cdef Cell *here = s.cells + (<Py_ssize_t>row * s.width + col)
    cdef Cell *up = here - s.width
    cdef Cell *down = here + s.width
    cdef Cell *left = here - 1
    cdef Cell *right = here + 1
    cdef bint north = up.enter >= 0, south = down.enter >= 0
    cdef bint west = left.enter >= 0, east = right.enter >= 0
    relax(s, row - 1, col, up, g + up.enter)
    relax(s, row, col - 1, left, g + left.enter)
    relax(s, row, col + 1, right, g + right.enter)
    relax(s, row + 1, col, down, g + down.enter)
    if north & west:
        relax(s, row - 1, col - 1, up - 1, g + diagonal((up - 1).enter))
    if north & east:
        relax(s, row - 1, col + 1, up + 1, g + diagonal((up + 1).enter))
    if south & west:
        relax(s, row + 1, col - 1, down - 1, g + diagonal((down - 1).enter))
    if south & east:
        relax(s, row + 1, col + 1, down + 1, g + diagonal((down + 1).enter))


cdef int settle(Search *s, int row, int col, const int32_t *goal_g) noexcept nogil:
    """Expand from the start by rising f, newest first within a bucket, until the goal's bucket is done."""
    cdef int level = heuristic(s, row, col) >> BUCKET_SHIFT, g
    cdef int32_t *bucket
    cdef Entry *entry
    if s.entry_capacity == 0 and reserve_entries(s) != FOUND:
        return NO_MEMORY
    s.cells[<Py_ssize_t>row * s.width + col].g = 0
    push(s, row, col, 0)
    while s.open and level <= goal_g[0] >> BUCKET_SHIFT:
        bucket = &s.ring[level & s.mask]
        while bucket[0] >= 0:
            entry = pop(s, bucket)
            row, col, g = entry.row, entry.col, entry.g
            if g != s.cells[<Py_ssize_t>row * s.width + col].g:
                continue
            if g > LIMIT:
                return TOO_LONG
            if s.open + 8 > s.entry_capacity and reserve_entries(s) != FOUND:
                return NO_MEMORY
            expand(s, row, col, g)
        level += 1
    return FOUND if 0 <= goal_g[0] < UNREACHED else NO_PATH


cdef int *ROWS = [-1, 0, 0, 1, -1, -1, 1, 1]
cdef int *COLS = [0, -1, 1, 0, -1, 1, -1, 1]


cdef int step_back(const Search *s, int row, int col) noexcept nogil:
    """The first direction to a neighbour from which the cell was reached at its g."""
    cdef const Cell *here = s.cells + (<Py_ssize_t>row * s.width + col)
    cdef const Cell *beside
    cdef int way, step
    for way in range(8):
        beside = here + ROWS[way] * s.width + COLS[way]
        step = here.enter
        if way >= 4:
            if (here + ROWS[way] * s.width).enter < 0 or (here + COLS[way]).enter < 0:
                continue
            step = diagonal(step)
        if beside.g >= 0 and beside.g == here.g - step:
            return way
    return 0  # cannot happen: every reached cell has such a neighbour


cdef Py_ssize_t trace(const Search *s, int start_row, int start_col, int32_t[:, ::1] out) noexcept nogil:
    """Write the path to the end of `out`; return where it begins."""
    cdef Py_ssize_t index = out.shape[0] - 1
    cdef int row = s.goal_row, col = s.goal_col, way
    out[index, 0], out[index, 1] = row - 1, col - 1
    while row != start_row or col != start_col:
        way = step_back(s, row, col)
        row += ROWS[way]
        col += COLS[way]
        index -= 1
        out[index, 0], out[index, 1] = row - 1, col - 1
    return index


def search(const float[:, ::1] cost, int row, int col, int goal_row, int goal_col):
    """(status, the path's cells or None, its cost in UNITs); see `_astar_py.search`."""
    cdef Search *s = &scratch
    cdef int status = load(s, cost), goal_g
    cdef const Cell *goal
    if status == FOUND:
        s.goal_row, s.goal_col = goal_row + 1, goal_col + 1
        goal = s.cells + (<Py_ssize_t>s.goal_row * s.width + s.goal_col)
        status = settle(s, row + 1, col + 1, &goal.g)
    if status != FOUND:
        return status, None, 0
    goal_g = goal.g
    cells = np.empty((goal_g // s.h_straight + 1, 2), np.int32)
    return FOUND, cells[trace(s, row + 1, col + 1, cells):], goal_g


def flood(const float[:, ::1] cost, int row, int col):
    """(status, the cheapest cost of every cell in UNITs, -1 where out of reach); see `_astar_py.flood`."""
    cdef Search *s = &scratch
    cdef int status = load(s, cost)
    cdef int32_t nowhere = UNREACHED
    if status == FOUND:
        s.h_straight = s.h_corner = s.goal_row = s.goal_col = 0
        status = settle(s, row + 1, col + 1, &nowhere)
    if status != NO_PATH:
        return status, None
    costs = np.empty((cost.shape[0], cost.shape[1]), np.int32)
    copy_costs(s, costs)
    return FOUND, costs


cdef void copy_costs(const Search *s, int32_t[:, ::1] out) noexcept nogil:
    cdef Py_ssize_t row, col
    cdef int32_t g
    for row in range(out.shape[0]):
        for col in range(out.shape[1]):
            g = s.cells[(row + 1) * s.width + col + 1].g
            out[row, col] = g if g < UNREACHED else -1


# --- any-angle lengths --------------------------------------------------------------------------------------

def geodesics(const uint8_t[:, ::1] passable, int row, int col):
    """Lengths in cells of the shortest ways that may run at any angle, inf where there is none; see the twin."""
    walled = np.pad(passable, 1)
    walled[row + 1, col + 1] = 1
    result = np.full(walled.shape, np.inf)
    cdef const uint8_t[:, ::1] free = walled
    cdef double[:, ::1] lengths = result
    cdef Py_ssize_t width = free.shape[1], start = (row + 1) * width + col + 1
    cdef int rows, cols, turn = 0, quiet = 0
    for rows in range(-DISC, DISC + 1):
        for cols in range(-DISC, DISC + 1):
            if rows * rows + cols * cols <= DISC * DISC and sees(&free[0, 0] + start, width, rows, cols):
                (&lengths[0, 0] + start)[rows * width + cols] = sqrt(rows * rows + cols * cols)
    while quiet < 4:
        quiet = 0 if sweep(free, lengths, not turn & 2, not turn & 1) else quiet + 1
        turn += 1
    return result[1:-1, 1:-1].astype(np.float32)


cdef bint sees(const uint8_t *cell, Py_ssize_t width, int rows, int cols) noexcept nogil:
    """Whether the straight line over so many rows and columns is free, at a corner both cells beside it."""
    cdef Py_ssize_t down = width if rows > 0 else -width, right = 1 if cols > 0 else -1
    cdef int row = 0, col = 0, later
    rows, cols = rows if rows > 0 else -rows, cols if cols > 0 else -cols
    while row < rows or col < cols:
        later = (2 * row + 1) * cols - (2 * col + 1) * rows
        if later == 0 and not (cell[down] and cell[right]):
            return False
        if later <= 0:
            cell += down
            row += 1
        if later >= 0:
            cell += right
            col += 1
        if not cell[0]:
            return False
    return True


cdef bint sweep(const uint8_t[:, ::1] free, double[:, ::1] lengths, bint down, bint right) noexcept nogil:
    """Lower the lengths, each from its neighbours', line by line; whether any was lowered."""
    cdef Py_ssize_t rows = free.shape[0] - 2, cols = free.shape[1] - 2, width = free.shape[1], i, j, row, col
    cdef bint lowered = False
    cdef double *here
    cdef double beside, along, low, high, length
    for i in range(rows):
        row = i + 1 if down else rows - i
        for j in range(cols):
            col = j + 1 if right else cols - j
            if not free[row, col]:
                continue
            here = &lengths[row, col]
            beside = min((here - 1)[0], (here + 1)[0])
            along = min((here - width)[0], (here + width)[0])
            low, high = (beside, along) if beside < along else (along, beside)
            if low + 1 <= high:
                length = low + 1
            else:
                length = (low + high + sqrt(2 - (high - low) * (high - low))) / 2
            if length < here[0]:
                here[0] = length
                lowered = True
    return lowered


# --- the distance transform ---------------------------------------------------------------------------------

def clearance_squared(const uint8_t[:, ::1] blocked):
    """Squared distances in half cells from each centre to the nearest blocked cell's edge; see the twin."""
    cdef Py_ssize_t rows = blocked.shape[0], cols = blocked.shape[1], row
    result = np.empty((rows, cols), np.int32)
    cdef int32_t[:, ::1] out = result
    cdef int32_t[::1] heights = np.empty(cols + 1, np.int32)
    cdef int32_t[::1] hull = np.empty(cols + 1, np.int32)
    cdef int32_t[::1] until = np.empty(cols + 1, np.int32)
    column_distances(blocked, out)
    for row in range(rows):
        row_distances(out[row], heights, hull, until)
    return result


cdef void column_distances(const uint8_t[:, ::1] blocked, int32_t[:, ::1] out) noexcept nogil:
    """Half cells to the nearest edge within the column: 0 if blocked, else 1, 3, 5 ..."""
    cdef Py_ssize_t rows = blocked.shape[0], cols = blocked.shape[1], row, col
    cdef int32_t above, below
    for row in range(rows):
        for col in range(cols):
            above = out[row - 1, col] if row else 0
            out[row, col] = 0 if blocked[row, col] else above + (2 if above else 1)
    for row in range(rows - 1, -1, -1):
        for col in range(cols):
            below = out[row + 1, col] if row < rows - 1 else 0
            below += 2 if below else 1
            if below < out[row, col]:
                out[row, col] = below


cdef inline int32_t floor_div(int32_t numerator, int32_t denominator) noexcept nogil:
    """Rounds down, for a positive denominator."""
    cdef int32_t quotient = numerator // denominator
    return quotient - (quotient * denominator > numerator)


cdef void row_distances(int32_t[::1] row, int32_t[::1] heights, int32_t[::1] hull,
                        int32_t[::1] until) noexcept nogil:
    """The lower envelope of one parabola per edge between columns; `_astar_py` explains it."""
    cdef int32_t cols = <int32_t>row.shape[0], edge, top = -1, cut, low, offset
    for edge in range(cols + 1):
        low = 0 if edge == 0 or edge == cols else min(row[edge - 1], row[edge])
        heights[edge] = low * low
        cut = 0
        while top >= 0:
            cut = floor_div(heights[edge] - heights[hull[top]] + 4 * (edge - hull[top]) * (edge + hull[top] - 1),
                            8 * (edge - hull[top])) + 1
            if cut > (until[top - 1] if top else 0):
                break
            top -= 1
        if top >= 0:
            until[top] = cut
        top += 1
        hull[top] = edge
    offset = 0
    for edge in range(cols):
        while offset < top and until[offset] <= edge:
            offset += 1
        low = 2 * (edge - hull[offset]) + 1
        row[edge] = min(row[edge] * row[edge], low * low + heights[hull[offset]])
