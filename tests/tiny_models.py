"""Models with random weights, small enough to be made by a test: a text model, its projector and its adapter.

They have the structure of the named target, Qwen3-VL: a decoder with three-dimensional rotary positions, to
which a vision encoder adds its features at several layers. What they say is nonsense.
"""

from collections.abc import Iterator, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from gguf import GGUFWriter

from llmos.document import written

WIDTH, HEADS, FORWARD, LAYERS, DEEP = 32, 2, 64, 2, 1
PATCH, MERGE, IMAGE = 16, 2, 64  # a token of the picture stands for PATCH * MERGE pixels each way
SPECIAL = (
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|vision_start|>",
    "<|vision_end|>",
    "<|image_pad|>",
)
MERGES = ("t h", "i n", "Ġ t", "e r", "r e", "o n", '" :', '" ,')
CHATML = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


def byte_signs() -> list[str]:
    """The printable sign by which GPT-2's tokenizers write each byte."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = iter(range(256, 512))
    return [chr(byte if byte in plain else next(others)) for byte in range(256)]


def bytes_and_merges() -> dict[str, Any]:
    """A vocabulary as GPT-2's: all bytes, a few pairs of them, and the special tokens."""
    tokens = [*byte_signs(), *(merge.replace(" ", "") for merge in MERGES), *SPECIAL]
    return {
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": "qwen2",
        "tokenizer.ggml.tokens": tokens,
        "tokenizer.ggml.token_type": [3 if token in SPECIAL else 1 for token in tokens],
        "tokenizer.ggml.merges": list(MERGES),
        "tokenizer.ggml.eos_token_id": tokens.index("<|im_end|>"),
        "tokenizer.ggml.bos_token_id": tokens.index("<|endoftext|>"),
        "tokenizer.ggml.add_bos_token": False,
        "tokenizer.chat_template": CHATML,
    }


def pieces() -> dict[str, Any]:
    """A vocabulary as Llama 2's: pieces with scores, and bytes for the rest; without a chat template."""
    words = ["▁", *map(chr, range(33, 127)), "▁t", "th", "▁th", "▁the", "in", "on", "er"]
    tokens = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), *words]
    return {
        "tokenizer.ggml.model": "llama",
        "tokenizer.ggml.tokens": tokens,
        "tokenizer.ggml.scores": [0.0] * 259 + [-float(rank) for rank in range(len(words))],
        "tokenizer.ggml.token_type": [2, 3, 3, *[6] * 256, *[1] * len(words)],
        "tokenizer.ggml.bos_token_id": 1,
        "tokenizer.ggml.eos_token_id": 2,
    }


VOCABULARIES = {"bytes": bytes_and_merges, "pieces": pieces}


