"""An arena as a camera sees it: a ray for each pixel, textured walls, floor, ceiling, and coloured things.

All that stands upright is met in plan: rays of one bearing share their way over the ground, whatever their
slope (as in ray casters since Wolfenstein 3D, but with the pinhole's true directions, so that a camera may
look down). Balls are met pixel by pixel.
"""

import functools
import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from llmos.eyes.lens import Lens
from llmos.sim.arena import Arena, Poster, Thing, Wall

CEILING_M = 0.8
TILE_M = 0.5  # tiles are as large as the grid that models are told of
LINE_M = 0.02  # between two tiles
NEAREST_M = 0.01
BINS_PER_PIXEL = 2  # bearings that are met in plan
FADE_M = 12.0  # light falls by half so far away
PAPER = 192, 144  # texels of a poster
SUN = (0.48, 0.36, 0.80)  # towards the light
AMBIENT = 0.55

COLOURS = {
    "red": (205, 35, 30), "green": (40, 150, 55), "blue": (35, 75, 200), "yellow": (230, 205, 30),
    "orange": (235, 120, 20), "purple": (130, 50, 160), "white": (235, 235, 232), "grey": (128, 128, 128),
    "black": (28, 28, 30),
    "wall": (190, 192, 196), "floor": (158, 144, 122), "ceiling": (222, 222, 218), "pillar": (168, 166, 162),
}  # fmt: skip
INDEX = {name: number for number, name in enumerate(COLOURS)}
PALETTE = np.array(list(COLOURS.values()), np.float32)

Floats = NDArray[np.float32]
Bytes = NDArray[np.uint8]
Doubles = NDArray[np.float64]
Numbers = NDArray[np.intp]


class View(NamedTuple):
    """A picture (rows, columns, RGB), and the truth: each pixel's way over the ground to what it shows, m."""

    rgb: Bytes
    depth_m: Floats


class Scene:
    """Draws an arena through a lens."""

    def __init__(self, arena: Arena, lens: Lens) -> None:
        self._arena, self._lens = arena, lens
        bearing, self._slope = _rays(lens)
        low, high = float(bearing.min()), float(bearing.max())
        count = BINS_PER_PIXEL * lens.size[0]
        self._bins = np.linspace(low, high, 2 * count + 1)[1::2]  # their middles
        share = (bearing - low) * (count / (high - low))
        self._bin: Numbers = np.minimum(share.astype(np.intp), count - 1)
        with np.errstate(divide="ignore"):
            down = np.where(self._slope < 0, lens.height_m / -self._slope, np.inf)
            up = np.where(self._slope > 0, (CEILING_M - lens.height_m) / self._slope, np.inf)
        self._flat_m = np.minimum(down, up).astype(np.float32)
        self._walls = np.array([*arena.segments, *(poster.at for poster in arena.posters)], float)

    def view(self, x: float, y: float, heading: float) -> View:
        """Return what is seen from a place (m, m, rad counter-clockwise from east)."""
        canvas = _Canvas((x, y, heading), self._lens.height_m, self._bins, self._bin, self._slope)
        self._paint_room(canvas)
        for poster in self._arena.posters:
            self._paint_poster(canvas, poster)
        for disc in self._arena.discs:
            _paint_upright(canvas, _around(canvas, *disc), CEILING_M, "pillar")
        for thing in self._arena.objects:
            _paint_thing(canvas, thing)
        return canvas.view()

    def _paint_room(self, canvas: "_Canvas") -> None:
        """Paint ground, ceiling and the walls behind them."""
        met = _segments(canvas, np.array(self._arena.segments, float))
        wall_m = met.near_m.astype(np.float32)[self._bin]
        walls = wall_m < self._flat_m
        depth = np.minimum(wall_m, self._flat_m)
        canvas.depth_m[:] = depth
        canvas.colour[:] = np.where(
            walls, INDEX["wall"], np.where(self._slope < 0, INDEX["floor"], INDEX["ceiling"])
        )
        floor = ~walls & (self._slope < 0)
        away, turn = depth[floor], canvas.turn[self._bin[floor]]
        canvas.tone[floor] = _ground(
            self._arena.look.floor, canvas.x + away * turn.real, canvas.y + away * turn.imag
        )
        bins = self._bin[walls]
        up = self._lens.height_m + self._slope[walls] * wall_m[walls]
        canvas.tone[walls] = met.light[bins] * _masonry(self._arena.look.walls, met.along_m[bins], up)

    def _paint_poster(self, canvas: "_Canvas", poster: Poster) -> None:
        """Hang a sheet in front of the walls, where it is not behind one."""
        met = _segments(canvas, np.array([poster.at], float))
        near = met.near_m.astype(np.float32)[self._bin]
        up = self._lens.height_m + self._slope * near
        seen = (near < canvas.depth_m + 0.03) & (up > poster.bottom_m) & (up < poster.top_m)
        if not seen.any():
            return
        sheet = _sheet(poster.text)
        along = met.along_m[self._bin[seen]] / math.dist(poster.at[:2], poster.at[2:])
        along = along if canvas.sees_to_the_right(poster.at) else 1 - along
        high = (poster.top_m - up[seen]) / (poster.top_m - poster.bottom_m)
        columns = np.clip(along * PAPER[0], 0, PAPER[0] - 1).astype(np.intp)
        rows = np.clip(high * PAPER[1], 0, PAPER[1] - 1).astype(np.intp)
        canvas.depth_m[seen] = near[seen]
        canvas.colour[seen] = INDEX[poster.colour]
        canvas.tone[seen] = sheet[rows, columns]


