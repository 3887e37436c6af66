"""The classical detector on rendered pictures, over places and directions, and on what is no picture."""

import io
import math
import random
from typing import NamedTuple

import numpy as np
import pytest
from PIL import Image

from llmos.camera import Picture
from llmos.eyes import ColourDetector, Detection, Lens
from llmos.sim.arena import Arena, Thing, clearance, load_arena
from llmos.sim.camera import Photographer
from llmos.sim.rig import Moment
from llmos.sim.scene import Scene

LENS = Lens()
SEE = ColourDetector(LENS)


class Case(NamedTuple):
    """A picture, what it shows whole and near enough, and what was found."""

    expected: list[tuple[Thing, float, float]]  # with its distance and bearing
    present: list[Thing]
    found: tuple[Detection, ...]


def case(arena: Arena, scene: Scene, photographer: Photographer, moment: Moment) -> Case:
    """Take and look at one picture."""
    x, y, heading = moment.x, moment.y, moment.heading
    depth = scene.view(x, y, heading).depth_m
    expected = []
    for thing in arena.objects:
        away = math.dist((x, y), (thing.x, thing.y))
        bearing = math.remainder(math.atan2(thing.y - y, thing.x - x) - heading, math.tau)
        half = math.asin(min(1.0, thing.radius_m / away))
        if abs(bearing) + half > math.radians(29) or not 0.25 < away - thing.radius_m < 3.0:
            continue
        spots = [LENS.point(bearing + share * half, away, 0.08) for share in (-0.8, 0, 0.8)]
        if all(
            spot and 0 <= spot[0] < 320 and 0 <= spot[1] < 240
            and abs(depth[int(spot[1]), int(spot[0])] - away) < thing.radius_m + 0.1
            for spot in spots
        ):  # fmt: skip
            expected.append((thing, away, bearing))
    jpeg = photographer.jpeg(moment)
    return Case(expected, list(arena.objects), SEE(Picture(jpeg, 0.0), "", 1.0).detections)


def cases(name: str, count: int) -> list[Case]:
    """Pictures from places all over an arena."""
    arena, chance = load_arena(name), random.Random(11)
    scene, photographer, found = Scene(arena, LENS), Photographer(LENS, 5), list[Case]()
    while len(found) < count:
        x, y = (chance.uniform(-side / 2, side / 2) for side in arena.size_m)
        if clearance(arena, x, y) > 0.12:
            moment = Moment(len(found), x, y, chance.uniform(-math.pi, math.pi), arena)
            found.append(case(arena, scene, photographer, moment))
    return found


def bearing_of(detection: Detection) -> float:
    """The direction of a detection's middle."""
    left, top, right, bottom = detection.bbox
    return LENS.direction((left + right) * 160, (top + bottom) * 120)[0]


@pytest.mark.parametrize("name", ["playroom", "gallery"])
def test_things_are_found_where_they_are(name: str) -> None:
    """Nine of ten things that are seen whole are named and placed within centimetres; nothing is made up."""
    seen, right, made_up, errors = 0, 0, 0, []
    for one in cases(name, 50):
        for thing, away, bearing in one.expected:
            seen += 1
            match = [d for d in one.found if d.label == thing.label and abs(bearing_of(d) - bearing) < 0.08]
            right += bool(match)
            if match:
                far = match[0].estimated_depth_cm / 100 + (match[0].estimated_width_cm or 0) / 200
                errors.append(abs(far - away) / away)
        colours = {thing.colour for thing in one.present}
        made_up += sum(detection.label.split()[0] not in colours for detection in one.found)
    assert seen >= 10
    assert right >= 0.85 * seen
    assert made_up == 0  # the yellow poster that says "red box" is neither yellow thing nor red box
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
