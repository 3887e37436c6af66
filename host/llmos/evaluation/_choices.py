"""How often who picks the best candidate: by chance, by score, by one pass, by a vote, by aggregation.

Candidates are shuffled and renamed, and the true map says which is the best, so neither the list's order nor
a name helps. A model that chooses no better than chance shows it here.
"""

import statistics
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any, NamedTuple

from llmos.brains import ways
from llmos.brains.confidence import judged, load_trust, posterior
from llmos.brains.rsa import target
from llmos.errors import LlmosError
from llmos.inference import InferenceError, Kernel, Request
from llmos.kernel.prompt import system_prompt
from llmos.statistics import mean_between, wilson
from llmos.trust import Weights

from ._frames import Case, cases
from ._jobs import EvaluationError, Row, kept_open
from ._kind import Kind, Tables, names
from ._missions import arenas_of

GENERATIONS = 12  # as many as RSA's quick preset makes, for every way that thinks
BINS = 5  # of confidence


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
    return Pick(case.question.frame.candidates[0].id)


def scored(case: Case, kernel: Kernel) -> Pick:
    """Take the best score, as the rule does."""
    return Pick(max(case.question.frame.candidates, key=lambda one: one.score).id)


def one_pass(case: Case, kernel: Kernel) -> Pick:
    """Take the likeliest answer of the instinct's one pass, as the model gives it."""
    offered = case.question.frame.candidates
    request = Request(
        system_prompt("instinct"),
        case.question.frame.short(),
        choices=tuple(one.id for one in offered),
        deadline_s=case.question.deadline_s,
    )
    answer = kernel(request)
    said = answer.probabilities or tuple(float(one.id == answer.text) for one in offered)
    shares = {one.id: chance for one, chance in zip(offered, said, strict=True)}
    return Pick(answer.text, answer.seconds, 1, answer.tokens_in + answer.tokens_out, shares)


def unbiased(case: Case, kernel: Kernel) -> Pick:
    """Take the instinct's answer after what it always says of a place in the list is taken off."""
    weights = Weights(model=1, score=0, bias=load_trust(kernel.name).instinct.bias)
    return weighed(case, one_pass(case, kernel), weights)


def instinct(case: Case, kernel: Kernel) -> Pick:
    """Take what the instinct and the scores say together: what two brains do."""
    return weighed(case, one_pass(case, kernel), load_trust(kernel.name).instinct)


def weighed(case: Case, pick: Pick, weights: Weights) -> Pick:
    """Return a pick by calibrated weights."""
    scores = {one.id: one.score for one in case.question.frame.candidates}
    choice = judged(pick.shares, scores, weights)
    return pick._replace(id=choice.id, confidence=posterior(pick.shares, scores, weights)[choice.id])


def thought(way: str, generations: int) -> Callable[[Case, Kernel], Pick]:
    """Return the picker that has full decisions made in one of the ways of thinking."""

    def pick(case: Case, kernel: Kernel) -> Pick:
        question = case.question
        request = Request(
            system_prompt(), question.text, schema=question.schema, deadline_s=question.deadline_s,
            seed=question.seed,
        )  # fmt: skip
        found = ways.answer(way, kernel, request, generations)
        votes = dict.fromkeys(case.regret_m, 0.0)
        for answer, share in found.shares.items():
            name = answer.rpartition(" ")[2]
            if name in votes:
                votes[name] += share
        return Pick(target(found.text) or "", found.seconds, found.generations, found.tokens, votes)

    return pick


