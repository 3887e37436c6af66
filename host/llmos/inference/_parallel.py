"""Many answers at once: parallel sequences in a second context on the same weights."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ._draft import Draft
from ._sampling import Logits
from ._session import ABORTED, Session
from ._turns import Alarm, Turns
from ._types import Answer, DeadlineExpired, InferenceError

SEQUENCES = 16  # answers that grow together
CELLS = 8192  # tokens that they may hold together; each takes 23 kB with SmolLM2
STEP = 64  # tokens evaluated at once; a single call waits about as long for its turn
_PORTION = 512  # cells are made in such portions
CANCELLED = "cancelled before the answer was whole"
_LATE = "the model did not answer within the deadline; allow more or ask the rule"
_PREFIX = 0  # the sequence that holds what the prompts share; the answers' follow


@dataclass
class Growing:
    """One request under way; the times are the monotonic clock's."""

    draft: Draft
    prompt: list[int]
    max_tokens: int
    started: float
    deadline: float
    result: Answer | InferenceError | None = None
    sequence: int = _PREFIX
    cached: int = 0  # tokens of the prompt that were not evaluated for it
    reached: int = 0  # tokens of it in the context
    pending: list[int] = field(default_factory=list)  # the next ones

    def outcome(self) -> Answer | InferenceError:
        """Return what became of it."""
        return self.result or InferenceError(CANCELLED)


