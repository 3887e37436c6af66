"""What hangs together on a grid."""

import numpy as np
from numpy.typing import NDArray

from llmos.world.grid import Cell

Mask = NDArray[np.bool_]
Labels = NDArray[np.int32]
NOWHERE = np.iinfo(np.int32).max  # the label of cells that belong to nothing


def components(mask: Mask) -> Labels:
    """Return for each set cell the lowest flat index of those that hang together with it, else NOWHERE.

    Cells hang together over sides and corners. Each row's runs of set cells are joined with those that they
    touch in the next row (union-find, as in Rosenfeld & Pfaltz 1966, on runs in place of cells).
    """
    begins = mask.copy()
    begins[:, 1:] &= ~mask[:, :-1]
    run = (begins.ravel().cumsum() - 1).reshape(mask.shape)
    first = np.flatnonzero(begins)
    root = list(range(first.size))

    def root_of(one: int) -> int:
        while root[one] != one:
            root[one] = one = root[root[one]]
        return one

    # Beside a straight neighbour a diagonal one says nothing new, and so does a run's next cell.
    low, high = mask[:-1], mask[1:]
    up = low & high
    right = low[:, :-1] & high[:, 1:] & ~up[:, :-1] & ~up[:, 1:]
    left = low[:, 1:] & high[:, :-1] & ~up[:, :-1] & ~up[:, 1:]
    pairs = [
        run[:-1][up] * first.size + run[1:][up],
        run[:-1, :-1][right] * first.size + run[1:, 1:][right],
        run[:-1, 1:][left] * first.size + run[1:, :-1][left],
    ]
    touching = np.concatenate(pairs)
    again = touching[1:] == touching[:-1]
    for pair in touching[np.concatenate(([True], ~again))[: touching.size]].tolist():
        one, other = sorted((root_of(pair // first.size), root_of(pair % first.size)))
        root[other] = one
    roots = first[[root_of(one) for one in range(first.size)]]
    labels = np.full(mask.shape, NOWHERE, np.int32)
    labels[mask] = roots[run[mask]]
    return labels


def clusters(mask: Mask) -> list[list[Cell]]:
    """Return the set cells in groups that touch over sides or corners, each sorted."""
    groups: dict[int, list[Cell]] = {}
    labels = components(mask)
    for cell, label in zip(np.argwhere(mask).tolist(), labels[mask].tolist(), strict=True):
        groups.setdefault(label, []).append((cell[0], cell[1]))
    return list(groups.values())
