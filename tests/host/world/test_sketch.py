"""The sketch of a drive: what was driven, what stood near, and its scale."""

import pytest

from llmos.world.draw import RunRecord
from llmos.world.sketch import ASPECT, HEIGHT, WIDTH, sketch


def record(**keys):
    """A drive of one metre to the east in a room of four, changed by `keys`."""
    plain = {"title": "t", "outcome": "o", "size_m": (4.0, 4.0), "walls": (), "discs": ()}
    plain |= {"start": (0.0, 0.0, 0.0), "goal": None, "tolerance_m": 0.3, "radius_m": 0.075, "grid": None}
    plain |= {"truth": [(0.0, 0.0), (1.0, 0.0)], "end": (1.0, 0.0, 0.0)}
    return RunRecord(**(plain | keys))


def test_a_straight_way_is_one_line() -> None:
    """From the start to an arrow; nothing else is near enough to be drawn."""
    drawn, scale = sketch(record()).splitlines()
    assert drawn.strip() == "S" + "·" * (len(drawn.strip()) - 2) + "→"
    assert scale.startswith("(a character is ")


def test_what_stands_near_the_way_is_drawn() -> None:
    """A wall north of the way and a disc south of it; the room's border ahead."""
    near = record(
        walls=[(0.2, 0.2, 0.8, 0.2)], discs=[(0.5, -0.2, 0.1)], truth=[(0.0, 0.0), (1.85, 0.0)], stops=[]
    )
    lines = sketch(near).splitlines()[:-1]
    way = next(number for number, line in enumerate(lines) if "S" in line)
    assert any("##" in line for line in lines[:way])
    assert any("o" in line for line in lines[way + 1 :])
    assert lines[way].endswith("#")


@pytest.mark.parametrize("end", [(1.9, 0.0), (0.0, 1.9), (-1.9, -1.9), (0.001, 0.0)])
def test_it_fits_whatever_was_driven(end: tuple[float, float]) -> None:
    """A way east, north or across, or none to speak of."""
    lines = sketch(record(truth=[(0.0, 0.0), end], end=(*end, 1.57))).splitlines()
    assert max(map(len, lines[:-1])) <= WIDTH + 3
    assert len(lines) <= HEIGHT + 4
    assert ASPECT > 1


def test_a_stop_is_marked() -> None:
    """By a cross, which the arrow then covers where the drive ended there."""
    assert "x" in sketch(record(stops=[((0.5, 0.0), "blocked")])).splitlines()[0]
