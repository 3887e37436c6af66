"""The instinct alone: a model that decides every cycle by its own word, and that nobody stands in for."""

from llmos.brains.confidence import alone, load_trust
from llmos.brains.instinct import Instinct
from llmos.brains.question import Question, Thought
from llmos.brains.reactive import Memory, no_choice, react
from llmos.inference import Kernel


class Alone:
    """Chooses by the model's probabilities and nothing else: no score, no plan, no rule.

    A model that fails or is late ends the drive. What keeps the robot whole lies elsewhere: each block is
    proved, and the robot stops by itself before what is ahead.
    """

    vision = False

    def __init__(self, kernel: Kernel) -> None:
        self._instinct = Instinct(kernel, alone(load_trust(kernel.name).instinct))

    def __call__(self, question: Question) -> Thought:
        """Decide; see `Brain`.

        Raises:
            InferenceError: the model gave no answer.
        """
        only = react(question, Memory(), (no_choice,))
        if only:
            return Thought(only.text, "reactive", only.rule, only.confidence)
        return self._instinct(question, question.deadline_s).thought

    def close(self) -> None:
        """Nothing is held."""
