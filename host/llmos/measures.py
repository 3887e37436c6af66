"""What is measured of a trial, and whether it is what was asked for."""

import difflib
import math
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from itertools import groupby, pairwise
from pathlib import Path
from typing import Annotated, NamedTuple

from pydantic import AfterValidator

from llmbytecode import Outcome
from llmos.resources import system_volume
from llmos.sim.arena import clearance, list_arenas
from llmos.sim.judge import Sample
from llmos.trial import Trial

_WHEEL_M = 0.05  # half the wheel base: what moves less than its turn moves a wheel is a turn on the spot
_LEAST_M, _LEAST_RAD = 0.005, math.radians(2)  # a shorter stroke is none
_PLACE_M = 0.05  # places nearer than this to each other are one
_LIT = 100  # of 255: a colour's part counts as on
COLOURS = {
    (1, 0, 0): "red",
    (0, 1, 0): "green",
    (0, 0, 1): "blue",
    (1, 1, 0): "yellow",
    (0, 1, 1): "cyan",
    (1, 0, 1): "magenta",
    (1, 1, 1): "white",
}
RANGES = ("front", "left", "right", "rear")

Bounds = tuple[float, float]


def colour_of(led: Sequence[int]) -> str:
    """Return the name of a light's colour; empty where it is dark."""
    red, green, blue = (int(part >= _LIT) for part in led)
    return COLOURS.get((red, green, blue), "")


class Stroke(NamedTuple):
    """A part of a drive in one manner: a turn on the spot, or a way ahead or back; m and rad, with signs."""

    turning: bool
    way: float
    angle: float


class Shown(NamedTuple):
    """A colour of the light, from one ms to another, and where it came on."""

    colour: str
    from_ms: int
    to_ms: int
    place: tuple[float, float]


