"""Arenas made by rule and seed: `maze:17`, `office:3`, `clutter:8`; `:explore` behind it asks to see it all.

Smaller ones have one thing to get right, for the tests of skills: `wall:4`, `corridor:2`, `corner:9` and
`block:1`. There the robot looks east, along the way that it shall go.

A name stands for one arena for ever: every choice is drawn by `random()` of `random.Random("maze:17")`, whose
sequence Python promises to keep, and lengths are rounded to millimetres. A test holds samples.

Each can be solved by construction, and fairly on the robot's map with its cells of 0.1 m: between two
obstacles lie at least `GAP_M`, which hold three free cells in a row wherever the cells' borders fall. Walls
have no thickness, so that a ray along one would not see its end: every free end is a post.
"""

import math
import random
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise, product
from typing import Any

from llmos.sim.ground import to_segment

Point = tuple[float, float]
Wall = tuple[float, float, float, float]
Disc = tuple[float, float, float]
Table = dict[str, Any]  # as an arena file holds it

SIDE_M = (3.0, 6.0)  # of the room
GAP_M = 0.45  # least passage
POST_M = 0.025  # radius of a wall's free end
ROOM_M = 0.25  # around start and goal, at least
TOLERANCE_M = 0.25
MIN_COVERAGE = 0.9  # what `:explore` asks for
TRIES = 200  # for a free place


@dataclass
class Room:
    """A room that is being furnished, in metres about its middle."""

    chance: random.Random
    size: tuple[float, float]
    walls: list[Wall] = field(default_factory=list)
    discs: list[Disc] = field(default_factory=list)
    start: Point = (0.0, 0.0)
    goal: Point = (0.0, 0.0)
    heading_deg: float | None = None  # at the start; drawn where the maker leaves it open

    def between(self, low: float, high: float) -> float:
        """Draw a number; only `random()` is drawn from, as other draws may differ between Pythons."""
        return low + (high - low) * self.chance.random()

    def whole(self, low: int, high: int) -> int:
        """Draw a whole number, both ends included."""
        return low + int((high - low + 1) * self.chance.random())

    def clear_m(self, place: Point) -> float:
        """Distance of a place to the nearest obstacle, the border included."""
        (x, y), (width, height) = place, self.size
        border = min(width / 2 - abs(x), height / 2 - abs(y))
        walls = (to_segment(x, y, *wall) for wall in self.walls)
        return min((border, *walls, *(math.dist(place, disc[:2]) - disc[2] for disc in self.discs)))

    def free_place(self, clear_m: float, within: Wall | None = None) -> Point | None:
        """Draw a place with so much room around it, between two corners; None where none is found."""
        x, y = self.size[0] / 2, self.size[1] / 2
        west, south, east, north = within or (-x, -y, x, y)
        for _ in range(TRIES):
            place = (self.between(west, east), self.between(south, north))
            if self.clear_m(place) >= clear_m:
                return place
        return None

    def furnish(self, radius_m: float, within: Wall | None = None) -> None:
        """Put a disc, or a box whose corners lie on one, where it leaves a passage all around."""
        place = self.free_place(radius_m + GAP_M, within)
        if place is None:
            return
        (x, y), angle, flat = place, self.between(0, math.pi), self.between(0.3, 0.7)
        if self.chance.random() < 0.5:
            self.discs.append((x, y, radius_m))
            return
        turns = (angle, angle + flat * math.pi, angle + math.pi, angle + (1 + flat) * math.pi, angle)
        corners = [(x + radius_m * math.cos(turn), y + radius_m * math.sin(turn)) for turn in turns]
        self.walls += [(*here, *there) for here, there in pairwise(corners)]

    def put_posts(self) -> None:
        """Put a post on each end of a wall that touches neither another wall nor the border."""
        x, y = self.size[0] / 2, self.size[1] / 2
        border = [(-x, -y, x, -y), (x, -y, x, y), (x, y, -x, y), (-x, y, -x, -y)]
        for wall in self.walls:
            others = [other for other in (*self.walls, *border) if other is not wall]
            ends = [end for end in (wall[:2], wall[2:]) if all(to_segment(*end, *o) > 1e-6 for o in others)]
            self.discs += [(*end, POST_M) for end in ends]

    def send(self) -> None:
        """Set start and goal: of some free places the two that lie farthest apart."""
        places = [place for place in (self.free_place(ROOM_M) for _ in range(12)) if place]
        self.start, self.goal = max(product(places, repeat=2), key=lambda pair: math.dist(*pair))


