"""The world in text, of bounded size: run lengths of all cells or of changes, maps of characters, objects."""

import math
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llmos.eyes.tracker import Tracked
from llmos.world.candidates import Candidate
from llmos.world.components import clusters
from llmos.world.grid import OCCUPIED, STATES, Cell, Grid

LETTERS = "UFOWEPCX"  # one for each of STATES
KEPT = len(LETTERS)  # in place of a state: as it was
WRITTEN = LETTERS + "="
SIGNS = "?.o#:+$x"  # the same in the map of characters
LEGEND = "map: ? unknown, . free, o obstacle, # wall, G goal"
PRIORITY = np.array([0, 1, 4, 5, 7, 6, 2, 3], np.uint8)  # states, the least important first
ARROWS = ">^<v"  # the robot, by quarter turns counter-clockwise from east
MOST_OBJECTS = 16
MAP_SIDE = 25  # characters of the map of the whole room, at most
NEAR_CELLS = 15  # the side of the map of the robot's surroundings
Pose = tuple[float, float, float]
Point = tuple[float, float]
Indices = NDArray[np.intp]
States = NDArray[np.uint8]

RUN = re.compile(rf"(\d*)([{WRITTEN}])", re.ASCII)


def rle(states: States, since: States | None = None) -> str:
    """Return cells' states as run lengths, row by row from the south-west: `12U3FO` is 12 U, 3 F, 1 O.

    Args:
        states: indices into STATES.
        since: earlier states of the same shape; cells that still have them are written `=`.
    """
    said = (states if since is None else np.where(states == since, np.uint8(KEPT), states)).ravel()
    starts = np.flatnonzero(np.diff(said, prepend=np.uint8(255)))
    counts = np.diff(starts, append=said.size).tolist()
    runs = zip(said[starts].tolist(), counts, strict=True)
    return "".join(f"{count if count > 1 else ''}{WRITTEN[state]}" for state, count in runs)


def unrle(text: str, shape: Cell, since: States | None = None) -> States:
    """Return the states that `rle` wrote for a grid of a shape.

    Raises:
        ValueError: the text is no run-length code, not of this shape, or keeps cells of states not given.
    """
    runs = RUN.findall(text)
    written = "".join(count + letter for count, letter in runs)
    # A length of more digits than the grid's size has is refused before it is turned into a number.
    size = shape[0] * shape[1]
    lengths = [int(count or 1) if len(count) <= len(str(size)) else size + 1 for count, _ in runs]
    if written != text or sum(lengths) != size or (since is None and WRITTEN[KEPT] in text):
        raise ValueError(f"no run-length code of {shape[0]} x {shape[1]} cells: {text[:40]!r}")
    said = np.repeat(np.array([WRITTEN.index(letter) for _, letter in runs], np.uint8), lengths)
    states = said.reshape(shape)
    return states if since is None else np.where(states == KEPT, since, states)


def ascii_map(
    grid: Grid,
    pose: Pose,
    goal: Point | None,
    candidates: Sequence[Candidate],
    scale: int = 2,
) -> str:
    """Return a map of characters, north up, each for `scale` x `scale` cells.

    `?` unknown, `.` free, `:` driven over, `o` obstacle, `#` wall, digits for candidates, `G` the goal,
    `>^<v` the robot.
    """
    rows, cols = (blocks(side, math.ceil(side / scale)) for side in grid.shape)
    signs = np.array(list(SIGNS))[shrunk(grid.states(), rows, cols)]
    for cell, sign in marks(grid, pose, goal, candidates):
        signs[block_of(cell[0], rows), block_of(cell[1], cols)] = sign
    return written(signs)


def ascii_near(grid: Grid, pose: Pose, goal: Point | None, candidates: Sequence[Candidate]) -> str:
    """Return NEAR_CELLS x NEAR_CELLS cells around the robot, a character each; `?` beyond the grid, too."""
    half = NEAR_CELLS // 2
    middle = grid.cell(*pose[:2])
    if middle is None:
        return ""
    row, col = middle
    padded = np.pad(grid.states(), half, constant_values=STATES.index("unknown"))
    signs = np.array(list(SIGNS))[padded[row : row + NEAR_CELLS, col : col + NEAR_CELLS]]
    for cell, sign in marks(grid, pose, goal, candidates):
        r, c = cell[0] - row + half, cell[1] - col + half
        if 0 <= r < NEAR_CELLS and 0 <= c < NEAR_CELLS:
            signs[r, c] = sign
    return written(signs)


