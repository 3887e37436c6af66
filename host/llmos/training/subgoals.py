"""Examples of choosing subgoals in BabyAI: what the kernel is asked, and what the mission asks for next.

The teacher is the grammar that reads missions (`llmos.babyai.mission`); ties are ties. Levels are played by a
mixture of its choices and wrong ones, so that hands hold the wrong thing, too, and doors are locked still.

What the kernel is asked is the runtime's own text (`View.text`), which does not list the options: no order
tells the answer. The runtime asks twice, for the verb and for the thing; both times it looks where the same
texts part, so one example teaches both.

Rooms are told apart by their seeds, and missions by what they mean: some are never taught, in whatever room.
"""

from collections.abc import Iterator, Sequence
from functools import cache
from random import Random
from typing import Any

from llmos.babyai import FAMILIES, BabyAIError, make_level
from llmos.babyai.belief import Belief
from llmos.babyai.choosing import Choice, View
from llmos.babyai.episode import ALL, SubgoalAgent, act_out
from llmos.babyai.mission import Step, kept_back
from llmos.babyai.subgoals import TAKE

TRAIN, VALIDATE = 10_000, 20_000  # the first seeds of each split; those below are for evaluations
DISTRACTORS = 8  # as in evaluations
WRONG = 0.4  # share of choices that are wrong

Example = dict[str, Any]


def examples(
    first_seed: int, count: int, split: str, families: Sequence[str] = FAMILIES
) -> Iterator[Example]:
    """Return the examples of so many seeds, one level each, the families in turn.

    A seed gives the same examples always, several or none: going on at a later seed leaves nothing out.

    Args:
        first_seed: at least `TRAIN`.
        count: how many seeds.
        split: `train` or `val`, for which the missions are that are never taught.
        families: of `llmos.babyai.FAMILIES`.

    Raises:
        BabyAIError: a seed is the evaluation's, a family is unknown, or the package minigrid is missing.
    """
    if first_seed < TRAIN:
        raise BabyAIError(f"seed {first_seed}: kept for evaluations; teach with seeds from {TRAIN} on")
    for seed in range(first_seed, first_seed + count):
        family = families[seed % len(families)]
        yield from (
            {"tongue": "decisions", "split": split, "source": f"babyai:{family}:{seed}", "system": "babyai"}
            | {"user": user, "answers": list(weights), "weights": list(weights.values())}
            for user, weights in questions(family, seed, kept=split == "val").items()
        )


def questions(family: str, seed: int, *, kept: bool, wrong: float = WRONG) -> dict[str, dict[str, float]]:
    """Play one level, and return each question that came up with the options' probabilities.

    Args:
        family: of `llmos.babyai.FAMILIES`.
        seed: fixes the level's draft and every choice.
        kept: whether the level is one whose mission is never taught, or one whose is; of others nothing.
        wrong: share of choices that are wrong.
    """
    found: dict[str, dict[str, float]] = {}
    chance = Random(f"subgoals {family} {seed}")

    def choose(view: View) -> Choice:
        right = [one.text for one in agent.serving]
        others = [one.text for one in view.options if one.text not in right]
        if right and agent.step == next_step(agent.steps, view.belief):
            found[view.text] = {one.text: (one.text in right) / len(right) for one in view.options}
        erring = others and (not right or chance.random() < wrong)
        return Choice(chance.choice(others if erring else right), "teacher")

    agent = SubgoalAgent(choose, ALL, seed, deadline_s=0.0)
    mission = act_out(level_of(family), seed, lambda: agent).mission
    return found if kept_back(mission) == kept else {}


def next_step(steps: Sequence[Step], belief: Belief) -> Step:
    """Return the step that comes next as far as hands tell: words do not say what was put down again."""
    taking = [step for step in steps if step.verb == TAKE and not step.what.fits(belief.carried)]
    return taking[0] if taking else steps[-1]


@cache
def level_of(family: str) -> Any:
    """Return a level that is kept for all seeds."""
    return make_level(family, DISTRACTORS)
