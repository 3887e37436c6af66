"""Rooms, doorways and the ways between them, from the occupancy grid.

The free ground is cut where it is narrow between walls, by the distance transform: places further than half a
doorway from any wall are the rooms' cores, which then grow outwards, the wide parts first, so that they meet
where it is narrowest (Bormann et al., Room segmentation: survey, implementation, and analysis, ICRA 2016; the
places where they meet are the critical points of Thrun, Learning metric-topological maps, 1998). Furniture
does not divide a room: only clusters of occupied cells as long as a wall do.
"""

import math
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llmos.planning import clearance, reachable_costs
from llmos.world.components import NOWHERE, Labels, Mask, components
from llmos.world.grid import FREE, OCCUPIED, UNKNOWN, Cell, Grid

DOOR_M = 0.85  # a wider passage divides nothing
WALL_M = 1.2  # a cluster of occupied cells of this length is a wall, a smaller one furniture
ROOM_M2 = 0.5  # less ground is no room
NARROW = 0.8  # a doorway is at most so wide as this part of the narrower room
STEP_M = 0.05  # by which growing goes from wide to narrow ground
MOST_ROOMS = 16  # of a topology; a frame is bounded
ON_M = 0.2  # a place this near to a room's ground is in it
MOVES_BELOW = 0.9  # a room's waypoint stays while it has at least this part of the most clearance
SAID = 4  # doorways in a line
REDRAWN = 40  # cells; with less change the rooms are taken to be as they were

Point = tuple[float, float]
Topology = dict[str, list[dict[str, Any]]]


@dataclass(frozen=True)
class Room:
    """A room: its waypoint is the free place with the most clearance."""

    id: int
    centre_m: Point
    cell: Cell
    area_m2: float


@dataclass(frozen=True)
class Doorway:
    """The narrowest place between two rooms, the lower number first."""

    id: str
    pos_m: Point
    cell: Cell
    rooms: tuple[int, int]


@dataclass(frozen=True)
class FloorPlan:
    """Rooms and doorways; `labels` holds each cell's room, 0 for none."""

    labels: Labels
    rooms: tuple[Room, ...] = ()
    doorways: tuple[Doorway, ...] = ()

    def room_of(self, grid: Grid, place: Point) -> int | None:
        """Return the number of the room that a place in metres lies in, or right beside."""
        cell = grid.cell(*place)
        if cell is None:
            return None
        if own := int(self.labels[cell]):
            return own
        reach = math.ceil(ON_M / grid.cell_m)
        row, col = max(0, cell[0] - reach), max(0, cell[1] - reach)
        near = self.labels[row : cell[0] + reach + 1, col : cell[1] + reach + 1]
        found = [
            (math.dist(grid.centre((row + int(i), col + int(j))), place), int(near[i, j]))
            for i, j in np.argwhere(near)
        ]
        away, room = min(found, default=(math.inf, 0))
        return room if away <= ON_M else None