def maze(room: Room) -> None:
    """Squares with walls between them: a tree by depth-first search, some of its dead ends opened."""
    pitch = round(room.between(0.5, 0.85), 2)
    columns, rows = (room.whole(math.ceil(SIDE_M[0] / pitch), min(8, int(SIDE_M[1] / pitch))) for _ in "xy")
    room.size = (round(columns * pitch, 2), round(rows * pitch, 2))
    doors = tree(room, columns, rows)
    opened = room.between(0.0, 0.7)
    for cell in product(range(columns), range(rows)):
        shut = [(cell, other) for other in beside(cell, columns, rows) if not joined(doors, cell, other)]
        if len(beside(cell, columns, rows)) - len(shut) == 1 and shut and room.chance.random() < opened:
            doors.add(shut[room.whole(0, len(shut) - 1)])
    corner = (-room.size[0] / 2, -room.size[1] / 2)
    room.walls = [
        tuple(corner[axis % 2] + pitch * number for axis, number in enumerate(edge))  # type: ignore[misc]
        for edge in merged(edges(doors, columns, rows))
    ]
    room.put_posts()
    first = (room.whole(0, columns - 1), room.whole(0, rows - 1))
    last = farthest(doors, columns, rows, first)
    ends = (farthest(doors, columns, rows, last), last)
    room.start, room.goal = (
        (corner[0] + (column + 0.5) * pitch, corner[1] + (row + 0.5) * pitch) for column, row in ends
    )


Square = tuple[int, int]
Doors = set[tuple[Square, Square]]


def beside(cell: Square, columns: int, rows: int) -> list[Square]:
    """The squares that share a side with one."""
    column, row = cell
    near = ((column + 1, row), (column, row + 1), (column - 1, row), (column, row - 1))
    return [(x, y) for x, y in near if 0 <= x < columns and 0 <= y < rows]


def joined(doors: Doors, here: Square, there: Square) -> bool:
    """Whether there is no wall between two squares."""
    return (here, there) in doors or (there, here) in doors


def tree(room: Room, columns: int, rows: int) -> Doors:
    """Join all squares without a circle, by a random depth-first search."""
    doors: Doors = set()
    way = [(room.whole(0, columns - 1), room.whole(0, rows - 1))]
    seen = set(way)
    while way:
        ahead = [cell for cell in beside(way[-1], columns, rows) if cell not in seen]
        if not ahead:
            way.pop()
            continue
        cell = ahead[room.whole(0, len(ahead) - 1)]
        doors.add((way[-1], cell))
        seen.add(cell)
        way.append(cell)
    return doors


def edges(doors: Doors, columns: int, rows: int) -> Iterator[tuple[int, int, int, int]]:
    """The unit walls between squares that are not joined, in columns and rows, each line's in order."""
    for column, row in product(range(1, columns), range(rows)):
        if not joined(doors, (column - 1, row), (column, row)):
            yield column, row, column, row + 1
    for row, column in product(range(1, rows), range(columns)):
        if not joined(doors, (column, row - 1), (column, row)):
            yield column, row, column + 1, row


def merged(parts: Iterable[tuple[int, int, int, int]]) -> list[tuple[int, int, int, int]]:
    """Join walls that go on in a straight line."""
    kept: list[tuple[int, int, int, int]] = []
    for x1, y1, x2, y2 in parts:
        if kept and kept[-1][2:] == (x1, y1) and (kept[-1][0] == x2 or kept[-1][1] == y2):
            kept[-1] = (*kept[-1][:2], x2, y2)
        else:
            kept.append((x1, y1, x2, y2))
    return kept


