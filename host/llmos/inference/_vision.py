"""A GGUF model that sees: pictures go through a projector and stand between the texts of the prompt."""

import ctypes
import hashlib
import io
import os
import threading
import weakref
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import groupby
from pathlib import Path
from typing import Any

from PIL import Image

from ._registry import require
from ._sampling import Logits
from ._session import Session, first_error, hear
from ._types import DeadlineExpired, InferenceError

CONTEXT_TOKENS = 4096
LONGEST_PICTURE = 1024  # tokens; 1024 x 1024 pixels of Qwen3-VL, larger pictures are made smaller
_LOOK_S = 0.1
LARGEST_PIXELS = 1 << 24  # of a picture that is decoded at all


class _Picture:
    """A part of a picture as the projector takes it in: how many tokens it becomes, how many positions.

    The two differ: Qwen-VL numbers the tokens of a picture by row and column, so that it takes as many
    positions as its longer side has tokens (M-RoPE, arXiv 2409.12191).
    """

    def __init__(self, lib: Any, chunk: Any) -> None:
        self.chunk = lib.mtmd_input_chunk_copy(chunk)
        weakref.finalize(self, lib.mtmd_input_chunk_free, self.chunk)
        self.tokens: int = lib.mtmd_input_chunk_get_n_tokens(chunk)
        self.positions: int = lib.mtmd_input_chunk_get_n_pos(chunk)


