"""Recursive self-aggregation: many answers are put together into better ones, round by round.

As published (Venkatraman et al., arXiv 2509.26626): N answers are sampled; in each of T rounds N subsets of K
answers, each drawn uniformly without replacement, are shown to the model, and the N answers that it makes of
them replace the population; the result is a member drawn at random, or the majority's. K = 1 is
self-refinement, with a prompt of its own. Two things are added: a run ends early where enough of the
population agree, and an answer that fails drops out.
"""

import json
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from random import Random
from typing import Literal

from llmos.inference import Answer, InferenceError, Kernel, Request, ask_all
from llmos.kernel.frame import one_line
from llmos.kernel.prompt import system_prompt

Vote = Literal["random", "majority"]
Ended = Literal["rounds", "consensus", "budget", "cancelled", "deadline", "failure"]

SHOWN = 200  # characters of an answer that an aggregation reads


@dataclass(frozen=True)
class Preset:
    """How much thought is spent.

    Args:
        n: answers in a population.
        k: answers that an aggregation sees.
        t: rounds of aggregation.
        consensus: share of equal answers at which a run ends early; None never looks.
        first: temperature of the first population.
        later: temperature of aggregations.
        vote: how one answer is taken from the last population.
    """

    n: int
    k: int
    t: int
    consensus: float | None
    first: float
    later: float
    vote: Vote

    def __post_init__(self) -> None:
        """Refuse counts that make no population."""
        if self.n < 1 or self.k < 1 or self.t < 0:
            raise ValueError(f"n {self.n} and k {self.k} must be 1 or more, t {self.t} must be 0 or more")

    @property
    def calls(self) -> int:
        """Generations when no consensus ends it."""
        return self.n * (self.t + 1)


PRESETS = {
    "quick": Preset(4, 2, 2, 0.9, 0.8, 0.4, "random"),
    "standard": Preset(8, 3, 4, 0.85, 0.9, 0.5, "random"),
    "deep": Preset(16, 4, 6, 0.8, 1.0, 0.5, "majority"),
    "swarm": Preset(4, 4, 3, None, 0.7, 0.3, "majority"),  # n is that of the answers given from outside
}


@dataclass(frozen=True)
class Candidate:
    """One member of a population: a text or a failure, and the ids of the answers that it was made of."""

    id: str
    generation: int
    parents: tuple[str, ...] = ()
    text: str = ""
    answer: str = ""
    failure: str = ""


@dataclass(frozen=True)
class Outcome:
    """What came of a run.

    Args:
        text: the answer taken.
        answer: what it says, by the function that told equal answers.
        shares: of each answer in the last population, largest first.
        ended: why it ended.
        candidates: every one ever made, in order.
        calls: the model's answers.
        seconds: wall time.
    """

    text: str
    answer: str
    shares: dict[str, float]
    ended: Ended
    candidates: tuple[Candidate, ...]
    calls: tuple[Answer, ...]
    seconds: float

    @property
    def generations(self) -> int:
        """Answers asked for."""
        return sum(one.generation >= 0 for one in self.candidates)

    @property
    def tokens(self) -> int:
        """Tokens that were read or written; none that a cache held."""
        return sum(one.tokens_in - one.tokens_cached + one.tokens_out for one in self.calls)


def _order(one: Candidate) -> tuple[str, str]:
    """Sort a subset, so that subsets with equal answers begin alike: what prompts share is read once."""
    return one.text, one.id


GIVEN = -1  # the generation of answers that came from outside


@dataclass(frozen=True)
class Reading:
    """How answers are compared and shown.

    Args:
        same: what an answer says; two are equal where this is.
        shown: an answer as an aggregation reads it; it is put on one bounded line.
    """

    same: Callable[[str], str] = lambda text: " ".join(text.lower().split())
    shown: Callable[[str], str] = str


def decided(text: str) -> str:
    """Return what a decision says to do: the action and its target, such as `MOVE_TO c1`."""
    action = _action(text)
    parts = (action.get("type"), action.get("target_id"), action.get("yaw_deg"))
    return " ".join(str(part) for part in parts if part is not None)


def summary(text: str) -> str:
    """Return a decision in some twenty tokens: what to do, what else, and why."""
    try:
        decision = json.loads(text)
        return f"{decided(text)}, else {decision['fallback']['if_failed']}: {decision['explanation']}"
    except (ValueError, TypeError, KeyError):
        return text


def aim(text: str) -> str:
    """Return a decision in some ten tokens: where to go, and why."""
    try:
        return f"{target(text)}: {json.loads(text)['explanation']}"
    except (ValueError, TypeError, KeyError):
        return text


def target(text: str) -> str:
    """Return the id of the candidate that a decision names; empty where it names none."""
    name = _action(text).get("target_id")
    return name if isinstance(name, str) else ""


def _action(text: str) -> dict[str, object]:
    try:
        action = json.loads(text)["action"]
    except (ValueError, TypeError, KeyError):
        return {}
    return action if isinstance(action, dict) else {}


DECISIONS = Reading(decided, summary)
PLACES = Reading(target, aim)  # where to go is all that counts


