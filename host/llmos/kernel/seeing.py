"""Looking for a thing: pictures at rest, what is sought, the way up to it, and where else to look."""

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from llmos.eyes import Eyes, Seen, Tracked, words
from llmos.eyes.tracker import CONFIRM
from llmos.kernel.belief import Belief
from llmos.kernel.frame import Point
from llmos.kernel.mind import Mind, Step
from llmos.link import Body
from llmos.planning import astar
from llmos.world.candidates import Candidate, best_apart, box_sum, dilate, distances
from llmos.world.grid import FREE, OCCUPIED

DIRECTIONS = 8  # pictures of a look all around
WITHIN_M = 0.05  # a thing counts as reached this far inside the tolerance around its edge
SPARE_M = 0.03  # by which the way up to it ends further inside
DEARER_PER_M = 60.0  # cells of way for each metre that a point is off its cell's centre
SETTLE_MS = 300  # what a real camera's picture is old
VIEW_CELLS = 10  # from so near, things are looked at
APART_M = 0.4  # a place this near to one where the robot has looked all around shows nothing new
FACING = 0.1  # rad; a thing within it is ahead


def see(mind: Mind, step: Step) -> None:
    """Take a picture at rest and learn from it; where it may show what is sought, more of them.

    Raises:
        CameraError: something is sought, and no picture comes.
    """

    def enough(seen: Seen) -> bool:
        step.seen = seen
        choose(mind)
        doubtful = [one for one in seen.objects if is_sought(mind, one) and not (one.age_ms or one.lost)]
        return all(one.confirmed for one in doubtful)

    if mind.eyes:
        observe(mind.robot, mind.belief, mind.eyes, enough)


def observe(robot: Body, belief: Belief, eyes: Eyes, enough: Callable[[Seen], bool]) -> Seen:
    """Take pictures at rest until they are enough, or as many as confirm a thing; return the last look.

    Raises:
        CameraError: something is sought, and no picture comes.
    """
    if not robot.clock.simulated:
        robot.wait(SETTLE_MS)
    seen = Seen(None, belief.objects)
    for _ in range(CONFIRM):
        now = robot.clock.now()
        if eyes.throttle.due_ms(now) > now:
            robot.wait(eyes.throttle.due_ms(now) - now)
            now = robot.clock.now()
        problem = eyes.shoot(now)
        seen = robot.think(lambda: eyes.study(belief.pose, now, problem))  # noqa: B023
        belief.objects = seen.objects
        if enough(seen):
            break
    return seen


def is_sought(mind: Mind, thing: Tracked) -> bool:
    """Tell whether a thing is what the goal names: it has all the goal's words."""
    return bool(mind.goal.label) and words(mind.goal.label) <= words(thing.label)


def choose(mind: Mind) -> None:
    """Choose the thing to go to: the one chosen before while it is believed, else the surest; or none."""
    if not mind.goal.label:
        return
    fit = [one for one in mind.belief.objects if one.confirmed and is_sought(mind, one)]
    before = mind.sought.id if mind.sought else ""
    mind.sought = next((one for one in fit if one.id == before), fit[0] if fit else None)
    mind.goal = replace(mind.goal, place_m=mind.sought.pos_m if mind.sought else None)


def away_m(mind: Mind, thing: Tracked) -> float:
    """Return how far the robot's middle is from a thing's edge."""
    return math.dist(mind.belief.pose[:2], thing.pos_m) - thing.width_m / 2


def near(mind: Mind) -> bool:
    """Tell whether the robot is where what is sought should be."""
    return mind.sought is not None and away_m(mind, mind.sought) <= mind.settings.tolerance_m - WITHIN_M


def reached(mind: Mind) -> bool:
    """Tell whether the robot is at the thing and sees it now."""
    return near(mind) and mind.sought is not None and mind.sought.age_ms == 0


def turn_to(mind: Mind) -> float:
    """Return the angle by which the robot turns to face the thing; 0 where it does."""
    if mind.sought is None:
        return 0.0
    x, y, heading = mind.belief.pose
    bearing = math.atan2(mind.sought.pos_m[1] - y, mind.sought.pos_m[0] - x) - heading
    turn = math.pi - (math.pi - bearing) % (2 * math.pi)
    return turn if abs(turn) > FACING else 0.0


def miss(mind: Mind) -> None:
    """Count against what is sought that it is not seen by a robot that stands before it."""
    if mind.eyes and mind.sought:
        mind.eyes.tracker.miss(mind.sought.id)


def aim(mind: Mind) -> Point | None:
    """Return where to drive: the goal's place, or the nearest place from which a thing is reached.

    That is a cell's centre, or a point of the cell that is nearer to the thing, where the centre is too far.
    """
    thing, grid = mind.sought, mind.belief.grid
    if thing is None:
        return mind.goal.place_m
    most = thing.width_m / 2 + mind.settings.tolerance_m - WITHIN_M - SPARE_M
    lacks = np.maximum(distances(grid, thing.pos_m) - most, 0.0)
    fit = (lacks <= grid.cell_m / 2) & np.isfinite(mind.reach)
    if not fit.any():
        return thing.pos_m
    detour = mind.reach + DEARER_PER_M * lacks  # a point off the centre has less room
    cell = divmod(int(np.where(fit, detour, np.inf).argmin()), grid.shape[1])
    x, y = grid.centre(cell)
    share = float(lacks[cell]) / max(math.dist((x, y), thing.pos_m), 1e-6)
    return x + share * (thing.pos_m[0] - x), y + share * (thing.pos_m[1] - y)


def unlooked(mind: Mind, limit: int) -> list[Candidate]:
    """Return places from which to look at what the range sensors have met and no picture has shown."""
    eyes, grid = mind.eyes, mind.belief.grid
    if eyes is None or not mind.goal.label:
        return []
    measured = grid.measured()
    unseen = (measured == OCCUPIED) & ~eyes.looked
    open_ = (measured == FREE) & np.isfinite(mind.reach) & ~dilate(measured == OCCUPIED, 1)
    for place in mind.lookouts:
        open_ &= distances(grid, place) >= APART_M
    for cell in mind.avoid:
        open_[cell] = False
    promise = np.where(open_, box_sum(unseen, VIEW_CELLS), 0)
    way = np.where(np.isfinite(mind.reach), mind.reach, 0.0) * grid.cell_m
    worth = promise / (promise.max(initial=1) * (1.0 + way))
    found = []
    for number, (cell, score) in enumerate(best_apart(grid, worth, limit), 1):
        path = astar(mind.cost, mind.here, cell)
        x, y = grid.centre(cell)
        found.append(
            Candidate(
                id=f"c{number}",
                type="frontier",
                pos_m=(round(x, 3) + 0.0, round(y, 3) + 0.0),
                score=round(0.9 * score, 2),
                path_m=round(path.cost * grid.cell_m if path else 0.0, 3),
                note=f"{promise[cell]} cells not looked at",
                cell=cell,
            )
        )
    return found
