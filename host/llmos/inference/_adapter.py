"""What SmolLM2 has been taught: a GGUF adapter (LoRA, Hu et al. 2021, arXiv 2106.09685) and its card.

An adapter of a person's own, `models/robot.gguf` in the user volume, takes the place of the one that ships.
It is made by `llmos train`, and follows llama.cpp's format: `NAME.lora_a` (rank × in) and `NAME.lora_b`
(out × rank) for a weight NAME (out × in), to which alpha / rank · B · A is added.
"""

import hashlib
import io
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from llmos.document import DocumentError, read_document
from llmos.resources import state_dir, system_volume
from llmos.text import plain
from llmos.trust import Trust

from ._gguf import F16, F32, Damaged, Gguf, Tensor, read_gguf
from ._types import InferenceError

KERNEL = "smollm2"  # the one that can be taught
NONE = "none"  # in an adapter's place: the model as it comes
LARGEST = 64 << 20  # bytes; one of rank 64 on all layers has 40 MB
_NUMBERS: dict[int, Any] = {F32: np.dtype("<f4"), F16: np.dtype("<f2")}
_A, _B = ".lora_a", ".lora_b"
_AGAIN = "make it again (llmos train export), or take --no-adapter"
_OTHER = "name one that was made for this model, or take --no-adapter"

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Floats = NDArray[np.float32]


class AdapterError(InferenceError):
    """An adapter that cannot be used."""


class Base(BaseModel):
    """The model that an adapter was made for; `sha256` is that of its packaged file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    architecture: str
    layers: int
    width: int
    sha256: Sha256


class Card(BaseModel):
    """What an adapter's card says: which file, for which model, how it was made, what it is worth."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    type: Literal["adapter"]
    description: str = ""
    file: str
    sha256: Sha256
    bytes: int
    base: Base
    rank: int
    alpha: float
    seed: int
    calibration: Trust | None = None  # None: not measured yet
    commands: list[str] = []
    data: dict[str, Any] = {}
    scores: dict[str, Any] = {}


@dataclass(frozen=True)
class Part:
    """What is added to one weight: scale · b · a, of shapes (out, rank) and (rank, in)."""

    a: Floats
    b: Floats
    scale: float

    @property
    def shape(self) -> tuple[int, int]:
        """The weight's."""
        return self.b.shape[0], self.a.shape[1]

    def product(self) -> Floats:
        """Return what is added."""
        added: Floats = np.float32(self.scale) * (self.b @ self.a)
        return added


@dataclass(frozen=True)
class Adapter:
    """An adapter that has been read and checked; `parts` by the name of the weight."""

    path: Path
    sha256: str
    architecture: str
    parts: dict[str, Part]
    card: Card | None


def adapter_path(argument: str = "") -> Path | None:
    """Return where the adapter of `smollm2:ARGUMENT` lies; None where there is none, or none is wanted."""
    if argument:
        return None if argument == NONE else Path(argument).expanduser()
    folders = (state_dir() / "volumes" / "user", system_volume())
    places = (folder / "models" / "robot.gguf" for folder in folders)
    return next((place for place in places if os.path.lexists(place)), None)


def untaught(kernel: str) -> str:
    """Return the spec of the same kernel without an adapter.

    Raises:
        AdapterError: it can have none.
    """
    if kernel.partition(":")[0] != KERNEL:
        raise AdapterError(f"kernel {kernel!r} has no adapter to leave out; only {KERNEL} can be taught")
    return f"{KERNEL}:{NONE}"


def adapter_of(kernel: str) -> Path | None:
    """Return where the adapter of a kernel's spec lies; None where it has none."""
    name, _, argument = kernel.partition(":")
    return adapter_path(argument) if name == KERNEL else None


def card_path(adapter: Path) -> Path:
    """Return where an adapter's card lies."""
    return adapter.with_suffix(".md")


def read_card(adapter: Path) -> Card | None:
    """Return an adapter's card; None where there is none.

    Raises:
        AdapterError: it cannot be read, or breaks the model.
    """
    path = card_path(adapter)
    if not os.path.lexists(path):
        return None
    try:
        return read_document(path).checked(Card)
    except DocumentError as error:
        raise AdapterError(f"the adapter's card {error}; {_AGAIN}") from None


def taught_trust(kernel: str) -> Trust | None:
    """Return what the word of the kernel of a name is worth by its adapter's card; None where none says.

    Raises:
        AdapterError: the card cannot be read.
    """
    path = adapter_of(kernel)
    card = path and read_card(path)
    return card.calibration if card else None


