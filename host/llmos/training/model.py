"""The model as PyTorch computes it: the GGUF file's own weights, frozen, with a low-rank adapter to train.

The architecture is Llama's (Touvron et al. 2023, arXiv 2302.13971) with grouped queries (Ainslie et al. 2023,
arXiv 2305.13245), its weights and rotary positions in the layout of the GGUF file, so that nothing has to be
permuted on the way back. The adapter is LoRA (Hu et al. 2021, arXiv 2106.09685) on all seven matrices of a
layer.

What all examples of a batch begin with, the system text, is evaluated once and shared.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

MATRICES = ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down")
GROUPS = (("attn_q", "attn_k", "attn_v"), ("attn_output",), ("ffn_gate", "ffn_up"), ("ffn_down",))  # by input
ARCHITECTURE = "llama"
Turns = tuple[Tensor, Tensor]  # cosine and sine by position
Pair = tuple[Tensor, Tensor]  # keys and values


@dataclass(frozen=True)
class Shape:
    """What the GGUF file's header says of the model."""

    layers: int
    width: int
    heads: int
    key_heads: int
    base: float  # of the rotary positions
    epsilon: float  # of the norms

    @property
    def head(self) -> int:
        """Numbers of one head."""
        return self.width // self.heads


class Adapted(nn.Module):
    """Matrices with one input in common, frozen, and for each of them `B @ A` to be learnt.

    Args:
        weights: each (out, in), by name.
        rank: rows of A and columns of B.
        scale: alpha / rank, by which the product is multiplied.
    """

    def __init__(self, weights: dict[str, Tensor], rank: int, scale: float) -> None:
        super().__init__()
        self.names, self.rank, self.scale = tuple(weights), rank, scale
        self.register_buffer("whole", torch.cat(list(weights.values())), persistent=False)
        self.sizes = [len(weight) for weight in weights.values()]
        width = self.whole.shape[1]
        self.a = nn.Parameter(torch.empty(rank * len(weights), width))
        nn.init.kaiming_uniform_(self.a, a=5**0.5)
        self.b = nn.ParameterList(nn.Parameter(torch.zeros(size, rank)) for size in self.sizes)

    def forward(self, x: Tensor) -> list[Tensor]:
        """Return each matrix's product with (..., in)."""
        low = functional.linear(x, self.a.to(x.dtype)) * self.scale
        plain = functional.linear(x, self.whole).split(self.sizes, -1)
        parts = low.split(self.rank, -1)
        return [
            one + functional.linear(part, b.to(x.dtype))
            for one, part, b in zip(plain, parts, self.b, strict=True)
        ]

    def learnt(self) -> Iterator[tuple[str, Tensor, Tensor]]:
        """Yield each matrix's name with its A (rank, in) and B (out, rank)."""
        for name, a, b in zip(self.names, self.a.split(self.rank), self.b, strict=True):
            yield name, a.detach(), b.detach()


class Layer(nn.Module):
    """One layer: attention, then the gated network."""

    def __init__(self, weights: dict[str, Tensor], shape: Shape, rank: int, scale: float) -> None:
        super().__init__()
        self.shape = shape
        self.register_buffer("norm", weights["attn_norm"], persistent=False)
        self.register_buffer("norm2", weights["ffn_norm"], persistent=False)
        groups = [Adapted({name: weights[name] for name in group}, rank, scale) for group in GROUPS]
        self.qkv, self.out, self.gate_up, self.down = groups
        self.groups = groups

    def forward(self, x: Tensor, turn: Turns, mask: Tensor, shared: Pair | None) -> tuple[Tensor, Pair]:
        """Return the layer's output, and the keys and values.

        Args:
            x: (batch, tokens, width).
            turn: see `Model.turns`.
            mask: (batch, 1, tokens, shared + tokens), 0 where a token looks and -infinity where it does not.
            shared: keys and values of what all in the batch begin with, each (1, key heads, shared, head).
        """
        shape = self.shape
        q, k, v = (self._heads(part) for part in self.qkv(self._normed(x, self.norm)))
        q, k = rotated(q, turn), rotated(k, turn)
        own = (k, v)
        if shared is not None:
            k, v = (torch.cat((one.expand(len(x), -1, -1, -1), mine), 2)
                    for one, mine in zip(shared, own, strict=True))  # fmt: skip
        seen = attended(q, k, v, mask)
        x = x + self.out(seen.transpose(1, 2).reshape(*x.shape[:2], shape.width))[0]
        gate, up = self.gate_up(self._normed(x, self.norm2))
        return x + self.down(functional.silu(gate) * up)[0], own

    def _heads(self, x: Tensor) -> Tensor:
        """Part (batch, tokens, width) into (batch, heads, tokens, head)."""
        return x.unflatten(-1, (-1, self.shape.head)).transpose(1, 2)

    def _normed(self, x: Tensor, weight: Tensor) -> Tensor:
        return functional.rms_norm(x, (x.shape[-1],), weight, self.shape.epsilon)


