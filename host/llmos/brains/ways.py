"""Ways to spend the same number of generations on one question: what RSA has to be better than.

None spends more than its number, and none ends early by consensus. All but one are presets of `rsa.run`: a
population without rounds is a vote, and one with K = 1 is self-refinement. Best of N has a judge besides, the
model itself.
"""

from collections.abc import Callable
from dataclasses import replace

from llmos.brains.rsa import DECISIONS, PRESETS, Outcome, Preset, Reading, aggregation, run
from llmos.inference import Answer, InferenceError, Kernel, Request, ask_all
from llmos.kernel.prompt import system_prompt

SAMPLED_AT = PRESETS["quick"].first  # temperature of answers that are to differ
BEST_OF_N = "best of N"
YES, NO = "yes", "no"


def single(generations: int) -> Preset:
    """Return the preset of one answer, the likeliest, whatever is allowed."""
    return replace(majority(generations), n=1, first=0.0)


def majority(generations: int) -> Preset:
    """Return the preset of a vote among samples (self-consistency, Wang et al., arXiv 2203.11171)."""
    return Preset(generations, 1, 0, None, SAMPLED_AT, SAMPLED_AT, "majority")


def best_of(generations: int) -> Preset:
    """Return the preset of samples that leave as many generations again for the judge."""
    return majority(max(1, generations // 2))


def aggregated(generations: int) -> Preset:
    """Return the largest preset of RSA that fits, with as many answers as fit; else a small quick one."""
    fitting = [PRESETS[name] for name in ("deep", "standard", "quick") if PRESETS[name].calls <= generations]
    largest = fitting[0] if fitting else PRESETS["quick"]
    return replace(largest, n=max(1, generations // (largest.t + 1)), consensus=None)


def refined(generations: int) -> Preset:
    """Return the preset of self-refinement: as RSA, but each answer is made of one before (K = 1)."""
    return replace(aggregated(generations), k=1)


WAYS: dict[str, Callable[[int], Preset]] = {
    "single": single,
    BEST_OF_N: best_of,
    "majority": majority,
    "refinement": refined,
    "RSA": aggregated,
}


def answer(
    way: str, kernel: Kernel, request: Request, generations: int, reading: Reading = DECISIONS
) -> Outcome:
    """Answer a request in one of the `WAYS`, with at most so many generations.

    Raises:
        InferenceError: no answer was had.
    """
    found = run(kernel, request, WAYS[way](generations), reading, budget=generations)
    return judged(kernel, request, found, generations, reading) if way == BEST_OF_N else found


def judged(kernel: Kernel, request: Request, found: Outcome, generations: int, reading: Reading) -> Outcome:
    """Take the sample that the model itself, asked about each, most surely calls the best.

    Each different answer is judged once, yes or no, by the probability of yes where the kernel tells it. Of
    those that seem as good the more frequent one wins. (The likeliest of the samples would take one call, but
    that is the single pass once more: what it would say is nearly always among them.)
    """
    left = generations - found.generations
    if len(found.shares) == 1 or left < len(found.shares):
        return found
    different = {one.answer: one for one in reversed(found.candidates) if not one.failure}
    order = [different[answer] for answer in found.shares]
    judgements = ask_all(kernel, [verification(request, reading.shown(one.text)) for one in order])
    best = order[max(range(len(order)), key=lambda number: (surety(judgements[number]), -number))]
    calls = tuple(one for one in judgements if isinstance(one, Answer))
    seconds = found.seconds + sum(one.seconds for one in calls)
    return replace(found, text=best.text, answer=best.answer, calls=found.calls + calls, seconds=seconds)


def verification(request: Request, text: str) -> Request:
    """Return the question whether an answer is the best: the shared text first, the answer last."""
    user = aggregation(request.user, system_prompt("verify"), [text])
    return replace(request, user=user, schema=None, grammar=None, choices=(YES, NO), temperature=0.0)


def surety(judgement: Answer | InferenceError) -> float:
    """Return how surely an answer is called the best, 0 to 1."""
    if isinstance(judgement, InferenceError):
        return 0.0
    return judgement.probabilities[0] if judgement.probabilities else float(judgement.text == YES)
