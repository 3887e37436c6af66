"""Pictures of the world: a PNG for a model that sees, a live map for a terminal, an SVG of a whole run."""

import math
import struct
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from llmos.text import plain
from llmos.world.candidates import Candidate
from llmos.world.grid import FREE, OCCUPIED, Grid
from llmos.world.serialize import block_of, blocks, shrunk

Point = tuple[float, float]
Pose = tuple[float, float, float]
Bytes = NDArray[np.uint8]
Floats = NDArray[np.float64]

PNG_SIDE = 500
# One for each state, then the marks.
COLOURS = "b0b8c4 ffffff d65c2c 343c4a e2f0e4 78aae6 f0c83c c8be96  cdd3dc 14783c 1e5ac8 d21e32 ffffff"
GRID_LINE, ROBOT, CANDIDATE, GOAL, INK = range(8, 13)
DIGITS = {  # 3 x 5 dots, one octal digit a line, from the top
    "1": "26227", "2": "71747", "3": "71717", "4": "55711", "5": "74717",
    "6": "74757", "7": "71122", "8": "75757", "9": "75717", "0": "75557",
}  # fmt: skip


def map_png(grid: Grid, pose: Pose, candidates: Sequence[Candidate], goal: Point | None) -> bytes:
    """Return the map as a PNG of 500 x 500 pixels, north up: lines each metre, candidates, goal and robot."""
    canvas = Canvas(grid)
    canvas.metre_lines()
    for one in candidates:
        canvas.disc(one.pos_m, 9, CANDIDATE)
        canvas.digit(one.pos_m, one.id[-1:], INK)
    if goal:
        canvas.ring(goal, 12, 8, GOAL)
        canvas.disc(goal, 4, GOAL)
    canvas.arrow(pose, 14, ROBOT)
    return png(canvas.pixels, bytes.fromhex(COLOURS))


def png(pixels: Bytes, colours: bytes) -> bytes:
    """Return an image of indices into colours (three bytes each), rows from the top, as a PNG file."""
    height, width = pixels.shape
    lines = np.zeros((height, width + 1), np.uint8)  # each line begins with its filter, 0 for none
    lines[:, 1:] = pixels
    header = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)  # 8 bits, by palette
    data = zlib.compress(lines.tobytes(), 6)
    parts = ((b"IHDR", header), (b"PLTE", colours), (b"IDAT", data), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)


