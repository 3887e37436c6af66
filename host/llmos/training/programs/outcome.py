"""The judge of programs: what two of them do in the same arenas, never how they are written."""

import math
from collections.abc import Iterator
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

from llmbytecode import LLMBytecodeError, Machine, Outcome, assemble
from llmos.manifest import load_manifest
from llmos.measures import colour_of
from llmos.sim.arena import load_arena
from llmos.teacher import Floor

from .pairs import ROBOT

ARENAS = ("empty", "wall:3", "corridor:2")  # open ground, a wall ahead, walls on both sides
# How far apart two runs of the same may be: so much, and this share of what the reference did.
_PLACE_M, _ANGLE_RAD, _SECONDS, _READING, _SHARE = 0.02, 0.05, 1.0, 20, 0.04


class Light(NamedTuple):
    """A colour of the light, dark ones left out: for how long in s, and where it came on."""

    colour: str
    seconds: float
    place: tuple[float, float]


Change = tuple[str, float, tuple[float, float]]  # of the light: the colour, when in s, and where


class Done(NamedTuple):
    """What a program did: m, rad, s."""

    ended: tuple[Outcome, int]
    place: tuple[float, float]
    heading: float  # with all whole turns
    path: float
    rotation: float
    seconds: float
    lights: tuple[Light, ...]
    reports: tuple[tuple[int, int], ...]
    collisions: int


@lru_cache(maxsize=1 << 12)
def done(text: str, arena: str = ARENAS[0], seed: int = 0) -> Done:
    """Run a program in an arena on a robot to practise with.

    Raises:
        LLMBytecodeError: it is no program, or the robot refuses it.
    """
    manifest = load_manifest(ROBOT)
    world = Floor(load_arena(arena, radius_m=manifest.radius_m), manifest, seed)
    machine = Machine(assemble(text), manifest.limits, world)
    changes: list[Change] = []
    world.begin()
    while machine.outcome is Outcome.RUNNING:
        machine.step()
        if len(machine.signals) > len(changes):
            changes.append((colour_of(machine.signals[-1][1:]), world.clock.ms / 1000, world.true[:2]))
    seconds = world.clock.ms / 1000
    return Done(
        ended=(machine.outcome, machine.code),
        place=world.true[:2],
        heading=world.true[2],
        path=machine.path_mm / 1000,
        rotation=machine.rotation_mrad / 1000,
        seconds=seconds,
        lights=tuple(_shown(changes, seconds)),
        reports=tuple(machine.reports),
        collisions=world.collisions,
    )


def _shown(changes: list[Change], end: float) -> Iterator[Light]:
    """Yield the colours shown; one that is set anew while it shows goes on."""
    dark: Change = ("", 0.0, (0.0, 0.0))
    changes = [now for before, now in pairwise([dark, *changes]) if now[0] != before[0]]
    for (colour, began, place), (_, until, _) in pairwise([*changes, ("", end, dark[2])]):
        if colour:
            yield Light(colour, until - began, place)


def right(text: str, reference: str) -> bool:
    """Return whether a program does what its reference does, in each of the `ARENAS`."""
    return all(same_outcome(text, reference, arena) for arena in ARENAS)


def same_outcome(text: str, reference: str, arena: str, seed: int = 0) -> bool:
    """Return whether a program does in an arena what its reference does."""
    return not differences(text, reference, arena, seed)


def differences(text: str, reference: str, arena: str, seed: int = 0) -> list[str]:
    """Return in what a program differs from its reference in an arena: in all where it is refused."""
    wanted = done(reference, arena, seed)
    try:
        found = done(text, arena, seed)
    except LLMBytecodeError as error:
        return [f"refused: {error}"]
    slack = _SHARE * wanted.path
    lights = [light.colour for light in wanted.lights] == [light.colour for light in found.lights]
    tags = [tag for tag, _ in wanted.reports] == [tag for tag, _ in found.reports]
    told = {
        "end": wanted.ended == found.ended,
        "collisions": found.collisions <= wanted.collisions,
        "place": math.dist(wanted.place, found.place) <= _PLACE_M + slack,
        "heading": _near(wanted.heading, found.heading, _ANGLE_RAD, wanted.rotation),
        "path": _near(wanted.path, found.path, _PLACE_M, wanted.path),
        "rotation": _near(wanted.rotation, found.rotation, _ANGLE_RAD, wanted.rotation),
        "time": _near(wanted.seconds, found.seconds, _SECONDS, 2 * wanted.seconds),
        "lights": lights and all(map(_alike, wanted.lights, found.lights)),
        "reports": tags and all(map(_read_alike, wanted.reports, found.reports)),
    }
    return [name for name, same in told.items() if not same]


def _near(wanted: float, found: float, least: float, measure: float) -> bool:
    return abs(wanted - found) <= least + _SHARE * measure


def _alike(wanted: Light, found: Light) -> bool:
    near = math.dist(wanted.place, found.place) <= 2 * _PLACE_M
    return near and _near(wanted.seconds, found.seconds, 0.15, 3 * wanted.seconds)


def _read_alike(wanted: tuple[int, int], found: tuple[int, int]) -> bool:
    return _near(wanted[1], found[1], _READING, abs(wanted[1]))
