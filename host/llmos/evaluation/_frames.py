"""Frames from drives whose best candidate the teacher tells; who chooses does not see the true map."""

from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from functools import cache, lru_cache
from random import Random

from llmos.brains import Question
from llmos.kernel.decision import decision_schema
from llmos.kernel.frame import NavigationFrame
from llmos.kernel.mind import Mind, Step
from llmos.manifest import Manifest, load_manifest
from llmos.mission import run_mission
from llmos.report import Order
from llmos.sim.arena import Arena, load_arena
from llmos.teacher import HELD, Drive, Seen, Teacher, best, disguised, frames, regrets, to_choose
from llmos.world.grid import Grid

SHOWS = ("shown", "hidden", "wrong")  # how a frame's scores are: as they are, not told, or one of them wrong
BODIES = ("practice", "board")
DRIVERS = {"rule": 0.0, "random": 1.0}  # a drive each, so that frames come from good ways and from bad ones
GOAL, EXPLORE = (
    "go where the arena says",
    "explore the room",
)  # what is asked for in arenas with a goal and without
ROBOT = "cube"
PATIENCE_S = 60.0  # for one answer


@dataclass(frozen=True)
class Case:
    """A question, and what the teacher says of it.

    Args:
        question: what is asked; its frame is as it is shown.
        scores: whether the scores are told.
        lost: by how much each candidate is worse than the best, in metres by id.
        rule: the candidate that the rule takes, by its own scores.
    """

    question: Question
    scores: bool
    lost: Mapping[str, float]
    rule: str

    @property
    def frame(self) -> NavigationFrame:
        """The frame."""
        return self.question.frame

    @property
    def best(self) -> frozenset[str]:
        """The candidates of which none is better."""
        return best(self.lost)

    @property
    def chance(self) -> float:
        """How often a blind choice is right."""
        return len(self.best) / len(self.lost)

    def regret_m(self, name: str) -> float:
        """Return what a choice loses against the best; none at all, or no way, loses as much as the worst."""
        worst = max(lost for lost in self.lost.values() if lost < float("inf"))
        return min(self.lost.get(name, worst), worst)


@lru_cache(maxsize=8)
def cases(arena_name: str, seed: int, show: str, body: str, most: int) -> tuple[Case, ...]:
    """Return frames of a drive by each of DRIVERS in which there is something to choose.

    Candidates are in random order, and named at random, the same in every show.

    Args:
        arena_name: where.
        seed: of drives and disguises.
        show: one of `SHOWS`; frames of which no score can be made wrong are left out of `wrong`.
        body: one of `BODIES`: who drives.
        most: frames; drawn, where there are more.
    """
    chance = Random(f"{arena_name} {seed} {show}")
    found = (case(one, show, chance) for one in seen(arena_name, seed, body, most))
    return tuple(one for one in found if one)


@lru_cache(maxsize=8)
def seen(arena_name: str, seed: int, body: str, most: int) -> tuple[Seen, ...]:
    """Return at most so many frames of the drives, disguised."""
    manifest, chance = robot(), Random(f"{arena_name} {seed}")
    arena = load_arena(arena_name, radius_m=manifest.radius_m)
    goal, made = GOAL if arena.goal else EXPLORE, list[Seen]()
    for driver, astray in DRIVERS.items():
        if body == "board":
            made += board_frames(Order(goal, arena_name, driver, seed=seed), arena, manifest)
        else:
            made += frames(arena, manifest, Drive(goal, astray, seed, held=HELD))
    taken = sorted(chance.sample(range(len(made)), min(most, len(made))))
    return tuple(disguised(made[number], chance) for number in taken)


@cache
def robot() -> Manifest:
    """Return the robot that drives."""
    return load_manifest(ROBOT)


def board_frames(order: Order, arena: Arena, manifest: Manifest) -> Iterator[Seen]:
    """Make a drive on the virtual board, and return its frames in which there is something to choose."""
    teacher, found = Teacher(arena, manifest), list[Seen]()
    known: Grid | None = None  # the map when the question was asked: as the step before has left it

    def watch(mind: Mind, step: Step) -> None:
        nonlocal known
        if step.frame and known and len(step.frame.candidates) > 1:
            lost = regrets(teacher.costs(step.frame, known))
            if to_choose(lost):
                found.append(Seen(step.frame, lost))
        known = deepcopy(mind.belief.grid)

    run_mission(order, watch)
    yield from found


def case(one: Seen, show: str, chance: Random) -> Case | None:
    """Return a frame as a case; None where it cannot be shown so."""
    rule = max(one.frame.candidates, key=lambda candidate: candidate.score).id
    frame = misled(one, chance) if show == "wrong" else one.frame
    if frame is None:
        return None
    scores = show != "hidden"
    question = Question(
        frame=frame,
        text=frame.text(scores=scores),
        schema=decision_schema(frame.candidates, failed=False),
        failed=frame.failed,
        deadline_s=PATIENCE_S,
        seed=frame.cycle,
    )
    return Case(question, scores, one.lost, rule)


def misled(one: Seen, chance: Random) -> NavigationFrame | None:
    """Return a frame in which one score is so wrong that who follows the scores is; None where none can be.

    The score of a worse candidate is raised above all others, or that of the best is lowered below them.
    """
    offered, right = one.frame.candidates, best(one.lost)
    ways: list[tuple[str, float]] = []
    for candidate in offered:
        others = [other for other in offered if other is not candidate]
        top = max(other.score for other in others)
        tops = {other.id for other in others if other.score == top}
        if candidate.id not in right and top < 1:
            ways.append((candidate.id, 1.0))
        elif candidate.id in right and not tops & right and top > 0:
            ways.append((candidate.id, 0.0))
    if not ways:
        return None
    name, score = chance.choice(ways)
    changed = [each.model_copy(update={"score": score}) if each.id == name else each for each in offered]
    return one.frame.model_copy(update={"candidates": changed})
