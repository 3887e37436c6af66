"""MicroPython's image for an ESP32-S3: what a file or a flash holds, checked before anything is written.

The layout is ESP-IDF's ("Firmware Image Format" of esptool's documentation): at 0 the bootloader, at 0x8000
the partition table, and where that says so the app, each program with a header, segments, a checksum and a
SHA-256.
"""

import hashlib
import struct
from collections.abc import Callable
from functools import reduce
from operator import xor
from pathlib import Path
from typing import NamedTuple

from llmos.flashing.errors import ImageError, WrongChip
from llmos.micropython import OLDEST

Read = Callable[[int, int], bytes]  # (offset, size) -> that many bytes, fewer at the end

CHIPS = {
    0: "ESP32", 2: "ESP32-S2", 5: "ESP32-C3", 9: "ESP32-S3", 12: "ESP32-C2", 13: "ESP32-C6", 16: "ESP32-H2",
    18: "ESP32-P4",
}  # fmt: skip
ESP32_S3 = 9
_HEADER = struct.Struct("<BBBBI4xH8xBB")  # magic, segments, mode, size, entry, chip, -, has a SHA-256
_MAGIC = 0xE9
_SEGMENT = struct.Struct("<II")  # address, size
_SEGMENTS = 16  # at most, says the ROM
_TABLE, _TABLE_SIZE = 0x8000, 0xC00
_ENTRY = struct.Struct("<HBBII16sI")  # magic, type, subtype, offset, size, label, flags
_ENTRY_MAGIC = 0x50AA
_APP = 0
_DESCRIPTION = struct.Struct("<I12x32s32s")  # magic, version, project
_DESCRIPTION_MAGIC = 0xABCD5432
_DESCRIPTION_AT = _HEADER.size + _SEGMENT.size
_CHECKSUM = 0xEF
_SHA = 32
_MIB = 1 << 20


class Image(NamedTuple):
    """What a whole image says of itself."""

    project: str
    version: str  # as MicroPython writes it, "v1.25.0"; "" where the image does not say
    app_offset: int
    flash_bytes: int  # that its partitions need


def read_image(read: Read) -> Image | None:
    """Return what the image that begins at 0 says of itself, or None where there is none."""
    entries = _entries(read(_TABLE, _TABLE_SIZE)) if _is_program(read(0, _HEADER.size)) else []
    apps = sorted(offset for kind, offset, _ in entries if kind == _APP)
    if not apps or not _is_program(read(apps[0], _HEADER.size)):
        return None
    magic, version, project = _DESCRIPTION.unpack(read(apps[0] + _DESCRIPTION_AT, _DESCRIPTION.size))
    if magic != _DESCRIPTION_MAGIC:
        version = project = b""
    end = max(offset + size for _, offset, size in entries)
    return Image(_text(project), _text(version), apps[0], end)


