"""The classical detector: things by colour and shape, and the free ground below them.

Colours are ranges of hue; what hangs together in one of them is a thing if it stands on the ground: the
ground, known by its tint at the picture's lower edge, has to end where the thing begins. Its lower edge then
tells its distance (the ground-plane constraint; e.g. Horswill 1993, Polly). All with numpy; Pillow decodes.
"""

import io
import math
import time
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from llmos.camera import Picture
from llmos.eyes.lens import Lens
from llmos.eyes.vision_frame import (
    DEPTH_CM,
    MOST_DETECTIONS,
    REGIONS,
    Detection,
    Region,
    SceneSeen,
    VisionFrame,
    nothing_seen,
    region_of,
)

# where each colour's hue begins, in degrees; red goes on at 0
HUES = {"red": 0, "orange": 15, "yellow": 40, "green": 75, "blue": 185, "purple": 255}
RED_AGAIN = 335
CYAN = 172, 185  # between green and blue nothing is named
SHAPES = ("box", "ball", "cylinder")
LEAST_SATURATION, LEAST_VALUE = 125, 30  # of 255
LEAST_PX = 40  # a smaller patch is noise
FLOOR_ROWS = 16  # at the picture's lower edge, where the ground is free before a robot that stands
FLOOR_TINT = 0.024  # from the ground's share of red and of blue
FLOOR_GAP = 3  # rows of something else that end the ground
COLUMNS = 16  # in which the ground is told
GAP_PX, GAP_SHARE = (
    3,
    0.12,
)  # a thing stands on the ground where so little lies between, rows or of its height
NEAREST_PART = 85  # percentile of the ends of the ground below a thing: a corner stands before its sides
BALL_FILL = 0.70, 0.86  # a disc fills 0.785 of its box
BALL_ASPECT = 0.8, 1.25
CAP, CAP_FILL = 0.15, 0.72  # of a disc's box, the upper 0.15 is filled to 0.48
TALL = 1.12  # a cylinder is higher than wide, a box is not
BLOCKED_M, OPEN_M = 0.8, 1.2  # ground that ends nearer is blocked, ground that goes on further is open
MOST_PIXELS = 4_000_000

Floats = NDArray[np.float64]
Rows = NDArray[np.intp]
Numbers = NDArray[np.uint8]


class Patch(NamedTuple):
    """Pixels of one colour that hang together: edges in pixels, right and bottom excluded."""

    colour: str
    left: int
    top: int
    right: int
    bottom: int
    area: int


