"""The rendered camera against geometry worked out apart from it: depths, places, what hides what."""

import json
import math
import random
import urllib.error
import urllib.request
from contextlib import closing

import numpy as np
import pytest

from llmos.camera import Camera, CameraError, take_picture
from llmos.eyes import Lens
from llmos.sim.arena import Arena, clearance, load_arena, solvable
from llmos.sim.camera import CameraServer, Photographer
from llmos.sim.ranging import Rays
from llmos.sim.rig import Moment
from llmos.sim.scene import CEILING_M, Scene, View

LENS = Lens()
RED = {"colour": "red", "shape": "box", "x": 1.0, "y": 0.0}


def arena(**keys: object) -> Arena:
    """A room of four metres, changed by `keys`."""
    return Arena.model_validate({"name": "case", "size_m": (4, 4), "start": {"x": -1, "y": 0}, **keys})


def red_pixels(view: View) -> np.ndarray:
    """Where a picture is red."""
    rgb = view.rgb.astype(int)
    return (rgb[..., 0] > 2 * rgb[..., 1]) & (rgb[..., 0] > 2 * rgb[..., 2])


def rays(lens: Lens) -> tuple[np.ndarray, np.ndarray]:
    """Bearing and rise of each pixel's middle, by turning a pinhole's ray about its axes."""
    columns, rows = np.meshgrid(np.arange(lens.size[0]) + 0.5, np.arange(lens.size[1]) + 0.5)
    forward = np.stack(
        [np.full(columns.shape, lens.focal_px), lens.size[0] / 2 - columns, lens.size[1] / 2 - rows]
    )
    turn = np.array(
        [
            [math.cos(lens.pitch), 0, -math.sin(lens.pitch)],
            [0, 1, 0],
            [math.sin(lens.pitch), 0, math.cos(lens.pitch)],
        ]
    )
    x, y, z = np.einsum("ij,jrc->irc", turn, forward)
    return np.arctan2(y, x), z / np.hypot(x, y)


@pytest.mark.parametrize("lens", [LENS, Lens(math.radians(80), 0.3, math.radians(-25), (200, 160))])
def test_the_depth_is_that_of_rays_worked_out_one_by_one(lens: Lens) -> None:
    """In a room of walls and pillars every pixel is as far as its own ray says, but at edges."""
    room = arena(walls=[(0.5, -1, 0.5, 0.7)], discs=[(-0.5, 0.8, 0.2), (1.2, 1.1, 0.1)])
    bearing, rise = rays(lens)
    chance = random.Random(7)
    for _ in range(4):
        x, y, heading = chance.uniform(-1.5, 0), chance.uniform(-1.5, 0), chance.uniform(-math.pi, math.pi)
        depth = Scene(room, lens).view(x, y, heading).depth_m
        rows, cols = np.array(
            [(chance.randrange(lens.size[1]), chance.randrange(lens.size[0])) for _ in range(500)]
        ).T
        upright = Rays(room).cast(x, y, bearing[rows, cols] + heading)
        slope = rise[rows, cols]
        flat = np.where(slope < 0, -lens.height_m / slope, (CEILING_M - lens.height_m) / slope)
        off = np.abs(depth[rows, cols] / np.minimum(upright, flat) - 1)
        assert np.quantile(off, 0.97) < 0.01


@pytest.mark.parametrize("shape", ["box", "ball", "cylinder"])
def test_a_thing_is_where_the_lens_says(shape: str) -> None:
    """Its middle is red and as far as its near side; just beyond its edges nothing is."""
    thing = {"colour": "red", "shape": shape, "x": 0.4, "y": 0.3, "radius_m": 0.1, "height_m": 0.2}
    view = Scene(arena(objects=[thing]), LENS).view(-0.8, -0.2, 0.5)
    away, bearing = math.dist((-0.8, -0.2), (0.4, 0.3)), math.atan2(0.5, 1.2) - 0.5
    middle = LENS.point(bearing, away, 0.1)
    assert middle
    col, row = int(middle[0]), int(middle[1])
    red = red_pixels(view)
    assert red[row, col]
    assert view.depth_m[row, col] == pytest.approx(away - 0.1, abs=0.031)  # a box's side may stand askew
    half = math.asin(0.1 / away)
    columns = np.flatnonzero(red.any(axis=0))
    edges = [LENS.point(bearing + side * half, away, 0.1) for side in (1, -1)]
    assert all(edges)
    shrinks = 0.3 * (edges[1][0] - edges[0][0]) if shape == "box" else 2.5
    assert -1 <= columns[0] - edges[0][0] <= shrinks
    assert -1 <= edges[1][0] - columns[-1] <= shrinks + 1