class _Canvas:
    """What has been painted so far: for each pixel a colour's number, its tone and its depth."""

    def __init__(
        self, pose: tuple[float, float, float], height_m: float, bins: Doubles, number: Numbers, slope: Floats
    ) -> None:
        self.x, self.y, heading = pose
        self.height_m, self.bin, self.slope = height_m, number, slope
        self.turn = np.exp(1j * (bins + heading))  # direction of each bearing in plan
        shape = self.slope.shape
        self.colour = np.zeros(shape, np.uint8)
        self.tone = np.ones(shape, np.float32)
        self.depth_m = np.full(shape, np.inf, np.float32)

    def view(self) -> View:
        """Light it, and return the picture."""
        light = self.tone / (1 + self.depth_m / np.float32(FADE_M))
        rgb = PALETTE[self.colour]
        rgb *= light[..., None]
        return View(np.clip(rgb, 0, 255, out=rgb).astype(np.uint8), self.depth_m)

    def sees_to_the_right(self, segment: Wall) -> bool:
        """Whether a segment's end is seen to the right of its start."""
        start, end = (complex(x - self.x, y - self.y) for x, y in (segment[:2], segment[2:]))
        return (start.conjugate() * end).imag < 0

    def columns(self, first: int, last: int) -> slice:
        """Return the columns of the picture that hold the bearings from one number to another."""
        low, high = self.bin.min(axis=0), self.bin.max(axis=0)
        hit = np.flatnonzero((high >= first) & (low <= last))
        return slice(int(hit[0]), int(hit[-1]) + 1) if len(hit) else slice(0, 0)


class _Met(NamedTuple):
    """Where bearings meet something upright: near and far side in m, place along it in m, light on it."""

    near_m: Doubles
    far_m: Doubles
    along_m: Doubles
    light: Doubles


def _rays(lens: Lens) -> tuple[Floats, Floats]:
    """Return each pixel's bearing (rad, counter-clockwise from ahead) and slope (rise over way)."""
    right = np.arange(lens.size[0]) + 0.5 - lens.size[0] / 2
    down = (np.arange(lens.size[1]) + 0.5 - lens.size[1] / 2)[:, None]
    ahead = lens.focal_px * math.cos(lens.pitch) + down * math.sin(lens.pitch)
    up = lens.focal_px * math.sin(lens.pitch) - down * math.cos(lens.pitch)
    bearing = np.arctan2(-right[None, :], ahead)
    return bearing.astype(np.float32), (up / np.hypot(ahead, right[None, :])).astype(np.float32)


def _light(normal: NDArray[np.complex128]) -> Doubles:
    """Return the light on upright faces with these normals."""
    facing = normal.real * SUN[0] + normal.imag * SUN[1]
    return AMBIENT + (1 - AMBIENT) * np.maximum(0.0, facing) + 0.12 * (facing > 0) + 0.05


