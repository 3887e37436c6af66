"""Rays over cells: the lengths add up, and lie where dense sampling finds them."""

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from llmos.world.raycast import lengths_in_cells

SHAPE = (12, 9)
inside = st.tuples(st.floats(0.01, 8.99), st.floats(0.01, 11.99))
angle = st.one_of(st.floats(-10, 10), st.sampled_from([i * math.pi / 4 for i in range(-8, 9)]))
length = st.floats(0.0, 30.0)


@given(inside, angle, length)
def test_length_inside_the_grid_is_all_there(start, angle, length):
    x, y = start
    crossed = lengths_in_cells(x, y, np.array([angle]), np.array([length]), SHAPE)
    east, north = math.cos(angle), math.sin(angle)
    to_edge = min(
        (9 - x) / east if east > 1e-12 else -x / east if east < -1e-12 else math.inf,
        (12 - y) / north if north > 1e-12 else -y / north if north < -1e-12 else math.inf,
    )
    assert math.isclose(crossed.sum(), min(length, to_edge), abs_tol=1e-6)


@given(inside, angle, length)
def test_cells_are_those_that_dense_sampling_finds(start, angle, length):
    x, y = start
    crossed = lengths_in_cells(x, y, np.array([angle]), np.array([length]), SHAPE)
    at = (np.arange(4000) + 0.5) / 4000 * length
    rows, cols = np.floor(y + at * math.sin(angle)), np.floor(x + at * math.cos(angle))
    sampled = np.zeros(SHAPE)
    fits = (rows >= 0) & (rows < SHAPE[0]) & (cols >= 0) & (cols < SHAPE[1])
    np.add.at(sampled, (rows[fits].astype(int), cols[fits].astype(int)), length / 4000)
    assert np.abs(crossed - sampled).max() <= 0.02


@given(inside, st.lists(st.tuples(angle, length), min_size=1, max_size=6))
def test_rays_add_up(start, rays):
    angles, lengths = (np.array(part) for part in zip(*rays, strict=True))
    together = lengths_in_cells(*start, angles, lengths, SHAPE)
    alone = [lengths_in_cells(*start, angles[i : i + 1], lengths[i : i + 1], SHAPE) for i in range(len(rays))]
    assert np.allclose(together, sum(alone))