def test_what_stands_before_hides_what_stands_behind() -> None:
    """A wall hides a thing; a thing nearer than another covers it, whatever their order in the file."""
    assert not red_pixels(Scene(arena(objects=[RED], walls=[(0, -1, 0, 1)]), LENS).view(-1, 0, 0)).any()
    blue = {"colour": "blue", "shape": "cylinder", "x": 0.3, "y": 0.0, "radius_m": 0.3, "height_m": 0.6}
    for things in ([RED, blue], [blue, RED]):
        assert not red_pixels(Scene(arena(objects=things), LENS).view(-1, 0, 0)).any()
    assert red_pixels(Scene(arena(objects=[RED]), LENS).view(-1, 0, 0)).any()


def test_a_thing_is_in_the_way_and_a_poster_is_not() -> None:
    """Body, range sensors, ways and the check of an arena know things as discs; posters only cameras see."""
    room = arena(objects=[RED], posters=[{"at": (0, -1, 0, 1), "text": "STOP"}])
    assert clearance(room, 0.5, 0.0) == pytest.approx(0.4)
    assert Rays(room).cast(-1, 0, np.array([0.0]))[0] == pytest.approx(1.9)
    assert "is 0.000 m from an obstacle" in str(
        solvable(room.model_copy(update={"goal": room.start.model_copy(update={"x": 1.0})}))
    )
    assert Scene(room, LENS).view(-1, 0, 0).depth_m[60, 160] == pytest.approx(1.0, abs=0.01)


def test_a_poster_reads_from_left_to_right() -> None:
    """Its dark letters begin at its left edge, however its place is written down."""
    for at in ((1.9, -1, 1.9, 1), (1.9, 1, 1.9, -1)):
        view = Scene(arena(posters=[{"at": at, "text": "A", "top_m": 0.5}]), LENS).view(0, 0, 0)
        bright = view.rgb.sum(axis=2, dtype=int)
        sheet = (view.depth_m < 1.95 / math.cos(0.6)) & (view.depth_m >= 1.9) & (bright < 150)
        assert sheet.any()
        assert np.flatnonzero(sheet.any(axis=0)).mean() < 160


def test_pictures_repeat_to_the_byte() -> None:
    """Seed, time and place make a picture; another of any of them makes another."""
    room = load_arena("playroom")
    moment = Moment(1200, -2.0, -1.4, 0.4, room)
    first = Photographer(LENS, 3).jpeg(moment)
    assert first == Photographer(LENS, 3).jpeg(moment)
    others = [(4, moment), (3, moment._replace(ms=1201)), (3, moment._replace(heading=0.41))]
    assert all(first != Photographer(LENS, seed).jpeg(other) for seed, other in others)


def test_the_camera_is_served_as_a_real_one() -> None:
    """The client for real cameras gets stills and the stream; what the picture shows is the present place."""
    moment = Moment(0, -2.0, -1.4, 0.4, load_arena("playroom"))
    here = [moment]
    photographer = Photographer(LENS, 0)
    with closing(CameraServer(photographer, lambda: here[0])) as server:
        assert take_picture(f"{server.url}/capture").jpeg == photographer.jpeg(moment)
        here[0] = moment._replace(ms=500, x=-1.9)
        assert take_picture(f"{server.url}/capture").jpeg == photographer.jpeg(here[0])
        with urllib.request.urlopen(f"{server.url}/status") as answer:
            assert json.load(answer) == {"width": 320, "height": 240, "ms": 500}
        with Camera(f"{server.url}/stream") as camera:
            while (newest := camera.newest()) is None:
                pass
            assert newest.jpeg == photographer.jpeg(here[0])
        with pytest.raises(CameraError, match="it answers 404 Not Found; correct the address"):
            take_picture(f"{server.url}/nothing")
        with pytest.raises(CameraError, match="which is no JPEG"):
            take_picture(f"{server.url}/status")
    with pytest.raises(CameraError, match="see that it is on and in this network"):
        take_picture(f"{server.url}/capture")