class SeeingSession(Session):
    """A model with its projector.

    In the list of tokens a picture stands as a negative number, its own, once for each token that it becomes.
    So a picture that was seen in the last call is reused like text that was read.
    """

    vision = True

    def __init__(self, path: Path, projector: Path, *, context_tokens: int = CONTEXT_TOKENS) -> None:
        """Load both, or raise `InferenceError`."""
        self._mtmd: Any = require("llama_cpp.mtmd_cpp", f"gguf:{path}+{projector}")
        self._pictures: dict[int, _Picture] = {}  # by their number
        super().__init__(path, context_tokens=context_tokens)
        try:
            self._eyes = self._projector(projector)
        except InferenceError:
            super().close()
            raise

    def _projector(self, path: Path) -> Any:
        params = self._mtmd.mtmd_context_params_default()
        params.print_timings = False
        params.warmup = False
        params.n_threads = self._threads
        params.flash_attn_type = 0  # off, as in the model
        params.image_max_tokens = LONGEST_PICTURE
        self._asked = params.cb_eval = self.lib.ggml_backend_sched_eval_callback(self._goes_on)
        hear(self._mtmd.mtmd_helper_log_set)
        eyes = self._mtmd.mtmd_init_from_file(os.fsencode(path), self._model, params)
        if not eyes:
            raise InferenceError(f"{path} is no projector for this model ({first_error()}); fetch its own")
        if not self._mtmd.mtmd_support_vision(eyes):
            self._mtmd.mtmd_free(eyes)
            raise InferenceError(f"{path} is a projector that does not see; fetch one for pictures")
        return eyes

    def close(self) -> None:
        """Free the projector, then the model."""
        if not self.closed:
            self._pictures.clear()
            self._mtmd.mtmd_free(self._eyes)
        super().close()

    def _goes_on(self, _tensor: Any, asked: bool, _data: Any) -> bool:
        """Answer the projector: yes, it shall ask after each of its steps; and after it, whether to go on."""
        return asked or not self._alarm.rings

    def see(self, images: Sequence[bytes]) -> list[int]:
        """Turn PNG or JPEG files into what stands for them in a prompt, or raise `InferenceError`."""
        kept = set(self._held)
        self._pictures = {number: seen for number, seen in self._pictures.items() if number in kept}
        return [token for image in images for token in self._seen(image)]

    def _seen(self, image: bytes) -> Iterator[int]:
        """Cut a picture up as the model wants it: its parts, with the tokens that stand around each."""
        digest = int.from_bytes(hashlib.sha256(image).digest()[:6])
        for index, chunk in enumerate(self._chunks(image)):
            if isinstance(chunk, list):
                yield from chunk
                continue
            number = -(digest << 16 | index) - 1
            picture = self._pictures.setdefault(number, chunk)
            yield from [number] * picture.tokens

    def _chunks(self, image: bytes) -> list[list[int] | _Picture]:
        width, height, pixels = _pixels(image)
        lib = self._mtmd
        bitmap = lib.mtmd_bitmap_init(width, height, (ctypes.c_uint8 * len(pixels)).from_buffer_copy(pixels))
        chunks = lib.mtmd_input_chunks_init()
        try:
            part = lib.mtmd_input_part(text=None, bitmap=bitmap)
            parts = (ctypes.POINTER(lib.mtmd_input_part) * 1)(ctypes.pointer(part))
            if lib.mtmd_tokenize_from_parts(self._eyes, chunks, parts, 1, False):
                raise InferenceError(f"a picture of {width} x {height} pixels cannot be taken in")
            found = (lib.mtmd_input_chunks_get(chunks, i) for i in range(lib.mtmd_input_chunks_size(chunks)))
            return [self._chunk(chunk) for chunk in found]
        finally:
            lib.mtmd_input_chunks_free(chunks)
            lib.mtmd_bitmap_free(bitmap)

    def _chunk(self, chunk: Any) -> list[int] | _Picture:
        if self._mtmd.mtmd_input_chunk_get_type(chunk) != self._mtmd.MTMD_INPUT_CHUNK_TYPE_TEXT:
            return _Picture(self._mtmd, chunk)
        count = ctypes.c_size_t()
        tokens = self._mtmd.mtmd_input_chunk_get_tokens_text(chunk, ctypes.byref(count))
        return list(tokens[: count.value])

    def _position(self, index: int) -> int:
        held = self._held[:index]
        saved = 0
        for number in {token for token in held if token < 0}:
            picture = self._pictures[number]
            saved += held.count(number) // picture.tokens * (picture.tokens - picture.positions)
        return index - saved

    def evaluate(self, tokens: Sequence[int]) -> Logits:
        """Append tokens and pictures to the context; see `Session.evaluate`. The last is always a token."""
        logits: Logits
        for number, run in groupby(tokens, lambda token: min(token, 0)):
            if number < 0:
                self._look(number, len(list(run)) // self._pictures[number].tokens)
            else:
                logits = super().evaluate(list(run))
        return logits

    def _look(self, number: int, times: int) -> None:
        """Append a picture to the context, so many times."""
        picture = self._pictures[number]
        self._encode(picture)
        features = self._mtmd.mtmd_get_output_embd(self._eyes)
        for _ in range(times):
            before = len(self._held)
            start, after = self._position(before), self.lib.llama_pos()
            callback = self._mtmd.mtmd_helper_post_decode_callback()
            with self._noted():
                status = self._mtmd.mtmd_helper_decode_image_chunk(
                    self._eyes, self._context, picture.chunk, features, start, 0, self.context_tokens,
                    ctypes.byref(after), callback, None,
                )  # fmt: skip
                self._held += [number] * picture.tokens
            if status != 0:
                self._keep(before)
                self._check_time()
                raise InferenceError(f"llama.cpp could not evaluate a picture (status {status})")

    def _encode(self, picture: _Picture) -> None:
        """Have the projector work a picture out, in a thread of its own: no Ctrl-C hits its callback."""
        failed: list[int] = []
        ended = threading.Event()  # a thread's join(), once interrupted, may take it for ended (Python 3.11)

        def work() -> None:
            failed.append(self._mtmd.mtmd_encode_chunk(self._eyes, picture.chunk))
            ended.set()

        self._check_time()
        thread = threading.Thread(target=work, daemon=True)
        try:
            thread.start()  # which an interrupt may leave, with the thread running
            while not ended.wait(_LOOK_S):  # a signal that another thread got is seen then
                pass
        except BaseException:
            self._alarm.ring()
            looked = False  # long enough for a thread to have begun, if ever it does
            while not ended.is_set() and (thread.ident is not None or not looked):
                with suppress(KeyboardInterrupt):  # nobody may free what the thread still reads
                    looked = not ended.wait(1.0)
            raise
        self._check_time()  # what was cut short is no failure of its own
        if failed != [0]:
            raise InferenceError("the projector could not take a picture in")

    def _check_time(self) -> None:
        if self._alarm.rings:
            raise DeadlineExpired("the model did not answer within the deadline; allow more")


def _pixels(image: bytes) -> tuple[int, int, bytes]:
    """Decode a picture to width, height and RGB bytes; raise `InferenceError` for what is none."""
    try:
        with Image.open(io.BytesIO(image), formats=("PNG", "JPEG")) as picture:
            width, height = picture.size
            if width * height > LARGEST_PIXELS:
                raise InferenceError(f"a picture of {width} x {height} pixels is too large")
            return width, height, picture.convert("RGB").tobytes()
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise InferenceError(f"{len(image)} bytes are no PNG or JPEG that can be read") from error
