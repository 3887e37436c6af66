"""One decision of SmolLM2, beside llama-cpp-python's own grammar and free text in the same minutes.

Every contender decides the same frames in turn, so that a busy moment of the machine hits all of them. A
row's figure is the median; its note says how many answers were legal, how many chose the candidate with the
highest score, and what the tokens were: evaluated from the prompt, cached, sampled, forced by the schema.
"""

import argparse
import importlib
import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from benchlib import Row, print_table

from llmos.inference import Answer, InferenceError, Request, conforms, open_kernel
from llmos.inference._cores import usable_cores
from llmos.inference._llama import LlamaKernel
from llmos.inference._session import CONTEXT_TOKENS, Session
from llmos.inference._weights import packaged_weights
from llmos.kernel.decision import decision_schema
from llmos.kernel.frame import FrameCandidate, candidate_line
from llmos.kernel.prompt import system_prompt

FRAMES = 12
BUDGET_S = 180.0  # on a machine so busy that the frames take longer, fewer are measured
GOAL_MS = 500.0  # p50 of a full decision on two cores


@dataclass
class Contender:
    """One way to a decision, and what it decided."""

    name: str
    decide: Callable[[Request], Answer]
    answers: list[Answer] = field(default_factory=list)
    valid: int = 0
    best: int = 0  # chose the candidate with the highest score

    def take(self, request: Request, best: str) -> None:
        """Decide one frame and judge the answer."""
        answer = self.decide(request)
        self.answers.append(answer)
        try:
            value = json.loads(answer.text)
        except json.JSONDecodeError:
            return
        if conforms(value, request.schema or {}):
            self.valid += 1
            self.best += value["action"].get("target_id") == best

    def figure(self, share: float) -> float:
        """Milliseconds that this share of the decisions took at most, the first one aside."""
        milliseconds = sorted(answer.seconds * 1000 for answer in self.answers[1:])
        return milliseconds[min(int(share * len(milliseconds)), len(milliseconds) - 1)]

    def note(self) -> str:
        """Say what the answers were."""
        count, last = len(self.answers), self.answers[-1]
        note = f"p95 {self.figure(0.95):.0f} ms, {self.valid}/{count} valid, {self.best}/{count} best score"
        if not last.tokens_cached:
            return f"{note}, {last.tokens_out} tokens sampled"
        evaluated, sampled = last.tokens_in - last.tokens_cached, last.tokens_out - last.tokens_forced
        return (
            f"{note}, tokens: {evaluated} evaluated + {last.tokens_cached} cached, "
            f"{sampled} sampled + {last.tokens_forced} forced"
        )


def frame(rng: Random) -> tuple[Request, str]:
    """Make a frame as the kernel cycle does, with the id of its best-scored candidate."""
    candidates = [_candidate(f"c{n + 1}", rng) for n in range(rng.randint(3, 5))]
    text = "\n".join(
        [
            "goal: drive to the far corner at 1.5,1.5",
            f"robot {rng.uniform(-2, 2):.1f},0.4 facing {rng.randint(0, 359)} navigating",
            f"last: MOVE_TO c1 success moved {rng.uniform(0, 2):.1f} m",
            *(candidate_line(candidate) for candidate in candidates),
        ]
    )
    request = Request(system_prompt(), text, schema=decision_schema(candidates, False), deadline_s=60.0)
    return request, max(candidates, key=lambda candidate: candidate.score).id


def _candidate(name: str, rng: Random) -> FrameCandidate:
    return FrameCandidate(
        id=name,
        type=rng.choice(["subgoal", "frontier", "recovery"]),
        pos_m=(rng.uniform(-2.5, 2.5), rng.uniform(-2.5, 2.5)),
        score=round(rng.random(), 2),
        path_m=rng.uniform(0.3, 5),
        note=rng.choice(["goal", "12 cells", ""]),
    )


def peer(constrained: bool) -> Callable[[Request], Answer]:
    """Decide by llama-cpp-python's chat interface, as its users would."""
    llama = importlib.import_module("llama_cpp").Llama(
        str(packaged_weights()),
        n_ctx=CONTEXT_TOKENS,
        n_threads=usable_cores(),
        n_threads_batch=usable_cores(),
        verbose=False,
    )

    def decide(request: Request) -> Answer:
        started = time.monotonic()
        reply = llama.create_chat_completion(
            [{"role": "system", "content": request.system}, {"role": "user", "content": request.user}],
            response_format={"type": "json_object", "schema": request.schema} if constrained else None,
            temperature=0.0,
            max_tokens=request.max_tokens,
        )
        text, usage = reply["choices"][0]["message"]["content"], reply["usage"]
        seconds = time.monotonic() - started
        return Answer(text, usage["prompt_tokens"], usage["completion_tokens"], 0, seconds)

    return decide


def contenders() -> list[Contender]:
    """Ours, ours on the weights as they are packaged, and the peers."""
    packed = LlamaKernel("packed", Session(packaged_weights()))
    return [
        Contender("llmos", open_kernel("smollm2")),
        Contender("llmos, weights as packaged", packed),
        Contender("llama-cpp-python, its grammar", peer(constrained=True)),
        Contender("llama-cpp-python, free text", peer(constrained=False)),
    ]


def measure(frames: int = FRAMES) -> list[Contender]:
    """Let every contender decide the same frames, at least two."""
    rng = Random(0)
    rivals = contenders()
    stop = time.monotonic() + BUDGET_S
    for index in range(frames):
        if index >= 2 and time.monotonic() > stop:
            break
        request, best = frame(rng)
        for rival in rivals:
            rival.take(request, best)
    return rivals


def rows(rivals: list[Contender]) -> list[Row]:
    """Compare our median with its goal and with each peer's; a peer without a legal answer may be quicker."""
    ours = rivals[0].figure(0.5)
    return [Row("one decision", ours, "the goal on 2 cores", GOAL_MS, note=rivals[0].note())] + [
        Row("", ours, rival.name, rival.figure(0.5), wanted=float(rival.valid > 0), note=rival.note())
        for rival in rivals[1:]
    ]


def run() -> list[Row]:
    """Measure and compare."""
    return rows(measure())


def main() -> int:
    """Print the table; 1 where a figure is missed or an answer of ours is not legal."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=FRAMES, help="decisions of each contender, at least 2")
    frames = max(parser.parse_args().frames, 2)
    try:
        rivals = measure(frames)
    except InferenceError as error:
        print(f"bench_inference: {error}", file=sys.stderr)
        return 1
    kept = print_table("SmolLM2-135M, median of the decisions", rows(rivals))
    return int(not kept or rivals[0].valid < len(rivals[0].answers))


if __name__ == "__main__":
    raise SystemExit(main())