def farthest(doors: Doors, columns: int, rows: int, first: Square) -> Square:
    """The square with the longest way from one, by breadth-first search."""
    order, seen = [first], {first}
    for cell in order:
        for other in beside(cell, columns, rows):
            if other not in seen and joined(doors, cell, other):
                seen.add(other)
                order.append(other)
    return order[-1]


def office(room: Room) -> None:
    """Rooms with doors: a rectangle cut in two again and again, a door or two in each cut; some furniture."""
    x, y = room.size[0] / 2, room.size[1] / 2
    least, doors = room.between(1.1, 1.8), list[Wall]()
    todo, parts = [(-x, -y, x, y)], list[Wall]()
    while todo:
        part = todo.pop()
        halves = cut(room, part, least, doors)
        (todo if halves else parts).extend(halves or [part])
    room.put_posts()
    for part in parts:
        if room.chance.random() < 0.5:
            room.furnish(room.between(0.06, 0.25), part)
    room.send()


def cut(room: Room, part: Wall, least: float, doors: list[Wall]) -> list[Wall]:
    """Build a wall with a door across the longer side of a part; return the halves, none of a small part."""
    west, south, east, north = part
    across = east - west >= north - south  # the wall runs north
    low, high = (west, east) if across else (south, north)
    start, end = (south, north) if across else (west, east)
    spots = [room.between(low + least, high - least) for _ in range(8)] if high - low > 2 * least else []
    spot = next((spot for spot in spots if not in_door(spot, part, across, doors)), None)
    if spot is None:
        return []
    wide = room.between(GAP_M + 2 * POST_M, 0.9)
    door = room.between(start + 0.1, end - 0.1 - wide)
    ends = [(start, door), (door + wide, end)]
    doors.append(turned(spot, door, spot, door + wide, across))
    if end - start > 3 and room.chance.random() < 0.4:  # a second door, far from the first
        more = start + end - door - wide
        if abs(more - door) > wide + 0.3:
            (near, far) = sorted((door, more))
            ends = [(start, near), (near + wide, far), (far + wide, end)]
            doors.append(turned(spot, more, spot, more + wide, across))
    room.walls += [turned(spot, one, spot, other, across) for one, other in ends]
    if across:
        return [(west, south, spot, north), (spot, south, east, north)]
    return [(west, south, east, spot), (west, spot, east, north)]


def turned(x1: float, y1: float, x2: float, y2: float, upright: bool) -> Wall:
    """A wall, or the same with x and y exchanged."""
    return (x1, y1, x2, y2) if upright else (y1, x1, y2, x2)


def in_door(spot: float, part: Wall, across: bool, doors: Iterable[Wall]) -> bool:
    """Whether a wall at `spot` across a part would end in a door, or too near to one."""
    west, south, east, north = part
    ends = ((spot, south), (spot, north)) if across else ((west, spot), (east, spot))
    return any(to_segment(*end, *door) < 0.1 for end in ends for door in doors)


def clutter(room: Room) -> None:
    """Discs and boxes, so many that a part of the floor is theirs, each with a passage all around."""
    share = room.between(0.06, 0.2)
    while share > 0:
        radius = room.between(0.06, 0.4)
        room.furnish(radius)
        share -= math.pi * radius * radius / (room.size[0] * room.size[1])
    room.send()


def wall(room: Room) -> None:
    """A wall across the way, 0.5 m to 1.3 m ahead, up to 8 degrees aslant; the goal lies 0.3 m before it."""
    _face(room, (4.0, 3.0), -1.0)
    far, aslant = room.between(0.5, 1.3), math.radians(room.between(-8, 8))
    lean = 1.1 * math.sin(aslant)
    room.walls = [(-1.0 + far + lean, -1.1, -1.0 + far - lean, 1.1)]
    room.put_posts()
    room.goal = (-1.0 + far - 0.3, 0.0)


def corridor(room: Room) -> None:
    """A passage, 0.6 m to 0.9 m wide and 3 m long; the robot looks up to 8 degrees off it, 6 cm aside."""
    _face(room, (5.0, 3.0), -1.4, room.between(-0.06, 0.06))
    half = room.between(0.3, 0.45)
    room.walls = [(-1.8, half, 1.2, half), (-1.8, -half, 1.2, -half)]
    room.put_posts()
    room.heading_deg = round(room.between(-8, 8), 1)
    room.goal = (1.0, 0.0)


