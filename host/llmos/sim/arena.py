"""Arenas: rooms of walls and discs, refused at load where they are wrong or unsolvable.

They are TOML files, or made by rule and seed (`llmos.sim.generate`).
"""

import functools
import math
from pathlib import Path
from typing import Annotated, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field

from llmos.errors import LlmosError
from llmos.resources import system_volume
from llmos.sim import generate
from llmos.sim.ground import Ground, to_segment
from llmos.tables import read_table

ROBOT_RADIUS_M = 0.075  # the reference robot's footprint; arenas are checked for it

Metre = Annotated[float, Field(ge=-20, le=20, allow_inf_nan=False, strict=True)]
Side = Annotated[float, Field(ge=0.5, le=20, allow_inf_nan=False, strict=True)]
Size = Annotated[float, Field(gt=0, le=10, allow_inf_nan=False, strict=True)]
Wall = tuple[Metre, Metre, Metre, Metre]
Disc = tuple[Metre, Metre, Size]
Colour = Literal["red", "green", "blue", "yellow", "orange", "purple", "white", "grey", "black"]
Shape = Literal["box", "ball", "cylinder"]
COLOURS: tuple[Colour, ...] = get_args(Colour)
SHAPES: tuple[Shape, ...] = get_args(Shape)


class ArenaError(LlmosError):
    """An arena that cannot be read, does not describe a room, or cannot be solved."""


