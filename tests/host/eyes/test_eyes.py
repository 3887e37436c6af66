"""From pictures to places and caution: vision frees nothing, blocks nothing for good, and fades."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmos.camera import CameraError, Picture
from llmos.eyes import Detection, Eyes, Lens, VisionFrame, nothing_seen
from llmos.eyes.layer import VisionLayer
from llmos.eyes.vision_frame import SceneSeen
from llmos.planning import costmap
from llmos.world.grid import Grid

ANGLES = [math.radians(degrees) for degrees in (0, 30, -30, 90, -90, 180)]


class Says:
    """A detector that says what it was given."""

    name = "says"

    def __init__(self, frame: VisionFrame) -> None:
        self.frame = frame

    def __call__(self, picture: Picture, wanted: str, deadline_s: float) -> VisionFrame:
        """Say it."""
        return self.frame

    def close(self) -> None:
        """Nothing."""


def eyes(frame: VisionFrame, grid: Grid | None = None, wanted: str = "") -> Eyes:
    """Eyes that see always new pictures and always the same in them."""
    shots = iter(range(10**6))
    return Eyes(lambda: (b"%d" % next(shots), 0, ""), Says(frame), Lens(), grid or Grid((4, 4)), wanted)


def known(frame: VisionFrame) -> tuple[Eyes, Grid]:
    """Eyes and a map in which the range sensors have seen ground and walls."""
    grid = Grid((4, 4))
    for heading in np.linspace(0, math.tau, 40):
        for n in range(3):
            grid.update((0, 0, heading), [1.5, 2.0, 0.8, 2.0, None, 1.2], ANGLES, 2.0, n)
    return eyes(frame, grid), grid


shares = st.tuples(*[st.floats(0, 1)] * 4).filter(lambda b: b[0] < b[2] and b[1] < b[3])
detections = st.builds(
    Detection, label=st.sampled_from(["red box", "wall", "free ground"]), confidence=st.floats(0.3, 1),
    bbox=shares, estimated_depth_cm=st.floats(5, 1000), region=st.just("left"),
)  # fmt: skip
scenes = st.builds(
    SceneSeen, openings=st.lists(st.sampled_from(["left", "center", "right"]), max_size=3).map(tuple),
    blocked=st.lists(st.sampled_from(["left", "center", "right"]), max_size=3).map(tuple),
)  # fmt: skip
frames = st.builds(
    VisionFrame, detections=st.lists(detections, max_size=4).map(tuple), scene=scenes,
    floor_m=st.just(()) | st.lists(st.floats(0, 10), min_size=1, max_size=16).map(tuple),
)  # fmt: skip


@settings(max_examples=40)
@given(frames, st.floats(-3, 3), st.integers(0, 40_000))
def test_no_picture_touches_what_was_measured(frame: VisionFrame, heading: float, later_ms: int) -> None:
    """Map and known free ground stay to the bit; costs never fall, and no way opens or closes."""
    one, grid = known(frame)
    before = grid.logodds.copy(), grid.passable(), costmap(grid.occupancy(), 1.0)
    for now in range(0, 3000, 500):
        assert one.shoot(now) == ""
        one.study((0.1, 0.0, heading), now)
    cost = one.layer.heed(before[2], 3000 + later_ms)
    assert np.array_equal(grid.logodds, before[0])
    assert np.array_equal(grid.passable(), before[1])
    assert (cost >= before[2]).all()
    assert np.array_equal(np.isfinite(cost), np.isfinite(before[2]))
    assert cost[np.isfinite(cost)].max() <= 1000
    if later_ms >= 30_000:
        assert np.array_equal(cost, before[2])


def test_an_obstacle_that_is_seen_fades() -> None:
    """Sure for five seconds, then less by a twentieth each second, and gone below a fifth or after thirty."""
    layer = VisionLayer((40, 40), 0.1)
    layer.put((0.55, 0.05), 0.76, 0)
    sure = [float(layer.obstacles(ms)[20, 25]) for ms in (0, 5000, 9000, 16_000, 16_500, 30_000)]
    assert sure == pytest.approx([0.76, 0.76, 0.56, 0.21, 0.0, 0.0], abs=1e-6)
    assert layer.heed(np.ones((40, 40), np.float32), 0)[20, 25] == pytest.approx(1 + 4 * 0.76)


def test_ground_that_is_seen_free_takes_back_what_was_seen_there() -> None:
    """The camera's own word, and nothing else."""
    layer = VisionLayer((40, 40), 0.1)
    layer.put((0.55, 0.05), 0.7, 0)
    layer.see((0.05, 0.05, 0.0), [(0.0, 0.9, False)], 100)
    assert layer.obstacles(100).max() == 0
    layer.see((0.05, 0.05, 0.0), [(0.0, 1.0, True)], 200)
    assert np.argwhere(layer.obstacles(200)).tolist() == [[20, 30]]


def test_a_detection_has_its_place_in_the_map() -> None:
    """Bearing by the picture, distance by the depth, both from where the robot stands."""
    lens = Lens()
    edge = [lens.point(0.2 + side, 1.0, 0.1) for side in (0.05, -0.05)]
    assert all(edge)
    box = (edge[0][0] / 320, 0.3, edge[1][0] / 320, 0.5)
    frame = VisionFrame(
        detections=(
            Detection(
                label="red box", confidence=1.0, bbox=box, estimated_depth_cm=100, estimated_width_cm=20,
                depth_method="floor_position", region="left",
            ),
        )
    )  # fmt: skip
    one = eyes(frame)
    one.shoot(0)
    (thing,) = one.study((0.3, -0.2, 1.0), 0).objects
    assert thing.pos_m == pytest.approx((0.3 + 1.1 * math.cos(1.2), -0.2 + 1.1 * math.sin(1.2)), abs=0.01)
    assert one.layer.obstacles(0).max() > 0.7


def test_a_detector_that_fails_forgets_nothing() -> None:
    """Nothing seen is no proof that nothing is there."""
    box = Detection(
        label="red box", confidence=0.9, bbox=(0.4, 0.3, 0.6, 0.5), estimated_depth_cm=100, region="center"
    )
    one = eyes(VisionFrame(detections=(box,)))
    for now in (0, 500, 1000):
        one.shoot(now)
        one.study((0, 0, 0), now)
    one.detector = Says(nothing_seen("the server is down"))
    for now in range(1500, 60_000, 500):
        one.shoot(now)
        seen = one.study((0, 0, 0), now)
    assert seen.problem == "the server is down"
    assert [(thing.label, thing.confirmed) for thing in seen.objects] == [("red box", True)]
    one.detector = Says(VisionFrame())
    for now in range(60_000, 80_000, 500):
        one.shoot(now)
        seen = one.study((0, 0, 0), now)
    assert seen.objects == ()


def test_who_has_to_see_gives_up_without_pictures() -> None:
    """Five failures in a row end a search in a sentence; a robot that looks by the way drives on."""
    blind = eyes(VisionFrame(), wanted="red box")
    blind.take = lambda: (None, 0, "camera http://x/: refused; see that it is on and in this network")
    assert {blind.shoot(now) for now in range(4)} == {
        "camera http://x/: refused; see that it is on and in this network"
    }
    with pytest.raises(CameraError, match=r"refused; .*; a red box cannot be found so"):
        blind.shoot(5)
    blind.wanted = ""
    assert blind.shoot(6)
    assert blind.study((0, 0, 0), 6, "refused").problem == "refused"