class Crowd:
    """A context in which many answers grow, made when first needed and as large as needed.

    What the prompts share is evaluated once and kept for the next call. It is kept in whole steps, and all
    else is forgotten, so that answers depend on the requests of their own call alone.

    Their logits differ a little from those of a single call or another batch: llama.cpp sums up in another
    order where other answers' tokens lie between a prompt's own. Weights of eight bits magnify that: it moves
    a probability of SmolLM2 by up to 0.05, where with weights of 32 bits it is 0.0005.
    """

    def __init__(self, session: Session, turns: Turns) -> None:
        self._session, self._turns, self._lib = session, turns, session.lib
        self._alarm = Alarm()
        self._context: Any = None
        self._memory: Any = None
        self._cells = 0
        self._held: list[int] = []  # what the prefix's sequence holds

    def close(self) -> None:
        """Free the context; the model is the session's."""
        if self._context:
            self._lib.llama_free(self._context)
        self._context, self._cells, self._held = None, 0, []

    def grow(self, requests: Iterable[Growing], cancelled: Callable[[], bool]) -> None:
        """Bring each to its answer or failure."""
        for group in _groups([each for each in requests if not self._finished(each)]):
            try:
                self._begin(group, cancelled)
                while live := [each for each in group if each.result is None]:
                    self._step(live, cancelled)
            except InferenceError as error:
                for each in group:
                    each.result = each.result or error

    def _begin(self, group: Sequence[Growing], cancelled: Callable[[], bool]) -> None:
        """Evaluate what the prompts share, and give each answer its sequence."""
        shared = _shared(group)
        self._make_room(_cells(group))
        kept = self._forget(_common([self._held, shared]) // STEP * STEP)
        until = max(each.deadline for each in group)
        for start in range(kept, len(shared), STEP):
            tokens = shared[start : start + STEP]
            rows = [(token, start + i, _PREFIX, False) for i, token in enumerate(tokens)]
            self._evaluate(rows, until, cancelled)
            self._held += tokens
        for sequence, each in enumerate(group, 1):
            self._lib.llama_memory_seq_cp(self._memory, _PREFIX, sequence, 0, len(shared))
            each.sequence, each.reached = sequence, len(shared)
            each.cached = kept if sequence == 1 else len(shared)
            each.pending = each.prompt[len(shared) :] + each.draft.pending

    def _step(self, live: Sequence[Growing], cancelled: Callable[[], bool]) -> None:
        """Evaluate the next tokens of all that still have time, and let them go on."""
        now = time.monotonic()
        for each in live:
            if each.deadline <= now:
                each.result = DeadlineExpired(_LATE)
        live = [each for each in live if each.result is None]
        taken = list(_portions(live))
        rows = [
            (token, each.reached + i, each.sequence, i == len(each.pending) - 1)
            for each, count in taken
            for i, token in enumerate(each.pending[:count])
        ]
        if not rows:
            return
        try:
            logits = self._evaluate(rows, min(each.deadline for each in live), cancelled)
        except DeadlineExpired:  # nothing was evaluated; the next step is this one without the late
            return
        for each, count in taken:
            each.reached += count
            each.pending = each.pending[count:]
            if not each.pending:
                self._go_on(each, next(logits))

    def _go_on(self, each: Growing, logits: Logits) -> None:
        try:
            each.draft.take(logits)
            each.pending = each.draft.pending
            self._finished(each)
        except InferenceError as error:
            each.result = error

    def _finished(self, each: Growing) -> bool:
        """Make the answer where the draft is done; tell whether it is."""
        if each.draft.done:
            seconds = time.monotonic() - each.started
            try:
                each.result = each.draft.answer(self._session.text, len(each.prompt), each.cached, seconds)
            except InferenceError as error:
                each.result = error
        return each.draft.done

    def _make_room(self, cells: int) -> None:
        if cells <= self._cells:
            return
        self.close()
        cells = -(-2 * cells // _PORTION) * _PORTION  # twice the need: a new context has lost the prefix
        self._context = self._session.new_context(cells, self._alarm, STEP, SEQUENCES + 1)
        self._memory = self._lib.llama_get_memory(self._context)
        self._cells = cells

    def _use_idle_cores(self) -> None:
        threads = self._session.threads()
        self._lib.llama_set_n_threads(self._context, threads, threads)

    def _forget(self, kept: int) -> int:
        """Keep only the first tokens of the prefix, or none where the model cannot; return how many."""
        for sequence in range(1, SEQUENCES + 1):
            self._lib.llama_memory_seq_rm(self._memory, sequence, -1, -1)
        if not self._lib.llama_memory_seq_rm(self._memory, _PREFIX, kept, -1):
            self._lib.llama_memory_clear(self._memory, True)
            kept = 0
        del self._held[kept:]
        return kept

    def _evaluate(
        self, rows: Sequence[tuple[int, int, int, bool]], deadline: float, cancelled: Callable[[], bool]
    ) -> Iterator[Logits]:
        """Evaluate rows of token, position, sequence, and whether the logits after it are wanted.

        Returns the logits in the rows' order; each array is valid until the next evaluation.
        """
        if cancelled():
            raise InferenceError(CANCELLED)
        batch = self._lib.llama_batch_init(len(rows), 0, 1)
        batch.n_tokens = len(rows)
        for i, (token, position, sequence, wanted) in enumerate(rows):
            batch.token[i], batch.pos[i], batch.logits[i] = token, position, wanted
            batch.n_seq_id[i], batch.seq_id[i][0] = 1, sequence
        with self._turns.patient(), self._alarm.at(deadline):
            self._use_idle_cores()
            status = self._lib.llama_decode(self._context, batch)
        self._lib.llama_batch_free(batch)
        if status == ABORTED:
            raise DeadlineExpired(_LATE)
        if status != 0:
            raise InferenceError(f"llama.cpp could not evaluate {len(rows)} tokens (status {status})")
        return (self._logits(i) for i, row in enumerate(rows) if row[-1])

    def _logits(self, row: int) -> Logits:
        pointer = self._lib.llama_get_logits_ith(self._context, row)
        return np.ctypeslib.as_array(pointer, shape=(self._session.vocab_size,))


def _shared(group: Sequence[Growing]) -> list[int]:
    """What all prompts begin with; less than any, because the last token is evaluated for its logits."""
    return group[0].prompt[: _common([each.prompt[:-1] for each in group])]


def _common(rows: Sequence[Sequence[int]]) -> int:
    """Count the tokens that all begin with."""
    columns = enumerate(zip(*rows, strict=False))
    return next((i for i, tokens in columns if len(set(tokens)) > 1), min(map(len, rows)))


def _cells(group: Sequence[Growing]) -> int:
    """Count the tokens that a group holds at most."""
    shared = len(_shared(group))
    return shared + sum(len(each.prompt) - shared + each.max_tokens for each in group)


def _groups(requests: Iterable[Growing]) -> Iterator[list[Growing]]:
    """Split requests into groups that grow together, in their order."""
    group: list[Growing] = []
    for each in requests:
        if group and (len(group) == SEQUENCES or _cells([*group, each]) > CELLS):
            yield group
            group = []
        group.append(each)
    if group:
        yield group


def _portions(live: Sequence[Growing]) -> Iterator[tuple[Growing, int]]:
    """Say of whom how many tokens make up the next step."""
    room = STEP
    for each in live:
        count = min(room, len(each.pending))
        if count:
            yield each, count
        room -= count