def load_image(path: Path) -> tuple[bytes, Image]:
    """Read and check an image that is to be written: whole, for an ESP32-S3, MicroPython, recent enough.

    Raises:
        ImageError: it is anything else.
        WrongChip: it is for another chip.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ImageError(f"{path} cannot be read ({error.strerror}); name MicroPython's .bin file") from None
    return data, check_image(data, str(path))


def check_image(data: bytes, name: str) -> Image:
    """Check an image and return what it says of itself; raises as `load_image` does."""

    def read(offset: int, size: int) -> bytes:
        return data[offset : offset + size]

    take = "take ESP32_GENERIC_S3's .bin file from micropython.org"
    if not data.startswith(bytes([_MAGIC])) or len(data) < _HEADER.size:
        raise ImageError(f"{name} is no image for an ESP32: it does not begin with 0xE9; {take}")
    chip = _HEADER.unpack_from(data)[5]
    if chip != ESP32_S3:
        raise WrongChip(
            f"{name} is for the {CHIPS.get(chip, f'chip {chip}')}, and not for the ESP32-S3; {take}"
        )
    entries = _entries(read(_TABLE, _TABLE_SIZE))
    if not entries and _descriptor(data, 0):
        raise ImageError(f"{name} is an app alone, made for updates over the air; {take}, not its .app-bin")
    _check_program(data, 0, name)
    image = read_image(read)
    if image is None:
        raise ImageError(f"{name} is not whole: no app lies where its partition table has one; {take}")
    _check_program(data, image.app_offset, name)
    if image.project != "micropython":
        raise ImageError(f"{name} is {image.project or 'a program without a name'}, not MicroPython; {take}")
    numbers = version_of(image.version)
    if numbers and numbers < OLDEST:
        oldest = ".".join(map(str, OLDEST))
        raise ImageError(f"{name} is MicroPython {image.version}, and the firmware needs {oldest}; {take}")
    return image


def check_fits(data: bytes, image: Image, flash_bytes: int, name: str) -> None:
    """Raise ImageError where an image needs more flash than the board has."""
    needed = max(len(data), image.flash_bytes)
    if flash_bytes and needed > flash_bytes:
        raise ImageError(
            f"{name} needs {needed / _MIB:.3g} MiB of flash and the board has {flash_bytes / _MIB:.3g} MiB; "
            "take the variant for its size"
        )


def version_of(text: str) -> tuple[int, int] | None:
    """The first two numbers of a version ("v1.25.0" gives (1, 25)), or None where it has none."""
    parts = text.removeprefix("v").split(".")
    if len(parts) < 2 or not (parts[0].isdigit() and parts[1].isdigit()):
        return None
    return int(parts[0]), int(parts[1])


def _is_program(header: bytes) -> bool:
    return len(header) == _HEADER.size and header[0] == _MAGIC


def _entries(table: bytes) -> list[tuple[int, int, int]]:
    """The partitions as (type, offset, size), up to the first that is none."""
    entries = []
    for at in range(0, len(table) - _ENTRY.size + 1, _ENTRY.size):
        magic, kind, _, offset, size, _, _ = _ENTRY.unpack_from(table, at)
        if magic != _ENTRY_MAGIC:
            break
        entries.append((kind, offset, size))
    return entries


def _descriptor(data: bytes, offset: int) -> bool:
    at = offset + _DESCRIPTION_AT
    return data[at : at + 4] == _DESCRIPTION_MAGIC.to_bytes(4, "little")


def _check_program(data: bytes, offset: int, name: str) -> None:
    """Raise ImageError unless a program is whole: its segments, its checksum and its SHA-256."""
    segments, has_sha = data[offset + 1], data[offset + _HEADER.size - 1]
    short = ImageError(
        f"{name} is truncated: {len(data)} bytes do not hold what its headers say; load it again"
    )
    at, checksum = offset + _HEADER.size, _CHECKSUM
    if not 0 < segments <= _SEGMENTS:
        raise ImageError(
            f"{name} is damaged: a header at 0x{offset:x} has {segments} segments; load it again"
        )
    for _ in range(segments):
        if at + _SEGMENT.size > len(data):
            raise short
        size = _SEGMENT.unpack_from(data, at)[1]
        at += _SEGMENT.size + size
        checksum = reduce(xor, _folded(data[at - size : at]), checksum)
    end = (at | 15) + 1
    if end + (_SHA if has_sha else 0) > len(data):
        raise short
    if data[end - 1] != checksum or (
        has_sha and hashlib.sha256(data[offset:end]).digest() != data[end : end + _SHA]
    ):
        raise ImageError(f"{name} is damaged: the checksum at 0x{end - 1:x} is wrong; load it again")


def _folded(data: bytes) -> bytes:
    """Eight bytes whose xor is that of `data`: folds long words, as a loop over bytes would take a second."""
    if not data:
        return b""
    whole = data + bytes(-len(data) % 8)
    words = struct.unpack(f"<{len(whole) // 8}Q", whole)
    return int(reduce(xor, words)).to_bytes(8, "little")


def _text(field: bytes) -> str:
    return field.split(b"\0")[0].decode("ascii", "replace")
