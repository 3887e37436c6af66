"""Examples of decisions: frames of drives through generated arenas, disguised, with the teacher's word.

Nothing but the facts can tell the best candidate: candidates stand in random order, their names are drawn,
and of the scores one may be wrong, or none is shown. What is asked is the mind's own text of the frame, as
the instinct reads it or in full; the reason that goes with a full decision is the fact that speaks for it.
"""

import string
from collections.abc import Iterator, Mapping
from random import Random
from typing import Any, NamedTuple

from llmos.brains import Question
from llmos.brains.decide import decision
from llmos.brains.points import STATES, doubt
from llmos.kernel.decision import EXPLANATION
from llmos.kernel.frame import FrameCandidate, NavigationFrame
from llmos.kernel.mind import Mind
from llmos.manifest import Manifest
from llmos.sim.arena import Arena, load_arena
from llmos.training.drives import Drive, drive
from llmos.training.teacher import Teacher, best, regrets, to_choose, wanted

FAMILIES = ("maze", "clutter")  # that are taught; `office` is held out, whole
TRAIN, VALIDATE = 100_000, 50_000  # the first seeds of arenas for either; those below 10,000 are for tests
VALIDATIONS = 10_000  # seeds
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


class Seen(NamedTuple):
    """A frame, and what the teacher knows of it.

    Args:
        frame: as the mind made it.
        lost: by how much each candidate is worse than the best, in metres by id.
        doubt: after a failed step, the question after the least sure cell near the robot, and what it is.
    """

    frame: NavigationFrame
    lost: Mapping[str, float]
    doubt: tuple[str, str] | None = None


def frames(arena: Arena, manifest: Manifest, what: Drive, kept: float = 1.0) -> Iterator[Seen]:
    """Make a drive, and return its frames in which there is something to choose.

    Args:
        arena: where.
        manifest: the robot.
        what: the drive.
        kept: share of the frames, drawn by the drive's seed.
    """
    teacher, chance, found = Teacher(arena, manifest), Random(f"{arena.name} {what} kept"), list[Seen]()

    def watch(mind: Mind, question: Question) -> None:
        if len(question.frame.candidates) > 1 and chance.random() < kept:
            lost = regrets(teacher.costs(question.frame, mind.belief.grid))
            if to_choose(lost):
                doubt = doubted(question, teacher, mind.belief.grid.cell_m)
                found.append(Seen(question.frame, lost, doubt))

    drive(arena, manifest, what, watch)
    yield from found


def doubted(question: Question, teacher: Teacher, cell_m: float) -> tuple[str, str] | None:
    """Return what is asked of the map after a failed step, with the answer; None where nothing is."""
    if question.doubtful is None or not question.failed:
        return None
    return doubt(*question.doubtful), teacher.state_of(question.doubtful[0], cell_m)


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


def disguised(seen: Seen, chance: Random) -> Seen:
    """Return a frame whose candidates stand in random order under other names.

    Half of the time the names are those that a mind gives, in this order; else letters with digits.
    """
    offered = chance.sample(seen.frame.candidates, len(seen.frame.candidates))
    if chance.random() < 0.5:
        names = [f"c{number}" for number in range(1, len(offered) + 1)]
    else:
        letters = chance.sample(string.ascii_lowercase, len(offered))
        names = [letter + chance.choice("123456789") for letter in letters]
    others = [one.model_copy(update={"id": name}) for one, name in zip(offered, names, strict=True)]
    lost = {name: seen.lost[one.id] for one, name in zip(offered, names, strict=True)}
    return seen._replace(frame=seen.frame.model_copy(update={"candidates": others}), lost=lost)


def one_wrong(frame: NavigationFrame, chance: Random) -> NavigationFrame:
    """Return a frame in which one candidate's score is drawn anew."""
    which = chance.randrange(len(frame.candidates))
    others = list(frame.candidates)
    others[which] = others[which].model_copy(update={"score": round(chance.random(), 2)})
    return frame.model_copy(update={"candidates": others})


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
