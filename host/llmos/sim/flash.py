"""The flash memory of a virtual board: a file that behaves like a serial NOR chip."""

import hashlib
import mmap
import os
from pathlib import Path

import numpy as np

from llmos.disk import locked, write_whole
from llmos.errors import LlmosError

SIZE = 8 << 20  # bytes, as on an ESP32-S3-WROOM-1-N8
SECTOR = 4096  # bytes, the smallest piece that can be erased
BLANK = 0xFF


class FlashFileError(LlmosError):
    """A flash file that cannot be used, or an access outside of it."""


class Flash:
    """A NOR flash: writing clears bits, only erasing sets them, a sector of 4 KiB at a time.

    The file is mapped, so that what was written survives when the process is killed. A board holds its
    file for itself; a process that it starts may still open the file.
    """

    def __init__(self, path: Path, size: int = SIZE) -> None:
        """Open the file, or create it blank.

        Raises:
            FlashFileError: it cannot be opened, has another size, or another board uses it.
        """
        self.path, self.size = path, size
        try:
            if not path.exists():
                write_whole(path, bytes([BLANK]) * size)
            self._file = path.open("r+b")
        except OSError as error:
            raise FlashFileError(f"flash {path}: {error.strerror}") from error
        try:
            found = os.fstat(self._file.fileno()).st_size
            if found != size:
                raise FlashFileError(f"flash {path} has {found} bytes, not the {size} of this board's flash")
            if not locked(self._file.fileno()):
                raise FlashFileError(f"flash {path} belongs to another running board; stop that one")
            self._map = mmap.mmap(self._file.fileno(), size)
        except BaseException:
            self._file.close()
            raise

    def close(self) -> None:
        """Write everything to the disk and let go of the file."""
        self._map.flush()
        self._map.close()
        self._file.close()

    def read(self, offset: int, size: int) -> bytes:
        """Bytes from an offset.

        Raises:
            FlashFileError: it ends outside of the flash; also from all the others.
        """
        self._check(offset, size)
        return self._map[offset : offset + size]

    def write(self, offset: int, data: bytes) -> None:
        """Clear the bits that are 0 in the data; a 1 leaves a bit as it is."""
        self._check(offset, len(data))
        cells = np.frombuffer(self._map, np.uint8, len(data), offset)
        np.bitwise_and(cells, np.frombuffer(data, np.uint8), out=cells)

    def erase(self, offset: int, size: int) -> None:
        """Set every bit of whole sectors."""
        if offset % SECTOR or size % SECTOR:
            raise FlashFileError(
                f"flash: erasing {size} bytes at {offset:#x}, which are not whole sectors of {SECTOR}"
            )
        self._check(offset, size)
        np.frombuffer(self._map, np.uint8, size, offset).fill(BLANK)

    def md5(self, offset: int, size: int) -> bytes:
        """The 16 bytes of the MD5 sum of a region, which the chip's own tools compare."""
        return hashlib.md5(self.read(offset, size), usedforsecurity=False).digest()

    def _check(self, offset: int, size: int) -> None:
        if offset < 0 or size < 0 or offset + size > self.size:
            raise FlashFileError(f"flash: {size} bytes at {offset:#x} do not lie within its {self.size}")
