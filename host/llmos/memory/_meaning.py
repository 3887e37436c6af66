"""A text's meaning as a vector: the mean of its words' static embeddings.

The embeddings are those that the `wordllama` package carries: 256-d, trained so that the first dimensions
do for a first look (Kusupati et al. 2022, arXiv 2205.13147). Its files are read where they lie.
"""

import importlib.util
import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from llmos.memory._words import telling

Vectors = npt.NDArray[np.float32]
WEIGHTS, TOKENIZER = "l2_supercat_256.safetensors", "l2_supercat_tokenizer_config.json"
SIZE, COARSE = 256, 96  # dimensions, and those of the first look
_READ = 256  # words of a text
_KEPT = 50_000  # words whose vectors are kept at hand


class Embedder:
    """Turns texts into unit vectors of `SIZE` dimensions; zero where a text has no word that is no number.

    Args:
        folder: the package's.
    """

    maker = f"{WEIGHTS}, {COARSE}"  # vectors of another maker are not comparable

    def __init__(self, folder: Path) -> None:
        from tokenizers import Tokenizer

        self._table = _tensor(folder / "weights" / WEIGHTS)
        self._tokenizer: Any = Tokenizer.from_file(str(folder / "tokenizers" / TOKENIZER))
        self._words: dict[str, Vectors] = {}

    def of(self, texts: Sequence[str]) -> Vectors:
        """Return one vector per text, shape (texts, SIZE)."""
        found = np.zeros((len(texts), SIZE), np.float32)
        for row, text in enumerate(texts):
            read = [word for word in telling(text)[:_READ] if len(word) > 1 and not word.isdecimal()]
            words = [self._word(word) for word in read]
            if words:  # the length divides out
                found[row] = np.sum(words, axis=0)
        norms = np.linalg.norm(found, axis=1, keepdims=True)
        found /= np.where(norms > 0, norms, 1)
        return found

    def _word(self, word: str) -> Vectors:
        """Return the sum of the vectors of a word's tokens."""
        known = self._words.get(word)
        if known is None:
            if len(self._words) >= _KEPT:
                self._words.clear()
            tokens = self._tokenizer.encode(word, add_special_tokens=False).ids
            known = self._words[word] = self._table[tokens].astype(np.float32).sum(axis=0)
        return known


@cache
def open_embedder() -> Embedder | None:
    """Return the embedder; None where the package is not installed, so that words alone must do."""
    spec = importlib.util.find_spec("wordllama")
    if spec is None or not spec.submodule_search_locations:
        return None
    folder = Path(next(iter(spec.submodule_search_locations)))
    try:
        return Embedder(folder)
    except (OSError, ValueError, KeyError, ImportError):
        return None


def _tensor(path: Path) -> npt.NDArray[np.float16]:
    """Return the one matrix of a safetensors file: 8 bytes of header length, a JSON header, the data."""
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        (tensor,) = (value for name, value in json.loads(file.read(length)).items() if name != "__metadata__")
    rows, columns = tensor["shape"]
    if tensor["dtype"] != "F16" or columns != SIZE:
        raise ValueError(f"{path} holds no F16 matrix of {SIZE} columns")
    begin = 8 + length + tensor["data_offsets"][0]
    return np.memmap(path, np.float16, "r", begin, (rows, columns))


def coarse(vectors: Vectors) -> Vectors:
    """Return the first dimensions of vectors, as unit vectors again."""
    first = np.ascontiguousarray(vectors[:, :COARSE])
    norms = np.linalg.norm(first, axis=1, keepdims=True)
    return np.asarray(first / np.where(norms > 0, norms, 1), np.float32)
