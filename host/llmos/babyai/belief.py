"""What the agent knows: the cells that it has seen, where it is, and what it carries.

Everything is in the agent's own frame, whose origin is the cell in which it began. It sees the 7 x 7 cells
before it as far as nothing hides them, and knows the direction that it faces; where it is it reckons itself.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from llmos.babyai.actions import FORWARD

VIEW = 7  # cells across and ahead
# As minigrid numbers them in its observations.
KINDS = ("unseen", "empty", "wall", "floor", "door", "key", "ball", "box", "goal", "lava", "agent")
COLOURS = ("red", "green", "blue", "purple", "yellow", "grey")
STATES = ("open", "closed", "locked")
AHEAD = ((1, 0), (0, 1), (-1, 0), (0, -1))  # unit vector of each direction; x to the right, y down

Cell = tuple[int, int]


class Seen(NamedTuple):
    """What a cell holds."""

    kind: str
    colour: str = ""
    state: str = ""  # of a door

    @property
    def name(self) -> str:
        """Return what it is called, such as `red ball`."""
        return f"{self.colour} {self.kind}"


EMPTY = Seen("empty")


class Pose(NamedTuple):
    """A cell, and a direction 0 to 3: right, down, left, up."""

    x: int
    y: int
    direction: int

    @property
    def cell(self) -> Cell:
        """Return the cell."""
        return self.x, self.y

    @property
    def front(self) -> Cell:
        """Return the cell ahead."""
        return self.at(1, 0)

    def at(self, ahead: int, right: int) -> Cell:
        """Return the cell so many steps ahead and to the right."""
        dx, dy = AHEAD[self.direction]
        return self.x + dx * ahead - dy * right, self.y + dy * ahead + dx * right

    def view(self) -> Iterator[Cell]:
        """Return the cells that could be seen from here."""
        for ahead in range(VIEW):
            for right in range(-(VIEW // 2), VIEW // 2 + 1):
                yield self.at(ahead, right)


START = Pose(0, 0, 0)
THINGS = ("door", "key", "ball", "box")


@dataclass
class Belief:
    """The map that has been seen so far."""

    pose: Pose = START
    cells: dict[Cell, Seen] = field(default_factory=dict)
    carried: Seen | None = None
    looked: set[Pose] = field(default_factory=set)  # from where everything visible has been seen

    def observe(self, image: Any, direction: int) -> None:
        """Take in an observation: `image` is 7 x 7 x 3 (right, back, what), as minigrid gives it."""
        self.pose = self.pose._replace(direction=int(direction))
        self.looked.add(self.pose)
        for column in range(VIEW):
            for row in range(VIEW):
                kind, colour, state = (int(value) for value in image[column, row])
                if KINDS[kind] == "unseen":
                    continue
                seen = read(kind, colour, state)
                cell = self.pose.at(VIEW - 1 - row, column - VIEW // 2)
                if cell == self.pose.cell:  # shows what is carried
                    self.carried = None if seen == EMPTY else seen
                    self.cells.setdefault(cell, EMPTY)
                else:
                    self.cells[cell] = seen

    def moved(self, action: int) -> None:
        """Reckon where an action leads; turns are seen, what hands do is seen, too."""
        if action == FORWARD and self.free(self.pose.front):
            self.pose = self.pose._replace(x=self.pose.front[0], y=self.pose.front[1])

    def free(self, cell: Cell) -> bool:
        """Tell whether the agent can enter a cell, as far as it knows."""
        seen = self.cells.get(cell)
        return seen is not None and (seen.kind == "empty" or seen.state == "open")

    def things(self) -> dict[Cell, Seen]:
        """Return the objects and doors that have been seen."""
        return {cell: seen for cell, seen in self.cells.items() if seen.kind in THINGS}

    def locked(self) -> list[Seen]:
        """Return the locked doors whose key is not in the hand."""
        return [
            seen
            for seen in self.things().values()
            if seen.state == "locked" and self.carried != Seen("key", seen.colour)
        ]

    @property
    def doorways(self) -> set[Cell]:
        """Return the cells of doors, in which nothing is put down."""
        return {cell for cell, seen in self.cells.items() if seen.kind == "door"}

    def edges(self) -> set[Cell]:
        """Return unseen cells beside a cell through which one sees."""
        clear = [
            cell for cell, seen in self.cells.items() if seen.kind != "wall" and seen.state in ("", "open")
        ]
        return {near for cell in clear for near in beside(cell) if near not in self.cells}


def read(kind: int, colour: int, state: int) -> Seen:
    """Return what three numbers of an observation mean."""
    name = KINDS[kind]
    if name in ("empty", "floor"):
        return EMPTY
    return Seen(name, COLOURS[colour], STATES[state] if name == "door" else "")


def beside(cell: Cell) -> list[Cell]:
    """Return the four cells beside one."""
    return [(cell[0] + dx, cell[1] + dy) for dx, dy in AHEAD]
