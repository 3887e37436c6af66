"""Many answers at once: parallel sequences in a second context on the same weights."""

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

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
    cached: int = 0  # tokens of the prompt that were held, or evaluated for another
    reached: int = 0  # tokens of it in the context
    pending: list[int] = field(default_factory=list)  # the next ones

    def outcome(self) -> Answer | InferenceError:
        """Return what became of it."""
        return self.result or InferenceError(CANCELLED)


class Row(NamedTuple):
    """A token to evaluate, for all answers that are alike up to it."""

    token: int
    position: int
    of: list[Growing]
    last: list[Growing]  # those of them that have no more tokens, and go on after it


class Crowd:
    """A context in which many answers grow, made when first needed and as large as needed.

    Answers that have read and said the same are evaluated once, until they part. What all prompts share is
    kept for the next call, in the cells and with the values that it would get again; all else is forgotten,
    so that answers depend on the requests of their own call alone.

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
        self._shared: list[int] = []  # what all prompts of the group under way begin with
        self._held: list[int] = []  # of it, and of that before: what the prefix's sequence holds

    def close(self) -> None:
        """Free the context; the model is the session's."""
        if self._context:
            self._lib.llama_free(self._context)
        self._context, self._cells, self._held = None, 0, []

    def grow(self, requests: Iterable[Growing], cancelled: Callable[[], bool]) -> None:
        """Bring each to its answer or failure."""
        for group in _groups([each for each in requests if not self._finished(each)]):
            try:
                branches = self._begin(group)
                while branches := [live for branch in branches if (live := _live(branch))]:
                    branches = self._step(branches, cancelled)
            except InferenceError as error:
                for each in group:
                    each.result = each.result or error

    def _begin(self, group: list[Growing]) -> list[list[Growing]]:
        """Give each answer its sequence, which begins with what is held of their prompts."""
        self._shared = _shared(group)
        self._make_room(_cells(group))
        kept = self._forget(_common([self._held, self._shared]))
        for sequence, each in enumerate(group, 1):
            self._lib.llama_memory_seq_cp(self._memory, _PREFIX, sequence, 0, kept)
            each.sequence, each.reached, each.cached = sequence, kept, kept
            each.pending = each.prompt[kept:] + each.draft.pending
        return [group]

    def _step(self, branches: list[list[Growing]], cancelled: Callable[[], bool]) -> list[list[Growing]]:
        """Evaluate the next tokens, let the answers go on after them, and return what is alike then."""
        rows, alike = _rows(branches)
        try:
            logits = self._evaluate(rows, min(each.deadline for row in rows for each in row.of), cancelled)
        except DeadlineExpired:  # nothing was evaluated; the next step is this one without the late
            return branches
        for row in rows:
            if row.position < len(self._shared):
                self._held.append(row.token)
            for number, each in enumerate(row.of):
                each.reached += 1
                each.cached += number > 0 and row.position < len(each.prompt)
                each.pending = each.pending[1:]
        for row, after in zip([row for row in rows if row.last], logits, strict=True):
            for each in row.last:
                self._go_on(each, after)
        return alike

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
        self, rows: Sequence[Row], deadline: float, cancelled: Callable[[], bool]
    ) -> Iterator[Logits]:
        """Evaluate rows; return the logits after those that are somebody's last, in their order.

        Each array is valid until the next evaluation.
        """
        if cancelled():
            raise InferenceError(CANCELLED)
        batch = self._lib.llama_batch_init(len(rows), 0, SEQUENCES + 1)
        batch.n_tokens = len(rows)
        for i, row in enumerate(rows):
            batch.token[i], batch.pos[i], batch.logits[i] = row.token, row.position, bool(row.last)
            sequences = [each.sequence for each in row.of]
            if row.position < len(self._shared):
                sequences.append(_PREFIX)
            batch.n_seq_id[i] = len(sequences)
            for j, sequence in enumerate(sequences):
                batch.seq_id[i][j] = sequence
        with self._turns.patient(), self._alarm.at(deadline):
            self._use_idle_cores()
            status = self._lib.llama_decode(self._context, batch)
        self._lib.llama_batch_free(batch)
        if status == ABORTED:
            self._take_back(rows)
            raise DeadlineExpired(_LATE)
        if status != 0:
            raise InferenceError(f"llama.cpp could not evaluate {len(rows)} tokens (status {status})")
        return (self._logits(i) for i, row in enumerate(rows) if row.last)

    def _take_back(self, rows: Sequence[Row]) -> None:
        """Forget rows that were given up; llama.cpp itself forgets them for their first sequence alone."""
        for each in {each.sequence: each for row in rows for each in row.of}.values():
            self._lib.llama_memory_seq_rm(self._memory, each.sequence, each.reached, -1)
        self._lib.llama_memory_seq_rm(self._memory, _PREFIX, len(self._held), -1)

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


def _live(branch: Sequence[Growing]) -> list[Growing]:
    """Return those that go on; those that are late fail."""
    now = time.monotonic()
    for each in branch:
        if each.result is None and each.deadline <= now:
            each.result = DeadlineExpired(_LATE)
    return [each for each in branch if each.result is None]


def _rows(branches: Iterable[list[Growing]]) -> tuple[list[Row], list[list[Growing]]]:
    """Lay out the next step, and say who is alike after it.

    Args:
        branches: answers that have read and said the same so far.
    """
    rows: list[Row] = []
    parted: list[list[Growing]] = []
    ahead = deque((branch, 0) for branch in branches)  # breadth first, so that all get on
    while ahead and len(rows) < STEP:
        branch, depth = ahead.popleft()
        ways: dict[int | None, list[Growing]] = {}
        for each in branch:
            ways.setdefault(each.pending[depth] if depth < len(each.pending) else None, []).append(each)
        for token, of in ways.items():
            if token is None or len(rows) == STEP:
                parted.append(of)
                continue
            last = [each for each in of if len(each.pending) == depth + 1]
            rows.append(Row(token, of[0].reached + depth, of, last))
            ahead.append((of, depth + 1))
    return rows, parted + [branch for branch, _ in ahead]
