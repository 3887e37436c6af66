"""The first use of a model file, in a process of its own: some damaged files make llama.cpp end the process.

Where the metadata of a file do not fit its tensors it ends itself (`GGML_ASSERT`), divides by zero or reads
where nothing is. Files that have passed are remembered until they change.
"""

import hashlib
import importlib.metadata
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from llmos.resources import cache_dir

from ._types import InferenceError

REFUSED = 3  # exit status of a trial where the sentence on standard output says why
LONGEST_S = 900.0  # the largest models are read from a slow disk in minutes


def model_paths(argument: str) -> list[Path]:
    """Take `MODEL.gguf` or `MODEL.gguf+PROJECTOR.gguf` apart, at the first `.gguf+`."""
    model, between, projector = argument.partition(".gguf+")
    names = [f"{model}.gguf", projector] if between and projector else [argument]
    return [Path(name).expanduser() for name in names]


def require_sound(paths: Sequence[Path]) -> None:
    """Raise `InferenceError` unless a model, or a model with its projector, has answered once."""
    for path in paths:
        check_file(path)
    mark = _mark(paths)
    if mark.exists():
        return
    command = [sys.executable, "-m", f"{__package__}._trial", *map(str, paths)]
    ours = os.pathsep.join(filter(None, sys.path))
    environment = {**os.environ, "PYTHONPATH": ours, "GGML_NO_BACKTRACE": "1"}
    names = " with ".join(map(str, paths))
    try:
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=LONGEST_S, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise InferenceError(f"{names} gave no answer in {LONGEST_S:g} s; take a smaller model") from error
    if done.returncode == REFUSED:
        raise InferenceError(done.stdout.strip())
    if done.returncode:
        raise InferenceError(
            f"{names} cannot be used: {_ending(done)}; fetch it again, or take another model"
        )
    with suppress(OSError):  # a full or read-only disk: it is tried again next time
        mark.parent.mkdir(parents=True, exist_ok=True)
        mark.touch()


def check_file(path: Path) -> None:
    """Raise `InferenceError` for what is plainly no GGUF file."""
    try:
        with path.open("rb") as file:
            magic = file.read(4)
    except OSError as error:
        raise InferenceError(f"model file {path}: {error.strerror}; give a .gguf file") from error
    if magic != b"GGUF":
        raise InferenceError(f"model file {path} starts with {magic!r}, not b'GGUF'; give a .gguf file")


def _mark(paths: Sequence[Path]) -> Path:
    """Name the file that stands for files as they are now, and for the llama.cpp that read them."""
    try:
        known = [importlib.metadata.version("llama-cpp-python")]
    except importlib.metadata.PackageNotFoundError:
        known = []
    for path in paths:
        found = path.stat()
        known.append(f"{path.resolve()} {found.st_size} {found.st_mtime_ns}")
    return cache_dir() / "tried" / hashlib.sha256("\n".join(known).encode()).hexdigest()[:32]


def _ending(done: "subprocess.CompletedProcess[str]") -> str:
    if done.returncode < 0:
        return f"llama.cpp crashes on it ({signal.Signals(-done.returncode).name})"
    return (done.stderr.strip().splitlines() or ["it ends without a word"])[-1]
