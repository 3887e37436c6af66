"""Step 9: the model's corrections of the map; what was taken, and what was refused and why."""

from collections.abc import Sequence
from dataclasses import dataclass

from llmos.kernel.decision import CORRECTIONS, Correction
from llmos.world.grid import Cell, Grid


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