@dataclass
class _Run:
    """A run under way."""

    kernel: Kernel
    request: Request
    preset: Preset
    reading: Reading
    cancelled: Callable[[], bool]
    budget: int
    began: float = field(default_factory=time.monotonic)
    made: list[Candidate] = field(default_factory=list)
    calls: list[Answer] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.random = Random(self.request.seed)

    @property
    def left_s(self) -> float:
        return self.request.deadline_s - (time.monotonic() - self.began)

    def sample(self) -> list[Candidate]:
        """Make the first population."""
        count = min(self.preset.n, self.budget)
        seeds = [self.random.getrandbits(31) for _ in range(count)]
        asked = [replace(self.request, seed=seed, temperature=self.preset.first) for seed in seeds]
        return self.ask(asked, 0, [()] * count)

    def aggregate(self, population: Sequence[Candidate], generation: int, prompt: str) -> list[Candidate]:
        """Make the next population out of subsets of this one."""
        size = min(self.preset.k, len(population))
        subsets = [sorted(self.random.sample(population, size), key=_order) for _ in range(self.preset.n)]
        asked = [
            replace(
                self.request,
                user=aggregation(self.request.user, prompt, [self.reading.shown(one.text) for one in subset]),
                seed=self.random.getrandbits(31),
                temperature=self.preset.later,
            )
            for subset in subsets
        ]
        return self.ask(asked, generation, [tuple(one.id for one in subset) for subset in subsets])

    def ask(
        self, requests: list[Request], generation: int, parents: Sequence[tuple[str, ...]]
    ) -> list[Candidate]:
        """Ask for a whole generation; return those that answered."""
        timed = [replace(one, deadline_s=max(self.left_s, 0.001)) for one in requests]
        answers = ask_all(self.kernel, timed, self.cancelled)
        made = []
        for number, (answer, origin) in enumerate(zip(answers, parents, strict=True), 1):
            one = Candidate(f"g{generation}.{number}", generation, origin)
            if isinstance(answer, InferenceError):
                made.append(replace(one, failure=str(answer)))
            else:
                self.calls.append(answer)
                made.append(replace(one, text=answer.text, answer=self.reading.same(answer.text)))
        self.made += made
        return [one for one in made if not one.failure]

    def stop(self, population: list[Candidate], generation: int) -> Ended | None:
        """Tell whether no further round is to begin, and why."""
        if self.cancelled():
            return "cancelled"
        if generation > self.preset.t:
            return "rounds"
        agreed = max(shares(population).values())
        if self.preset.consensus is not None and agreed >= self.preset.consensus:
            return "consensus"
        if sum(one.generation >= 0 for one in self.made) + self.preset.n > self.budget:
            return "budget"
        return "deadline" if self.left_s <= 0 else None


def run(
    kernel: Kernel,
    request: Request,
    preset: Preset,
    reading: Reading = DECISIONS,
    *,
    given: Sequence[str] = (),
    budget: int | None = None,
    cancelled: Callable[[], bool] = lambda: False,
) -> Outcome:
    """Answer a request by recursive self-aggregation.

    Args:
        kernel: who is asked, a round at a time.
        request: the question; its seed fixes every chance, its deadline is for the whole run.
        preset: how much thought is spent.
        reading: how answers are compared and shown.
        given: the first population from outside, such as other kernels' answers; its size is then `preset.n`.
        budget: most generations; a round that does not fit is not begun.
        cancelled: asked before each round and by the kernel within it; then the run ends with what it has.

    Raises:
        InferenceError: no answer at all was had.
    """
    if given:
        preset = replace(preset, n=len(given), k=min(preset.k, len(given)))
    most = preset.calls if budget is None else budget
    run = _Run(kernel, request, preset, reading, cancelled, most)
    population = _taken_in(run, given) if given else run.sample()
    if not population:
        raise InferenceError(_nothing(kernel, run))
    prompt = system_prompt(_prompt_name(request, preset, given))
    generation = 1
    while (ended := run.stop(population, generation)) is None:
        following = run.aggregate(population, generation, prompt)
        if not following:
            ended = "cancelled" if cancelled() else "deadline" if run.left_s <= 0 else "failure"
            break
        population, generation = following, generation + 1
    return outcome(population, ended, run.random if preset.vote == "random" else None, run)


def _taken_in(run: _Run, given: Sequence[str]) -> list[Candidate]:
    """Return the answers from outside as a population."""
    run.made += [
        Candidate(f"s{number}", GIVEN, text=text, answer=run.reading.same(text))
        for number, text in enumerate(given, 1)
    ]
    return list(run.made)


def _nothing(kernel: Kernel, run: _Run) -> str:
    if run.cancelled():
        return f"{kernel.name}: cancelled before the first of {len(run.made)} answers"
    if not run.made:
        return f"{kernel.name}: the budget of {run.budget} generations allows no answer; allow more"
    return f"{kernel.name}: none of {len(run.made)} answers can be used: {run.made[0].failure}"


def _prompt_name(request: Request, preset: Preset, given: Sequence[str]) -> str:
    if request.images:
        return "vision"
    return "swarm" if given else "refine" if preset.k == 1 else "aggregate"


def aggregation(user: str, prompt: str, answers: Sequence[str]) -> str:
    """Return the user's text of an aggregation: what all share first, the answers last, a line each.

    Answers are data: each is put on one bounded line, so that none can pose as a part of the prompt.
    """
    lines = [f"answer {number}: {one_line(text, SHOWN)}" for number, text in enumerate(answers, 1)]
    return "\n".join([user, "", prompt, *lines])


def shares(population: Sequence[Candidate]) -> dict[str, float]:
    """Return the share of each answer, largest first; of equal ones the answer that came first."""
    counts = Counter(one.answer for one in population)
    return {answer: count / len(population) for answer, count in counts.most_common()}


def outcome(population: list[Candidate], ended: Ended, random: Random | None, run: _Run) -> Outcome:
    """Take one answer from a population: a random member, or without chance the majority's first."""
    parts = shares(population)
    majority = next(one for one in population if one.answer == next(iter(parts)))
    taken = random.choice(population) if random else majority
    return Outcome(
        text=taken.text,
        answer=taken.answer,
        shares=parts,
        ended=ended,
        candidates=tuple(run.made),
        calls=tuple(run.calls),
        seconds=time.monotonic() - run.began,
    )
