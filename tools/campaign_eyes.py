"""What the classical eyes are worth: things found in pictures, their places, and searches in random rooms.

    tools/campaign_eyes.py --pictures 400 --searches 20

Prints how many things that are seen whole are named, how far off their places are, how many names are made
up, what a picture costs, and how many searches for a red box end beside it. Exits with 1 where a search takes
something else for the box, or touches anything.
"""

import argparse
import math
import random
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.pictures import LENS, SEE, Case, cases, far_m, found, wrong

from llmos.camera import Picture
from llmos.mission import run_mission
from llmos.report import Order, Report
from llmos.sim.arena import COLOURS, SHAPES, Arena, clearance, ground, load_arena
from llmos.sim.camera import Photographer
from llmos.sim.rig import Moment

ARENAS = ("playroom", "gallery")
VISIBLE = [colour for colour in COLOURS if colour not in ("white", "grey", "black")]
RADIUS_M = 0.075


def pictures(count: int) -> None:
    """Look at pictures from all over the arenas that ship."""
    all_cases = [one for seed, name in enumerate(ARENAS) for one in cases(name, count // len(ARENAS), seed)]
    expected = [(one, *rest) for one in all_cases for rest in one.expected]
    hits = [(away, bearing, found(one, thing, bearing)) for one, thing, away, bearing in expected]
    off = [abs(far_m(hit) - away) for away, _, hit in hits if hit]
    false = sum(wrong(one) for one in all_cases)
    named = sum(" " in detection.label for one in all_cases for detection in one.found)
    print(f"{len(all_cases)} pictures, {len(expected)} things seen whole within 3 m")
    print(f"  named {len(off) / len(expected):.1%}; of {named} names given {false} are wrong")
    median, p95 = (100 * np.percentile(off, share) for share in (50, 95))
    print(f"  distance off by {median:.1f} cm (median), {p95:.1f} cm (p95)")
    costs(all_cases)


def costs(some: list[Case]) -> None:
    """Time the camera and the detector."""
    photographer, arena, taking, looking = Photographer(LENS, 0), load_arena(ARENAS[0]), [], []
    for n in range(min(100, len(some))):
        began = time.process_time()
        jpeg = photographer.jpeg(Moment(n, -2.0, -1.4, 0.063 * n, arena))
        middle = time.process_time()
        SEE(Picture(jpeg, 0.0), "", 1.0)
        taking.append(middle - began)
        looking.append(time.process_time() - middle)
    ms = [1000 * float(np.median(times)) for times in (taking, looking)]
    print(f"  a picture is rendered in {ms[0]:.1f} ms and looked at in {ms[1]:.1f} ms of one core (medians)")


def room(seed: int) -> Arena:
    """Return a room with a red box, five other things and two walls, all of which can be reached."""
    chance = random.Random(seed)
    while True:
        walls = []
        for _ in range(2):
            x, y, long = chance.uniform(-1.5, 1.5), chance.uniform(-1.5, 1.5), chance.uniform(0.5, 1.2)
            walls.append((x, y, x + long, y) if chance.random() < 0.5 else (x, y, x, y + long))
        names = [("red", "box")]
        while len(names) < 6:
            name = chance.choice(VISIBLE), chance.choice(SHAPES)
            names += [name] if name not in names else []
        radii = [round(chance.uniform(0.09, 0.14), 3) for _ in names]
        things = [  # boxes no higher than wide, by which the detector tells them from cylinders
            {
                "colour": colour, "shape": shape,
                "x": round(chance.uniform(-1.8, 1.8), 2), "y": round(chance.uniform(-1.8, 1.8), 2),
                "radius_m": radius, "height_m": round(1.3 * radius, 3) if shape == "box" else 0.32,
            }
            for (colour, shape), radius in zip(names, radii, strict=True)
        ]  # fmt: skip
        arena = Arena.model_validate(
            {
                "name": f"room-{seed}",
                "size_m": (4.4, 4.4),
                "start": {"x": 0, "y": 0},
                "walls": walls,
                "objects": things,
            }
        )
        if roomy(arena):
            return arena


def roomy(arena: Arena) -> bool:
    """Tell whether the start is free, nothing touches, and the robot gets to every thing."""
    for n, thing in enumerate(arena.objects):
        others = arena.model_copy(update={"objects": (*arena.objects[:n], *arena.objects[n + 1 :])})
        if clearance(others, thing.x, thing.y) < thing.radius_m + 0.3:
            return False
    where = ground(arena, RADIUS_M + 0.03)
    turns = np.linspace(0, 2 * math.pi, 8)
    around = [
        (thing.x + far * math.cos(turn), thing.y + far * math.sin(turn))
        for thing in arena.objects
        for far in (thing.radius_m + 0.2,)
        for turn in turns
    ]
    return clearance(arena, 0, 0) > 0.3 and all(where.reaches(x, y) for x, y in around)


def searches(count: int) -> list[Report]:
    """Look for the red box in rooms made at random."""
    reports = []
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(count):
            path = Path(folder, f"room-{seed}.toml")
            path.write_text(toml(room(seed)), encoding="utf-8")
            report = run_mission(Order("find the red box", str(path), "rule", seed=seed, camera=True))
            reports.append(report)
            box = report.arena.objects[0]
            off = math.dist(report.goal.place_m, (box.x, box.y)) if report.goal.place_m else math.nan
            print(
                f"  room {seed}: {report.outcome} in {report.sim_s:.0f} s, {report.driven_m():.1f} m, "
                f"place off by {100 * off:.1f} cm; {report.reason}",
                flush=True,
            )
    return reports


def toml(arena: Arena) -> str:
    """Return an arena as a file."""
    things = ", ".join(
        "{ " + ", ".join(f"{key} = {value!r}" for key, value in thing.model_dump().items()) + " }"
        for thing in arena.objects
    ).replace("'", '"')
    walls = [list(wall) for wall in arena.walls]
    return (
        f'name = "{arena.name}"\nsize_m = {list(arena.size_m)}\nstart = {{ x = 0.0, y = 0.0 }}\n'
        f"walls = {walls}\nobjects = [{things}]\n[criteria]\nmax_cycles = 60\n"
    )


def main() -> None:
    """Look at pictures, then search."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=int, default=400)
    parser.add_argument("--searches", type=int, default=20)
    options = parser.parse_args()
    if options.pictures:
        pictures(options.pictures)
    if not options.searches:
        return
    reports = searches(options.searches)
    good = [report for report in reports if report.outcome == "reached"]
    hits = sum(report.truth.collisions for report in reports if report.truth)
    print(f"{len(reports)} searches for a red box: {len(good)} end beside it, {hits} collisions")
    wrong = [report for report in reports if report.reason.startswith("it believes")]
    sys.exit(bool(wrong or hits))


if __name__ == "__main__":
    main()
