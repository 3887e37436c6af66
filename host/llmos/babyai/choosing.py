"""Choosing among subgoals: what a brain is asked, what it answers, and who answers."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from random import Random
from typing import Protocol

from llmos.babyai.belief import Belief
from llmos.babyai.subgoals import GO_TO, OPEN, PUT, TAKE, Subgoal
from llmos.brains.boundary import Chosen, Who, ask_point
from llmos.brains.confidence import judged, load_trust
from llmos.brains.escalation import Escalation
from llmos.brains.question import Circumstances
from llmos.inference import Answer, DeadlineExpired, InferenceError, Kernel
from llmos.kernel.prompt import system_prompt
from llmos.trust import Weights

AGAIN = 0.1  # what an option is worth that was taken before with the same in the hands
TIRED = 0.25  # what a verb is worth that was tried before with the same in the hands
FAR = 20  # actions; so far away an option is worth half
EXAMPLES = "\nExamples\n"

VERBS = (GO_TO, TAKE, OPEN, PUT)
THINGS = Weights(model=1.0, score=1.0)


@dataclass(frozen=True)
class View:
    """A decision to make.

    Args:
        mission: the mission's text.
        belief: what the agent knows.
        options: what it may choose, the nearest first.
        before: how often each was taken already with the same in the hands.
        count: how many decisions were made before.
        seed: fixes every chance.
        deadline_s: wall time for an answer.
    """

    mission: str
    belief: Belief
    options: tuple[Subgoal, ...]
    before: tuple[int, ...]
    count: int
    seed: int
    deadline_s: float

    @property
    def scores(self) -> dict[str, float]:
        """Return what each option is worth by the rule, by its text: the near and new are better."""
        return {
            one.text: AGAIN**times / (1 + one.steps / FAR)
            for one, times in zip(self.options, self.before, strict=True)
        }

    def of(self, verb: str) -> dict[str, float]:
        """Return the scores of a verb's options."""
        scores = self.scores
        return {one.text: scores[one.text] for one in self.options if one.verb == verb}

    def tried(self, verb: str) -> int:
        """Return how often a verb was tried with the same in the hands."""
        pairs = zip(self.options, self.before, strict=True)
        return sum(times for one, times in pairs if one.verb == verb)

    @property
    def text(self) -> str:
        """Return the question in words."""
        hands = f"the {self.belief.carried.name}" if self.belief.carried else "nothing"
        locked = "".join(f"The {door.name} is locked. " for door in self.belief.locked())
        return f"You carry {hands}. {locked}Mission: {self.mission}"


@dataclass(frozen=True)
class Choice:
    """A decision: the option's text, and how it came about.

    Args:
        text: the option's.
        brain: who chose it: `rule`, `random`, `reactive`, `instinct` or `planner`.
        confidence: calibrated probability; None where nobody says.
        calls: answers of the model.
        escalation: why the planner was asked, empty where it was not.
        note: why the rule stands in for a model, empty where it does not.
    """

    text: str
    brain: str
    confidence: float | None = None
    calls: tuple[Answer, ...] = ()
    escalation: str = ""
    note: str = ""


class Chooser(Protocol):
    """Whoever chooses among subgoals."""

    def __call__(self, view: View) -> Choice:
        """Choose one of the options, of which there is at least one."""


def rule(view: View) -> Choice:
    """Take the option with the best score: the nearest that was not taken before."""
    scores = view.scores
    return Choice(max(scores, key=lambda text: scores[text]), "rule")


def chance(view: View) -> Choice:
    """Take any."""
    return Choice(Random(f"{view.seed} {view.count}").choice(view.options).text, "random")


class Instinct:
    """Asks a model twice: for the verb, and for what to do it with."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._bias = load_trust(kernel.name).verbs

    def __call__(self, view: View) -> Choice:
        """Choose; the rule stands in for a model that fails."""
        try:
            verb, sure, calls = self.verb(view)
            scores = view.of(verb)
            if len(scores) == 1:
                return Choice(next(iter(scores)), "instinct", sure, calls)
            said = asked(self._kernel, view, tuple(scores))
        except InferenceError as failure:
            return stand_in(view, failure)
        found = judged(said.probabilities, scores, THINGS)
        return Choice(found.id, "instinct", sure * found.confidence, (*calls, *said.calls))

    def verb(self, view: View) -> tuple[str, float, tuple[Answer, ...]]:
        """Return what to do, how sure that is, and the model's answer."""
        verbs = tuple(verb for verb in VERBS if any(one.verb == verb for one in view.options))
        if len(verbs) == 1:
            return verbs[0], 1.0, ()
        said = asked(self._kernel, view, verbs)
        weights = Weights(model=1.0, score=1.0, bias=tuple(self._bias.get(verb, 0.0) for verb in verbs))
        found = judged(said.probabilities, {verb: TIRED ** view.tried(verb) for verb in verbs}, weights)
        return found.id, found.confidence, said.calls


class Dual:
    """Two brains: a reactive rule where there is no choice, the instinct, and the planner where it doubts.

    What to do is the instinct's word; the planner thinks about what to do it with.
    """

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._instinct = Instinct(kernel)
        self._escalation = Escalation()

    def __call__(self, view: View) -> Choice:
        """Choose; see `llmos.brains.dual.Dual`, after which this is made."""
        if len(view.options) == 1:
            return Choice(view.options[0].text, "reactive", 1.0)
        choice = self._instinct(view)
        visits = next(
            times for one, times in zip(view.options, view.before, strict=True) if one.text == choice.text
        )
        reason = self._escalation.reason(
            Circumstances(visits=visits), view.count, confidence=choice.confidence, planned=False, free=True
        )
        if not reason:
            return choice
        verb = next(one.verb for one in view.options if one.text == choice.text)
        scores = view.of(verb)
        if len(scores) == 1:
            return choice
        try:
            said = asked(self._kernel, view, tuple(scores), "planner")
        except InferenceError as failure:
            return stand_in(view, failure)
        found = judged(said.probabilities, scores, THINGS)
        return Choice(found.id, "planner", found.confidence, (*choice.calls, *said.calls), reason)


def asked(kernel: Kernel, view: View, choices: Sequence[str], who: Who = "instinct") -> Chosen:
    """Ask a model about a view, behind worked examples."""
    system, examples = prompt("babyai")
    return ask_point(
        kernel, who, system, view.text, choices, turns=examples, deadline_s=view.deadline_s, seed=view.seed
    )


def stand_in(view: View, failure: InferenceError) -> Choice:
    """Return the rule's choice in place of a model's."""
    note = "deadline" if isinstance(failure, DeadlineExpired) else str(failure)
    return Choice(rule(view).text, "rule", note=note)


@cache
def prompt(name: str) -> tuple[str, tuple[tuple[str, str], ...]]:
    """Return a kernel file's system prompt and its worked examples: lines of question and answer in turn."""
    system, _, rest = system_prompt(name).partition(EXAMPLES)
    lines = rest.splitlines()
    return system.strip(), tuple(zip(lines[::2], lines[1::2], strict=True))