def write_model(
    path: Path,
    *,
    arch: str = "qwen3vl",
    vocabulary: str = "bytes",
    seed: int = 0,
    width: int = WIDTH,
    **changes: Any,
) -> Path:
    """Write a text model; `qwen3vl` can be given a projector, `llama` reads text only.

    Args:
        path: where to.
        arch: llama.cpp's name of the architecture.
        vocabulary: `bytes` or `pieces`.
        seed: fixes the weights.
        width: length of an embedding.
        changes: metadata to write in place of the usual, None to leave it out.
    """
    words = VOCABULARIES[vocabulary]()
    writer = GGUFWriter(path, arch)
    sees = arch == "qwen3vl"
    metadata = {
        f"{arch}.block_count": LAYERS,
        f"{arch}.context_length": 4096,
        f"{arch}.embedding_length": width,
        f"{arch}.feed_forward_length": FORWARD,
        f"{arch}.attention.head_count": HEADS,
        f"{arch}.attention.head_count_kv": HEADS,
        f"{arch}.attention.layer_norm_rms_epsilon": 1e-6,
        f"{arch}.rope.freq_base": 10000.0,
        f"{arch}.rope.dimension_sections": [width // HEADS // 4, width // HEADS // 8, width // HEADS // 8, 0]
        if sees
        else None,
        f"{arch}.n_deepstack_layers": DEEP if sees else None,
    }
    tensors = text_tensors(width, len(words["tokenizer.ggml.tokens"]), sees=sees)
    return _write(writer, metadata | words | changes, tensors, seed)


def text_tensors(width: int, words: int, *, sees: bool) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Names and shapes of a decoder's tensors."""
    yield "token_embd.weight", (words, width)
    yield "output.weight", (words, width)
    yield "output_norm.weight", (width,)
    for layer in range(LAYERS):
        for name, shape in (
            ("attn_norm", (width,)),
            ("attn_q", (width, width)),
            ("attn_k", (width, width)),
            ("attn_v", (width, width)),
            ("attn_output", (width, width)),
            ("ffn_norm", (width,)),
            ("ffn_gate", (FORWARD, width)),
            ("ffn_up", (FORWARD, width)),
            ("ffn_down", (width, FORWARD)),
            *([("attn_q_norm", (width // HEADS,)), ("attn_k_norm", (width // HEADS,))] if sees else []),
        ):
            yield f"blk.{layer}.{name}.weight", shape


def write_adapter(
    path: Path, *, rank: int = 2, seed: int = 3, names: Sequence[str] = (), width: int = WIDTH, **changes: Any
) -> Path:
    """Write an adapter for the matrices of a text model of the architecture `llama`; see `write_model`.

    Args:
        path: where to.
        rank: of each change.
        seed: fixes the weights.
        names: the matrices to change, as `blk.0.attn_q`; all of the layers where none are named.
        width: of the model.
        changes: metadata to write in place of the usual, None to leave it out.
    """
    metadata = {"general.type": "adapter", "adapter.type": "lora", "adapter.lora.alpha": 1.0}
    matrices = [
        (name, shape)
        for name, shape in text_tensors(width, 1, sees=False)
        if name.startswith("blk") and len(shape) > 1 and (not names or name.removesuffix(".weight") in names)
    ]
    parts = (
        part
        for name, (rows, columns) in matrices
        for part in ((f"{name}.lora_a", (rank, columns)), (f"{name}.lora_b", (rows, rank)))
    )
    writer = GGUFWriter(path, str(changes.pop("arch", "llama")))
    return _write(writer, metadata | changes, parts, seed)


def write_card(adapter: Path, model: Path, **changes: Any) -> Path:
    """Write the card of an adapter for a model; `changes` take the place of keys, None leaves one out."""
    content = adapter.read_bytes()
    base = {"name": "tiny", "architecture": "llama", "layers": LAYERS, "width": WIDTH}
    keys: dict[str, Any] = {
        "name": "robot",
        "type": "adapter",
        "description": "Knows nothing.",
        "file": adapter.name,
        "sha256": sha256(content).hexdigest(),
        "bytes": len(content),
        "base": {**base, "sha256": sha256(model.read_bytes()).hexdigest()},
        "rank": 2,
        "alpha": 1.0,
        "seed": 3,
        "calibration": {"instinct": {"model": 0.5, "score": 0.25}, "plan": {"model": 1.0, "score": 2.0}},
    }
    card = adapter.with_suffix(".md")
    card.write_text(written(keys | changes, "Random weights."), encoding="utf-8")
    return card


def write_projector(path: Path, *, seed: int = 1, width: int = WIDTH, **changes: Any) -> Path:
    """Write a vision encoder with its projector into embeddings of a width; see `write_model`."""
    writer = GGUFWriter(path, "clip")
    metadata = {
        "clip.has_vision_encoder": True,
        "clip.projector_type": "qwen3vl_merger",
        "clip.use_gelu": True,
        "clip.vision.image_size": IMAGE,
        "clip.vision.patch_size": PATCH,
        "clip.vision.spatial_merge_size": MERGE,
        "clip.vision.embedding_length": WIDTH,
        "clip.vision.feed_forward_length": FORWARD,
        "clip.vision.projection_dim": width,
        "clip.vision.block_count": LAYERS,
        "clip.vision.attention.head_count": HEADS,
        "clip.vision.attention.layer_norm_epsilon": 1e-6,
        "clip.vision.image_mean": [0.5, 0.5, 0.5],
        "clip.vision.image_std": [0.5, 0.5, 0.5],
    }
    return _write(writer, metadata | changes, vision_tensors(width), seed)


def vision_tensors(width: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Names and shapes of a vision encoder's tensors."""
    merged = WIDTH * MERGE * MERGE
    yield "v.patch_embd.weight", (WIDTH, 3, PATCH, PATCH)
    yield "v.patch_embd.weight.1", (WIDTH, 3, PATCH, PATCH)
    yield "v.patch_embd.bias", (WIDTH,)
    yield "v.position_embd.weight", ((IMAGE // PATCH) ** 2, WIDTH)
    yield from _affine("v.post_ln", WIDTH)
    for layer in range(LAYERS):
        yield from _affine(f"v.blk.{layer}.ln1", WIDTH)
        yield from _affine(f"v.blk.{layer}.ln2", WIDTH)
        yield from _affine(f"v.blk.{layer}.attn_qkv", 3 * WIDTH, WIDTH)
        yield from _affine(f"v.blk.{layer}.attn_out", WIDTH, WIDTH)
        yield from _affine(f"v.blk.{layer}.ffn_up", FORWARD, WIDTH)
        yield from _affine(f"v.blk.{layer}.ffn_down", WIDTH, FORWARD)
    for layer in range(DEEP):
        yield from _affine(f"v.deepstack.{layer}.norm", merged)
        yield from _affine(f"v.deepstack.{layer}.fc1", merged, merged)
        yield from _affine(f"v.deepstack.{layer}.fc2", width, merged)
    yield from _affine("mm.0", merged, merged)
    yield from _affine("mm.2", width, merged)


def _affine(name: str, *shape: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    yield f"{name}.weight", shape
    yield f"{name}.bias", shape[:1]


def _write(
    writer: GGUFWriter, metadata: dict[str, Any], tensors: Iterator[tuple[str, tuple[int, ...]]], seed: int
) -> Path:
    for key, value in metadata.items():
        if isinstance(value, list):
            writer.add_array(key, value)
        elif isinstance(value, bool):
            writer.add_bool(key, value)
        elif isinstance(value, int):
            writer.add_uint32(key, value)
        elif isinstance(value, float):
            writer.add_float32(key, value)
        elif value is not None:
            writer.add_string(key, value)
    rng = np.random.default_rng(seed)
    for name, shape in tensors:
        scale = 1.0 if len(shape) == 1 else 2.0 / np.sqrt(np.prod(shape[1:]))
        weights = rng.standard_normal(shape) * scale
        writer.add_tensor(name, (np.abs(weights) if "norm" in name else weights).astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return Path(writer.path or "")
