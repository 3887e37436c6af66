"""A little of what `tools/safety.py` does by the thousand: cut cables, killed hosts, boxes, e-stops."""

import pytest
from tests.safety import heap, soak
from tests.safety.cuts import lose_host
from tests.safety.estops import INSTRUCTIONS, SENT, press_in_frames, press_in_instructions
from tests.safety.pushes import meet

from llmbytecode._isa import FrameType

pytestmark = pytest.mark.usefixtures("micropython64")


def test_a_robot_that_loses_its_host_stands_in_time() -> None:
    stops = [lose_host(seed) for seed in range(20)]
    assert [one for one in stops if one.wrong] == []
    assert {one.way for one in stops} == {"cut", "killed"}
    assert sum(one.moving for one in stops) >= 15


def test_the_reflex_keeps_from_a_box_where_it_can() -> None:
    met = [meet(seed) for seed in range(24)]
    assert [one for one in met if one.contact and one.fate in ("avoidable", "not seen at first")] == []
    assert sum(one.fate == "avoidable" for one in met) >= 15
    assert sum(one.contact for one in met) >= 1  # boxes are really there


@pytest.mark.parametrize("kind", INSTRUCTIONS)
def test_the_estop_latches_in_each_instruction(kind: str) -> None:
    stops = press_in_instructions(kind, 2, seed=1)
    assert (stops.presses, stops.wrong) == (2, [])


@pytest.mark.parametrize("kind", SENT)
def test_the_estop_latches_in_each_frames_exchange(kind: FrameType) -> None:
    stops = press_in_frames(kind, 4, seed=1)
    assert (stops.presses, stops.wrong) == (4, [])
    assert stops.worst_ms <= 1


def test_some_minutes_with_faults_at_both_ends() -> None:
    hour = soak.live(3, hours=0.05)
    assert hour["wrong"] == []
    assert hour["driven_m"] > 1


@pytest.mark.parametrize("micropython", [32], indirect=True)
def test_the_firmware_drives_with_100_kb_of_heap_in_use(micropython: object) -> None:
    _, _, _, most = heap.used(32)
    assert most <= heap.MOST
    assert heap.drives(32, 140)
    assert not heap.drives(32, 80)
