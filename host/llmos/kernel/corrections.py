"""Step 9: the model's corrections of the map; what was taken, and what was refused and why."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from llmos.kernel.decision import CORRECTIONS, Correction
from llmos.kernel.frame import Point
from llmos.world.grid import CORRECTION_MOST, FREE, UNKNOWN, Cell, Grid

NEAR = 5  # cells: a step that fails does so not far from the robot


@dataclass(frozen=True)
class Corrected:
    """What became of a decision's corrections."""

    taken: tuple[Correction, ...] = ()
    refused: tuple[tuple[Correction, str], ...] = ()  # with the reason

    def __str__(self) -> str:
        """Say what was refused, for the next frame; empty where nothing was."""
        if not self.refused:
            return ""
        correction, why = self.refused[0]
        return f"{len(self.refused)} corrections refused: {correction.state}: {why}"


def correct(grid: Grid, here: Cell | None, changes: Sequence[Correction]) -> Corrected:
    """Note a decision's corrections in the grid.

    Args:
        grid: the map; it refuses what its sensors know better.
        here: the cell that the robot stands on.
        changes: the corrections; all beyond the first CORRECTIONS are refused.
    """
    taken: list[Correction] = []
    refused: list[tuple[Correction, str]] = []
    for number, change in enumerate(changes):
        if number >= CORRECTIONS:
            why: str | None = f"more than {CORRECTIONS} at once"
        elif here is not None and grid.cell(*change.pos_m) == here:
            why = "the robot stands there"
        else:
            why = grid.correct(*change.pos_m, change.state, change.confidence)
        if why is None:
            taken.append(change)
        else:
            refused.append((change, why))
    return Corrected(tuple(taken), tuple(refused))


def doubtful(grid: Grid, here: Cell) -> tuple[Point, str] | None:
    """Return the least sure measured cell near the robot, and what it is; None where the sensors are sure."""
    row, col = (max(0, side - NEAR) for side in here)
    around = np.s_[row : here[0] + NEAR + 1, col : here[1] + NEAR + 1]
    sure, measured = grid.confidence()[around], grid.measured()[around]
    open_to_doubt = (measured != UNKNOWN) & (grid.visits[around] == 0) & (sure <= CORRECTION_MOST)
    if not open_to_doubt.any():
        return None
    at = np.unravel_index(int(np.where(open_to_doubt, sure, 2.0).argmin()), sure.shape)
    place = grid.centre((row + int(at[0]), col + int(at[1])))
    return place, "free" if measured[at] == FREE else "obstacle"
