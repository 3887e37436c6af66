"""The world in text: what is written can be read back, and stays small."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmos.world.candidates import Candidate
from llmos.world.grid import STATES, Grid
from llmos.world.serialize import (
    LETTERS,
    MAP_SIDE,
    MOST_OBJECTS,
    NEAR_CELLS,
    SIGNS,
    ascii_map,
    ascii_near,
    ascii_scale,
    blocks,
    objects,
    rle,
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


@given(st.floats(0.1, 40.0), st.floats(0.1, 40.0))
def test_the_map_of_any_room_is_bounded(width, height):
    grid = Grid((width, height))
    lines = ascii_map(grid, (0.0, 0.0, 0.0), None, [], ascii_scale(grid.shape)).splitlines()
    assert max(len(lines), *(len(line) for line in lines)) <= MAP_SIDE


@given(st.integers(0, 10**6), st.floats(-0.99, 0.99), st.floats(-0.74, 0.74))
def test_the_surroundings_are_a_cell_a_character_with_the_robot_in_the_middle(seed, x, y):
    grid = random_grid(seed)
    lines = ascii_near(grid, (x, y, 0.0), None, []).splitlines()[::-1]
    half = NEAR_CELLS // 2
    assert [len(line) for line in lines] == [NEAR_CELLS] * NEAR_CELLS
    assert lines[half][half] == ">"
    row, col = grid.cell(x, y)
    for r, line in enumerate(lines):
        for c, sign in enumerate(line):
            cell = (row + r - half, col + c - half)
            inside = 0 <= cell[0] < grid.shape[0] and 0 <= cell[1] < grid.shape[1]
            expected = SIGNS[grid.states()[cell]] if inside else "?"
            assert sign == expected or (r, c) == (half, half)


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


def test_objects_have_boxes_in_metres():
    grid = Grid()
    grid.logodds[25:27, 30:33] = 4.0
    assert objects(grid) == [
        {"id": "o1", "type": "obstacle", "bbox_m": [0.5, 0.0, 0.8, 0.2], "label": "obstacle, 6 cells"}
    ]


def test_objects_are_bounded():
    grid = Grid()
    grid.logodds[::2, ::2] = 4.0
    assert len(objects(grid)) == MOST_OBJECTS
