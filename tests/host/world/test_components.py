"""What hangs together on a grid is found, and found once."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from llmos.world.components import NOWHERE, clusters, components


def random_mask(seed, share):
    """A mask with a share of its cells set."""
    random = np.random.default_rng(seed)
    return random.random((random.integers(1, 25), random.integers(1, 25))) < share


@given(st.integers(0, 10**6), st.floats(0, 1))
def test_clusters_hold_each_cell_once_and_do_not_touch(seed, share):
    mask = random_mask(seed, share)
    groups = clusters(mask)
    cells = [cell for group in groups for cell in group]
    assert sorted(cells) == [tuple(cell) for cell in np.argwhere(mask).tolist()]
    owner = {cell: number for number, group in enumerate(groups) for cell in group}
    for row, col in cells:
        near = {owner.get((row + i, col + j), owner[row, col]) for i in (-1, 0, 1) for j in (-1, 0, 1)}
        assert near == {owner[row, col]}


@given(st.integers(0, 10**6), st.floats(0, 1))
def test_what_is_labelled_hangs_together(seed, share):
    """The label is a cell of its own, and from it the whole cluster can be walked over."""
    mask = random_mask(seed, share)
    labels = components(mask)
    assert ((labels == NOWHERE) == ~mask).all()
    for label in np.unique(labels[mask]).tolist():
        left = {tuple(cell) for cell in np.argwhere(labels == label).tolist()}
        assert min(row * mask.shape[1] + col for row, col in left) == label
        walked = [divmod(label, mask.shape[1])]
        left.discard(walked[0])
        for row, col in walked:
            near = {(row + i, col + j) for i in (-1, 0, 1) for j in (-1, 0, 1)} & left
            left -= near
            walked += near
        assert not left
