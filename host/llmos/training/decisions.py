"""Examples of decisions: frames of drives through generated arenas, disguised, with the teacher's word.

Nothing but the facts can tell the best candidate: candidates stand in random order, their names are drawn,
and of the scores one may be wrong, or none is shown. What is asked is the mind's own text of the frame, as
the instinct reads it or in full; the reason that goes with a full decision is the fact that speaks for it.
"""

from collections.abc import Iterator, Mapping
from random import Random
from typing import Any

from llmos.brains.decide import decision
from llmos.brains.points import STATES
from llmos.kernel.decision import EXPLANATION
from llmos.kernel.frame import FrameCandidate, NavigationFrame
from llmos.manifest import Manifest
from llmos.sim.arena import Arena, load_arena
from llmos.teacher import Drive, Seen, best, disguised, frames, one_wrong, wanted

FAMILIES = ("maze", "clutter")  # that are taught; `office` is held out, whole
TRAIN, VALIDATE = 100_000, 50_000  # the first seeds of arenas for either; those below 10,000 are for tests
ASTRAY = (0.0, 0.3, 1.0)  # of drives, drawn
EXPLORES, ELSEWHERE, NOWHERE = 0.4, 0.3, 0.05  # shares: exploring; goals of its own; goals in a wall
FULL = 0.15  # of the frames that are asked for a full decision besides
KEPT = 0.7  # of a drive's frames
PLACES = (
    "go to {}", "drive to {}", "reach {}", "get to {}", "move to the point {}", "head for {}", "come to {}",
    "please drive to {}", "take the robot to {}", "navigate to {}", "make your way to {}",
)  # fmt: skip
GOALS = (
    "go where the arena says", "drive to the goal", "go to the goal", "head for the goal", "reach the target",
    "drive to the far corner", "get to the exit", "make your way to the goal", "go to the finish",
)  # fmt: skip
ROOMS = ("explore the room", "map the room", "explore", "survey the place", "look around", "cover the room")


def drive_in(arena: Arena, seed: int) -> Drive:
    """Return the drive that is made through an arena."""
    chance = Random(f"drive {arena.name} {seed}")
    return Drive(
        goal=asked(arena, chance),
        astray=chance.choice(ASTRAY),
        seed=chance.randrange(2**31),
        slip=chance.choice((0.0, 0.01, 0.03)),
        noise_mm=chance.choice((None, 2.0, 15.0)),
        held=0.02,
    )


def asked(arena: Arena, chance: Random) -> str:
    """Return a goal in words."""
    if arena.goal is None or chance.random() < EXPLORES:
        return chance.choice(ROOMS)
    if chance.random() < ELSEWHERE:
        x, y = (round(chance.uniform(-side / 2 + 0.2, side / 2 - 0.2), 1) for side in arena.size_m)
        return chance.choice(PLACES).format(f"{x}, {y}")
    if chance.random() < NOWHERE and arena.walls:
        x1, y1, x2, y2 = chance.choice(arena.walls)
        return chance.choice(PLACES).format(f"{(x1 + x2) / 2:.2f}, {(y1 + y2) / 2:.2f}")
    return chance.choice(GOALS)


def examples(arena_name: str, split: str, manifest: Manifest, seed: int) -> Iterator[dict[str, Any]]:
    """Return an arena's examples, as `Example` has them.

    Args:
        arena_name: a generated arena.
        split: `train` or `val`.
        manifest: the robot.
        seed: of the drive and the disguises.
    """
    arena = load_arena(arena_name, radius_m=manifest.radius_m)
    chance = Random(f"examples {arena_name} {seed}")
    about = {"tongue": "decisions", "split": split, "source": arena_name}
    for seen in frames(arena, manifest, drive_in(arena, seed), KEPT):
        for example in taught(seen, chance):
            yield about | example


def taught(seen: Seen, chance: Random) -> Iterator[dict[str, Any]]:
    """Yield a frame's examples: for the instinct, of some for a full decision, and of a doubtful cell."""
    yield short_example(disguised(seen, chance), chance)
    if chance.random() < FULL:
        yield full_example(disguised(seen, chance), chance)
    if seen.doubt:
        text, state = seen.doubt
        weights = [float(one == state) for one in STATES]
        yield {"system": "correction", "user": text, "answers": list(STATES), "weights": weights}


def short_example(seen: Seen, chance: Random) -> dict[str, Any]:
    """Return what the instinct is asked, and how probable each candidate should be."""
    frame, scores = shown(seen.frame, chance)
    shares = wanted(seen.lost)
    return {
        "system": "instinct",
        "user": frame.short(scores=scores),
        "answers": list(shares),
        "weights": [round(share, 4) for share in shares.values()],
    }


def full_example(seen: Seen, chance: Random) -> dict[str, Any]:
    """Return what is asked for a full decision, and one of the best decisions."""
    frame, scores = shown(seen.frame, chance)
    chosen = chance.choice([one for one in frame.candidates if one.id in best(seen.lost)])
    return {
        "system": "navigator",
        "user": frame.text(scores=scores),
        "answers": [decided(chosen, frame, seen.lost)],
        "weights": [1.0],
    }


def shown(frame: NavigationFrame, chance: Random) -> tuple[NavigationFrame, bool]:
    """Return a frame as it is shown, and whether its scores are: they are, they are not, or one is wrong."""
    way = chance.random()
    if way < 0.4:
        return frame, False
    return (one_wrong(frame, chance) if way < 0.7 else frame), True


def decided(chosen: FrameCandidate, frame: NavigationFrame, lost: Mapping[str, float]) -> str:
    """Return a full decision as a model writes it; the best other frontier follows where it fails."""
    action = {"type": "EXPLORE" if chosen.type == "frontier" else "MOVE_TO", "target_id": chosen.id}
    others = [one.id for one in frame.candidates if one.type == "frontier" and one.id != chosen.id]
    fallback: dict[str, Any] = {"if_failed": "ROTATE_TO"}
    if others:
        fallback = {"if_failed": "EXPLORE", "target_id": min(others, key=lambda name: lost[name])}
    return decision(action, fallback, reason(chosen, frame)[:EXPLANATION])


def reason(chosen: FrameCandidate, frame: NavigationFrame) -> str:
    """Return the fact that speaks for a candidate."""
    if chosen.type == "recovery":
        return f"backs off {chosen.path_m:.1f} m"
    if chosen.note == "goal":
        return f"the goal, {chosen.path_m:.1f} m"
    if frame.goal_m is None or chosen.onward_m is None:
        return f"{chosen.note or 'new ground'} to see, {chosen.path_m:.1f} m"
    offered = [one for one in frame.candidates if one.onward_m is not None]
    whole = chosen.path_m + chosen.onward_m
    least = whole <= min(one.path_m + (one.onward_m or 0.0) for one in offered) + 0.05
    return f"{'shortest' if least else 'short'} way, {whole:.1f} m in all"