def _segments(canvas: _Canvas, segments: Doubles) -> _Met:
    """Return where each bearing meets the nearest of some segments; infinitely far where none."""
    start = segments[:, 0] + 1j * segments[:, 1] - complex(canvas.x, canvas.y)
    edge = segments[:, 2] + 1j * segments[:, 3] - segments[:, 0] - 1j * segments[:, 1]
    turn = canvas.turn[:, None]
    across = turn.real * edge.imag - turn.imag * edge.real
    across[np.abs(across) < 1e-12] = np.nan
    along = (start.real * turn.imag - start.imag * turn.real) / across
    away = (start.real * edge.imag - start.imag * edge.real) / across
    away = np.where((along >= -1e-9) & (along <= 1 + 1e-9) & (away >= NEAREST_M), away, np.inf)
    which = away.argmin(axis=1)
    rows = np.arange(len(which))
    normal = (edge * 1j / np.abs(edge))[which]
    towards = np.where((normal * canvas.turn.conj()).real > 0, -normal, normal)
    near = away[rows, which]
    length = np.abs(edge)[which]
    place = np.nan_to_num(along[rows, which]) * length
    return _Met(near, near, place, _light(towards))


def _around(canvas: _Canvas, x: float, y: float, radius: float) -> _Met:
    """Return where each bearing meets an upright cylinder."""
    towards = (complex(x - canvas.x, y - canvas.y)) * canvas.turn.conj()
    square = radius * radius - towards.imag**2
    half = np.sqrt(np.maximum(square, 0))
    near = np.where((square > 0) & (towards.real > 0), np.maximum(towards.real - half, NEAREST_M), np.inf)
    normal = (np.where(np.isfinite(near), near, 0.0) - towards) * canvas.turn / radius
    return _Met(near, towards.real + half, near, _light(normal))


def _box(canvas: _Canvas, x: float, y: float, radius: float) -> _Met:
    """Return where each bearing meets an upright box with sides along x and y and corners on a circle."""
    half = radius / math.sqrt(2)
    with np.errstate(divide="ignore", invalid="ignore"):
        inverse_x, inverse_y = 1 / canvas.turn.real, 1 / canvas.turn.imag
        xs = ((x - half - canvas.x) * inverse_x, (x + half - canvas.x) * inverse_x)
        ys = ((y - half - canvas.y) * inverse_y, (y + half - canvas.y) * inverse_y)
    enter_x, enter_y = np.minimum(*xs), np.minimum(*ys)
    near, far = np.maximum(enter_x, enter_y), np.minimum(np.maximum(*xs), np.maximum(*ys))
    normal = np.where(enter_x > enter_y, -np.sign(canvas.turn.real), -1j * np.sign(canvas.turn.imag))
    near = np.where((near < far) & (far > 0), np.maximum(near, NEAREST_M), np.inf)
    return _Met(near, far, near, _light(normal))


def _paint_upright(canvas: _Canvas, met: _Met, height_m: float, colour: str) -> None:
    """Paint something upright with a flat top."""
    hit = np.flatnonzero(np.isfinite(met.near_m))
    if not len(hit):
        return
    columns = canvas.columns(int(hit[0]), int(hit[-1]))
    bins, slope = canvas.bin[:, columns], canvas.slope[:, columns]
    near, far = met.near_m.astype(np.float32)[bins], met.far_m.astype(np.float32)[bins]
    depth = canvas.depth_m[:, columns]
    at = canvas.height_m + slope * np.where(np.isfinite(near), near, 0)
    side = (at >= 0) & (at <= height_m) & (near < depth)
    _put(canvas, columns, side, near, met.light.astype(np.float32)[bins], colour)
    if canvas.height_m > height_m:
        with np.errstate(divide="ignore"):
            top_m = np.where(slope < 0, (height_m - canvas.height_m) / slope, np.inf)
        top = (top_m >= near) & (top_m <= far) & (top_m < depth)
        _put(canvas, columns, top, top_m, np.full_like(top_m, 1.15), colour)


def _put(
    canvas: _Canvas, columns: slice, where: NDArray[np.bool_], depth: Floats, tone: Floats, colour: str
) -> None:
    canvas.depth_m[:, columns][where] = depth[where]
    canvas.tone[:, columns][where] = tone[where]
    canvas.colour[:, columns][where] = INDEX[colour]


