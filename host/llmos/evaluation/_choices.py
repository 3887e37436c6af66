"""How often who picks the best candidate: by chance, by score, by one pass, by a vote, by aggregation.

Candidates are shuffled and renamed, and the teacher says which is the best, so neither the list's order nor
a name helps; scores are shown, hidden, or shown with one that leads astray. A model that chooses no better
than chance shows it here.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from typing import Any, NamedTuple, cast

from llmos.brains import ways
from llmos.brains.confidence import alone, judged, load_trust
from llmos.brains.instinct import asking, shares
from llmos.brains.rsa import target
from llmos.errors import LlmosError
from llmos.inference import Answer, InferenceError, Kernel, Request
from llmos.kernel.frame import FrameCandidate, NavigationFrame, prospect
from llmos.kernel.prompt import system_prompt
from llmos.teacher import NEW_GROUND_M
from llmos.trust import Weights

from ._choice_figures import tables
from ._frames import BODIES, SHOWS, Case, cases
from ._jobs import EvaluationError, Row, kept_open
from ._kind import Kind, names
from ._missions import arenas_of

SHOWN = (
    0.5  # of the unknown ground that would be seen if nothing stood in it, what is: so in mazes and clutter
)
GENERATIONS = 12  # as many as RSA's quick preset makes, for every way that thinks


class Pick(NamedTuple):
    """A choice: the candidate's id, and what it cost."""

    id: str
    seconds: float = 0.0
    calls: int = 0
    tokens: int = 0
    shares: Mapping[str, float] = {}  # the model's probabilities, or the votes
    confidence: float | None = None


def first(case: Case, kernel: Kernel) -> Pick:
    """Take the first of the list."""
    return Pick(case.frame.candidates[0].id)


def scored(case: Case, kernel: Kernel) -> Pick:
    """Take the best score as it is shown, or where it is hidden as it was: the rule."""
    return Pick(max(case.frame.candidates, key=lambda one: one.score).id)


def least(case: Case, kernel: Kernel) -> Pick:
    """Take the least sum of the line's two numbers: what arithmetic alone comes to, without any learning."""
    return Pick(min(case.frame.candidates, key=lambda one: whole_m(one, case.frame)).id)


def whole_m(one: FrameCandidate, frame: NavigationFrame) -> float:
    """Return the way over a candidate to the goal; exploring, the way less what the new ground is worth."""
    if frame.goal_m is not None:
        return one.path_m + (float("inf") if one.onward_m is None else one.onward_m)
    ground_m2 = 10 * prospect(one) * frame.world_model.cell_m**2
    return one.path_m - NEW_GROUND_M * SHOWN * ground_m2


@lru_cache(maxsize=1024)
def read(kernel: Kernel, request: Request) -> Answer:
    """Return a kernel's answer, the same to all ways that make something of it."""
    return kernel(request)


def one_pass(case: Case, kernel: Kernel) -> Pick:
    """Take the likeliest answer of the instinct's one pass, as the model gives it."""
    request = asking(case.question, case.question.deadline_s, scores=case.scores)
    answer = read(cast(Any, kernel), request)  # a protocol is not known to be hashable
    said = shares(case.frame.candidates, answer)
    tokens = answer.tokens_in + answer.tokens_out
    return Pick(answer.text, answer.seconds, 1, tokens, said, said.get(answer.text))


def by_itself(case: Case, kernel: Kernel) -> Pick:
    """Take what the pass says by calibrated weights, without the scores: what the instinct alone does."""
    return weighed(case, one_pass(case, kernel), alone(load_trust(kernel.name).instinct))


def instinct(case: Case, kernel: Kernel) -> Pick:
    """Take what the pass and the scores say together: what the instinct of two brains does."""
    return weighed(case, one_pass(case, kernel), load_trust(kernel.name).instinct)


def weighed(case: Case, pick: Pick, weights: Weights) -> Pick:
    """Return a pick by calibrated weights; scores that are hidden are all alike."""
    scores = {one.id: one.score if case.scores else 1.0 for one in case.frame.candidates}
    choice = judged(pick.shares, scores, weights)
    return pick._replace(id=choice.id, confidence=choice.confidence)


def thought(way: str, generations: int) -> Callable[[Case, Kernel], Pick]:
    """Return the picker that has full decisions made in one of the ways of thinking."""

    def pick(case: Case, kernel: Kernel) -> Pick:
        question = case.question
        request = Request(
            system_prompt(), question.text, schema=question.schema, deadline_s=question.deadline_s,
            seed=question.seed,
        )  # fmt: skip
        found = ways.answer(way, kernel, request, generations)
        votes = dict.fromkeys(case.lost, 0.0)
        for answer, share in found.shares.items():
            name = answer.rpartition(" ")[2]
            if name in votes:
                votes[name] += share
        return Pick(target(found.text) or "", found.seconds, found.generations, found.tokens, votes)

    return pick


