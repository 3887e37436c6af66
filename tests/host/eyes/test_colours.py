"""The classical detector on rendered pictures, over places and directions, and on what is no picture."""

import io

import numpy as np
import pytest
from PIL import Image
from tests.pictures import LENS, SEE, cases, far_m, found, invented, wrong

from llmos.camera import Picture
from llmos.sim.arena import load_arena
from llmos.sim.camera import Photographer
from llmos.sim.rig import Moment
from llmos.sim.scene import Scene


@pytest.mark.parametrize("name", ["playroom", "gallery"])
def test_things_are_found_where_they_are(name: str) -> None:
    """Nine of ten things that are seen whole are named and placed within centimetres; nothing is made up."""
    pictures = cases(name, 50)
    expected = [(one, *rest) for one in pictures for rest in one.expected]
    hits = [(away, found(one, thing, bearing)) for one, thing, away, bearing in expected]
    errors = [abs(far_m(hit) - away) / away for away, hit in hits if hit]
    assert len(expected) >= 10
    assert len(errors) >= 0.85 * len(expected)
    names = sum(" " in detection.label for one in pictures for detection in one.found)
    assert sum(wrong(one) for one in pictures) <= 0.1 * names
    assert sum(invented(one) for one in pictures) == 0  # nor does a yellow poster that says "red box" count
    assert np.median(errors) < 0.04


def test_the_ground_ends_where_the_wall_stands() -> None:
    """The free ground in each column is that of the true picture, within the size of a pixel."""
    arena = load_arena("gallery")
    picture = Picture(Photographer(LENS, 0).jpeg(Moment(0, -2.2, -0.4, 0.3, arena)), 0.0)
    frame = SEE(picture, "", 1.0)
    depth = Scene(arena, LENS).view(-2.2, -0.4, 0.3).depth_m
    for number, away in enumerate(frame.floor_m):
        true = depth[60:70, 20 * number + 10].min()  # rows above the ground show walls or things
        if true < 2.0:
            assert away == pytest.approx(true, rel=0.15)


def jpeg(pixels: np.ndarray) -> Picture:
    """Return pixels as a picture."""
    out = io.BytesIO()
    Image.fromarray(pixels.astype(np.uint8)).save(out, "JPEG")
    return Picture(out.getvalue(), 0.0)


BLACK = np.zeros((240, 320, 3))
RED = np.full((240, 320, 3), (200, 20, 20))
NOISE = np.random.default_rng(1).integers(0, 255, (240, 320, 3))


@pytest.mark.parametrize("data", [b"", b"\xff\xd8\xff\xd9", b"GIF89a", jpeg(NOISE).jpeg[:2000]])
def test_what_is_no_picture_shows_nothing(data: bytes) -> None:
    """No thing, no opening, no free ground, and a reason."""
    frame = SEE(Picture(data, 0.0), "red box", 1.0)
    assert (frame.detections, frame.scene.openings, frame.floor_m) == ((), (), ())
    assert "cannot be read" in frame.problem


@pytest.mark.parametrize("pixels", [BLACK, RED, NOISE, np.zeros((3, 5, 3))])
def test_a_picture_of_nothing_invents_no_thing(pixels: np.ndarray) -> None:
    """A covered lens, a wall of one colour, noise: no named thing is seen."""
    assert [one.label for one in SEE(jpeg(pixels), "red box", 1.0).detections if " " in one.label] == []


def test_a_lens_full_of_red_means_no_free_ground() -> None:
    """What fills the lower edge in a bright colour is no ground."""
    frame = SEE(jpeg(RED), "", 1.0)
    assert set(frame.floor_m) == {0.0}
    assert frame.scene.blocked == ("left", "center", "right")
