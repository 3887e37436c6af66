"""SmolLM2 on the frames of real drives: the instinct, a full decision, its constraint, and RSA in batches.

The frames are those that a few drives by rule ask about, the same in every run. Full decisions are made
beside llama-cpp-python's own grammar and free text: every contender decides the same frames in turn, so that
a busy moment of the machine hits all of them. A row's figure is the median; its note says how many answers
were legal, how many chose the candidate with the highest score, and what the tokens were: evaluated from the
prompt, cached, sampled, forced by the schema.
"""

import argparse
import ctypes
import importlib
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import gguf
import numpy as np
from benchlib import Row, print_table

from llmos.brains import rsa
from llmos.errors import LlmosError
from llmos.inference import Answer, InferenceError, Request, conforms, note_of, open_kernel
from llmos.inference._cores import usable_cores
from llmos.inference._gguf import read_gguf
from llmos.inference._llama import LlamaKernel
from llmos.inference._session import CONTEXT_TOKENS, Session
from llmos.inference._weights import fast_weights, packaged_weights
from llmos.kernel.frame import NavigationFrame
from llmos.kernel.prompt import system_prompt
from llmos.mission import run_mission
from llmos.report import Order

ARENAS = ("exploration", "office", "maze:17", "office:3:explore")
FRAMES = 8
INSTINCTS = 36  # frames of the instinct
THOUGHT_OVER = 3  # frames that RSA thinks over
RANK = 12  # of a random adapter
BUDGET_S = 40.0  # of each part: on a machine so busy that its frames take longer, fewer are measured
INSTINCT_MS = (80.0, 150.0)  # p50 and p95 of the instinct on two cores
GOAL_MS = 400.0  # p50 of a full decision on two cores


class Question(NamedTuple):
    """What a cycle asked for, and the frame that it asked about."""

    request: Request
    frame: NavigationFrame


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


class Listener:
    """The rule, with every request kept that it was asked."""

    name, vision = "rule", False

    def __init__(self) -> None:
        self._rule = open_kernel("rule")
        self.heard: list[Request] = []

    def __call__(self, request: Request) -> Answer:
        """Answer as the rule does."""
        self.heard.append(request)
        return self._rule(request)

    def close(self) -> None:
        """Nothing is held."""


def drive() -> list[Question]:
    """Drive some arenas by rule, and keep what each cycle asked, with its frame."""
    asked: list[Question] = []
    for arena in ARENAS:
        rule = Listener()

        def watch(_mind: Any, step: Any, rule: Listener = rule) -> None:
            if step.frame and step.frame.candidates and rule.heard:
                asked.append(Question(replace(rule.heard.pop(), deadline_s=60.0), step.frame))

        run_mission(Order(goal="go", arena=arena, kernel="rule"), watch, kernel=rule)
    return asked