def attended(q: Tensor, k: Tensor, v: Tensor, mask: Tensor) -> Tensor:
    """Return what each query (batch, heads, tokens, head) gathers from fewer heads of keys and values.

    On a CPU in bfloat16 three plain products are faster, back and forth, than PyTorch's fused attention.
    """
    batch, heads, tokens, size = q.shape
    groups = k.shape[1]
    near = (q * size**-0.5).reshape(batch, groups, -1, size) @ k.transpose(-1, -2)
    near = near.view(batch, groups, heads // groups, tokens, -1) + mask[:, :, None]
    return (near.softmax(-1).view(batch, groups, -1, k.shape[2]) @ v).view(batch, heads, tokens, size)


def rotated(x: Tensor, turn: Turns) -> Tensor:
    """Turn each pair of neighbouring numbers of (batch, heads, tokens, head) by its position's angle."""
    cos, sin = turn
    even, odd = x[..., 0::2], x[..., 1::2]
    return torch.stack((even * cos - odd * sin, even * sin + odd * cos), -1).flatten(-2)


class Model(nn.Module):
    """The whole model.

    Args:
        path: the GGUF file, of the architecture `llama`.
        rank: of the adapter.
        alpha: its strength; the product counts alpha / rank times.
        dtype: of the frozen weights and of what is computed; what is learnt stays float32.
    """

    def __init__(self, path: Path, rank: int, alpha: float, dtype: torch.dtype = torch.bfloat16) -> None:
        super().__init__()
        header, weights = read_gguf(path)
        self.shape, self.rank, self.alpha = header, rank, alpha
        tensors = {
            name: torch.from_numpy(np.require(array, requirements="W")).to(dtype)
            for name, array in weights.items()
        }
        self.register_buffer("embedding", tensors["token_embd.weight"], persistent=False)
        self.register_buffer("norm", tensors["output_norm.weight"], persistent=False)
        output = tensors.get("output.weight", tensors["token_embd.weight"])
        self.register_buffer("output", output, persistent=False)
        names = (*MATRICES, "attn_norm", "ffn_norm")
        self.layers = nn.ModuleList(
            Layer({n: tensors[f"blk.{i}.{n}.weight"] for n in names}, header, rank, alpha / rank)
            for i in range(header.layers)
        )

    def forward(self, head: Tensor, rest: Tensor) -> Tensor:
        """Return the last hidden states (batch, tokens, width) of texts that begin alike.

        Args:
            head: tokens of what they all begin with (shared), at least one.
            rest: tokens of each from there on (batch, tokens), padded at the end.
        """
        shared = len(head)
        cos, sin = self.turns(shared + rest.shape[1])
        mask = self.causal(shared + rest.shape[1])
        x, y = self.embedding[head][None], self.embedding[rest]
        for layer in self.layers:
            x, before = layer(x, (cos[:shared], sin[:shared]), mask[:, :, :shared, :shared], None)
            y, _ = layer(y, (cos[shared:], sin[shared:]), mask[:, :, shared:], before)
        return functional.rms_norm(y, (y.shape[-1],), self.norm, self.shape.epsilon)

    def causal(self, tokens: int) -> Tensor:
        """Return the mask by which no token looks ahead, (1, 1, tokens, tokens).

        Texts are padded at their end, so that nothing of theirs looks at the padding.
        """
        shut = torch.full((tokens, tokens), float("-inf"), dtype=self.norm.dtype, device=self.norm.device)
        return shut.triu(1)[None, None]

    def logits(self, states: Tensor) -> Tensor:
        """Return the logits of some hidden states (count, width) in float32."""
        return functional.linear(states, self.output).float()

    def turns(self, tokens: int) -> Turns:
        """Return cosine and sine of each position's angles, (tokens, head / 2)."""
        half = torch.arange(0, self.shape.head, 2, device=self.norm.device).float() / self.shape.head
        angles = torch.outer(torch.arange(tokens, device=self.norm.device).float(), self.shape.base**-half)
        return angles.cos().to(self.norm.dtype), angles.sin().to(self.norm.dtype)

    def learnt(self) -> Iterator[tuple[str, Tensor, Tensor]]:
        """Yield the GGUF name of each adapted matrix with its A (rank, in) and B (out, rank)."""
        for number, layer in enumerate(self.layers):
            for group in layer.groups:
                for name, a, b in group.learnt():
                    yield f"blk.{number}.{name}.weight", a, b


def read_gguf(path: Path) -> tuple[Shape, dict[str, np.ndarray]]:
    """Return a GGUF file's shape and its weights as float32."""
    from gguf import GGUFReader, dequantize

    reader = GGUFReader(path)

    def value(key: str) -> Any:
        return reader.fields[f"{ARCHITECTURE}.{key}"].contents()

    shape = Shape(
        value("block_count"),
        value("embedding_length"),
        value("attention.head_count"),
        value("attention.head_count_kv"),
        value("rope.freq_base"),
        value("attention.layer_norm_rms_epsilon"),
    )
    return shape, {one.name: dequantize(one.data, one.tensor_type) for one in reader.tensors}