FREE = ("first", "score")  # ways that ask no model
WAYS: dict[str, Callable[[Case, Kernel], Pick]] = {
    "first": first,
    "score": scored,
    "pass": one_pass,
    "unbiased": unbiased,
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
    arena: str
    seed: int
    most: int  # frames


@dataclass(frozen=True)
class Choices:
    """What to evaluate; every combination is one task."""

    arenas: tuple[str, ...]
    kernels: tuple[str, ...]
    ways: tuple[str, ...]
    seeds: int
    frames: int

    def tasks(self) -> Iterator[Chosen]:
        """Return a task for each, those that ask no model once."""
        for way, arena, seed in product(self.ways, self.arenas, range(self.seeds)):
            for kernel in ("rule",) if way in FREE else self.kernels:
                yield Chosen(kernel, way, arena, seed, self.frames)


def plan(*, arenas: str, kernels: str, ways: str, seeds: int, frames: int) -> Choices:
    """Return what the options ask for.

    Raises:
        EvaluationError: a way is unknown, or an arena sets no goal.
    """
    for way in names(ways):
        if way not in WAYS:
            raise EvaluationError(f"way {way!r}: unknown; name one of {', '.join(WAYS)}")
    return Choices(arenas_of(arenas), names(kernels), names(ways), seeds, frames)


def one_choice(task: Chosen) -> Row:
    """Put an arena's frames to a kernel; what could not begin ends the evaluation."""
    try:
        kernel = kept_open(task.kernel)
        picks = [(case, picked(case, task.way, kernel)) for case in cases(task.arena, task.seed)[: task.most]]
    except LlmosError as error:
        raise EvaluationError(f"{task.kernel}, {task.way} in {task.arena}: {error}") from None
    return {**vars(task), "frames": [frame_row(case, pick) for case, pick in picks]}


def picked(case: Case, way: str, kernel: Kernel) -> Pick:
    """Return a pick; a model that gives no answer picks nothing."""
    try:
        return WAYS[way](case, kernel)
    except InferenceError:
        return Pick("")


def frame_row(case: Case, pick: Pick) -> Row:
    """Return what a choice came to; lists are in the order in which the candidates were listed."""
    offered = case.question.frame.candidates
    worst = max((lost for lost in case.regret_m.values() if lost < float("inf")), default=0.0)
    return {
        "right": pick.id in case.best,
        "chance": case.chance,
        "regret_m": round(min(case.regret_m.get(pick.id, worst), worst), 3),
        "seconds": round(pick.seconds, 4),
        "calls": pick.calls,
        "tokens": pick.tokens,
        "confidence": pick.confidence,
        "scores": [one.score for one in offered],
        "shares": [round(pick.shares.get(one.id, 0.0), 4) for one in offered],
        "best": [one.id in case.best for one in offered],
    }


def line(row: Row) -> str:
    """Return one arena's line of progress."""
    right = sum(frame["right"] for frame in row["frames"])
    return f"{row['kernel']:8} {row['way']:10} {row['arena']:14} {right} of {len(row['frames'])} right"


def tables(rows: list[Row]) -> Tables:
    """Return the sums by kernel and way."""
    ways: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        ways.setdefault((row["kernel"], row["way"]), []).append(row)
    return {"table": [sums(kernel, way, mine) for (kernel, way), mine in ways.items()]}


def sums(kernel: str, way: str, rows: list[Row]) -> Row:
    """Sum up one kernel's choices in one way; the interval of the difference is over arenas."""
    frames = [frame for row in rows for frame in row["frames"]]
    if not frames:
        raise EvaluationError("no frame has something to choose: name more arenas, or more seeds")
    right, count = sum(frame["right"] for frame in frames), len(frames)
    low, high = wilson(right, count)
    over = [[frame["right"] - frame["chance"] for frame in row["frames"]] for row in rows if row["frames"]]
    more, least, most = mean_between(over)
    return {
        "kernel": kernel if way not in FREE else "–",
        "way": way,
        "frames": count,
        "best": right / count,
        "best_95": f"{low:.0%}–{high:.0%}",
        "chance": statistics.mean(frame["chance"] for frame in frames),
        "over_chance": f"{more:+.2f} ({least:+.2f} to {most:+.2f})",
        "regret_m": round(statistics.mean(frame["regret_m"] for frame in frames), 3),
        "calls": round(statistics.mean(frame["calls"] for frame in frames), 1),
        "p50_ms": round(1000 * statistics.median(frame["seconds"] for frame in frames)),
        "tokens": round(statistics.mean(frame["tokens"] for frame in frames)),
        "ece": calibration_error(frames),
    }


def calibration_error(frames: list[Any]) -> float | None:
    """Return the expected calibration error (Naeini et al. 2015), in equal bins; None without one."""
    sure = [frame for frame in frames if frame["confidence"] is not None]
    if not sure:
        return None
    bins: dict[int, list[Row]] = {}
    for frame in sure:
        bins.setdefault(min(int(frame["confidence"] * BINS), BINS - 1), []).append(frame)
    off = [abs(sum(frame["confidence"] - frame["right"] for frame in mine)) for mine in bins.values()]
    return round(float(sum(off)) / len(sure), 3)


CHOICES = Kind(
    name="choices",
    help="Put frames of real drives, candidates shuffled and renamed, to every kernel in every way, and "
    "count how often it picks the candidate that the true map calls the best.",
    options={
        "arenas": "generated:12", "kernels": "random,smollm2",
        "ways": "first,score,pass,unbiased,instinct,decision", "seeds": 1, "frames": 20,
    },
    plan=plan,
    one=one_choice,
    line=line,
    tables=tables,
    shares=("best", "chance"),
)  # fmt: skip
