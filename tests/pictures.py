"""Pictures from all over an arena, with what they show whole and near enough, and what a detector finds."""

import math
import random
from typing import NamedTuple

from llmos.camera import Picture
from llmos.eyes import ColourDetector, Detection, Lens
from llmos.sim.arena import Arena, Thing, clearance, load_arena
from llmos.sim.camera import Photographer
from llmos.sim.rig import Moment
from llmos.sim.scene import Scene

LENS = Lens()
SEE = ColourDetector(LENS)
NEAREST_M, FURTHEST_M = 0.25, 3.0  # of a thing that should be found


class Case(NamedTuple):
    """A picture, what it shows whole and near enough, and what was found."""

    expected: list[tuple[Thing, float, float]]  # with its distance and bearing
    bearings: list[tuple[Thing, float]]  # of all that is in the arena, seen or not
    found: tuple[Detection, ...]


def case(arena: Arena, scene: Scene, photographer: Photographer, moment: Moment) -> Case:
    """Take and look at one picture."""
    x, y, heading = moment.x, moment.y, moment.heading
    depth = scene.view(x, y, heading).depth_m
    expected, bearings = [], []
    for thing in arena.objects:
        away = math.dist((x, y), (thing.x, thing.y))
        bearing = math.remainder(math.atan2(thing.y - y, thing.x - x) - heading, math.tau)
        half = math.asin(min(1.0, thing.radius_m / away))
        bearings.append((thing, bearing))
        if abs(bearing) + half > math.radians(29) or not NEAREST_M < away - thing.radius_m < FURTHEST_M:
            continue
        spots = [LENS.point(bearing + share * half, away, 0.08) for share in (-0.8, 0, 0.8)]
        if all(
            spot and 0 <= spot[0] < 320 and 0 <= spot[1] < 240
            and abs(depth[int(spot[1]), int(spot[0])] - away) < thing.radius_m + 0.1
            for spot in spots
        ):  # fmt: skip
            expected.append((thing, away, bearing))
    jpeg = photographer.jpeg(moment)
    return Case(expected, bearings, SEE(Picture(jpeg, 0.0), "", 1.0).detections)


def cases(name: str, count: int, seed: int = 11) -> list[Case]:
    """Pictures from places all over an arena."""
    arena, chance = load_arena(name), random.Random(seed)
    scene, photographer, found = Scene(arena, LENS), Photographer(LENS, 5), list[Case]()
    while len(found) < count:
        x, y = (chance.uniform(-side / 2, side / 2) for side in arena.size_m)
        if clearance(arena, x, y) > 0.12:
            moment = Moment(len(found), x, y, chance.uniform(-math.pi, math.pi), arena)
            found.append(case(arena, scene, photographer, moment))
    return found


def bearing_of(detection: Detection) -> float:
    """The direction of a detection's middle."""
    left, top, right, bottom = detection.bbox
    return LENS.direction((left + right) * 160, (top + bottom) * 120)[0]


def found(one: Case, thing: Thing, bearing: float) -> Detection | None:
    """Return the detection of a thing by its name and direction."""
    near = [d for d in one.found if d.label == thing.label and abs(bearing_of(d) - bearing) < 0.08]
    return near[0] if near else None


def far_m(detection: Detection) -> float:
    """Return how far a thing's middle is, as the detector has it."""
    return detection.estimated_depth_cm / 100 + (detection.estimated_width_cm or 0) / 200


def wrong(one: Case) -> int:
    """Count the names that were given to something else than what stands in their direction."""

    def right(detection: Detection) -> bool:
        return any(
            thing.label == detection.label and abs(bearing_of(detection) - bearing) < 0.12
            for thing, bearing in one.bearings
        )

    return sum(" " in detection.label and not right(detection) for detection in one.found)


def invented(one: Case) -> int:
    """Count what was found in a colour that nothing has."""
    colours = {thing.colour for thing, _ in one.bearings}
    return sum(detection.label.split()[0] not in colours for detection in one.found)
