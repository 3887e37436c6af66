"""The program of a trial: `python -m llmos.inference._trial MODEL [PROJECTOR]`; see `_sound`."""

import ctypes
import io
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from ._llama import LlamaKernel, open_session
from ._registry import require
from ._session import silence
from ._sound import LONGEST_S, REFUSED
from ._types import InferenceError, Request

_STRING = 8  # GGUF_TYPE_STRING
_ARCHITECTURE = b"general.architecture"


class _Quiet(ctypes.Structure):
    """gguf_init_params: read what a file says, and none of its weights."""

    _fields_ = (("no_alloc", ctypes.c_bool), ("ctx", ctypes.c_void_p))


class Header:
    """What a GGUF file says of itself: the name of its architecture, and how many bytes it should have."""

    def __init__(self, path: Path) -> None:
        """Read it by llama.cpp's own reader; where that cannot, both are unknown: None."""
        self.architecture: str | None = None
        self.bytes: int | None = None
        llama = require("llama_cpp", f"gguf:{path}")
        silence(llama)
        lib = ctypes.CDLL(llama.llama_cpp._lib._name)  # a handle of our own, whose types are ours to set
        lib.gguf_init_from_file.argtypes = (ctypes.c_char_p, _Quiet)
        lib.gguf_init_from_file.restype = ctypes.c_void_p
        read = lib.gguf_init_from_file(os.fsencode(path), _Quiet(True, None))
        if read:
            self._read(lib, ctypes.c_void_p(read))
            lib.gguf_free(ctypes.c_void_p(read))

    def _read(self, lib: Any, read: ctypes.c_void_p) -> None:
        lib.gguf_find_key.restype = lib.gguf_get_n_tensors.restype = ctypes.c_int64
        lib.gguf_get_val_str.restype = ctypes.c_char_p
        for name in ("gguf_get_data_offset", "gguf_get_tensor_offset", "gguf_get_tensor_size"):
            getattr(lib, name).restype = ctypes.c_size_t
        key = ctypes.c_int64(lib.gguf_find_key(read, _ARCHITECTURE))
        if key.value >= 0 and lib.gguf_get_kv_type(read, key) == _STRING:
            self.architecture = lib.gguf_get_val_str(read, key).decode(errors="replace")
        tensors = map(ctypes.c_int64, range(lib.gguf_get_n_tensors(read)))
        ends = (lib.gguf_get_tensor_offset(read, i) + lib.gguf_get_tensor_size(read, i) for i in tensors)
        self.bytes = lib.gguf_get_data_offset(read) + max(ends, default=0)


def check_headers(paths: Sequence[Path]) -> None:
    """Refuse a projector for a model, a model for a projector, and what is cut off."""
    headers = [Header(path) for path in paths]
    if headers[0].architecture == "clip":
        raise InferenceError(
            f"{paths[0]} is a projector, not a model; write gguf:MODEL.gguf+PROJECTOR.gguf, the model first"
        )
    if len(paths) > 1 and headers[1].architecture not in ("clip", None):
        raise InferenceError(
            f"{paths[1]} is a model ({headers[1].architecture}), no projector; fetch the model's mmproj file"
        )
    for path, header in zip(paths, headers, strict=True):
        size = path.stat().st_size
        if header.bytes is not None and size < header.bytes:
            raise InferenceError(
                f"{path} is cut off: it has {size} of {header.bytes} bytes; fetch the file again"
            )


def attempt(paths: Sequence[Path]) -> None:
    """Load the files, have the model read and say something, and see a picture where it can."""
    check_headers(paths)
    picture = io.BytesIO()
    Image.new("RGB", (64, 48)).save(picture, "PNG")
    kernel = LlamaKernel("the model", open_session(paths))
    images = (picture.getvalue(),) if kernel.vision else ()
    kernel(Request("a", "b", images=images, schema={"enum": ["yes", "no"]}, deadline_s=LONGEST_S))
    kernel.close()


def main(names: Sequence[str]) -> int:
    """Make the attempt; a refusal is a sentence on standard output."""
    try:
        attempt([Path(name) for name in names])
    except InferenceError as refusal:
        sys.stdout.write(f"{refusal}\n")
        return REFUSED
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
