"""From a checkpoint to the adapter that the runtime loads: a GGUF file in half precision, and its card."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from llmos.disk import write_whole
from llmos.inference._adapter import Base, Card, file_sha256
from llmos.inference._weights import packaged_weights
from llmos.training import TrainingError
from llmos.training.fit import read_checkpoint
from llmos.training.model import ARCHITECTURE, Model, Shape
from llmos.training.settings import Settings

LARGEST = 8_000_000  # bytes of an adapter that may ship
NAME = "robot"


def export(checkpoint: Path, out: Path, about: Mapping[str, Any], text: str) -> Card:
    """Write `robot.gguf` and its card `robot.md` into a folder, and return the card.

    Args:
        checkpoint: of a fit.
        out: the folder.
        about: more keys of the card: commands, data, scores, calibration.
        text: the card's prose.

    Raises:
        TrainingError: the checkpoint cannot be read, or the adapter is larger than LARGEST.
    """
    kept = read_checkpoint(checkpoint)
    settings, weights = Settings(**kept["settings"]), packaged_weights()
    model = Model(weights, settings.rank, settings.alpha)
    model.load_state_dict(kept["learnt"])
    out.mkdir(parents=True, exist_ok=True)
    data = gguf_bytes(model, out)
    if len(data) > LARGEST:
        raise TrainingError(
            f"the adapter has {len(data)} bytes, more than {LARGEST}: fit one of a lower rank"
        )
    write_whole(out / f"{NAME}.gguf", data)
    card = Card(
        name=NAME,
        type="adapter",
        description="What SmolLM2-135M-Instruct was taught of deciding, programs and subgoals.",
        file=f"{NAME}.gguf",
        sha256=hashlib.sha256(data).hexdigest(),
        bytes=len(data),
        base=base_of(weights, model.shape),
        rank=settings.rank,
        alpha=settings.alpha,
        seed=settings.seed,
        **about,
    )
    write_card(out / f"{NAME}.md", card, text)
    return card


def write_card(path: Path, card: Card, text: str) -> None:
    """Write a card: its keys as front matter, then the prose."""
    keys = yaml.safe_dump(
        card.model_dump(mode="json", exclude_none=True), sort_keys=False, allow_unicode=True, width=110
    )
    write_whole(path, f"---\n{keys}---\n{text.strip()}\n".encode())


def base_of(weights: Path, shape: Shape) -> Base:
    """Return the model that an adapter is made for."""
    return Base(
        name="SmolLM2-135M-Instruct",
        architecture=ARCHITECTURE,
        layers=shape.layers,
        width=shape.width,
        sha256=file_sha256(weights),
    )


def gguf_bytes(model: Model, folder: Path) -> bytes:
    """Return a model's adapter as llama.cpp reads it."""
    from gguf import GGUFWriter

    part = folder / f"{NAME}.gguf.part"
    try:
        writer = GGUFWriter(part, ARCHITECTURE)
        writer.add_type("adapter")
        writer.add_string("adapter.type", "lora")
        writer.add_float32("adapter.lora.alpha", model.alpha)
        for name, a, b in model.learnt():
            writer.add_tensor(f"{name}.lora_a", half(a))
            writer.add_tensor(f"{name}.lora_b", half(b))
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        return part.read_bytes()
    finally:
        part.unlink(missing_ok=True)


def half(tensor: Any) -> np.ndarray:
    """Return a tensor in half precision."""
    array: np.ndarray = tensor.float().cpu().numpy().astype(np.float16)
    return np.ascontiguousarray(array)
