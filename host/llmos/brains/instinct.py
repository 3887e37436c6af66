"""The instinct: one pass of the model over the candidates, the choice read from its probabilities."""

from dataclasses import dataclass

from llmos.brains.confidence import Judged, judged
from llmos.brains.decide import towards
from llmos.brains.question import Question, Thought
from llmos.inference import Answer, Kernel, Request
from llmos.kernel.frame import FrameCandidate
from llmos.kernel.prompt import system_prompt
from llmos.trust import Weights

DEADLINE_S = 2.0  # where a rule can stand in, however much the whole decision may take


@dataclass(frozen=True)
class Hunch:
    """What the instinct says: a decision, how it was judged, and what the model said to it."""

    text: str
    judged: Judged
    probabilities: dict[str, float]
    answer: Answer
    prompt: str

    @property
    def thought(self) -> Thought:
        """The hunch as a brain's answer."""
        said, chance = self.judged, self.probabilities[self.judged.id]
        return Thought(
            self.text,
            "instinct",
            f"p {chance:.2f}",
            said.confidence,
            self.probabilities,
            calls=(self.answer,),
            prompt=self.prompt,
        )


class Instinct:
    """Asks for a candidate's id and nothing else; what to do with it follows from the candidate."""

    def __init__(self, kernel: Kernel, weights: Weights) -> None:
        self._kernel, self._weights = kernel, weights

    def __call__(self, question: Question, most_s: float = DEADLINE_S) -> Hunch:
        """Choose among the candidates, in `most_s` of wall time at most.

        Raises:
            InferenceError: the model failed or was late.
        """
        offered = question.frame.candidates
        request = asking(question, min(question.deadline_s, most_s))
        answer = self._kernel(request)
        probabilities = shares(offered, answer)
        choice = judged(probabilities, {one.id: one.score for one in offered}, self._weights)
        chosen = next(one for one in offered if one.id == choice.id)
        text = towards(chosen, offered, explanation(chosen, choice), choice.chances)
        return Hunch(text, choice, probabilities, answer, request.user)


def asking(question: Question, deadline_s: float, *, scores: bool = True) -> Request:
    """Return the request for one pass over a question's candidates, their scores shown or hidden."""
    return Request(
        system=system_prompt("instinct"),
        user=question.frame.short(scores=scores),
        choices=tuple(one.id for one in question.frame.candidates),
        deadline_s=deadline_s,
        seed=question.seed,
    )


def shares(offered: list[FrameCandidate], answer: Answer) -> dict[str, float]:
    """Return each candidate's probability by an answer; all of it for the one that says no more."""
    said = answer.probabilities or tuple(float(one.id == answer.text) for one in offered)
    return {one.id: chance for one, chance in zip(offered, said, strict=True)}


def explanation(chosen: FrameCandidate, choice: Judged) -> str:
    """Say what was chosen, how sure that is, and whether the model's word was against the scores."""
    what = f"{chosen.note or chosen.type}, {chosen.path_m:.1f} m, best with {choice.confidence:.0%}"
    return f"{what}, against the score" if choice.swayed else what