FREE = ("first", "score", "least")  # ways that ask no kernel
NOBODY = "–"  # in its place
WAYS: dict[str, Callable[[Case, Kernel], Pick]] = {
    "first": first,
    "score": scored,
    "least": least,
    "pass": one_pass,
    "alone": by_itself,
    "instinct": instinct,
    "decision": thought("single", 1),
    "best_of": thought(ways.BEST_OF_N, GENERATIONS),
    "majority": thought("majority", GENERATIONS),
    "refinement": thought("refinement", GENERATIONS),
    "rsa": thought("RSA", GENERATIONS),
}


@dataclass(frozen=True)
class Chosen:
    """The frames of an arena's drives, put to one kernel in one way."""

    kernel: str
    way: str
    show: str
    arena: str
    seed: int
    body: str
    most: int  # frames


@dataclass(frozen=True)
class Choices:
    """What to evaluate; every combination is one task."""

    arenas: tuple[str, ...]
    kernels: tuple[str, ...]
    ways: tuple[str, ...]
    shows: tuple[str, ...] = ("shown",)
    body: str = BODIES[0]
    seeds: int = 1
    frames: int = 20

    def __post_init__(self) -> None:
        """Refuse what cannot be evaluated, before the first frame."""
        for what, given, known in (
            ("way", self.ways, tuple(WAYS)), ("show", self.shows, SHOWS), ("body", (self.body,), BODIES)
        ):  # fmt: skip
            for one in given:
                if one not in known:
                    raise EvaluationError(f"{what} {one!r}: unknown; name one of {', '.join(known)}")

    def tasks(self) -> Iterator[Chosen]:
        """Return a task for each, an arena's together, as they share its frames; no model, no kernel."""
        for arena, seed, show in product(self.arenas, range(self.seeds), self.shows):
            for way in self.ways:
                for kernel in ("rule",) if way in FREE else self.kernels:
                    yield Chosen(kernel, way, show, arena, seed, self.body, self.frames)


def plan(*, arenas: str, kernels: str, ways: str, show: str, body: str, seeds: int, frames: int) -> Choices:
    """Return what the options ask for; raises as `Choices` and `arenas_of` do."""
    return Choices(arenas_of(arenas), names(kernels), names(ways), names(show), body, seeds, frames)


def one_choice(task: Chosen) -> Row:
    """Put an arena's frames to a kernel; what could not begin ends the evaluation."""
    try:
        kernel = kept_open(task.kernel)
        some = cases(task.arena, task.seed, task.show, task.body, task.most)
        picks = [(case, picked(case, task.way, kernel)) for case in some]
    except LlmosError as error:
        raise EvaluationError(f"{task.kernel}, {task.way} in {task.arena}: {error}") from None
    asked = NOBODY if task.way in FREE else task.kernel
    return {**vars(task), "kernel": asked, "frames": [frame_row(case, pick) for case, pick in picks]}


def picked(case: Case, way: str, kernel: Kernel) -> Pick:
    """Return a pick; a model that gives no answer picks nothing."""
    try:
        return WAYS[way](case, kernel)
    except InferenceError:
        return Pick("")


def frame_row(case: Case, pick: Pick) -> Row:
    """Return what a choice came to; lists are in the order in which the candidates were listed."""
    offered = case.frame.candidates
    return {
        "goal": case.frame.goal_m is not None,
        "right": pick.id in case.best,
        "chance": case.chance,
        "regret_m": round(case.regret_m(pick.id), 3),
        "rule_m": round(case.regret_m(case.rule), 3),
        "seconds": round(pick.seconds, 5),
        "calls": pick.calls,
        "tokens": pick.tokens,
        "confidence": None if pick.confidence is None else round(pick.confidence, 4),
        "scores": [one.score if case.scores else None for one in offered],
        "shares": [round(pick.shares.get(one.id, 0.0), 4) for one in offered],
        "best": [one.id in case.best for one in offered],
    }


def line(row: Row) -> str:
    """Return one arena's line of progress."""
    right = sum(frame["right"] for frame in row["frames"])
    who = f"{row['kernel']:12} {row['way']:10} {row['show']:6}"
    return f"{who} {row['arena']:14} {right} of {len(row['frames'])} right"


CHOICES = Kind(
    name="choices",
    help="Put frames of drives, candidates shuffled and renamed, to every kernel in every way, and count how "
    "often it picks the candidate that the teacher, who sees the true map, calls the best.",
    options={
        "arenas": "generated:12,generated:6:explore", "kernels": "random,smollm2:none,smollm2",
        "ways": "first,score,least,pass,alone,instinct", "show": "shown,hidden,wrong", "body": BODIES[0],
        "seeds": 1, "frames": 20,
    },
    plan=plan,
    one=one_choice,
    line=line,
    tables=tables,
    columns={
        "table": (
            "show", "kernel", "way", "arenas", "frames", "best", "best_95", "by_arena_95", "chance",
            "regret_m", "regret_m_95", "of_rule", "of_rule_95", "ece", "ece_95", "p50_ms", "p95_ms", "calls",
            "tokens",
        ),
    },
    shares=("best", "chance"),
)  # fmt: skip
