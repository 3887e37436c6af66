"""Frames from drives, with the teacher's word, and how they are disguised.

Nothing but the facts can tell the best candidate of a disguised frame: candidates stand in random order, and
their names are drawn.
"""

import string
from collections.abc import Iterator, Mapping
from random import Random
from typing import NamedTuple

from llmos.brains import Question
from llmos.brains.points import doubt
from llmos.kernel.frame import NavigationFrame
from llmos.kernel.mind import Mind
from llmos.manifest import Manifest
from llmos.sim.arena import Arena
from llmos.teacher.costs import Teacher, regrets, to_choose
from llmos.teacher.drives import Drive, drive


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