def chunk(kind: bytes, data: bytes) -> bytes:
    """Return one chunk of a PNG file."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


class Canvas:
    """A square image of palette indices over a grid; marks are placed in metres and measured in pixels."""

    def __init__(self, grid: Grid) -> None:
        side = max(grid.shape)
        self.per_m = PNG_SIDE / (side * grid.cell_m)
        at = np.arange(PNG_SIDE) * side // PNG_SIDE
        square = np.zeros((side, side), np.uint8)
        north, east = (side - grid.shape[0]) // 2, (side - grid.shape[1]) // 2
        square[north : north + grid.shape[0], east : east + grid.shape[1]] = grid.states()
        self.pixels: Bytes = square[::-1][np.ix_(at, at)]

    def spot(self, place: Point) -> Point:
        """Return a place in pixels: column and row from the top left."""
        return PNG_SIDE / 2 + place[0] * self.per_m, PNG_SIDE / 2 - place[1] * self.per_m

    def around(self, place: Point, reach: float) -> tuple[Bytes, Floats, Floats]:
        """Return the pixels near a place, and how far east and north of it each lies, in pixels."""
        col, row = self.spot(place)
        left, right = (min(max(int(col + way), 0), PNG_SIDE) for way in (-reach, reach + 2))
        top, bottom = (min(max(int(row + way), 0), PNG_SIDE) for way in (-reach, reach + 2))
        east: Floats = np.arange(left, right, dtype=np.float64) + 0.5 - col
        north: Floats = row - 0.5 - np.arange(top, bottom, dtype=np.float64)
        return self.pixels[top:bottom, left:right], east[None, :], north[:, None]

    def metre_lines(self) -> None:
        """Draw a line at each whole metre, under what is known to be occupied."""
        most = int(PNG_SIDE / 2 / self.per_m)
        for metre in range(-most, most + 1):
            at = min(int(PNG_SIDE / 2 + metre * self.per_m), PNG_SIDE - 1)
            for line in (self.pixels[at, :], self.pixels[:, at]):
                line[line < OCCUPIED] = GRID_LINE

    def ring(self, place: Point, outer: float, inner: float, colour: int) -> None:
        """Draw a ring between two radii."""
        pixels, east, north = self.around(place, outer)
        square = east**2 + north**2
        pixels[(square <= outer**2) & (square >= inner**2)] = colour

    def disc(self, place: Point, radius: float, colour: int) -> None:
        """Draw a filled disc."""
        self.ring(place, radius, 0.0, colour)

    def digit(self, place: Point, digit: str, colour: int) -> None:
        """Draw a digit, two pixels a dot."""
        col, row = (int(part) for part in self.spot(place))
        for line, bits in enumerate(DIGITS.get(digit, "")):
            for dot in range(3):
                if int(bits) >> (2 - dot) & 1:
                    top, left = max(0, row - 5 + 2 * line), max(0, col - 3 + 2 * dot)
                    self.pixels[top : top + 2, left : left + 2] = colour

    def arrow(self, pose: Pose, length: float, colour: int) -> None:
        """Draw a robot as an arrow head that points along its heading."""
        pixels, east, north = self.around(pose[:2], length)
        along = east * math.cos(pose[2]) + north * math.sin(pose[2])
        across = np.abs(east * math.sin(pose[2]) - north * math.cos(pose[2]))
        head = (along <= length) & (along >= -length * 0.7) & (across <= (length - along) * 0.45)
        notch = across < (-0.25 * length - along)
        pixels[head & ~notch] = colour


TONES = (245, 255, 166, 237, 194, 153, 220, 187)  # the 256 colours' numbers, by state
TONE_PATH, TONE_CANDIDATE, TONE_GOAL, TONE_ROBOT, TONE_ON_MARK = 33, 27, 160, 22, 231
HEADINGS = "→↗↑↖←↙↓↘"


def live_map(
    grid: Grid,
    pose: Pose,
    path: Sequence[Point],
    candidates: Sequence[Candidate],
    goal: Point | None,
    width: int = 40,
) -> str:
    """Return the map as coloured lines for a terminal: north up, `width` columns, two pixels a character."""
    count = max(1, min(width, grid.shape[1]))
    cols = blocks(grid.shape[1], count)
    rows = blocks(grid.shape[0], 2 * max(1, round(grid.shape[0] * count / grid.shape[1] / 2)))
    tones = np.array(TONES)[shrunk(grid.states(), rows, cols)]
    for x, y in dots(path, grid.cell_m / 2):
        if cell := grid.cell(x, y):
            tones[block_of(cell[0], rows), block_of(cell[1], cols)] = TONE_PATH
    marks = {}
    for place, sign, tone in terminal_marks(pose, candidates, goal):
        if cell := grid.cell(*place):
            marks[block_of(cell[0], rows) // 2, block_of(cell[1], cols)] = (sign, tone)
    pairs = range(len(rows) // 2 - 1, -1, -1)
    return "\n".join(terminal_line(tones[2 * pair + 1], tones[2 * pair], pair, marks) for pair in pairs)


def terminal_marks(
    pose: Pose, candidates: Sequence[Candidate], goal: Point | None
) -> list[tuple[Point, str, int]]:
    """Return the marks as place, sign and tone, the most important last."""
    found = [(one.pos_m, one.id[-1:], TONE_CANDIDATE) for one in reversed(candidates)]
    found += [(goal, "G", TONE_GOAL)] if goal else []
    return [*found, (pose[:2], HEADINGS[round(pose[2] / (math.pi / 4)) % 8], TONE_ROBOT)]


def terminal_line(
    upper: NDArray[np.int_], lower: NDArray[np.int_], line: int, marks: dict[tuple[int, int], tuple[str, int]]
) -> str:
    """Return one line of half blocks; a colour is set only where it changes."""
    parts, last = [], (-1, -1)
    for col, tones in enumerate(zip(upper.tolist(), lower.tolist(), strict=True)):
        sign, ground = marks.get((line, col), ("▀", tones[1]))
        colours = tones if sign == "▀" else (TONE_ON_MARK, ground)
        if colours != last:
            parts.append(f"\x1b[38;5;{colours[0]};48;5;{colours[1]}m")
            last = colours
        parts.append(sign)
    return "".join(parts) + "\x1b[0m"


def dots(path: Sequence[Point], spacing: float) -> Iterable[Point]:
    """Return points along a polyline, at most `spacing` apart."""
    for a, b in pairwise(path):
        count = max(1, math.ceil(math.dist(a, b) / spacing))
        for i in range(count + 1):
            yield a[0] + (b[0] - a[0]) * i / count, a[1] + (b[1] - a[1]) * i / count


@dataclass(frozen=True)
class RunRecord:
    """What the picture of a run shows; lengths in metres, in the arena's frame.

    Args:
        title: first line, such as the goal.
        outcome: second line, such as outcome and figures.
        size_m: the room, centred on the origin.
        walls: true segments x1, y1, x2, y2.
        discs: true discs x, y, radius.
        start: pose at the beginning.
        goal: where to go, None where the task is to explore.
        tolerance_m: how near counts as reached.
        radius_m: the robot's footprint.
        grid: what the robot believed in the end, None where it has no map.
        planned: the way planned in each cycle.
        believed: where the robot believed it drove.
        truth: where it drove.
        candidates: the places offered, over all cycles.
        stops: where and why a block was cut short.
        end: pose at the end, the last true point with the last heading.
    """

    title: str
    outcome: str
    size_m: tuple[float, float]
    walls: Sequence[tuple[float, float, float, float]]
    discs: Sequence[tuple[float, float, float]]
    start: Pose
    goal: Point | None
    tolerance_m: float
    radius_m: float
    grid: Grid | None
    planned: Sequence[Sequence[Point]] = ()
    believed: Sequence[Point] = ()
    truth: Sequence[Point] = ()
    candidates: Sequence[Candidate] = ()
    stops: Sequence[tuple[Point, str]] = ()
    end: Pose | None = None


STYLE = """
text { font: 13px system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif; fill: #1f2937 }
.title { font-size: 19px; font-weight: 600 }
.outcome { fill: #4b5563 }
.tick { font-size: 11px; fill: #6b7280 }
.unknown, .free, .hit { shape-rendering: crispEdges }
.unknown { fill: #e3e7ed }
.free { fill: #fff }
.lines { stroke: #cfd6df }
.hit { fill: #f59e0b; fill-opacity: .55 }
.wall { fill: none; stroke: #1f2937; stroke-width: 4; stroke-linecap: round }
.disc { fill: #4b5563; stroke: #1f2937; stroke-width: 2 }
.planned { fill: none; stroke: #2563eb; stroke-width: 1.4; stroke-dasharray: 5 4; stroke-opacity: .6 }
.truth { fill: none; stroke: #059669; stroke-width: 3.4; stroke-linejoin: round; stroke-linecap: round }
.believed { fill: none; stroke: #be185d; stroke-width: 2; stroke-dasharray: .1 7; stroke-linecap: round }
.frontier { fill: #2563eb; fill-opacity: .55 }
.subgoal { fill: #7c3aed; fill-opacity: .6 }
.recovery { fill: #0891b2; fill-opacity: .6 }
.goal { fill: none; stroke: #dc2626; stroke-width: 2 }
.near { fill: #dc2626; fill-opacity: .1; stroke: #dc2626; stroke-dasharray: 3 3 }
.stop { stroke: #dc2626; stroke-width: 2.6; stroke-linecap: round }
.start { fill: #fff; stroke: #059669; stroke-width: 2.5 }
.robot { fill: #059669; stroke: #fff; stroke-width: 1.5 }
.nose { stroke: #fff; stroke-width: 2.5; stroke-linecap: round }
""".strip()
PICTURE_SIDE = 700  # pixels of the room's longer side
MARGIN, HEAD, LEGEND = 34, 76, 190
FEW_PX = 3.0  # candidates nearer than this to another are drawn once
APART_PX = 1.5  # so are the points of a line
LEGEND_LINE = 27


def run_svg(record: RunRecord) -> str:
    """Return the picture of a run: what is true, what the robot believed, planned and drove."""
    sheet = Sheet(record.size_m)
    names = legend(record, sheet.width + 2 * MARGIN, HEAD + 12)
    width = sheet.width + 2 * MARGIN + LEGEND
    height = HEAD + MARGIN + max(sheet.height, LEGEND_LINE * len(names) - MARGIN)
    return (
        "\n".join(
            [
                f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" '
                f'width="{width:.0f}" height="{height:.0f}">',
                f"<title>{escaped(record.title)}</title>",
                f"<style>{STYLE}</style>",
                f'<rect width="{width:.0f}" height="{height:.0f}" fill="#fff"/>',
                f'<text class="title" x="{MARGIN}" y="30">{escaped(clipped(record.title, 90))}</text>',
                f'<text class="outcome" x="{MARGIN}" y="53">{escaped(clipped(record.outcome, 130))}</text>',
                *ground(sheet, record),
                *ways(sheet, record),
                *marks(sheet, record),
                *names,
                "</svg>",
            ]
        )
        + "\n"
    )


def escaped(text: str) -> str:
    """Return text from outside as a picture can hold it: never as markup."""
    return escape(plain(text))


def clipped(text: str, most: int) -> str:
    """Return text on one line of at most `most` characters."""
    line = " ".join(text.split())
    return line if len(line) <= most else line[: most - 1] + "…"


class Sheet:
    """The room's place in the picture, and the shapes in it."""

    def __init__(self, size_m: tuple[float, float]) -> None:
        self.per_m = PICTURE_SIDE / max(size_m)
        self.width, self.height = size_m[0] * self.per_m, size_m[1] * self.per_m
        self.half = (size_m[0] / 2, size_m[1] / 2)

    def x(self, metres: float) -> float:
        """Return the column of an x in metres."""
        return MARGIN + (metres + self.half[0]) * self.per_m

    def y(self, metres: float) -> float:
        """Return the line of a y in metres; north is up."""
        return HEAD + (self.half[1] - metres) * self.per_m

    def rect(self, x1: float, y1: float, x2: float, y2: float, kind: str) -> str:
        """Return a rectangle by its south-western and north-eastern corners."""
        left, top = self.x(x1), self.y(y2)
        return (
            f'<rect class="{kind}" x="{left:.1f}" y="{top:.1f}" '
            f'width="{self.x(x2) - left:.1f}" height="{self.y(y1) - top:.1f}"/>'
        )

    def line(self, x1: float, y1: float, x2: float, y2: float, kind: str) -> str:
        """Return a straight line."""
        return (
            f'<line class="{kind}" x1="{self.x(x1):.1f}" y1="{self.y(y1):.1f}" '
            f'x2="{self.x(x2):.1f}" y2="{self.y(y2):.1f}"/>'
        )

    def circle(self, x: float, y: float, radius: float, kind: str, title: str = "") -> str:
        """Return a circle with a radius in metres and a note that shows under the pointer."""
        note = f"<title>{escaped(title)}</title>" if title else ""
        place = f'cx="{self.x(x):.1f}" cy="{self.y(y):.1f}" r="{radius * self.per_m:.1f}"'
        return f'<circle class="{kind}" {place}>{note}</circle>'

    def text(self, x: float, y: float, anchor: str, text: str) -> str:
        """Return a small text at a place in pixels."""
        return f'<text class="tick" text-anchor="{anchor}" x="{x:.1f}" y="{y:.1f}">{text}</text>'

    def polyline(self, points: Sequence[Point], kind: str) -> str:
        """Return a line over several points, without those that are too near together to be seen apart."""
        kept = [(self.x(x), self.y(y)) for x, y in points[:1]]
        for x, y in points[1:]:
            spot = (self.x(x), self.y(y))
            if math.dist(spot, kept[-1]) >= APART_PX:
                kept.append(spot)
        kept.append((self.x(points[-1][0]), self.y(points[-1][1])))
        text = " ".join(f"{x:.1f},{y:.1f}" for x, y in kept)
        return f'<polyline class="{kind}" points="{text}"/>'


def ground(sheet: Sheet, record: RunRecord) -> list[str]:
    """Return the room from below: what the robot knew, lines each metre, what is true."""
    x, y = sheet.half
    metres_x, metres_y = range(-int(x), int(x) + 1), range(-int(y), int(y) + 1)
    lines = [sheet.line(m, -y, m, y, "lines") for m in metres_x]
    lines += [sheet.line(-x, m, x, m, "lines") for m in metres_y]
    ticks = [sheet.text(sheet.x(m), sheet.y(-y) + 18, "middle", str(m)) for m in metres_x]
    ticks += [sheet.text(MARGIN - 8, sheet.y(m) + 4, "end", str(m)) for m in metres_y]
    return [
        sheet.rect(-x, -y, x, y, "unknown" if record.grid else "free"),
        *believed(sheet, record.grid, FREE, "free"),
        *lines,
        *ticks,
        *believed(sheet, record.grid, OCCUPIED, "hit"),
        *(sheet.circle(x, y, radius, "disc") for x, y, radius in record.discs),
        *(sheet.line(*wall, "wall") for wall in record.walls),
        sheet.rect(-x, -y, x, y, "wall"),
    ]


def believed(sheet: Sheet, grid: Grid | None, state: int, kind: str) -> list[str]:
    """Return a map's cells of one state as one rectangle for each run in a row, cut to the room."""
    if grid is None:
        return []
    found, half, (x, y) = [], grid.cell_m / 2, sheet.half
    for row, line in enumerate(grid.occupancy() == state):
        edges = np.flatnonzero(np.diff(np.pad(line.astype(np.int8), 1))).tolist()
        for first, after in zip(edges[::2], edges[1::2], strict=True):
            (west, middle), (east, _) = grid.centre((row, first)), grid.centre((row, after - 1))
            west, south = max(west - half, -x), max(middle - half, -y)
            found.append(sheet.rect(west, south, min(east + half, x), min(middle + half, y), kind))
    return found


def ways(sheet: Sheet, record: RunRecord) -> list[str]:
    """Return the ways: planned, believed, driven."""
    drawn = [(way, "planned") for way in record.planned]
    drawn += [(record.truth, "truth"), (record.believed, "believed")]
    return [sheet.polyline(way, kind) for way, kind in drawn if len(way) > 1]


def marks(sheet: Sheet, record: RunRecord) -> list[str]:
    """Return candidates, start, goal, stops and the robot."""
    found = candidate_marks(sheet, record.candidates)
    if record.goal:
        found += [sheet.circle(*record.goal, record.tolerance_m, "near"), *target(sheet, *record.goal)]
    found += robot(sheet, record.start, record.radius_m * 0.7, "start")
    if record.end:
        found += robot(sheet, record.end, record.radius_m, "robot")
    for (x, y), why in record.stops:
        cross = (sheet.line(x - 0.04, y + i, x + 0.04, y - i, "stop") for i in (0.04, -0.04))
        found += [f"<g><title>{escaped(why)}</title>", *cross, "</g>"]
    return found


def candidate_marks(sheet: Sheet, candidates: Sequence[Candidate]) -> list[str]:
    """Return the candidates as dots, each place once."""
    places: dict[tuple[str, int, int], Candidate] = {}
    for one in candidates:
        spot = (one.type, round(sheet.x(one.pos_m[0]) / FEW_PX), round(sheet.y(one.pos_m[1]) / FEW_PX))
        places.setdefault(spot, one)
    return [
        sheet.circle(*one.pos_m, 0.026, one.type, f"{one.id} {one.type}, score {one.score:.2f}")
        for one in places.values()
    ]


def target(sheet: Sheet, x: float, y: float) -> list[str]:
    """Return the sign for a goal."""
    cross = (sheet.line(x - 0.1, y, x + 0.1, y, "goal"), sheet.line(x, y - 0.1, x, y + 0.1, "goal"))
    return [sheet.circle(x, y, 0.06, "goal"), *cross]


def robot(sheet: Sheet, pose: Pose, radius: float, kind: str) -> list[str]:
    """Return the robot as a disc with a line that points ahead."""
    x, y, heading = pose
    ahead = x + 0.9 * radius * math.cos(heading), y + 0.9 * radius * math.sin(heading)
    nose = "nose" if kind == "robot" else "truth"
    return [sheet.circle(x, y, radius, kind), sheet.line(x, y, *ahead, nose)]


BOX = 'x="4" y="-8" width="20" height="16"'
SIGNS = {  # in the legend, about (14, 0)
    "wall": '<path class="wall" d="M2 0h24"/>',
    "disc": '<circle class="disc" cx="14" r="8"/>',
    "believed occupied": f'<rect class="hit" {BOX}/>',
    "believed free": f'<rect class="free" {BOX} stroke="#cfd6df"/>',
    "not seen": f'<rect class="unknown" {BOX}/>',
    "planned": '<path class="planned" d="M0 0h28"/>',
    "driven": '<path class="truth" d="M2 0h24"/>',
    "driven, as believed": '<path class="believed" d="M2 0h24"/>',
    "subgoal offered": '<circle class="subgoal" cx="14" r="4.5"/>',
    "frontier offered": '<circle class="frontier" cx="14" r="4.5"/>',
    "recovery offered": '<circle class="recovery" cx="14" r="4.5"/>',
    "start": '<circle class="start" cx="14" r="7"/>',
    "robot at the end": '<circle class="robot" cx="14" r="9"/>',
    "goal and tolerance": '<path class="goal" d="M4 0h20M14 -10v20M8 0a6 6 0 1 1 12 0a6 6 0 1 1 -12 0"/>',
    "stopped early": '<path class="stop" d="M9 -5L19 5M9 5L19 -5"/>',
}


def legend(record: RunRecord, x: float, y: float) -> list[str]:
    """Return what the colours mean, of what is in the picture only, downward from a place in pixels."""
    absent = {
        "disc": not record.discs,
        "believed occupied": record.grid is None,
        "believed free": record.grid is None,
        "not seen": record.grid is None,
        "planned": not record.planned,
        "driven": not record.truth,
        "driven, as believed": not record.believed,
        "robot at the end": not record.end,
        "goal and tolerance": not record.goal,
        "stopped early": not record.stops,
    }
    for kind in ("subgoal", "frontier", "recovery"):
        absent[f"{kind} offered"] = all(one.type != kind for one in record.candidates)
    rows = [f'{sign}<text x="38" y="5">{name}</text>' for name, sign in SIGNS.items() if not absent.get(name)]
    return [
        f'<g transform="translate({x:.0f} {y + LEGEND_LINE * number:.0f})">{row}</g>'
        for number, row in enumerate(rows)
    ]