@dataclass
class Floor:
    """Follows the rooms of a growing map; a room keeps its number as long as most of it stays itself."""

    plan: FloorPlan | None = None
    room: int | None = None  # that the robot is in
    visited: set[int] = field(default_factory=set)
    _seen: NDArray[np.uint8] | None = field(default=None, repr=False)
    _numbered: int = 0
    _routed: FloorPlan | None = field(default=None, repr=False)  # whose topology is held
    _topology: Topology = field(default_factory=lambda: topology_of([], []))

    def layer(self, grid: Grid, cost: NDArray[np.float32]) -> Topology:
        """Return the waypoints and edges of the map, for a footprint's cost of entering each cell."""
        plan = self.update(grid)
        if plan is not self._routed:
            self._topology, self._routed = topology(plan, grid, cost), plan
        return self._topology

    def enter(self, grid: Grid, place: Point) -> bool:
        """Note which room the robot is in; tell whether it is new to it. The first room of all is not new."""
        self.room = self.update(grid).room_of(grid, place)
        if self.room is None or self.room in self.visited:
            return False
        self.visited.add(self.room)
        return len(self.visited) > 1

    def line(self) -> str:
        """Say where the robot is and what leads out: `in room 2, 3 known, doorways to 1 at 1.2,0.4`."""
        if self.plan is None or self.room is None or len(self.plan.rooms) < 2:
            return ""
        doors = {one.id: one for one in self.plan.doorways}
        ways = sorted(
            (one["cost"], one["to"], one["state"])
            for one in self._topology["edges"]
            if one["from"] == f"r{self.room}"
        )
        parts = []
        for _, name, state in ways[:SAID]:
            (x, y), beyond = doors[name].pos_m, sum(doors[name].rooms) - self.room
            parts.append(f"to {beyond} at {x:.1f},{y:.1f}" + ("" if state == "clear" else f" {state}"))
        leads = f", doorways {', '.join(parts)}" if parts else ""
        return f"in room {self.room}, {len(self.plan.rooms)} known{leads}"

    def update(self, grid: Grid) -> FloorPlan:
        """Return the rooms; they are sought again only where enough of the map has changed."""
        occupancy = grid.occupancy()
        if self.plan and self._seen is not None and np.count_nonzero(self._seen != occupancy) < REDRAWN:
            return self.plan
        labels, room = segmented(occupancy, grid.cell_m)
        labels, self._numbered = renumbered(labels, self.plan.labels if self.plan else None, self._numbered)
        self.plan = described(grid, labels, room, self.plan)
        self._seen = occupancy
        return self.plan


def segmented(occupancy: NDArray[np.uint8], cell_m: float) -> tuple[Labels, NDArray[np.float64]]:
    """Return each cell's room, from 1, and its clearance in metres of all that is occupied."""
    free, occupied = occupancy == FREE, occupancy == OCCUPIED
    wide = clearance(walls(occupied, cell_m)) * cell_m
    labels = components(free & (wide > DOOR_M / 2))
    for level in np.arange(DOOR_M / 2, -STEP_M, -STEP_M):
        labels = grown(labels, free & (wide >= level))
    rest = components(free & (labels == NOWHERE))
    labels = np.where(labels == NOWHERE, rest, labels)
    labels = joined(labels, wide)
    return numbered(labels, round(ROOM_M2 / cell_m**2)), clearance(occupied) * cell_m


def walls(occupied: Mask, cell_m: float) -> Mask:
    """Return the occupied cells of clusters as long as a wall."""
    labels = components(occupied)
    names, index = np.unique(labels[occupied], return_inverse=True)
    if not names.size:
        return occupied
    sides = []
    for axis in np.nonzero(occupied):
        low, high = np.full(names.size, NOWHERE), np.full(names.size, -1)
        np.minimum.at(low, index, axis)
        np.maximum.at(high, index, axis)
        sides.append(high - low + 1)
    found = np.zeros_like(occupied)
    found[occupied] = (np.hypot(*sides) * cell_m >= WALL_M)[index]
    return found


def least_around(labels: Labels, axis: int) -> Labels:
    """Return the least of each cell and its two neighbours along an axis."""
    found = labels.copy()
    a, b = (labels, found) if axis == 0 else (labels.T, found.T)
    np.minimum(b[1:], a[:-1], out=b[1:])
    np.minimum(b[:-1], a[1:], out=b[:-1])
    return found


def grown(labels: Labels, ground: Mask) -> Labels:
    """Let labels spread over sides to all the ground that hangs together with them; the nearer one wins."""
    while True:
        open_ground = ground & (labels == NOWHERE)
        around = np.minimum(least_around(labels, 0), least_around(labels, 1))
        if not (open_ground & (around != NOWHERE)).any():
            return labels
        labels = np.where(open_ground, around, labels)


