"""A GGUF model in this process: text to tokens, tokens to logits, and what the context remembers."""

import ctypes
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from ._cores import idle_cores, usable_cores
from ._registry import require
from ._sampling import Logits
from ._sound import check_file
from ._turns import Alarm
from ._types import DeadlineExpired, InferenceError

CONTEXT_TOKENS = 2048

ABORTED = 2  # what llama_decode returns when the abort callback said so
_CHATML = b"chatml"  # name of a template built into llama.cpp, for files that carry none or an unknown one
# These stand for the texts while the template is laid out.
_SYSTEM, _USER, _ASKED, _SAID = "\x01system\x01", "\x01user\x01", "\x01asked\x01", "\x01said\x01"


class Session:
    """One loaded model with one context, whose evaluated prefix is reused from call to call."""

    vision = False

    def __init__(
        self, path: Path, *, context_tokens: int = CONTEXT_TOKENS, threads: int | None = None
    ) -> None:
        """Load the model, or raise `InferenceError`; threads default to the physical cores (2 to 8)."""
        self.lib: Any = require("llama_cpp", f"gguf:{path}")
        check_file(path)
        silence(self.lib)
        self._model = self._load(path)
        self._alarm = Alarm()
        self.vocab = self.lib.llama_model_get_vocab(self._model)
        self.vocab_size: int = self.lib.llama_vocab_n_tokens(self.vocab)
        self._threads = threads or usable_cores()
        try:
            self._context = self.new_context(context_tokens, self._alarm, context_tokens)
        except InferenceError as error:
            self.lib.llama_model_free(self._model)
            raise InferenceError(f"{path}: {error}") from None
        self._memory = self.lib.llama_get_memory(self._context)
        self.context_tokens: int = self.lib.llama_n_ctx(self._context)
        self._held: list[int] = []  # the tokens in the context's memory, in order
        self._layout = self._chat_layout()
        self._head: tuple[str, list[int]] = ("", [])  # the last system text, and the prompt up to the user's

    def _load(self, path: Path) -> Any:
        params = self.lib.llama_model_default_params()
        params.n_gpu_layers = -1  # all, where the build has a GPU
        model = self.lib.llama_model_load_from_file(os.fsencode(path), params)
        if not model:
            raise InferenceError(
                f"{path} is not a model that llama.cpp can load ({first_error()}); fetch the file again"
            )
        return model

    def new_context(self, cells: int, alarm: Alarm, step: int, sequences: int = 1) -> Any:
        """Make a context on the model's weights, or raise `InferenceError`.

        Args:
            cells: tokens that it can hold, of all sequences together.
            alarm: what gives an evaluation up.
            step: most tokens of one evaluation.
            sequences: how many it can follow at once.
        """
        params = self.lib.llama_context_default_params()
        params.n_ctx, params.n_batch, params.n_seq_max = cells, step, sequences
        params.n_threads = params.n_threads_batch = self._threads
        params.kv_unified = True  # so that sequences can share what they have in common
        params.no_perf = True
        params.flash_attn_type = 0  # off: with it the logits depend on the number of threads
        alarm.attach(self.lib, params)
        context = self.lib.llama_init_from_model(self._model, params)
        if not context:
            raise InferenceError(f"no context of {cells} tokens could be made ({first_error()})")
        return context

    def close(self) -> None:
        """Free the context and the model."""
        if self._context:
            self.lib.llama_free(self._context)
            self.lib.llama_model_free(self._model)
            self._context = self._model = None

    @property
    def parameters(self) -> int:
        """How many numbers the model has learnt."""
        return int(self.lib.llama_model_n_params(self._model))

    @property
    def closed(self) -> bool:
        """Whether the model is freed."""
        return self._context is None

    def see(self, images: Sequence[bytes]) -> list[int]:
        """Turn pictures into what stands for them in a prompt; this model refuses them."""
        if images:
            raise InferenceError("this model cannot see; ask it without images")
        return []

    def prompt(
        self, system: str, user: str, turns: Sequence[tuple[str, str]] = (), seen: Sequence[int] = ()
    ) -> list[int]:
        """Lay system text, earlier turns, pictures and user text out as the model's chat template wants them.

        Only the template's own text may contain special tokens; what the robot saw cannot close its turn.
        """
        before, between, middle, onward, after = self._layout
        said, head = self._head  # another thread may replace it meanwhile
        if said != system or not head:
            head = self.tokens(before, special=True, first=True) + self.tokens(system)
            head += self.tokens(between, special=True)
            self._head = (system, head)
        tokens = list(head)
        for asked, said in turns:
            tokens += self.tokens(asked) + self.tokens(middle, special=True)
            tokens += self.tokens(said) + self.tokens(onward, special=True)
        return [*tokens, *seen, *self.tokens(user), *self.tokens(after, special=True)]

    def tokens(self, text: str, *, special: bool = False, first: bool = False) -> list[int]:
        """Turn text into tokens: special ones only where asked for; `first` at the start of all."""
        data = text.encode(errors="replace")  # half a character is a question mark
        buffer = (self.lib.llama_token * (len(data) + 2))()
        count = self.lib.llama_tokenize(self.vocab, data, len(data), buffer, len(buffer), first, special)
        return list(buffer[:count])

    def _chat_layout(self) -> tuple[str, str, str, str, str]:
        """Split the chat template's text: what stands before the system text, and between it and the user's;
        between a turn's question and its answer, and from there to the next question; and at the end.
        """
        laid_out = self._laid_out(("system", _SYSTEM), ("user", _USER))
        before, found, rest = laid_out.partition(_SYSTEM)
        if not found:  # a template without a system role
            before, rest = "", laid_out
        between, _, after = rest.partition(_USER)
        turns = self._laid_out(("system", _SYSTEM), ("user", _ASKED), ("assistant", _SAID), ("user", _USER))
        middle, _, rest = turns.partition(_ASKED)[2].partition(_SAID)
        return before, between, middle, rest.partition(_USER)[0], after

    def _laid_out(self, *messages: tuple[str, str]) -> str:
        """Lay messages out by the model's template, or by ChatML where llama.cpp does not know it."""
        template = self.lib.llama_model_chat_template(self._model, None)
        return (template and self._apply_template(template, messages)) or self._apply_template(
            _CHATML, messages
        )

    def _apply_template(self, template: bytes, messages: Sequence[tuple[str, str]]) -> str:
        """Lay messages out; empty where llama.cpp does not know the template."""
        message = self.lib.llama_chat_message
        rows = [message(role=role.encode(), content=text.encode()) for role, text in messages]
        chat = (message * len(rows))(*rows)
        buffer = ctypes.create_string_buffer(4096)
        size = self.lib.llama_chat_apply_template(template, chat, len(rows), True, buffer, len(buffer))
        return buffer.raw[:size].decode() if 0 < size <= len(buffer) else ""

    def text(self, tokens: Sequence[int]) -> str:
        """Turn tokens into text; special tokens become nothing."""
        buffer = ctypes.create_string_buffer(256)
        pieces = []
        for token in tokens:
            size = self.lib.llama_token_to_piece(self.vocab, token, buffer, len(buffer), 0, False)
            pieces.append(buffer.raw[: max(size, 0)])
        return b"".join(pieces).decode(errors="replace")

    def ends(self, token: int) -> bool:
        """Whether a token ends the model's turn."""
        return bool(self.lib.llama_vocab_is_eog(self.vocab, token))

    def reuse(self, prompt: list[int]) -> int:
        """Forget all but the longest prefix that the prompt shares with the context; return its length.

        It is shorter than the prompt always, because the last token has to be evaluated for its logits.
        """
        shared = 0
        for held, wanted in zip(self._held, prompt[:-1], strict=False):
            if held != wanted:
                break
            shared += 1
        return self._keep(shared)

    def _keep(self, count: int) -> int:
        """Cut the context to its first tokens; models that cannot forget a part forget all."""
        if not self.lib.llama_memory_seq_rm(self._memory, 0, self._position(count), -1):
            self.lib.llama_memory_clear(self._memory, True)
            count = 0
        del self._held[count:]
        return count

    @contextmanager
    def _noted(self) -> Iterator[None]:
        """Forget what was evaluated but perhaps not noted when a Ctrl-C came."""
        held = len(self._held)
        try:
            yield
        except BaseException:
            self._keep(held)
            raise

    def _position(self, index: int) -> int:
        """Where what is held at an index, or would come next, stands for the model."""
        return index

    @contextmanager
    def until(self, deadline: float) -> Iterator[None]:
        """Abort the evaluation that is under way at a moment of the monotonic clock; use the idle cores."""
        threads = self.threads()
        self.lib.llama_set_n_threads(self._context, threads, threads)
        with self._alarm.at(deadline):
            yield

    def threads(self) -> int:
        """Count the threads that an evaluation should run on now."""
        return min(self._threads, idle_cores())

    def evaluate(self, tokens: Sequence[int]) -> Logits:
        """Append tokens to the context and return the logits after the last, or raise `DeadlineExpired`.

        The array is the context's own memory: it is valid until the next evaluation.
        """
        held, start = len(self._held), self._position(len(self._held))
        array = (self.lib.llama_token * len(tokens))(*tokens)
        batch = self.lib.llama_batch_get_one(array, len(tokens))
        batch.pos = (self.lib.llama_pos * len(tokens))(*range(start, start + len(tokens)))
        with self._noted():
            status = self.lib.llama_decode(self._context, batch)
            self._held += tokens
        if status != 0:  # what was evaluated before the end stays, so that the next call starts from there
            reached = self.lib.llama_memory_seq_pos_max(self._memory, 0) + 1
            self._keep(held + max(0, reached - start))
            if status == ABORTED:
                raise DeadlineExpired(
                    "the model did not answer within the deadline; allow more or ask the rule"
                )
            raise InferenceError(f"llama.cpp could not evaluate {len(tokens)} tokens (status {status})")
        pointer = self.lib.llama_get_logits_ith(self._context, -1)
        return np.ctypeslib.as_array(pointer, shape=(self.vocab_size,))


_logged: list[str] = []  # llama.cpp's errors since it was last asked to load something


def silence(lib: Any) -> None:
    """Keep llama.cpp's log off the terminal; its errors are kept for our own messages."""
    hear(lib.llama_log_set)


def hear(set_log: Any) -> None:
    """Take over a log of llama.cpp's, by its function that sets who gets it."""
    _logged.clear()
    set_log(_CALLBACK, ctypes.c_void_p(0))


def _log(level: int, text: bytes, _data: Any) -> None:
    if level == 4:  # GGML_LOG_LEVEL_ERROR
        _logged.append(" ".join(text.decode(errors="replace").split()))


# llama.cpp keeps a pointer for good, so the callback must live as long.
_CALLBACK = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p)(_log)


def first_error() -> str:
    """The reason that llama.cpp gave: its first error, the later ones only repeat that loading failed."""
    return _logged[0] if _logged else "no reason given"