def spread(asked: list[Question], count: int) -> list[Question]:
    """Take so many of them, from the whole drive."""
    return asked[:: max(1, len(asked) // count)][:count]


def within_budget(asked: Sequence[Question]) -> Iterator[Question]:
    """Yield them until the budget of a part is spent, two at least."""
    stop = time.monotonic() + BUDGET_S
    for index, question in enumerate(asked):
        if index >= 2 and time.monotonic() > stop:
            return
        yield question


def instinct(kernel: LlamaKernel, asked: list[Question]) -> list[Row]:
    """Choose a candidate in each frame of the drive, in its order, by one pass."""
    answers = []
    for _, frame in within_budget(asked):
        choices = tuple(candidate.id for candidate in frame.candidates)
        text = frame.short()
        answers.append(kernel(Request(system_prompt("instinct"), text, choices=choices, deadline_s=60.0)))
    times = sorted(1000 * answer.seconds for answer in answers[1:])
    tails = sorted(answer.tokens_in - answer.tokens_cached for answer in answers[1:])
    note = f"{len(times)} real frames, {tails[len(tails) // 2]} changed tokens (median), {tails[-1]} at most"
    return [
        Row("instinct, p50", times[len(times) // 2], "promised on 2 cores", INSTINCT_MS[0], note=note),
        Row("instinct, p95", times[int(0.95 * len(times))], "promised on 2 cores", INSTINCT_MS[1]),
    ]


def random_adapter(folder: Path) -> Path:
    """Write an adapter of the usual rank for all that one can change: what it says takes as long as any."""
    writer = gguf.GGUFWriter(folder / "random.gguf", "llama")
    writer.add_type("adapter")
    writer.add_string("adapter.type", "lora")
    writer.add_float32("adapter.lora.alpha", float(RANK))
    rng = np.random.default_rng(0)
    with packaged_weights().open("rb") as file:
        matrices = {name: one.shape for name, one in read_gguf(file).tensors.items() if len(one.shape) == 2}
    for name, (rows, columns) in matrices.items():
        if name.startswith("blk."):
            for ending, shape in ((".lora_a", (RANK, columns)), (".lora_b", (rows, RANK))):
                writer.add_tensor(name + ending, (0.01 * rng.standard_normal(shape)).astype(np.float16))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return folder / "random.gguf"


def with_adapter(path: Path) -> LlamaKernel:
    """Have llama.cpp add an adapter in each evaluation."""
    session = Session(fast_weights(packaged_weights()))
    lib = session.lib
    loaded = (lib.llama_adapter_lora_p_ctypes * 1)(lib.llama_adapter_lora_init(session._model, bytes(path)))
    lib.llama_set_adapters_lora(session._context, loaded, 1, (ctypes.c_float * 1)(1.0))
    return LlamaKernel("llama.cpp's adapter", session)


def taught(asked: list[Question]) -> list[Row]:
    """Choose a candidate in each frame with an adapter, without, and as llama.cpp adds one, in turn."""
    with tempfile.TemporaryDirectory() as folder:
        adapter = random_adapter(Path(folder))
        mine = open_kernel(f"smollm2:{adapter}")
        if note_of(mine):
            raise InferenceError(note_of(mine))
        rivals = {"taught": mine, "untaught": open_kernel("smollm2:none"), "added": with_adapter(adapter)}
        times: dict[str, list[float]] = {name: [] for name in rivals}
        for _, frame in within_budget(asked):
            choices = tuple(candidate.id for candidate in frame.candidates)
            request = Request(system_prompt("instinct"), frame.short(), choices=choices, deadline_s=60.0)
            for name, kernel in rivals.items():
                times[name].append(1000 * kernel(request).seconds)
        for kernel in rivals.values():
            kernel.close()
    ours, theirs, added = (statistics.median(found[1:]) for found in times.values())
    note = f"a random adapter of rank {RANK}, in turn on {len(times['taught']) - 1} frames"
    return [
        Row("instinct, taught", ours, "untaught", theirs, wanted=1 / 1.1, note=note),
        Row("", ours, "adapter added by llama.cpp", added),
    ]


class Timed:
    """A constraint that sums up what it takes: to follow the answer, and to choose among its tokens."""

    seconds = 0.0

    def __init__(self, make: Callable[[], Any]) -> None:
        start = time.perf_counter()
        self._constraint = make()
        Timed.seconds += time.perf_counter() - start

    def __getattr__(self, name: str) -> Any:
        start = time.perf_counter()
        value = getattr(self._constraint, name)
        Timed.seconds += time.perf_counter() - start
        return self._timed(value) if callable(value) else value

    @staticmethod
    def _timed(method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any) -> Any:
            start = time.perf_counter()
            try:
                return method(*args)
            finally:
                Timed.seconds += time.perf_counter() - start

        return call


def own_constraint_ms(kernel: LlamaKernel, request: Request) -> tuple[float, Answer]:
    """Decide once; return what the constraint took of it."""
    make, Timed.seconds = kernel._constrain, 0.0
    kernel._constrain = lambda *args: Timed(lambda: make(*args))
    try:
        answer = kernel(request)
        return 1000 * Timed.seconds, answer
    finally:
        kernel._constrain = make


def peer_constraint_ms(session: Session, schema: Any, text: str) -> float:
    """Follow the same answer as `Llama` does: the grammar is made for each call and masks all tokens."""
    lib, grammars = session.lib, importlib.import_module("llama_cpp.llama_grammar")
    candidates = np.zeros(session.vocab_size, [("id", np.int32), ("logit", np.float32), ("p", np.float32)])
    start = time.perf_counter()
    grammar = grammars.LlamaGrammar.from_json_schema(json.dumps(schema), verbose=False)
    sampler = lib.llama_sampler_init_grammar(session.vocab, grammar._grammar.encode(), b"root")
    seconds = time.perf_counter() - start
    for token in session.tokens(text):
        candidates["id"], candidates["logit"] = np.arange(session.vocab_size), 0
        data = candidates.ctypes.data_as(lib.llama_token_data_p)
        array = lib.llama_token_data_array(data=data, size=session.vocab_size, selected=-1)
        start = time.perf_counter()
        lib.llama_sampler_apply(sampler, ctypes.byref(array))
        lib.llama_sampler_accept(sampler, token)
        seconds += time.perf_counter() - start
    lib.llama_sampler_free(sampler)
    return 1000 * seconds


def constraint(kernel: LlamaKernel, asked: list[Question]) -> Row:
    """Time the constraint alone, ours and the peer's, on the same decisions."""
    ours, theirs, tokens = [], [], []
    for request, _ in within_budget(asked):
        milliseconds, answer = own_constraint_ms(kernel, request)
        ours.append(milliseconds)
        theirs.append(peer_constraint_ms(kernel._session, request.schema, answer.text))
        tokens.append(answer.tokens_out)
    note = f"medians of {len(ours)} decisions of {sorted(tokens)[len(tokens) // 2]} tokens"
    peer_name = "llama-cpp-python's grammar sampler"
    return Row(
        "constraint of a decision",
        statistics.median(ours),
        peer_name,
        statistics.median(theirs),
        wanted=3,
        note=note,
    )


class Rounds:
    """The model, with the requests of each round kept."""

    def __init__(self, kernel: LlamaKernel) -> None:
        self._kernel = kernel
        self.name, self.vision = kernel.name, kernel.vision
        self.asked: list[Request] = []
        self.seconds = 0.0

    def __call__(self, request: Request) -> Answer:
        """Answer one alone."""
        return self._kernel(request)

    def batch(self, requests: Sequence[Request], cancelled: Callable[[], bool]) -> Any:
        """Answer a round together."""
        start = time.perf_counter()
        answers = self._kernel.batch(requests, cancelled)
        self.seconds += time.perf_counter() - start
        self.asked += requests
        return answers

    def close(self) -> None:
        """Nothing is held."""


def aggregation(kernel: LlamaKernel, asked: list[Question]) -> Row:
    """Think a frame over by RSA's quick preset, then ask its twelve requests again, one after another.

    The first frame only fills the caches of both with the system's text.
    """
    together, apart, calls = [], [], 0
    quick = replace(rsa.PRESETS["quick"], consensus=None)
    (first, _), *others = asked
    rsa.run(Rounds(kernel), first, quick, rsa.PLACES)
    kernel(first)
    for request, _ in within_budget(others):
        rounds = Rounds(kernel)
        rsa.run(rounds, request, quick, rsa.PLACES)
        together.append(1000 * rounds.seconds)
        start = time.perf_counter()
        for one in rounds.asked:
            kernel(replace(one, deadline_s=60.0))
        apart.append(1000 * (time.perf_counter() - start))
        calls += len(rounds.asked)
    note = f"{calls // len(apart)} calls, prefixes cached in both; medians of {len(apart)} frames"
    return Row(
        "RSA quick, in batches",
        statistics.median(together),
        "its calls one after another",
        statistics.median(apart),
        wanted=1 / 0.6,
        note=note,
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


def decide(asked: list[Question]) -> list[Contender]:
    """Let every contender decide the same frames, at least two."""
    rivals = contenders()
    for request, frame in within_budget(asked):
        best = max(frame.candidates, key=lambda candidate: candidate.score).id
        for rival in rivals:
            rival.take(request, best)
    return rivals


def rows(rivals: list[Contender]) -> list[Row]:
    """Compare our median with its goal and with each peer's; a peer without a legal answer may be quicker."""
    ours = rivals[0].figure(0.5)
    return [Row("one decision", ours, "promised on 2 cores", GOAL_MS, note=rivals[0].note())] + [
        Row("", ours, rival.name, rival.figure(0.5), wanted=float(rival.valid > 0), note=rival.note())
        for rival in rivals[1:]
    ]


def measure(frames: int = FRAMES) -> tuple[list[Row], bool]:
    """Measure and compare; tell too whether each of our decisions was legal."""
    asked = drive()
    rivals = decide(spread(asked, frames))
    kernel = rivals[0].decide
    if not isinstance(kernel, LlamaKernel):
        raise InferenceError("smollm2 is no model of this process")
    found = [
        *instinct(kernel, spread(asked, INSTINCTS)),
        *taught(spread(asked, INSTINCTS)),
        *rows(rivals),
        constraint(kernel, spread(asked, frames)),
        aggregation(kernel, spread(asked, THOUGHT_OVER + 1)),
    ]
    return found, rivals[0].valid == len(rivals[0].answers)


def run() -> list[Row]:
    """Measure and compare."""
    return measure()[0]


def main() -> int:
    """Print the table; 1 where a figure is missed or an answer of ours is not legal."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=FRAMES, help="decisions of each contender, at least 2")
    frames = max(parser.parse_args().frames, 2)
    try:
        found, legal = measure(frames)
    except LlmosError as error:
        print(f"bench_inference: {error}", file=sys.stderr)
        return 1
    kept = print_table("SmolLM2-135M on frames of real drives", found)
    return int(not kept or not legal)


if __name__ == "__main__":
    raise SystemExit(main())