def corner(room: Room) -> None:
    """A passage, 0.6 m to 0.9 m wide, that bends left after 0.5 m to 1.2 m; the goal is round the bend."""
    _face(room, (4.0, 4.0), -1.0, -0.8)
    half, ahead = room.between(0.3, 0.45), room.between(0.5, 1.2)
    west, bend, south, north = -1.5, -1.0 + ahead, -0.8 - half, -0.8 + half
    end = bend + half  # of the way ahead, where the robot's middle would touch its wall
    room.walls = [
        (west, south, end, south),
        (end, south, end, 1.2),
        (west, north, bend - half, north),
        (bend - half, north, bend - half, 1.2),
    ]
    room.put_posts()
    room.goal = (bend, 0.4)


def block(room: Room) -> None:
    """A box ahead, 0.5 m to 0.9 m away, in an open room; the goal lies behind it."""
    _face(room, (4.0, 3.0), -1.2)
    near, wide = room.between(0.5, 0.9), room.between(0.1, 0.22)
    deep, aside = room.between(0.1, 0.3), room.between(-0.08, 0.08)
    west, south = -1.2 + near, aside - wide
    corners = [(west, south), (west + deep, south), (west + deep, aside + wide), (west, aside + wide)]
    room.walls = [(*here, *there) for here, there in pairwise([*corners, corners[0]])]
    room.goal = (west + deep + 0.6, 0.0)


def _face(room: Room, size: tuple[float, float], x: float, y: float = 0.0) -> None:
    """Give a room its size, and put the robot there to look east."""
    room.size, room.start, room.heading_deg = size, (x, y), 0.0


FAMILIES: dict[str, tuple[Callable[[Room], None], int]] = {  # with the cycles that a mission may take
    "maze": (maze, 300),
    "office": (office, 250),
    "clutter": (clutter, 150),
}
SMALL: dict[str, tuple[Callable[[Room], None], int]] = {
    "wall": (wall, 40),
    "corridor": (corridor, 60),
    "corner": (corner, 60),
    "block": (block, 60),
}
MAKERS = {**FAMILIES, **SMALL}
NAME = re.compile(rf"({'|'.join(MAKERS)}):(0|[1-9]\d{{0,17}})(:explore)?")


def names(
    count: int, first: int = 0, explore: bool = False, families: Sequence[str] = tuple(FAMILIES)
) -> list[str]:
    """The names of `count` arenas, the families in turn, seeds from `first`."""
    kinds, end = list(families), ":explore" if explore else ""
    return [f"{kinds[n % len(kinds)]}:{first + n // len(kinds)}{end}" for n in range(count)]


def generated(name: str) -> Table | None:
    """Return the arena of a name as an arena file would hold it; None where it is no generated one's."""
    parts = NAME.fullmatch(name)
    if parts is None:
        return None
    family, seed, explore = parts.groups()
    chance = random.Random(f"{family}:{seed}")
    room = Room(chance, (0.0, 0.0))
    room.size = (round(room.between(*SIDE_M), 2), round(room.between(*SIDE_M), 2))
    make, cycles = MAKERS[family]
    make(room)
    x, y = (round(number, 3) for number in room.start)
    heading = float(room.whole(-180, 180)) if room.heading_deg is None else room.heading_deg
    table: Table = {
        "name": name,
        "description": f"made by rule: {family}, seed {seed}",
        "size_m": room.size,
        "start": {"x": x, "y": y, "heading_deg": heading},
        "walls": tuple(tuple(round(number, 3) for number in wall) for wall in room.walls),
        "discs": tuple(tuple(round(number, 3) for number in disc) for disc in room.discs),
        "criteria": {"goal_tolerance_m": TOLERANCE_M, "max_cycles": cycles},
    }
    if explore:
        table["criteria"]["min_coverage"] = MIN_COVERAGE
    else:
        table["goal"] = {"x": round(room.goal[0], 3), "y": round(room.goal[1], 3)}
    return table
