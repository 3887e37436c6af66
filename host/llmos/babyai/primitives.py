"""Choosing primitive actions from a description of the view, as larger models do in BALROG."""

from random import Random

from llmos.babyai.actions import ACTIONS, FORWARD
from llmos.babyai.belief import THINGS, Belief
from llmos.babyai.choosing import Choice, prompt
from llmos.brains.boundary import ask_point
from llmos.inference import DeadlineExpired, InferenceError, Kernel

LAST = 4  # actions that are told


def described(mission: str, belief: Belief, last: list[str]) -> str:
    """Return what is in view, in steps from the agent, and what it did last."""
    seen = []
    for ahead in range(7):
        for right in sorted(range(-3, 4), key=abs):
            thing = belief.cells.get(belief.pose.at(ahead, right))
            if (ahead or right) and thing and thing.kind in THINGS:
                seen.append(f"the {thing.name} {place(ahead, right)}")
    front = belief.cells.get(belief.pose.front)
    if front and front.kind == "wall":
        seen.append("a wall 1 ahead")
    hands = f"the {belief.carried.name}" if belief.carried else "nothing"
    return (
        f"You see {', '.join(seen) or 'nothing'}. You carry {hands}. "
        f"You did: {', '.join(last[-LAST:]) or 'nothing'}. Mission: {mission}"
    )


def place(ahead: int, right: int) -> str:
    """Return a place in words."""
    side = f"{abs(right)} {'right' if right > 0 else 'left'}" if right else ""
    return " ".join(part for part in (f"{ahead} ahead" if ahead else "", side) if part)


class Primitive:
    """Asks a model for the next action; a model that fails goes forward."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel

    def __call__(self, mission: str, belief: Belief, last: list[str], seed: int, deadline_s: float) -> Choice:
        """Choose one of `ACTIONS`."""
        if self._kernel.name == "random":
            return Choice(Random(f"{seed} {len(last)}").choice(ACTIONS), "random")
        system, examples = prompt("babyai_actions")
        text = described(mission, belief, last)
        try:
            said = ask_point(
                self._kernel, "instinct", system, text, ACTIONS, turns=examples, deadline_s=deadline_s
            )
        except InferenceError as failure:
            note = "deadline" if isinstance(failure, DeadlineExpired) else str(failure)
            return Choice(ACTIONS[FORWARD], "rule", note=note)
        return Choice(said.choice, "instinct", max(said.probabilities.values()), said.calls)