class ColourDetector:
    """Finds coloured boxes, balls and cylinders; see the module."""

    name = "colour"

    def __init__(self, lens: Lens) -> None:
        self._lens = lens

    def __call__(self, picture: Picture, wanted: str, deadline_s: float) -> VisionFrame:
        """Look at a picture; see `Detector`. What is looked for makes no difference."""
        began = time.perf_counter()
        try:
            with Image.open(io.BytesIO(picture.jpeg)) as image:
                if image.size[0] * image.size[1] > MOST_PIXELS:
                    return nothing_seen(f"the picture is too large: {image.size}")
                rgb = image.convert("RGB")
        except (UnidentifiedImageError, OSError, ValueError, Image.DecompressionBombError) as error:
            return nothing_seen(f"the picture cannot be read: {error}")
        if rgb.size != self._lens.size:
            rgb = rgb.resize(self._lens.size)
        frame = self._look(rgb)
        return frame.model_copy(update={"processing_ms": round(1000 * (time.perf_counter() - began), 1)})

    def close(self) -> None:
        """Nothing is held."""

    def _look(self, image: Image.Image) -> VisionFrame:
        ground = floor_ends(np.asarray(image, np.float32))
        numbers = colour_numbers(image)
        found = [self._detect(patch, numbers, ground) for patch in patches(numbers)]
        things = sorted((one for one in found if one), key=lambda one: -one.confidence)
        lens = self._lens
        columns = np.array_split(np.arange(lens.size[0]), COLUMNS)
        free = tuple(self._floor_m(int(c[len(c) // 2]), ground[c]) for c in columns)
        return VisionFrame(
            detections=tuple(things[:MOST_DETECTIONS]),
            scene=scene_of(free, ground, lens.size[1]),
            floor_m=free,
            image_size=lens.size,
        )

    def _floor_m(self, column: int, ends: Rows) -> float:
        """Return how far the ground is free in a column of the picture."""
        row = float(np.max(ends))  # the nearest end
        return round(min(self._lens.ground_m(column, row), 10.0), 3) if row < self._lens.size[1] else 0.0

    def _detect(self, patch: Patch, numbers: Numbers, ground: Rows) -> Detection | None:
        """Return what a patch is; None where it does not stand on the ground."""
        width, height = self._lens.size
        high = patch.bottom - patch.top
        gap = float(np.percentile(ground[patch.left : patch.right], NEAREST_PART)) - patch.bottom
        cut = patch.left <= 1 or patch.right >= width - 1 or patch.bottom >= height - 1 or patch.top <= 0
        if gap > max(GAP_PX, GAP_SHARE * high) and patch.bottom < height - 1:
            return None
        shape = "" if cut else shape_of(patch, numbers)
        near_m, width_m = self._ball(patch) if shape == "ball" else self._upright(patch)
        if not math.isfinite(near_m):
            return None
        box = (patch.left / width, patch.top / height, patch.right / width, patch.bottom / height)
        sure = (0.95 if shape else 0.6) * min(1.0, 0.5 + patch.area / 400)
        return Detection(
            label=f"{patch.colour} {shape}".strip(),
            confidence=round(sure, 2),
            bbox=box,
            estimated_depth_cm=round(min(max(100 * near_m, DEPTH_CM[0]), DEPTH_CM[1]), 1),
            depth_method="floor_position",
            estimated_width_cm=round(min(max(100 * width_m, 0.1), 1000.0), 1),
            region=region_of(box),
        )

    def _upright(self, patch: Patch) -> tuple[float, float]:
        """Return the way to a standing thing's near side, and its width, in m."""
        lens, middle = self._lens, (patch.left + patch.right) / 2
        near_m = lens.ground_m(middle, patch.bottom)
        row = (patch.top + patch.bottom) / 2
        half = (lens.direction(patch.left, row)[0] - lens.direction(patch.right, row)[0]) / 2
        return near_m, 2 * near_m * math.sin(half) / (1 - math.sin(half))

    def _ball(self, patch: Patch) -> tuple[float, float]:
        """Return the same of a ball on the ground: its upper and lower tangents give size and place."""
        lens, middle = self._lens, (patch.left + patch.right) / 2
        top, bottom = (-lens.direction(middle, row)[1] for row in (patch.top, patch.bottom))
        half, below = (bottom - top) / 2, (bottom + top) / 2
        radius = lens.height_m / (1 + math.sin(below) / math.sin(half))
        if radius <= 0:
            return math.inf, 0.0
        return radius / math.sin(half) * math.cos(below) - radius, 2 * radius


def shape_of(patch: Patch, numbers: Numbers) -> str:
    """Return the shape of a patch that is seen whole; of all, only a ball is round above."""
    wide, high = patch.right - patch.left, patch.bottom - patch.top
    fill, aspect = patch.area / (wide * high), high / wide
    cap = numbers[patch.top : patch.top + max(1, round(CAP * high)), patch.left : patch.right]
    round_ = (cap == list(HUES).index(patch.colour) + 1).mean() < CAP_FILL
    if round_ and BALL_FILL[0] <= fill <= BALL_FILL[1] and BALL_ASPECT[0] <= aspect <= BALL_ASPECT[1]:
        return "ball"
    if fill < BALL_FILL[0]:
        return ""
    return "cylinder" if aspect > TALL else "box"


def scene_of(floor_m: tuple[float, ...], ends: Rows, height: int) -> SceneSeen:
    """Return what the free ground says about the ways ahead."""
    thirds = dict(zip(REGIONS, np.array_split(np.array(floor_m), len(REGIONS)), strict=True))
    blocked: list[Region] = [name for name in REGIONS if float(np.min(thirds[name])) < BLOCKED_M]
    openings: list[Region] = [name for name in REGIONS if float(np.min(thirds[name])) > OPEN_M]
    share = float((height - ends).mean()) / height
    return SceneSeen(
        openings=tuple(openings),
        blocked=tuple(blocked),
        floor_visible_percent=round(100 * min(max(share, 0.0), 1.0), 1),
        environment="indoor",
        dominant_surface="floor" if share > 0.5 else "wall",
    )


def colour_numbers(image: Image.Image) -> Numbers:
    """Return for each pixel the number of its colour, from 1 on; 0 for none."""
    hsv = np.asarray(image.convert("HSV"))
    named = np.zeros(256, np.uint8)
    for hue in range(256):
        degrees = hue * 360 / 256
        if not CYAN[0] <= degrees < CYAN[1]:
            named[hue] = 1 if degrees >= RED_AGAIN else sum(degrees >= begin for begin in HUES.values())
    strong = (hsv[..., 1] >= LEAST_SATURATION) & (hsv[..., 2] >= LEAST_VALUE)
    return np.where(strong, named[hsv[..., 0]], 0).astype(np.uint8)


def patches(numbers: Numbers) -> list[Patch]:
    """Return the patches of one colour that are large enough, found by their runs in each row."""
    rows, width = numbers.shape
    wide = np.zeros((rows, width + 1), np.uint8)
    wide[:, :width] = numbers
    flat = wide.ravel()
    starts = np.flatnonzero(np.diff(flat, prepend=0))
    runs = starts[flat[starts] > 0]
    after = starts[np.searchsorted(starts, runs, "right")]  # each row ends with a 0, so there is one
    long = after - runs >= 2
    runs, after = runs[long], after[long]
    table = zip((runs // (width + 1)).tolist(), (runs % (width + 1)).tolist(),
                (after - runs).tolist(), flat[runs].tolist(), strict=True)  # fmt: skip
    return _joined([(row, left, left + size, number) for row, left, size, number in table])


def _joined(runs: list[tuple[int, int, int, int]]) -> list[Patch]:
    """Join runs (row, left, right, colour) that touch those of the row above."""
    names = list(HUES)
    parts: list[list[int]] = []  # of each patch: colour, left, top, right, bottom, area
    owner: dict[int, int] = {}  # patch -> the patch that it has been joined to
    above: list[tuple[int, int, int]] = []
    row_now, here = -1, list[tuple[int, int, int]]()

    def find(part: int) -> int:
        while part in owner:
            part = owner[part]
        return part

    for row, left, right, colour in runs:
        if row != row_now:
            above, here, row_now = (here if row == row_now + 1 else []), [], row
        mine = -1
        for other_left, other_right, part in above:
            part = find(part)
            if other_left < right and left < other_right and parts[part][0] == colour and part != mine:
                mine = part if mine < 0 else _merge(parts, owner, mine, part)
        if mine < 0:
            mine = len(parts)
            parts.append([colour, left, row, right, row + 1, 0])
        whole = parts[mine]
        whole[1], whole[3], whole[4] = min(whole[1], left), max(whole[3], right), row + 1
        whole[5] += right - left
        here.append((left, right, mine))
    kept = [part for number, part in enumerate(parts) if number not in owner and part[5] >= LEAST_PX]
    return [Patch(names[colour - 1], *rest) for colour, *rest in kept]


def _merge(parts: list[list[int]], owner: dict[int, int], into: int, other: int) -> int:
    """Put one patch into another, and return that."""
    owner[other] = into
    a, b = parts[into], parts[other]
    a[1:] = [min(a[1], b[1]), min(a[2], b[2]), max(a[3], b[3]), max(a[4], b[4]), a[5] + b[5]]
    return into


def floor_ends(rgb: NDArray[np.float32]) -> Rows:
    """Return for each column the row above which something else than the ground begins.

    The ground has the tint that most of the lower edge has; where that is no dull one, all is taken as
    blocked.
    """
    height = rgb.shape[0]
    sums = rgb.sum(axis=2) + 1
    red, blue = rgb[..., 0] / sums, rgb[..., 2] / sums
    own_red, own_blue = (float(np.median(one[-FLOOR_ROWS:])) for one in (red, blue))
    if abs(own_red - 1 / 3) > 0.17 or abs(own_blue - 1 / 3) > 0.17:
        return np.full(rgb.shape[1], height, np.intp)
    other = (np.abs(red - own_red) > FLOOR_TINT) | (np.abs(blue - own_blue) > FLOOR_TINT)
    up = other[::-1]  # from the lower edge
    ends = up.copy()
    for shift in range(1, FLOOR_GAP):
        ends[:-shift] &= up[shift:]
        ends[-shift:] = True
    first = ends.argmax(axis=0)
    return np.asarray(height - first, np.intp)
