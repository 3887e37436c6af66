"""Straight walls are continued into the unknown, and nothing else."""

import numpy as np

from llmos.kernel.prediction import CONFIDENCE, REACH, continue_walls


def test_a_wall_goes_on_with_falling_confidence() -> None:
    """Two wall cells in a row predict the next five, the further the weaker."""
    occupancy = np.zeros((9, 12), np.uint8)
    occupancy[4, 2:4] = 2
    ahead = continue_walls(occupancy)[4, 4 : 4 + REACH]
    assert ahead[0] == np.float32(CONFIDENCE)
    assert (np.diff(ahead) < 0).all()
    assert continue_walls(occupancy)[4, 4 + REACH] == 0


def test_known_cells_are_not_predicted_and_end_a_wall() -> None:
    """A free cell ends the continuation; a single cell is no wall."""
    occupancy = np.zeros((5, 12), np.uint8)
    occupancy[2, 0:2], occupancy[2, 3], occupancy[4, 6] = 2, 1, 2
    predicted = continue_walls(occupancy)
    assert predicted[2, 2] > 0
    assert not predicted[2, 3:].any()
    assert not predicted[4].any()