def contacts(labels: Labels) -> list[tuple[Cell, Cell]]:
    """Return the pairs of cells, beside each other, of two rooms."""
    found: list[tuple[Cell, Cell]] = []
    for step in ((0, 1), (1, 0)):
        here, there = labels[: -step[0] or None, : -step[1] or None], labels[step[0] :, step[1] :]
        meet = (here != there) & (here != NOWHERE) & (there != NOWHERE) & (here != 0) & (there != 0)
        found += [((r, c), (r + step[0], c + step[1])) for r, c in np.argwhere(meet).tolist()]
    return found


def joined(labels: Labels, wide: NDArray[np.float64]) -> Labels:
    """Return labels in which rooms are one that meet on ground hardly narrower than the narrower of them."""
    saddles: dict[tuple[int, int], float] = {}
    for a, b in contacts(labels):
        pair = ordered(int(labels[a]), int(labels[b]))
        saddles[pair] = max(saddles.get(pair, 0.0), min(float(wide[a]), float(wide[b])))
    peaks = {name: float(wide[labels == name].max()) for pair in saddles for name in pair}
    while saddles:
        saddle, (one, other) = max((height, pair) for pair, height in saddles.items())
        if saddle <= NARROW * min(peaks[one], peaks[other]):
            del saddles[one, other]
            continue
        labels = np.where(labels == other, np.int32(one), labels)
        peaks[one] = max(peaks[one], peaks[other])
        met: dict[tuple[int, int], float] = {}
        for (low, high), height in saddles.items():
            pair = ordered(one if low == other else low, one if high == other else high)
            if pair[0] != pair[1]:
                met[pair] = max(met.get(pair, 0.0), height)
        saddles = met
    return labels


def ordered(one: int, other: int) -> tuple[int, int]:
    """Return two numbers, the lower first."""
    return (one, other) if one < other else (other, one)


def numbered(labels: Labels, least: int) -> Labels:
    """Return labels from 1 in the order of the rooms' size, those of fewer than `least` cells as 0."""
    names, counts = np.unique(labels[labels != NOWHERE], return_counts=True)
    order = sorted(zip((-counts).tolist(), names.tolist(), strict=True))[:MOST_ROOMS]
    found = np.zeros_like(labels)
    for number, (size, name) in enumerate(order, 1):
        if -size >= least:
            found[labels == name] = number
    return found


def renumbered(labels: Labels, before: Labels | None, given: int) -> tuple[Labels, int]:
    """Return labels with the numbers of the rooms that they overlap most, new ones from `given` + 1 on."""
    shared: Counter[tuple[int, int]] = Counter()
    if before is not None:
        both = (labels > 0) & (before > 0)
        shared.update(zip(labels[both].tolist(), before[both].tolist(), strict=True))
    names: dict[int, int] = {}
    for (new, old), _ in sorted(shared.items(), key=lambda item: (-item[1], item[0])):
        if new not in names and old not in names.values():
            names[new] = old
    for new in names_of(labels):
        if new not in names:
            given += 1
            names[new] = given
    table = np.zeros(int(labels.max(initial=0)) + 1, np.int32)
    for new, name in names.items():
        table[new] = name
    return table[labels], given


