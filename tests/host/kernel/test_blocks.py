"""The programs that the kernel writes drive where they should, guarded, within the robot's limits."""

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmos.kernel.act import prove
from llmos.kernel.blocks import Pace, drive_text, turn_text, wrap
from llmos.manifest import load_manifest

LIMITS = load_manifest().limits
PACE = Pace.of(LIMITS)
coordinate = st.floats(-0.6, 0.6)


@given(
    st.lists(st.tuples(coordinate, coordinate), min_size=1, max_size=4),
    st.floats(-10, 10),
    st.sampled_from([0.0, math.pi / 2]),
)
def test_every_way_is_provable_guarded_and_no_longer_than_the_way(
    way: list[tuple[float, float]], heading: float, look: float
) -> None:
    """The certificate's path is the way's length, and every forward move is guarded."""
    points = [(0.0, 0.0), *way]
    certificate = prove(drive_text((0.0, 0.0, heading), points, look, "navigating", PACE), LIMITS).certificate
    length = sum(math.dist(a, b) for a, b in pairwise(points))
    assert certificate.path_mm <= length * 1000 + len(way)
    assert certificate.path_mm >= length * 1000 - 11 * len(way)
    assert certificate.guarded == 1


@pytest.mark.parametrize("degrees", [-180, -90, 1, 45, 180])
def test_a_turn_is_proven_to_turn_that_far(degrees: int) -> None:
    """The certificate's rotation is the angle."""
    certificate = prove(turn_text(math.radians(degrees), "exploring", PACE), LIMITS).certificate
    assert certificate.rotation_mrad == abs(round(math.radians(degrees) * 1000)) or abs(degrees) < 2
    assert certificate.path_mm == 0


@given(st.floats(-100, 100))
def test_wrap_keeps_the_direction(angle: float) -> None:
    """A wrapped angle points the same way and lies within half a turn."""
    assert -math.pi <= wrap(angle) <= math.pi
    assert math.cos(wrap(angle)) == pytest.approx(math.cos(angle), abs=1e-9)
    assert math.sin(wrap(angle)) == pytest.approx(math.sin(angle), abs=1e-9)
