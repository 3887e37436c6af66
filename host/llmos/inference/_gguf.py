"""What a GGUF file says of itself: metadata and the places of its tensors, whatever state it is in.

The format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md. llama.cpp's own reader may end the
process where a file is damaged; this one refuses.
"""

import math
import os
import struct
from dataclasses import dataclass
from typing import BinaryIO

_SCALARS = "BbHhIif?"  # struct's codes of the types 0 to 7
_STRING, _ARRAY = 8, 9
_LONG = {10: "Q", 11: "q", 12: "d"}
_CODES = dict(enumerate(_SCALARS)) | _LONG
_LONGEST = 1 << 20  # bytes of a string
_DIMENSIONS = 4
_VERSIONS = (2, 3)
F32, F16, Q8_0 = 0, 1, 8  # types of tensors
_SIZES = {F32: (1, 4), F16: (1, 2), Q8_0: (32, 34)}  # elements of a block, and its bytes

Value = int | float | bool | str


class Damaged(ValueError):
    """A file that breaks the format; says in words how."""


@dataclass(frozen=True)
class Tensor:
    """Where a tensor's data are.

    Args:
        kind: its type by number, as `F32`.
        shape: its dimensions, that of the elements that are neighbours last.
        start: where its data begin in the file.
    """

    kind: int
    shape: tuple[int, ...]
    start: int

    @property
    def bytes(self) -> int | None:
        """How many it has; None where its type is none of ours."""
        if self.kind not in _SIZES:
            return None
        elements, size = _SIZES[self.kind]
        return math.prod(self.shape) // elements * size


@dataclass(frozen=True)
class Gguf:
    """A file's metadata, lists left out, and its tensors by name."""

    metadata: dict[str, Value]
    tensors: dict[str, Tensor]


def read_gguf(file: BinaryIO) -> Gguf:
    """Read a file's header.

    Raises:
        Damaged: it is no GGUF file, or cut off, or breaks the format.
    """
    return _Reader(file).all()


class _Reader:
    """Reads on from where it stands, never behind the end."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._size = file.seek(0, os.SEEK_END)
        self._at = file.seek(0)

    def all(self) -> Gguf:
        if (magic := self._take(4)) != b"GGUF":
            raise Damaged(f"it starts with {magic!r}, not b'GGUF'")
        if (version := int(self._number("I"))) not in _VERSIONS:
            raise Damaged(f"its GGUF version is {version}, not 3")
        tensors, values = self._count(24), self._count(13)  # the least bytes of each
        metadata = dict(filter(None, (self._entry() for _ in range(values))))
        infos = [self._info() for _ in range(tensors)]
        align = metadata.get("general.alignment", 32)
        if not isinstance(align, int) or align < 1:
            raise Damaged(f"its alignment is {align}")
        first = -(-self._at // align) * align
        found = {name: Tensor(kind, shape, first + offset) for name, kind, shape, offset in infos}
        if len(found) < len(infos):
            raise Damaged("two of its tensors have one name")
        for name, tensor in found.items():
            end = tensor.start + (tensor.bytes or 0)
            if end > self._size:
                raise Damaged(f"it is cut off: tensor {name} ends at byte {end} of {self._size}")
        return Gguf(metadata, found)

    def _take(self, count: int) -> bytes:
        if count > self._size - self._at:
            raise Damaged(
                f"it is cut off: {self._at + count} bytes and more are announced, {self._size} are there"
            )
        self._at += count
        return self._file.read(count)

    def _skip(self, count: int) -> None:
        if count > self._size - self._at:
            self._take(count)
        self._at = self._file.seek(count, os.SEEK_CUR)

    def _number(self, code: str) -> int | float | bool:
        found: int | float | bool = struct.unpack(f"<{code}", self._take(struct.calcsize(f"<{code}")))[0]
        return found

    def _count(self, each: int) -> int:
        """Read how many things follow that take so many bytes each, or more."""
        count = int(self._number("Q"))
        if count * each > self._size - self._at:
            self._take(count * each)
        return count

    def _text(self) -> str:
        length = self._count(1)
        if length > _LONGEST:
            raise Damaged(f"a string in it is {length} bytes long")
        return self._take(length).decode(errors="replace")

    def _entry(self) -> tuple[str, Value] | None:
        """Read a key and its value; None for a list."""
        key, kind = self._text(), int(self._number("I"))
        if kind == _STRING:
            return key, self._text()
        if kind == _ARRAY:
            self._list()
            return None
        return key, self._number(self._code(kind))

    def _list(self) -> None:
        kind = int(self._number("I"))
        if kind == _STRING:
            for _ in range(self._count(8)):
                self._skip(self._count(1))
            return
        size = struct.calcsize(f"<{self._code(kind)}")
        self._skip(self._count(size) * size)

    def _code(self, kind: int) -> str:
        if kind not in _CODES:
            raise Damaged(f"a value in it has the unknown type {kind}")
        return _CODES[kind]

    def _info(self) -> tuple[str, int, tuple[int, ...], int]:
        """Read a tensor's name, type, shape, and offset."""
        name, dimensions = self._text(), int(self._number("I"))
        if not 1 <= dimensions <= _DIMENSIONS:
            raise Damaged(f"tensor {name[:60]} has {dimensions} dimensions")
        shape = tuple(int(self._number("Q")) for _ in range(dimensions))
        return name, int(self._number("I")), shape[::-1], int(self._number("Q"))
