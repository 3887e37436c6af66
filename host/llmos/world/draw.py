"""Pictures of the world: a PNG for a model that sees, a live map for a terminal, an SVG of a whole run."""

import math
import struct
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
from numpy.typing import NDArray

from llmos.world.candidates import Candidate
from llmos.world.grid import FREE, OCCUPIED, Grid
from llmos.world.serialize import shrunk

Point = tuple[float, float]
Pose = tuple[float, float, float]
Bytes = NDArray[np.uint8]

PNG_SIDE = 500
PALETTE = (  # unknown, free, obstacle, wall, explored, path, collectible, collected; then the marks
    (176, 184, 196), (255, 255, 255), (214, 92, 44), (52, 60, 74), (226, 240, 228), (120, 170, 230), (240, 200, 60),
    (200, 190, 150), (205, 211, 220), (20, 120, 60), (30, 90, 200), (210, 30, 50), (255, 255, 255),
)
GRID_LINE, ROBOT, CANDIDATE, GOAL, INK = range(8, 13)
DIGITS = {  # 3 x 5 pixels, one octal digit a line, from the top
    "1": "26227", "2": "71747", "3": "71717", "4": "55711", "5": "74717", "6": "74757", "7": "71122", "8": "75757",
    "9": "75717", "0": "75557",
}


def map_png(grid: Grid, pose: Pose, candidates: Sequence[Candidate], goal: Point | None) -> bytes:
    """Return the map as a PNG of 500 x 500 pixels, north up, with lines each metre, candidates, goal and robot."""
    canvas = Canvas(grid)
    canvas.metre_lines()
    for one in candidates:
        canvas.disc(one.pos_m, 9, CANDIDATE)
        canvas.digit(one.pos_m, one.id[-1:], INK)
    if goal:
        canvas.ring(goal, 12, 8, GOAL)
        canvas.disc(goal, 4, GOAL)
    canvas.arrow(pose, 14, ROBOT)
    return png(canvas.pixels, PALETTE)