class Drive:
    """What is measured of a trial."""

    def __init__(self, trial: Trial, radius_m: float) -> None:
        self.trial, self.radius_m = trial, radius_m
        self.samples = trial.truth.samples
        self.first, self.last = self.samples[0], self.samples[-1]

    @property
    def turned(self) -> float:
        """Angle in rad between the first and the last heading, with all whole turns."""
        return self.last.heading - self.first.heading

    def offset(self, sample: Sample) -> tuple[float, float]:
        """Where a sample lies, ahead of and to the left of the first one, in m."""
        dx, dy = sample.x - self.first.x, sample.y - self.first.y
        cos, sin = math.cos(self.first.heading), math.sin(self.first.heading)
        return dx * cos + dy * sin, dy * cos - dx * sin

    @cached_property
    def strokes(self) -> list[Stroke]:
        """The drive's parts in order."""
        parts = [_part(here, there) for here, there in pairwise(self.samples)]
        moving = [part for part in parts if part.way or part.angle]
        strokes = []
        for (turning, _), group in groupby(
            moving, lambda p: (p.turning, (p.angle if p.turning else p.way) > 0)
        ):
            some = list(group)
            stroke = Stroke(turning, sum(p.way for p in some), sum(p.angle for p in some))
            if abs(stroke.way) >= _LEAST_M or (turning and abs(stroke.angle) >= _LEAST_RAD):
                strokes.append(stroke)
        return strokes

    @property
    def legs(self) -> list[float]:
        """Lengths in m of the ways between turns."""
        return [abs(stroke.way) for stroke in self.strokes if not stroke.turning]

    @cached_property
    def shown(self) -> list[Shown]:
        """What the light showed, in order; darkness is left out."""
        shown, end = [], max(self.trial.ended_ms, self.last.ms)
        for led, group in groupby(self.samples, lambda sample: tuple(sample.led)):
            some = list(group)
            colour = colour_of(led)
            after = [sample.ms for sample in self.samples if sample.ms > some[-1].ms][:1]
            if colour:
                shown.append(Shown(colour, some[0].ms, after[0] if after else end, (some[0].x, some[0].y)))
        return shown

    @property
    def lights(self) -> list[str]:
        """The colours shown, in order."""
        return [light.colour for light in self.shown]

    def reading(self, channel: str) -> float:
        """The last reading of a range channel, in mm."""
        return float(getattr(self.trial.telemetry[-1], channel)) if self.trial.telemetry else math.nan

    def mean_reading(self, channel: str) -> float:
        """The mean reading of a range channel over the drive's second half, in mm."""
        readings = [float(getattr(one, channel)) for one in self.trial.telemetry]
        half = readings[len(readings) // 2 :]
        return sum(half) / len(half) if half else math.nan


def _part(here: Sample, there: Sample) -> Stroke:
    dx, dy = there.x - here.x, there.y - here.y
    way, angle = math.hypot(dx, dy), there.heading - here.heading
    if dx * math.cos(here.heading) + dy * math.sin(here.heading) < 0:
        way = -way
    return Stroke(abs(angle) * _WHEEL_M > abs(way), way, angle)


def _still_first(drive: Drive) -> float:
    return next((s.ms for s in drive.samples if s.moving), drive.last.ms) / 1000 - drive.first.ms / 1000


def _goal(drive: Drive) -> float:
    goal = drive.trial.arena.goal
    return 1000 * math.dist((drive.last.x, drive.last.y), (goal.x, goal.y)) if goal else math.nan


def _clearance(drive: Drive) -> float:
    arena = drive.trial.arena
    return 1000 * min(clearance(arena, sample.x, sample.y) - drive.radius_m for sample in drive.samples)


def _far(places: list[tuple[float, float]]) -> int:
    """How many places there are, those near to each other taken as one."""
    kept: list[tuple[float, float]] = []
    for place in places:
        if all(math.dist(place, other) > _PLACE_M for other in kept):
            kept.append(place)
    return len(kept)


Measure = Callable[[Drive], float]


def _of_colour(colour: str) -> dict[str, Measure]:
    def of(drive: Drive) -> list[Shown]:
        return [light for light in drive.shown if light.colour == colour]

    return {
        f"{colour}_times": lambda drive: len(of(drive)),
        f"{colour}_s": lambda drive: sum(light.to_ms - light.from_ms for light in of(drive)) / 1000,
        f"{colour}_places": lambda drive: _far([light.place for light in of(drive)]),
        f"{colour}_at_end": lambda drive: float(colour_of(drive.last.led) == colour),
    }


def _of_range(channel: str) -> dict[str, Measure]:
    return {
        f"{channel}_mm": lambda drive: drive.reading(channel),
        f"{channel}_mean_mm": lambda drive: drive.mean_reading(channel),
    }


MEASUREMENTS: dict[str, Measure] = {
    "ahead_mm": lambda drive: 1000 * drive.offset(drive.last)[0],
    "aside_mm": lambda drive: 1000 * drive.offset(drive.last)[1],
    "closed_mm": lambda drive: 1000 * math.hypot(*drive.offset(drive.last)),
    "farthest_mm": lambda drive: 1000 * max(math.hypot(*drive.offset(s)) for s in drive.samples),
    "path_mm": lambda drive: 1000 * drive.trial.truth.path_m,
    "turned_deg": lambda drive: math.degrees(drive.turned),
    "turned_abs_deg": lambda drive: abs(math.degrees(drive.turned)),
    "rotation_deg": lambda drive: math.degrees(sum(abs(stroke.angle) for stroke in drive.strokes)),
    "legs": lambda drive: len(drive.legs),
    "shortest_leg_mm": lambda drive: 1000 * min(drive.legs, default=0.0),
    "longest_leg_mm": lambda drive: 1000 * max(drive.legs, default=0.0),
    "turns": lambda drive: sum(stroke.turning for stroke in drive.strokes),
    "goal_mm": _goal,
    "seconds": lambda drive: drive.trial.done.ms / 1000,
    "first_still_s": _still_first,
    "clearance_mm": _clearance,
    "reports": lambda drive: len(drive.trial.events),
    "first_report": lambda drive: drive.trial.events[0].value if drive.trial.events else math.nan,
}
for _name in COLOURS.values():
    MEASUREMENTS |= _of_colour(_name)
for _name in RANGES:
    MEASUREMENTS |= _of_range(_name)


def _known(check: dict[str, Bounds]) -> dict[str, Bounds]:
    for name, (low, high) in check.items():
        if name not in MEASUREMENTS:
            near = difflib.get_close_matches(name, MEASUREMENTS, 5, 0.4) or list(MEASUREMENTS)[:5]
            raise ValueError(f"nothing measures {name!r}: name one of {', '.join(near)} or the like")
        if not low <= high:
            raise ValueError(f"{name} from {low:g} to {high:g} holds nothing: put the smaller number first")
    return check


Check = Annotated[
    dict[str, Bounds], AfterValidator(_known)
]  # the least and the greatest that is right, by name


Misses = dict[str, tuple[float, float, float]]  # a measurement outside of its bounds: value, least, greatest


def misses(drive: Drive, check: Mapping[str, Bounds]) -> Misses:
    """Return the measurements of a drive that lie outside of their bounds."""
    measured = {name: MEASUREMENTS[name](drive) for name in check}
    return {
        name: (measured[name], low, high)
        for name, (low, high) in check.items()
        if not low <= measured[name] <= high
    }


def faults(
    drive: Drive, check: Mapping[str, Bounds], lights: Sequence[str] | None = None, code: int = 0
) -> list[str]:
    """Return, in words, what is wrong with a drive.

    Args:
        drive: what happened.
        check: for each measurement the least and the greatest that is right.
        lights: the colours shown, in order, where they matter.
        code: how it must end: 0 where it completes, else the code with which it fails.
    """
    trial = drive.trial
    found = ["it hit something"] if trial.truth.collisions else []
    ended = _ended(Outcome(trial.done.outcome), trial.done.code)
    wanted = _ended(Outcome.FAILED if code else Outcome.COMPLETED, code)
    if ended != wanted:
        found.append(f"it ended as {ended}, not {wanted}")
    if lights is not None and drive.lights != list(lights):
        found.append(f"lights {' '.join(drive.lights) or 'none'}, not {' '.join(lights) or 'none'}")
    for name, (value, low, high) in misses(drive, check).items():
        found.append(f"{name} {value:.0f}, not {low:g} to {high:g}")
    return found


def _ended(outcome: Outcome, code: int) -> str:
    return f"failed with code {code}" if outcome is Outcome.FAILED else outcome.name.lower()


def small_rooms() -> dict[str, Path]:
    """Return the small rooms that only tests name, by name."""
    return {path.stem: path for path in sorted((system_volume() / "behaviours" / "arenas").glob("*.toml"))}


def place(arena: str) -> str:
    """Return an arena that a test names as a name or a path that every command takes."""
    return arena if arena in list_arenas() else str(small_rooms().get(arena, arena))