def _paint_ball(canvas: _Canvas, thing: Thing) -> None:
    """Paint a ball that lies on the ground."""
    met = _around(canvas, thing.x, thing.y, thing.radius_m)
    hit = np.flatnonzero(np.isfinite(met.near_m))
    if not len(hit):
        return
    columns = canvas.columns(int(hit[0]), int(hit[-1]))
    slope = canvas.slope[:, columns]
    turn = canvas.turn[canvas.bin[:, columns]].astype(np.complex64)
    middle, up = complex(thing.x - canvas.x, thing.y - canvas.y), thing.radius_m - canvas.height_m
    ahead = turn.real * middle.real + turn.imag * middle.imag + slope * up
    length2 = 1 + slope * slope
    square = ahead * ahead - length2 * (abs(middle) ** 2 + up * up - thing.radius_m**2)
    near = (ahead - np.sqrt(np.maximum(square, 0))) / length2
    seen = (square > 0) & (near > NEAREST_M) & (near < canvas.depth_m[:, columns])
    normal = (near * turn - middle) / thing.radius_m
    facing = normal.real * SUN[0] + normal.imag * SUN[1] + (near * slope - up) / thing.radius_m * SUN[2]
    _put(canvas, columns, seen, near, AMBIENT + 0.65 * np.maximum(0, facing), thing.colour)


def _paint_thing(canvas: _Canvas, thing: Thing) -> None:
    if thing.shape == "ball":
        _paint_ball(canvas, thing)
    else:
        meet = _box if thing.shape == "box" else _around
        _paint_upright(canvas, meet(canvas, thing.x, thing.y, thing.radius_m), thing.height_m, thing.colour)


def _ground(kind: str, x: Floats, y: Floats) -> Floats:
    """Return the tone of the floor at places of the arena."""
    if kind == "boards":
        board = np.floor(y / 0.125)
        gap = (y - board * 0.125 < 0.008) | ((x + board * 0.37) % 1.25 < 0.008)
        tone = 0.92 + 0.1 * ((board * 7) % 5) / 5
        return np.where(gap, 0.7, tone).astype(np.float32)
    column, row = np.floor(x / TILE_M), np.floor(y / TILE_M)
    line = (x - column * TILE_M < LINE_M) | (y - row * TILE_M < LINE_M)
    tone = np.where((column + row) % 2 > 0, np.float32(1.04), np.float32(0.94))
    return np.where(line, np.float32(0.72), tone).astype(np.float32)


def _masonry(kind: str, along: Doubles, up: Floats) -> Doubles:
    """Return the tone of a wall at places along it and above the ground."""
    if kind == "bricks":
        course = np.floor(up / 0.08)
        joint = (up - course * 0.08 < 0.012) | ((along + course * 0.1) % 0.2 < 0.012)
        return np.where(joint, 1.12, 0.9 + 0.05 * ((course * 3 + np.floor((along + course * 0.1) / 0.2)) % 3))
    if kind == "panels":
        return np.where((along % 0.6 < 0.02) | (np.abs(up - 0.3) < 0.01), 0.7, 1.0)
    return 1.0 + 0.03 * np.sin(along * 21) * np.sin(up * 33) - 0.15 * (up < 0.03)


@functools.lru_cache(maxsize=32)
def _sheet(text: str) -> Floats:
    """Return a poster's tones, rows from the top, with its text in dark letters."""
    for size in (22, 16, 12, 9):
        font = ImageFont.load_default(size)
        wrapped = _wrapped(text, font)
        image = Image.new("L", PAPER, 100)
        draw = ImageDraw.Draw(image)
        draw.multiline_text((4, 4), wrapped, 10, font)
        if draw.multiline_textbbox((4, 4), wrapped, font)[3] <= PAPER[1] - 4:
            break
    return np.asarray(image, np.float32) / np.float32(100)


def _wrapped(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> str:
    """Return text with its lines broken so that they fit on a poster."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if font.getlength(longer) > PAPER[0] - 8 and lines[-1]:
            lines.append(word)
        else:
            lines[-1] = longer
    return "\n".join(lines)
