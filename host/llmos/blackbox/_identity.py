"""By what one knows whether code, prompts and model are those of a recording."""

import hashlib
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import llmbytecode
import llmos
from llmbytecode._isa import SPEC_HASH
from llmos.document import LARGEST
from llmos.inference import InferenceError
from llmos.inference._adapter import KERNEL, adapter_path, card_path
from llmos.inference._sound import model_paths
from llmos.inference._weights import packaged_weights
from llmos.resources import state_dir, system_volume

ENDS = 1 << 20  # bytes of a model's file that are hashed, from its beginning and from its end
READ = ("kernel", "skills")  # folders of the system volume that a mind reads


def version() -> dict[str, str]:
    """Return the code's version, a digest of its files, and the SPEC's hash."""
    return {"llmos": llmos.__version__, "code": _code(), "spec": f"0x{SPEC_HASH:08x}"}


@cache
def _code() -> str:
    """Return a digest of the Python files of host and bytecode."""
    whole = hashlib.sha256()
    for package in (llmbytecode, llmos):
        root = Path(str(package.__file__)).parent
        for path in sorted(root.rglob("*.py*")):
            if path.suffix in (".py", ".pyx"):
                whole.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes())
    return whole.hexdigest()[:16]


def our_files() -> dict[str, str]:
    """Return a digest of each file that a mind reads, by its place in the system volume, or the user's."""
    found = {}
    for root, before in ((system_volume(), ""), (state_dir() / "volumes" / "user", "user/")):
        for path in sorted(path for folder in READ for path in (root / folder).glob("*") if path.is_file()):
            with suppress(OSError), path.open("rb") as file:  # what cannot be read, no mind reads either
                found[before + path.relative_to(root).as_posix()] = _digest(file.read(LARGEST + 1))
    return found


def model_files(kernel: str) -> list[dict[str, Any]]:
    """Return name, size in bytes and digest of both ends of each file that a kernel's spec names."""
    return [_file(path) for path in _paths(kernel) if path.is_file()]


def _paths(kernel: str) -> list[Path]:
    name, _, argument = kernel.partition(":")
    if name == KERNEL:
        taught = adapter_path(argument)
        with suppress(InferenceError):
            return [packaged_weights(), *((taught, card_path(taught)) if taught else ())]
    if name == "gguf":
        return model_paths(argument)
    return []


def _file(path: Path) -> dict[str, Any]:
    size = path.stat().st_size
    with path.open("rb") as file:
        ends = file.read(ENDS)
        file.seek(max(0, size - ENDS))
        ends += file.read(ENDS)
    return {"name": path.name, "bytes": size, "digest": _digest(ends)}


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]
