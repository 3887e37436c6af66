"""Pictures: a PNG that decodes, an SVG that parses and shows what it was told, a map for a terminal."""

import re
import struct
import zlib
from xml.etree import ElementTree

import numpy as np
import pytest

from llmos.world.candidates import Candidate
from llmos.world.draw import CANDIDATE, GOAL, ROBOT, RunRecord, live_map, map_png, run_svg
from llmos.world.grid import Grid

POSE = (0.4, 0.3, 0.8)
ONE = Candidate("c1", "frontier", (1.05, 1.05), 0.5, 1.0, "", (35, 35))


def seen():
    """A grid with something of everything."""
    grid = Grid()
    grid.logodds[10:40, 10:40] = -2.9
    grid.logodds[10, 10:40] = grid.logodds[20:23, 20:23] = 4.0
    grid.mark_visited(0.35, 0.35, 0.075, 0)
    return grid


def decoded(data):
    """The palette indices of a PNG."""
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    at, parts = 8, {}
    while at < len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        body = data[at + 8 : at + 8 + size]
        assert struct.unpack_from(">I", data, at + 8 + size)[0] == zlib.crc32(kind + body)
        parts[kind], at = body, at + 12 + size
    width, height, depth, colour = struct.unpack_from(">IIBB", parts[b"IHDR"])
    assert (depth, colour) == (8, 3)
    lines = np.frombuffer(zlib.decompress(parts[b"IDAT"]), np.uint8).reshape(height, width + 1)
    assert not lines[:, 0].any()
    assert lines.max() < len(parts[b"PLTE"]) / 3
    return lines[:, 1:]


def test_the_png_is_500_pixels_square_and_shows_its_marks():
    pixels = decoded(map_png(seen(), POSE, [ONE], (-1.0, -1.0)))
    assert pixels.shape == (500, 500)
    assert pixels[250 - 30, 250 + 40] == ROBOT
    assert pixels[250 + 100, 250 - 100] == GOAL
    assert CANDIDATE in pixels[250 - 115 : 250 - 95, 250 + 95 : 250 + 115]
    assert pixels[5, 7] == 0  # unknown


@pytest.mark.parametrize("size", [(5.0, 5.0), (12.0, 7.0), (0.5, 3.0)])
def test_the_png_takes_any_room_and_marks_outside_it(size):
    far = Candidate("c2", "frontier", (40.0, -40.0), 0.5, 1.0, "", (0, 0))
    corner = (size[0] / 2, size[1] / 2)
    assert decoded(map_png(Grid(size), (-6.0, 6.0, 2.0), [far], corner)).shape == (500, 500)


def test_the_png_costs_little():
    assert len(map_png(seen(), POSE, [ONE], None)) < 20_000


@pytest.mark.parametrize("width", [25, 40, 80])
@pytest.mark.parametrize("size", [(5.0, 5.0), (12.0, 7.0), (1.0, 0.5)])
def test_the_live_map_keeps_its_width(width, size):
    lines = live_map(Grid(size), (0, 0, 0), [(0, 0), (0.2, 0.1)], [ONE], (0.1, 0.1), width).splitlines()
    plain = [re.sub("\x1b\\[[0-9;]*m", "", line) for line in lines]
    assert {len(line) for line in plain} == {min(width, round(size[0] * 10))}
    assert all(line.endswith("\x1b[0m") for line in lines)


def test_the_live_map_shows_robot_goal_and_candidates():
    text = live_map(seen(), POSE, [], [ONE], (-1.0, -1.0), 40)
    assert all(sign in text for sign in ("↗", "G", "1"))


def record(**changes):
    """A run with everything in it."""
    given = {
        "title": "drive to <b> & back", "outcome": "reached", "size_m": (5.0, 5.0),
        "walls": [(0.0, -1.0, 0.0, 2.0)], "discs": [(1.0, 1.0, 0.2)], "start": (-1.5, -1.5, 0.7),
        "goal": (1.5, 1.5), "tolerance_m": 0.3, "radius_m": 0.075, "grid": seen(),
        "planned": [[(-1.5, -1.5), (0.0, -1.2)]], "believed": [(-1.5, -1.5), (0.0, -1.2)],
        "truth": [(-1.5, -1.5), (0.0, -1.2)], "candidates": [ONE], "stops": [((0.0, -1.2), "guard <g0>")],
        "end": POSE,
    }  # fmt: skip
    return RunRecord(**(given | changes))


def test_the_picture_of_a_run_parses_and_names_what_it_shows():
    root = ElementTree.fromstring(run_svg(record()))
    texts = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
    assert "drive to <b> & back" in texts
    assert {"wall", "disc", "planned", "driven", "frontier offered", "stopped early"} <= set(texts)
    assert "subgoal offered" not in texts
    assert "guard <g0>" in [element.text for element in root.iter("{http://www.w3.org/2000/svg}title")]


def test_the_picture_of_a_run_that_never_began_parses():
    nothing = dict.fromkeys(("walls", "discs", "planned", "believed", "truth", "candidates", "stops"), ())
    bare = record(**nothing, goal=None, end=None)
    texts = [element.text for element in ElementTree.fromstring(run_svg(bare)).iter() if element.text]
    assert not {"disc", "planned", "driven", "goal and tolerance"} & set(texts)


def test_one_place_offered_in_every_cycle_is_drawn_once():
    assert run_svg(record(candidates=[ONE] * 100)).count('class="frontier"') == 2  # and once in the legend


def test_long_titles_are_cut():
    title = ElementTree.fromstring(run_svg(record(title="x" * 5000))).find("{http://www.w3.org/2000/svg}text")
    assert len(title.text) == 90