def png(pixels: Bytes, palette: Sequence[tuple[int, int, int]]) -> bytes:
    """Return an image of palette indices, rows from the top, as a PNG file."""
    height, width = pixels.shape
    lines = np.zeros((height, width + 1), np.uint8)  # each line begins with its filter, 0 for none
    lines[:, 1:] = pixels
    colours = b"".join(bytes(colour) for colour in palette)
    header = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    parts = ((b"IHDR", header), (b"PLTE", colours), (b"IDAT", zlib.compress(lines.tobytes(), 6)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(kind, data) for kind, data in parts)


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
        self._rows, self._cols = np.mgrid[:PNG_SIDE, :PNG_SIDE] + 0.5

    def spot(self, place: Point) -> Point:
        """Return a place in pixels: column and row from the top left."""
        return PNG_SIDE / 2 + place[0] * self.per_m, PNG_SIDE / 2 - place[1] * self.per_m

    def metre_lines(self) -> None:
        """Draw a line at each whole metre, under what is known to be occupied."""
        most = int(PNG_SIDE / 2 / self.per_m)
        for metre in range(-most, most + 1):
            at = min(int(PNG_SIDE / 2 + metre * self.per_m), PNG_SIDE - 1)
            for line in (self.pixels[at, :], self.pixels[:, at]):
                line[line < OCCUPIED] = GRID_LINE

    def ring(self, place: Point, outer: float, inner: float, colour: int) -> None:
        """Draw a ring between two radii."""
        col, row = self.spot(place)
        square = (self._cols - col) ** 2 + (self._rows - row) ** 2
        self.pixels[(square <= outer**2) & (square >= inner**2)] = colour

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
        col, row = self.spot(pose[:2])
        east, north = math.cos(pose[2]), math.sin(pose[2])
        along = (self._cols - col) * east - (self._rows - row) * north
        across = np.abs((self._cols - col) * north + (self._rows - row) * east)
        head = (along <= length) & (along >= -length * 0.7) & (across <= (length - along) * 0.45)
        notch = across < (-0.25 * length - along)
        self.pixels[head & ~notch] = colour


# --- the terminal -----------------------------------------------------------------------------------------------

TONES = (238, 253, 166, 237, 194, 153, 220, 187)  # the 256 colours' numbers, by state
TONE_UNKNOWN, TONE_PATH, TONE_CANDIDATE, TONE_GOAL, TONE_ROBOT, TONE_ON_MARK = 245, 33, 27, 160, 22, 231
HEADINGS = "→↗↑↖←↙↓↘"


def live_map(
    grid: Grid, pose: Pose, path: Sequence[Point], candidates: Sequence[Candidate], goal: Point | None, width: int = 40
) -> str:
    """Return the map as coloured lines for a terminal, north up, `width` columns, two pixels a character."""
    scale = max(1, math.ceil(max(grid.shape) / width))
    picture = shrunk(grid.states(), scale)
    tones = np.array((TONE_UNKNOWN, *TONES[1:]))[picture]
    size = scale * grid.cell_m
    for x, y in dots(path, size / 2):
        if cell := grid.cell(x, y):
            tones[cell[0] // scale, cell[1] // scale] = TONE_PATH
    if len(tones) % 2:
        tones = np.vstack((tones, np.full((1, tones.shape[1]), TONE_UNKNOWN)))
    marks = terminal_marks(grid, pose, candidates, goal, scale)
    pairs = range(len(tones) // 2 - 1, -1, -1)
    return "\n".join(terminal_line(tones[2 * pair + 1], tones[2 * pair], pair, marks) for pair in pairs)


def terminal_marks(
    grid: Grid, pose: Pose, candidates: Sequence[Candidate], goal: Point | None, scale: int
) -> dict[tuple[int, int], tuple[str, int]]:
    """Return the marked characters by (line from the south, column): sign and tone."""
    found = [(one.pos_m, one.id[-1:], TONE_CANDIDATE) for one in reversed(candidates)]
    found += [(goal, "G", TONE_GOAL)] if goal else []
    found += [(pose[:2], HEADINGS[round(pose[2] / (math.pi / 4)) % 8], TONE_ROBOT)]
    cells = ((grid.cell(*place), sign, tone) for place, sign, tone in found)
    return {(cell[0] // scale // 2, cell[1] // scale): (sign, tone) for cell, sign, tone in cells if cell}


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
    for a, b in zip(path, path[1:], strict=False):
        count = max(1, math.ceil(math.dist(a, b) / spacing))
        for i in range(count + 1):
            yield a[0] + (b[0] - a[0]) * i / count, a[1] + (b[1] - a[1]) * i / count


# --- the picture of a run ---------------------------------------------------------------------------------------


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
        grid: what the robot believed in the end.
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
    grid: Grid
    planned: Sequence[Sequence[Point]] = ()
    believed: Sequence[Point] = ()
    truth: Sequence[Point] = ()
    candidates: Sequence[Candidate] = ()
    stops: Sequence[tuple[Point, str]] = ()
    end: Pose | None = None


STYLE = """
text { font: 13px system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif; fill: #1f2937 }
.title { font-size: 19px; font-weight: 600 } .outcome { fill: #4b5563 } .tick { font-size: 11px; fill: #6b7280 }
.unknown { fill: #e3e7ed } .free { fill: #fff } .lines { stroke: #cfd6df; stroke-width: 1 }
.hit { fill: #f59e0b; fill-opacity: .55 } .wall { stroke: #1f2937; stroke-width: 4; stroke-linecap: round; fill: none }
.disc { fill: #4b5563; stroke: #1f2937; stroke-width: 2 }
.planned { fill: none; stroke: #2563eb; stroke-width: 1.4; stroke-dasharray: 5 4; stroke-opacity: .6 }
.believed { fill: none; stroke: #db2777; stroke-width: 1.4; stroke-linejoin: round }
.truth { fill: none; stroke: #059669; stroke-width: 3.4; stroke-linejoin: round; stroke-linecap: round }
.frontier { fill: #2563eb; fill-opacity: .55 } .subgoal { fill: #7c3aed; fill-opacity: .6 } .recovery { fill: #0891b2; fill-opacity: .6 }
.goal { fill: none; stroke: #dc2626; stroke-width: 2 } .near { fill: #dc2626; fill-opacity: .1; stroke: #dc2626; stroke-dasharray: 3 3 }
.stop { stroke: #dc2626; stroke-width: 2.6; stroke-linecap: round } .robot { fill: #059669; stroke: #fff; stroke-width: 1.5 }
.start { fill: #fff; stroke: #059669; stroke-width: 2.5 } .nose { stroke: #fff; stroke-width: 2.5; stroke-linecap: round }
""".strip()
PICTURE_SIDE = 700  # pixels of the room's longer side
MARGIN, HEAD, LEGEND = 34, 76, 190
FEW_PX = 3.0  # candidates nearer than this to another are drawn once


def run_svg(record: RunRecord) -> str:
    """Return the picture of a run: what is true, what the robot believed, what it planned and what it drove."""
    sheet = Sheet(record.size_m)
    width, height = sheet.width + 2 * MARGIN + LEGEND, sheet.height + HEAD + MARGIN
    legend = Legend(sheet.width + 2 * MARGIN, HEAD)
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" '
        f'width="{width:.0f}" height="{height:.0f}">',
        f"<title>{escape(record.title)}</title>",
        f"<style>{STYLE}</style>",
        f'<rect width="{width:.0f}" height="{height:.0f}" fill="#fff"/>',
        f'<text class="title" x="{MARGIN}" y="30">{escape(clipped(record.title, 90))}</text>',
        f'<text class="outcome" x="{MARGIN}" y="53">{escape(clipped(record.outcome, 130))}</text>',
        *ground(sheet, record),
        *ways(sheet, record),
        *marks(sheet, record),
        *legend.entries(record),
        "</svg>",
    ]) + "\n"


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
        return (f'<rect class="{kind}" x="{left:.1f}" y="{top:.1f}" '
                f'width="{self.x(x2) - left:.1f}" height="{self.y(y1) - top:.1f}"/>')

    def line(self, x1: float, y1: float, x2: float, y2: float, kind: str) -> str:
        """Return a straight line."""
        return (f'<line class="{kind}" x1="{self.x(x1):.1f}" y1="{self.y(y1):.1f}" '
                f'x2="{self.x(x2):.1f}" y2="{self.y(y2):.1f}"/>')

    def circle(self, x: float, y: float, radius: float, kind: str, title: str = "") -> str:
        """Return a circle with a radius in metres, with a note that shows under the pointer."""
        note = f"<title>{escape(title)}</title>" if title else ""
        return f'<circle class="{kind}" cx="{self.x(x):.1f}" cy="{self.y(y):.1f}" r="{radius * self.per_m:.1f}">{note}</circle>'

    def polyline(self, points: Sequence[Point], kind: str) -> str:
        """Return a line over several points."""
        text = " ".join(f"{self.x(x):.1f},{self.y(y):.1f}" for x, y in points)
        return f'<polyline class="{kind}" points="{text}"/>'


def ground(sheet: Sheet, record: RunRecord) -> list[str]:
    """Return the room from below: what the robot knew, lines each metre, what is true."""
    (x, y), grid = sheet.half, record.grid
    occupancy = grid.occupancy()
    lines = [sheet.line(m, -y, m, y, "lines") for m in range(-int(x), int(x) + 1)]
    lines += [sheet.line(-x, m, x, m, "lines") for m in range(-int(y), int(y) + 1)]
    ticks = [f'<text class="tick" text-anchor="middle" x="{sheet.x(m):.1f}" y="{sheet.y(-y) + 18:.1f}">{m}</text>'
             for m in range(-int(x), int(x) + 1)]
    ticks += [f'<text class="tick" text-anchor="end" x="{MARGIN - 8}" y="{sheet.y(m) + 4:.1f}">{m}</text>'
              for m in range(-int(y), int(y) + 1)]
    return [
        sheet.rect(-x, -y, x, y, "unknown"),
        *cell_rects(sheet, grid, occupancy == FREE, "free"),
        *lines, *ticks,
        *cell_rects(sheet, grid, occupancy == OCCUPIED, "hit"),
        *(sheet.circle(*disc, "disc") for disc in record.discs),
        *(sheet.line(*wall, "wall") for wall in record.walls),
        sheet.rect(-x, -y, x, y, "wall"),
    ]


def cell_rects(sheet: Sheet, grid: Grid, mask: NDArray[np.bool_], kind: str) -> list[str]:
    """Return the set cells as one rectangle for each run in a row, cut to the room."""
    found = []
    for row, line in enumerate(mask):
        edges = np.flatnonzero(np.diff(np.pad(line.astype(np.int8), 1)))
        for first, after in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
            (west, south), (east, _) = grid.centre((row, first)), grid.centre((row, after - 1))
            half, (x, y) = grid.cell_m / 2, sheet.half
            found.append(sheet.rect(max(west - half, -x), max(south - half, -y), min(east + half, x), min(south + half, y), kind))
    return found


def ways(sheet: Sheet, record: RunRecord) -> list[str]:
    """Return the ways: planned, believed, driven."""
    lines = [sheet.polyline(way, "planned") for way in record.planned if len(way) > 1]
    lines += [sheet.polyline(way, kind) for way, kind in ((record.truth, "truth"), (record.believed, "believed")) if len(way) > 1]
    return lines


def marks(sheet: Sheet, record: RunRecord) -> list[str]:
    """Return candidates, start, goal, stops and the robot."""
    found = candidate_marks(sheet, record.candidates)
    if record.goal:
        found += [sheet.circle(*record.goal, record.tolerance_m, "near"), *target(sheet, *record.goal)]
    found += robot(sheet, record.start, record.radius_m * 0.7, "start")
    if record.end:
        found += robot(sheet, record.end, record.radius_m, "robot")
    for (x, y), why in record.stops:
        found += ["<g>", f"<title>{escape(why)}</title>", sheet.line(x - 0.04, y - 0.04, x + 0.04, y + 0.04, "stop"),
                  sheet.line(x - 0.04, y + 0.04, x + 0.04, y - 0.04, "stop"), "</g>"]
    return found


def candidate_marks(sheet: Sheet, candidates: Sequence[Candidate]) -> list[str]:
    """Return the candidates as dots, each place once."""
    places = {}
    for one in candidates:
        spot = (one.type, round(sheet.x(one.pos_m[0]) / FEW_PX), round(sheet.y(one.pos_m[1]) / FEW_PX))
        places.setdefault(spot, one)
    return [sheet.circle(*one.pos_m, 0.026, one.type, f"{one.id} {one.type}, score {one.score:.2f}") for one in places.values()]


def target(sheet: Sheet, x: float, y: float) -> list[str]:
    """Return the sign for a goal."""
    return [sheet.circle(x, y, 0.06, "goal"), sheet.line(x - 0.1, y, x + 0.1, y, "goal"), sheet.line(x, y - 0.1, x, y + 0.1, "goal")]


def robot(sheet: Sheet, pose: Pose, radius: float, kind: str) -> list[str]:
    """Return the robot as a disc with a line that points ahead."""
    x, y, heading = pose
    nose = sheet.line(x, y, x + 0.9 * radius * math.cos(heading), y + 0.9 * radius * math.sin(heading), "nose" if kind == "robot" else "truth")
    return [sheet.circle(x, y, radius, kind), nose]


class Legend:
    """What the colours mean, on the right."""

    def __init__(self, x: float, y: float) -> None:
        self.x, self.y = x, y

    def entries(self, record: RunRecord) -> list[str]:
        """Return the lines of the legend, of what is in the picture only."""
        kinds = {one.type for one in record.candidates}
        rows = [
            (True, '<line class="wall" x1="2" y1="0" x2="26" y2="0"/>', "wall"),
            (bool(record.discs), '<circle class="disc" cx="14" cy="0" r="8"/>', "disc"),
            (True, '<rect class="hit" x="4" y="-8" width="20" height="16"/>', "believed occupied"),
            (True, '<rect class="free" x="4" y="-8" width="20" height="16" stroke="#cfd6df"/>', "believed free"),
            (True, '<rect class="unknown" x="4" y="-8" width="20" height="16"/>', "not seen"),
            (bool(record.planned), '<line class="planned" x1="0" y1="0" x2="28" y2="0"/>', "planned"),
            (bool(record.truth), '<line class="truth" x1="2" y1="0" x2="26" y2="0"/>', "driven"),
            (bool(record.believed), '<line class="believed" x1="2" y1="0" x2="26" y2="0"/>', "driven, as believed"),
            *((kind in kinds, f'<circle class="{kind}" cx="14" cy="0" r="4.5"/>', f"{kind} offered")
              for kind in ("subgoal", "frontier", "recovery")),
            (True, '<circle class="start" cx="14" cy="0" r="7"/>', "start"),
            (record.end is not None, '<circle class="robot" cx="14" cy="0" r="9"/>', "robot at the end"),
            (record.goal is not None, '<circle class="goal" cx="14" cy="0" r="6"/><path class="goal" d="M4 0h20M14 -10v20"/>',
             f"goal, ± {record.tolerance_m:g} m"),
            (bool(record.stops), '<path class="stop" d="M9 -5L19 5M9 5L19 -5"/>', "stopped early"),
        ]
        shown = [(sign, text) for present, sign, text in rows if present]
        return [f'<g transform="translate({self.x:.0f} {self.y + 12 + 27 * number:.0f})">{sign}<text x="38" y="5">{escape(text)}</text></g>'
                for number, (sign, text) in enumerate(shown)]
