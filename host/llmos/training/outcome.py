"""The judge of programs: what two of them do in the same arenas, never how they are written."""

import math
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from llmbytecode import LLMBytecodeError, Machine, Outcome, assemble
from llmos.manifest import load_manifest
from llmos.measures import colour_of
from llmos.sim.arena import load_arena

from .practice import Practice
from .programs import ROBOT

ARENAS = ("empty", "wall:3", "corridor:2")  # open ground, a wall ahead, walls on both sides
# How far apart two runs of the same may be: so much, and this share of what the reference did.
_PLACE_M, _ANGLE_RAD, _SECONDS, _READING, _SHARE = 0.02, 0.05, 1.0, 20, 0.04


class Light(NamedTuple):
    """A colour of the light, dark ones left out: for how long in s, and where it came on."""

    colour: str
    seconds: float
    place: tuple[float, float]


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
    robot = Practice(load_arena(arena, radius_m=manifest.radius_m), manifest, seed)
    machine = Machine(assemble(text), manifest.limits, robot)
    changes: list[tuple[str, float, tuple[float, float]]] = []
    machine.world.begin()
    while machine.outcome is Outcome.RUNNING:
        machine.step()
        if len(machine.signals) > len(changes):
            changes.append((colour_of(machine.signals[-1][1:]), robot.clock.ms / 1000, robot.true[:2]))
    seconds, (x, y, heading) = robot.clock.ms / 1000, robot.true
    return Done(
        (machine.outcome, machine.code), (x, y), heading, machine.path_mm / 1000, machine.rotation_mrad / 1000,
        seconds, tuple(_shown(changes, seconds)), tuple(machine.reports), robot.collisions,
    )  # fmt: skip


def _shown(changes: list[tuple[str, float, tuple[float, float]]], end: float) -> Iterator[Light]:
    """Yield the colours shown; one that is set anew while it shows goes on."""
    changes = [
        now
        for before, now in zip([("", 0.0, (0.0, 0.0)), *changes], changes, strict=False)
        if now[0] != before[0]
    ]
    ends = [change[1] for change in changes[1:]] + [end]
    for (colour, began, place), until in zip(changes, ends, strict=False):
        if colour:
            yield Light(colour, until - began, place)


def same_outcome(text: str, reference: str, arena: str, seed: int = 0) -> bool:
    """Return whether a program does in an arena what its reference does."""
    return not differences(text, reference, arena, seed)


def differences(text: str, reference: str, arena: str, seed: int = 0) -> list[str]:
    """Return in what a program differs from its reference in an arena; a refused one differs in everything."""
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
        "reports": tags and all(
            _near(one, other, _READING, abs(one)) for (_, one), (_, other) in zip(wanted.reports, found.reports, strict=True)
        ),
    }  # fmt: skip
    return [name for name, same in told.items() if not same]


def _near(wanted: float, found: float, least: float, measure: float) -> bool:
    return abs(wanted - found) <= least + _SHARE * measure


def _alike(wanted: Light, found: Light) -> bool:
    near = math.dist(wanted.place, found.place) <= 2 * _PLACE_M
    return near and _near(wanted.seconds, found.seconds, 0.15, 3 * wanted.seconds)