class Table(BaseModel):
    """A table of an arena file; unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Start(Table):
    """Where the robot stands first."""

    x: Metre
    y: Metre
    heading_deg: Annotated[float, Field(ge=-360, le=360, allow_inf_nan=False, strict=True)] = 0.0


class Goal(Table):
    """Where the robot shall go."""

    x: Metre
    y: Metre


class Thing(Table):
    """A coloured thing on the ground. Whatever its shape, it is in the way as a disc of `radius_m`.

    A box is a cube's footprint inside this disc, its sides along the room's; a ball is as high as it is wide.
    """

    colour: Colour
    shape: Shape
    x: Metre
    y: Metre
    radius_m: Annotated[float, Field(ge=0.03, le=0.5, allow_inf_nan=False, strict=True)] = 0.1
    height_m: Annotated[float, Field(ge=0.03, le=0.6, allow_inf_nan=False, strict=True)] = 0.2

    @property
    def label(self) -> str:
        """What one calls it: `red box`."""
        return f"{self.colour} {self.shape}"


class Poster(Table):
    """A sheet of paper on a wall, seen by cameras alone."""

    at: Wall  # along the wall, in front of it
    text: Annotated[str, Field(max_length=200)] = ""
    colour: Colour = "white"
    bottom_m: Annotated[float, Field(ge=0, le=0.5, allow_inf_nan=False, strict=True)] = 0.1
    top_m: Annotated[float, Field(gt=0, le=0.6, allow_inf_nan=False, strict=True)] = 0.4


class Look(Table):
    """How a camera sees walls and ground."""

    walls: Literal["plaster", "bricks", "panels"] = "plaster"
    floor: Literal["tiles", "boards"] = "tiles"


class Criteria(Table):
    """When a run counts as a success."""

    goal_tolerance_m: Annotated[float, Field(gt=0, le=2, allow_inf_nan=False, strict=True)] = 0.3
    max_collisions: Annotated[int, Field(ge=0, le=10_000, strict=True)] = 0
    min_coverage: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False, strict=True)] = 0.0
    max_cycles: Annotated[int, Field(gt=0, le=10_000, strict=True)] = 100


class Arena(Table):
    """One room, in metres, centred on the origin, x east and y north; its border is a wall."""

    name: Annotated[str, Field(min_length=1, max_length=40, pattern=r"^[\w:-]+$")]
    description: Annotated[str, Field(max_length=200)] = ""
    size_m: tuple[Side, Side]
    start: Start
    goal: Goal | None = None
    walls: Annotated[tuple[Wall, ...], Field(max_length=1000)] = ()
    discs: Annotated[tuple[Disc, ...], Field(max_length=1000)] = ()
    objects: Annotated[tuple[Thing, ...], Field(max_length=100)] = ()
    posters: Annotated[tuple[Poster, ...], Field(max_length=20)] = ()
    look: Look = Look()
    noise_mm: Annotated[float, Field(ge=0, le=200, allow_inf_nan=False, strict=True)] = 5.0
    criteria: Criteria = Criteria()

    @property
    def segments(self) -> tuple[Wall, ...]:
        """The walls and the four sides of the border: x1, y1, x2, y2."""
        x, y = self.size_m[0] / 2, self.size_m[1] / 2
        border = ((-x, -y, x, -y), (x, -y, x, y), (x, y, -x, y), (-x, y, -x, -y))
        return (*self.walls, *border)

    @property
    def rounds(self) -> tuple[Disc, ...]:
        """All that is round on the ground: the discs, then the objects, each as a disc."""
        return (*self.discs, *((thing.x, thing.y, thing.radius_m) for thing in self.objects))

    @property
    def task(self) -> bool:
        """Whether it sets one: a place to reach, or a share of the room to see."""
        return self.goal is not None or self.criteria.min_coverage > 0


def list_arenas() -> list[str]:
    """The names of the arenas that ship, sorted."""
    return sorted(path.stem for path in (system_volume() / "arenas").glob("*.toml"))


def load_arena(name_or_path: str, *, check: bool = True, radius_m: float = ROBOT_RADIUS_M) -> Arena:
    """Return an arena by name, as `maze` or the generated `maze:17`, or by path where the name ends in .toml.

    Args:
        check: also refuse an arena that a robot of `radius_m` cannot solve.

    Raises:
        ArenaError: the file is missing, is no TOML, describes no room, or cannot be solved.
    """
    table = generate.generated(name_or_path)
    if table:
        arena = Arena.model_validate(table)
    else:
        arena = read_table(_find(name_or_path), Arena, f"arena {name_or_path!r}", ArenaError)
    reason = solvable(arena, radius_m) if check else None
    if reason:
        raise ArenaError(f"arena {name_or_path!r}: cannot be solved: {reason}")
    return arena


def _find(name_or_path: str) -> Path:
    if name_or_path.endswith(".toml"):
        return Path(name_or_path)
    if name_or_path not in list_arenas():
        known = ", ".join([*list_arenas(), *(f"{family}:SEED" for family in generate.MAKERS)])
        raise ArenaError(f"arena {name_or_path!r}: unknown; name one of {known}, or a .toml file")
    return system_volume() / "arenas" / f"{name_or_path}.toml"


@functools.lru_cache(maxsize=32)
def ground(arena: Arena, radius_m: float) -> Ground:
    """Where the middle of a robot of `radius_m` may be, and which of it can be reached from the start."""
    return Ground(arena.size_m, arena.segments, arena.rounds, radius_m, (arena.start.x, arena.start.y))


def solvable(arena: Arena, radius_m: float = ROBOT_RADIUS_M) -> str | None:
    """Why a robot of `radius_m` cannot solve the arena, or None where it can."""
    places = {"start": arena.start, "goal": arena.goal}
    for name, place in places.items():
        if place is None:
            continue
        if abs(place.x) > arena.size_m[0] / 2 or abs(place.y) > arena.size_m[1] / 2:
            return f"the {name} ({place.x:g}, {place.y:g}) lies outside the room"
        room = clearance(arena, place.x, place.y)
        if room < radius_m:
            where = f"the {name} ({place.x:g}, {place.y:g})"
            return f"{where} is {max(room, 0):.3f} m from an obstacle; the robot needs {radius_m:g} m"
    if arena.goal and not ground(arena, radius_m).reaches(arena.goal.x, arena.goal.y):
        return f"no way from the start to the goal is wide enough for a robot of {2 * radius_m:g} m"
    return None


def clearance(arena: Arena, x: float, y: float) -> float:
    """Distance in metres from a point to the nearest obstacle; negative inside a disc."""
    walls = (to_segment(x, y, *segment) for segment in arena.segments)
    discs = (math.hypot(cx - x, cy - y) - radius for cx, cy, radius in arena.rounds)
    return min(*walls, *discs)