def described(grid: Grid, labels: Labels, room: NDArray[np.float64], before: FloorPlan | None) -> FloorPlan:
    """Return rooms with their waypoints, and the doorways between them."""
    old = {one.id: one.cell for one in before.rooms} if before else {}
    rooms = []
    for name in names_of(labels):
        inside = np.where(labels == name, room, -1.0)
        index = int(inside.argmax())
        cell = (index // labels.shape[1], index % labels.shape[1])
        if name in old and inside[old[name]] >= MOVES_BELOW * inside[cell]:
            cell = old[name]
        area = float(np.count_nonzero(labels == name)) * grid.cell_m**2
        rooms.append(Room(name, rounded(grid.centre(cell)), cell, round(area, 2)))
    return FloorPlan(labels, tuple(rooms), tuple(doorways(grid, labels, room)))


def doorways(grid: Grid, labels: Labels, room: NDArray[np.float64]) -> list[Doorway]:
    """Return a doorway for each group of touching cells of two rooms: the middle of where it is narrow."""
    pairs: dict[tuple[int, int], list[Cell]] = {}
    for a, b in contacts(labels):
        pairs.setdefault(ordered(int(labels[a]), int(labels[b])), []).append(a if room[a] <= room[b] else b)
    found = []
    for (low, high), cells in sorted(pairs.items()):
        for number, group in enumerate(together(sorted(set(cells))), 1):
            cell = max(group, key=lambda c: (room[c], -c[0], -c[1]))
            name = f"d{low}-{high}" + (f".{number}" if number > 1 else "")
            found.append(Doorway(name, rounded(grid.centre(cell)), cell, (low, high)))
    return found


def together(cells: list[Cell]) -> list[list[Cell]]:
    """Return cells in groups whose members are at most two cells from another one."""
    groups: list[list[Cell]] = []
    for cell in cells:
        near = [g for g in groups if any(max(abs(cell[0] - r), abs(cell[1] - c)) <= 2 for r, c in g)]
        groups = [g for g in groups if g not in near] + [sorted([cell, *(c for g in near for c in g)])]
    return sorted(groups)


def names_of(labels: Labels) -> list[int]:
    """Return the rooms' numbers that labels hold, in order."""
    names: list[int] = np.flatnonzero(np.bincount(labels.ravel())).tolist()
    return [name for name in names if name]


def rounded(point: Point) -> Point:
    """Return a point in whole centimetres, without a negative zero."""
    return round(point[0], 2) + 0.0, round(point[1], 2) + 0.0


def topology(plan: FloorPlan, grid: Grid, cost: NDArray[np.float32]) -> Topology:
    """Return waypoints, rooms' and doorways', and for each doorway an edge to each of its two rooms.

    An edge's cost is that of the best way, in metres over open ground; its state is `clear` where the
    footprint fits all the way on known ground, `unknown` where only over unseen cells, else `blocked`.
    """
    waypoints = [{"id": f"r{one.id}", "pos_m": one.centre_m, "label": f"room {one.id}"} for one in plan.rooms]
    waypoints += [
        {"id": one.id, "pos_m": one.pos_m, "label": f"doorway {one.rooms[0]}-{one.rooms[1]}"}
        for one in plan.doorways
    ]
    unknown = grid.occupancy() == UNKNOWN
    edges = []
    for room in plan.rooms:
        doors = [one for one in plan.doorways if room.id in one.rooms]
        if not doors:
            continue
        inside = (plan.labels == room.id) | unknown
        for door in doors:
            inside[door.cell] = True
        guessed = reachable_costs(np.where(inside, cost, np.float32(np.inf)), room.cell)
        seen = reachable_costs(np.where(inside & ~unknown, cost, np.float32(np.inf)), room.cell)
        edges += [edge(grid, room, door, float(seen[door.cell]), float(guessed[door.cell])) for door in doors]
    return topology_of(waypoints, edges)


def topology_of(waypoints: list[dict[str, Any]], edges: list[dict[str, Any]]) -> Topology:
    """Return the topology in the frame's form."""
    return {"waypoints": waypoints, "edges": edges}


def edge(grid: Grid, room: Room, door: Doorway, seen: float, guessed: float) -> dict[str, Any]:
    """Return the way from a room's middle to a doorway, by its cost over known ground and over any."""
    way, state = (seen, "clear") if math.isfinite(seen) else (guessed, "unknown")
    metres = way * grid.cell_m
    if not math.isfinite(way):
        metres, state = math.dist(room.centre_m, door.pos_m), "blocked"
    return {"from": f"r{room.id}", "to": door.id, "cost": round(metres, 2), "state": state}