def ascii_maps(grid: Grid, pose: Pose, goal: Point | None) -> str:
    """Return the whole map, as coarse as it has to be, and the robot's surroundings cell by cell."""
    whole = ascii_map(grid, pose, goal, [], ascii_scale(grid.shape))
    return f"{LEGEND}\n{whole}\nnear\n{ascii_near(grid, pose, goal, [])}"


def ascii_scale(shape: Cell) -> int:
    """Return the least scale of a map that has at most MAP_SIDE characters a side."""
    return math.ceil(max(shape) / MAP_SIDE)


def marks(
    grid: Grid, pose: Pose, goal: Point | None, candidates: Sequence[Candidate]
) -> list[tuple[Cell, str]]:
    """Return the cells that hold something to show, with its sign, what matters most last."""
    found = [(one.pos_m, one.id.lstrip("c")[:1]) for one in reversed(candidates)]
    found += [(goal, "G")] if goal else []
    found += [(pose[:2], ARROWS[round(pose[2] / (math.pi / 2)) % 4])]
    return [(cell, sign) for place, sign in found if (cell := grid.cell(*place))]


def written(signs: NDArray[np.str_]) -> str:
    """Return rows of characters from the south as lines, north first."""
    return "\n".join("".join(row) for row in signs[::-1])


def blocks(side: int, count: int) -> Indices:
    """Return where each of `count` blocks begins that share `side` cells; the sizes differ by one at most."""
    return np.arange(count) * side // count


def block_of(cell: int, starts: Indices) -> int:
    """Return the number of the block that holds a row or column."""
    return int(np.searchsorted(starts, cell, "right")) - 1


def shrunk(states: States, rows: Indices, cols: Indices) -> States:
    """Return states in which each block, by its first row and column, shows the one that matters most."""
    ranks = np.argsort(PRIORITY)[states]
    return PRIORITY[np.maximum.reduceat(np.maximum.reduceat(ranks, rows, axis=0), cols, axis=1)]


def objects(grid: Grid) -> list[dict[str, Any]]:
    """Return the largest clusters of occupied cells as objects of the symbolic layer."""
    states = grid.states()
    groups = sorted(clusters(grid.occupancy() == OCCUPIED), key=lambda cells: (-len(cells), cells))
    return [described(grid, states, n, cells) for n, cells in enumerate(groups[:MOST_OBJECTS], 1)]


def seen_object(thing: Tracked) -> dict[str, Any]:
    """Return a thing that the camera follows as an object of the symbolic layer."""
    (x, y), half = thing.pos_m, thing.width_m / 2
    return {
        "id": thing.id,
        "type": "object",
        "bbox_m": [round(edge, 2) + 0.0 for edge in (x - half, y - half, x + half, y + half)],
        "label": thing.label,
        "pos_m": (round(x, 2) + 0.0, round(y, 2) + 0.0),
        "confidence": round(thing.confidence, 2),
        "age_ms": thing.age_ms,
    }


def described(grid: Grid, states: States, number: int, cells: list[Cell]) -> dict[str, Any]:
    """Return one cluster as an object of the symbolic layer, its box x1, y1, x2, y2 in metres."""
    rows, cols = zip(*cells, strict=True)
    (west, south), (east, north) = grid.centre((min(rows), min(cols))), grid.centre((max(rows), max(cols)))
    half = grid.cell_m / 2
    kind = STATES[max(int(states[cell]) for cell in cells)]
    box = [round(edge, 2) + 0.0 for edge in (west - half, south - half, east + half, north + half)]
    return {"id": f"o{number}", "type": kind, "bbox_m": box, "label": f"{kind}, {len(cells)} cells"}
