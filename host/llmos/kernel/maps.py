"""The map from frame to frame: whole now and then, between as what has changed; a reader never loses it."""

import zlib

import numpy as np

from llmos.errors import LlmosError
from llmos.kernel.frame import WorldModel
from llmos.world.grid import Grid
from llmos.world.serialize import States, rle, unrle

FULL_EVERY = 20  # frames; so a record can be read from a place in its middle
MOST_CHANGED = 0.3  # share of the cells; beyond it the whole map says it in about as much


class MapLost(LlmosError):
    """A reader does not hold the map that a delta changes; it needs a full one."""


class MapSender:
    """Makes each frame's world model, and remembers what the readers hold."""

    def __init__(self) -> None:
        self._held: States | None = None
        self._cycle = 0
        self._deltas = 0  # since the last full map

    def lost(self) -> None:
        """Send the whole map next: a reader has lost it."""
        self._held = None

    def world_model(self, grid: Grid, cycle: int) -> WorldModel:
        """Return a cycle's map."""
        states, held = grid.states(), self._held
        if held is not None and (
            held.shape != states.shape
            or self._deltas + 1 >= FULL_EVERY
            or np.count_nonzero(held != states) > MOST_CHANGED * states.size
        ):
            held = None
        share = np.bincount(grid.occupancy().ravel(), minlength=3) * (100.0 / states.size)
        unknown, free, occupied = (round(float(part), 1) for part in share[:3])
        model = WorldModel(
            kind="full" if held is None else "delta",
            cell_m=grid.cell_m,
            shape=grid.shape,
            free_pct=free,
            occupied_pct=occupied,
            unknown_pct=unknown,
            rle=rle(states, held),
            against=None if held is None else self._cycle,
            check=checksum(states),
        )
        self._deltas = 0 if held is None else self._deltas + 1
        self._held, self._cycle = states, cycle
        return model


class MapReader:
    """Follows the maps of the frames that it is shown; `states` is the last, None before and when lost."""

    def __init__(self) -> None:
        self.states: States | None = None
        self._cycle = 0

    def read(self, model: WorldModel, cycle: int) -> States:
        """Take in the map of a cycle and return all its cells' states.

        Raises:
            MapLost: the delta is not against the map held, or something in it is damaged.
        """
        held, self.states = self.states, None
        if model.kind == "full":
            held = None
        elif held is None or model.against != self._cycle:
            holds = "none" if held is None else f"that of cycle {self._cycle}"
            raise MapLost(
                f"cycle {cycle} changes the map of cycle {model.against}, and the reader holds {holds}: "
                "show it a full one"
            )
        try:
            states = unrle(model.rle, model.shape, held)
        except ValueError as error:
            raise MapLost(f"the map of cycle {cycle} is damaged ({error}): show a full one") from None
        if checksum(states) != model.check:
            raise MapLost(f"the map of cycle {cycle} does not match its check sum: show a full one")
        self.states, self._cycle = states, cycle
        return states


def checksum(states: States) -> int:
    """Return CRC-32 of cells' states, a byte each."""
    return zlib.crc32(np.ascontiguousarray(states, np.uint8).tobytes())