def read_adapter(path: Path, *, carded: bool = False) -> Adapter:
    """Read an adapter and its card.

    Args:
        path: the GGUF file.
        carded: refuse one without a card.

    Raises:
        AdapterError: it is not what its card says, or no adapter, or damaged.
    """
    data = _content(path)
    card, sha256 = read_card(path), hashlib.sha256(data).hexdigest()
    if card is None and carded:
        raise _refused(path, f"its card {card_path(path)} is missing", _AGAIN)
    if card and len(data) != card.bytes:
        raise _refused(path, f"it has {len(data)} bytes, and {card.bytes} by its card", _AGAIN)
    if card and sha256 != card.sha256:
        raise _refused(path, f"its SHA-256 is {sha256[:16]}…, and {card.sha256[:16]}… by its card", _AGAIN)
    try:
        header = read_gguf(io.BytesIO(data))
        return Adapter(
            path, sha256, str(header.metadata.get("general.architecture")), _parts(header, data), card
        )
    except Damaged as error:
        raise _refused(path, str(error), _AGAIN) from None


def require_fit(adapter: Adapter, base: Path) -> None:
    """Raise `AdapterError` unless an adapter was made for the model in a GGUF file."""
    if adapter.card and (found := file_sha256(base)) != adapter.card.base.sha256:
        known = adapter.card.base
        raise _refused(
            adapter.path,
            f"it was made for {known.name} of SHA-256 {known.sha256[:16]}…, and {base} has {found[:16]}…",
            "train it on that (llmos train), or take --no-adapter",
        )
    with base.open("rb") as file:
        model = read_gguf(file)
    architecture = model.metadata.get("general.architecture")
    if adapter.architecture != architecture:
        raise _refused(
            adapter.path, f"it is for the architecture {adapter.architecture}, not {architecture}", _OTHER
        )
    for name, part in adapter.parts.items():
        there = model.tensors[name].shape if name in model.tensors else None
        if there != part.shape:
            what = "does not have" if there is None else f"has with the shape {there}"
            raise _refused(
                adapter.path, f"it changes {name} of the shape {part.shape}, which the model {what}", _OTHER
            )


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _content(path: Path) -> bytes:
    """Return the bytes of a regular file of sensible size."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # a pipe or a device might never end
            raise _refused(path, "it is no regular file", "name a .gguf file")
        with path.open("rb") as file:
            data = file.read(LARGEST + 1)
    except OSError as error:
        raise _refused(path, str(error.strerror), "name a .gguf file that can be read") from None
    if len(data) > LARGEST:
        raise _refused(path, f"it is longer than {LARGEST} bytes", "name an adapter, not a whole model")
    return data


def _refused(path: Path, why: str, remedy: str) -> AdapterError:
    return AdapterError(f"adapter {path}: {plain(why)}; {remedy}")


def _parts(header: Gguf, data: bytes) -> dict[str, Part]:
    """Return what is added to each weight."""
    said = header.metadata
    for key, wanted in (("general.type", "adapter"), ("adapter.type", "lora")):
        if said.get(key) != wanted:
            raise Damaged(f"its {key} is {said.get(key)!r}, not {wanted!r}")
    names = {name.removesuffix(_A).removesuffix(_B) for name in header.tensors}
    if not names:
        raise Damaged("it changes nothing: it has no tensors")
    alpha = said.get("adapter.lora.alpha", 0.0)
    if not isinstance(alpha, int | float) or not np.isfinite(alpha):
        raise Damaged(f"its adapter.lora.alpha is {alpha}")
    return {name: _part(name, header, data, float(alpha)) for name in sorted(names)}


def _part(name: str, header: Gguf, data: bytes, alpha: float) -> Part:
    a, b = (_numbers(name + ending, header.tensors.get(name + ending), data) for ending in (_A, _B))
    rank = a.shape[0]
    if b.shape[1] != rank:
        raise Damaged(f"{name[:60]}: lora_a has the rank {rank}, lora_b {b.shape[1]}")
    return Part(a, b, alpha / rank if alpha else 1.0)  # as llama.cpp reads it


def _numbers(name: str, tensor: Tensor | None, data: bytes) -> Floats:
    if tensor is None:
        raise Damaged(f"{name[:60]} is missing")
    if tensor.kind not in _NUMBERS or len(tensor.shape) != 2 or 0 in tensor.shape:
        raise Damaged(f"{name[:60]} is no matrix of F32 or F16")
    end = tensor.start + (tensor.bytes or 0)
    stored: Floats = np.frombuffer(data[tensor.start : end], _NUMBERS[tensor.kind]).astype(np.float32)
    if not np.isfinite(stored).all():
        raise Damaged(f"{name[:60]} holds what is no number")
    return stored.reshape(tensor.shape)
