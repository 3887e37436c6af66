"""The world in text: what is written can be read back, and stays small."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmos.world.candidates import Candidate
from llmos.world.grid import OCCUPIED, STATES, Grid
from llmos.world.serialize import (
    LETTERS,
    MOST_OBJECTS,
    ascii_map,
    blocks,
    clusters,
    rle,
    symbolic,
    unrle,
)


def random_grid(seed, size=(2.0, 1.5)):
    """A grid with a random mix of states."""
    random = np.random.default_rng(seed)
    grid = Grid(size)
    grid.logodds[:] = random.choice([-2.9, 0.0, 4.0], grid.shape)
    grid.visits[:] = random.integers(0, 2, grid.shape)
    return grid


@given(st.integers(0, 10**6))
def test_run_lengths_round_trip(seed):
    states = random_grid(seed).states()
    assert (unrle(rle(states), states.shape) == states).all()


@given(st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 15))
def test_changes_lead_from_the_old_world_to_the_new(old_seed, new_seed, changed_rows):
    old, new = random_grid(old_seed).states(), random_grid(new_seed).states()
    new[changed_rows:] = old[changed_rows:]
    assert (unrle(rle(new, old), old.shape, old) == new).all()


def test_run_lengths_of_an_empty_world_are_short():
    states = Grid().states()
    assert (rle(states), rle(states, states)) == ("2500U", "2500=")


@pytest.mark.parametrize(
    "text", ["", "3U", "2501U", "2500Z", "2500U ", "U-1", "x", "1e9U", "2500=", "٢500U", "9" * 5000 + "U"]
)
def test_broken_run_lengths_are_refused(text):
    with pytest.raises(ValueError, match="no run-length code"):
        unrle(text, (50, 50))


def test_there_is_a_letter_for_each_state():
    assert len(LETTERS) == len(set(LETTERS)) == len(STATES)


def test_the_map_is_half_the_grid_and_north_is_up():
    grid = Grid()
    grid.logodds[48:, :] = 4.0
    grid.logodds[0, 0] = -2.9
    one = Candidate("c1", "frontier", (1.05, 1.05), 0.5, 1.0, "", (35, 35))
    lines = ascii_map(grid, (0.05, 0.05, 1.6), (2.05, -2.05), [one]).splitlines()
    assert [len(line) for line in lines] == [25] * 25
    assert lines[0] == "#" * 25
    assert lines[24][0] == "."
    assert (lines[12][12], lines[7][17], lines[22][22]) == ("^", "1", "G")


@given(st.integers(1, 5), st.floats(0.5, 4.0), st.floats(0.5, 4.0))
def test_any_scale_fits_any_grid(scale, width, height):
    grid = Grid((width, height))
    lines = ascii_map(grid, (0.0, 0.0, 0.0), None, [], scale).splitlines()
    assert len(lines) == -(-grid.shape[0] // scale)
    assert {len(line) for line in lines} == {-(-grid.shape[1] // scale)}


def test_an_obstacle_shows_through_a_block_of_free_ground():
    grid = Grid((1.0, 1.0))
    grid.logodds[:] = -2.9
    grid.logodds[5, 5] = 4.0
    assert ascii_map(grid, (-0.45, -0.45, 0.0), None, []).count("o") == 1


@given(st.integers(1, 100), st.integers(1, 100))
def test_blocks_share_the_cells_evenly(side, count):
    count = min(count, side)
    sizes = np.diff([*blocks(side, count), side])
    assert sizes.sum() == side
    assert sizes.max() - sizes.min() <= 1


@given(st.integers(0, 10**6))
def test_clusters_hold_each_cell_once_and_do_not_touch(seed):
    mask = random_grid(seed).occupancy() == OCCUPIED
    groups = clusters(mask)
    cells = [cell for group in groups for cell in group]
    assert sorted(cells) == list(zip(*(axis.tolist() for axis in np.nonzero(mask)), strict=True))
    owner = {cell: number for number, group in enumerate(groups) for cell in group}
    for row, col in cells:
        near = {owner.get((row + i, col + j), owner[row, col]) for i in (-1, 0, 1) for j in (-1, 0, 1)}
        assert near == {owner[row, col]}


def test_objects_have_boxes_in_metres():
    grid = Grid()
    grid.logodds[25:27, 30:33] = 4.0
    assert symbolic(grid)["objects"] == [
        {"id": "o1", "type": "obstacle", "bbox_m": [0.5, 0.0, 0.8, 0.2], "label": "obstacle, 6 cells"}
    ]


def test_objects_are_bounded():
    grid = Grid()
    grid.logodds[::2, ::2] = 4.0
    assert len(symbolic(grid)["objects"]) == MOST_OBJECTS
