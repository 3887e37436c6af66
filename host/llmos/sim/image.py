"""What a virtual ESP32-S3 finds in its flash when it starts: a bootloader, a partition table, a program.

After Espressif's "App Image Format" and "Partition Tables" (ESP-IDF Programming Guide). The words that are
printed are those of the chip's ROM and of ESP-IDF's bootloader.
"""

import hashlib
import struct
from collections.abc import Iterator
from functools import reduce
from operator import xor
from typing import NamedTuple

from llmos.errors import LlmosError
from llmos.sim.flash import SIZE, Flash
from llmos.sim.registers import CHIP_ID

BANNER = "ESP-ROM:esp32s3-20210327\r\nBuild:Mar 27 2021\r\n"
TABLE, APP, VFS = 0x8000, 0x10000, 0x200000  # where MicroPython's boards of 8 MB have them

_HEADER = struct.Struct("<BBBBIBBBBHBHHxxxxB")
_SEGMENT = struct.Struct("<II")
_PARTITION = struct.Struct("<HBBII16sI")
_APP_DESCRIPTION = struct.Struct("<II8s32s32s16s16s32s32sHHB75x")
_LOADER_DESCRIPTION = struct.Struct("<B3xI32s24s16x")
_MAGIC, _APP_MAGIC, _LOADER_MAGIC = 0xE9, 0xABCD5432, 0x50
_ENTRY_MAGIC, _MD5_MAGIC = 0x50AA, 0xEBEB
_MOST_SEGMENTS = 16
_TABLE_BYTES = 0xC00
_DIO, _80_MHZ_8_MB = 2, 0x3F
_NO_PIN = 0xEE
_HALT = "ets_main.c 329 "


class Image(NamedTuple):
    """A program that starts."""

    project: str  # "micropython" for MicroPython; "" for a program that does not say
    version: str
    vfs_offset: int  # bytes, of the partition `vfs`; 0 where the table has none
    vfs_size: int
    log: str  # what is printed until the program runs


class NoImage(LlmosError):
    """The flash holds nothing that starts; as a string, why, in the ROM's words.

    `log` is all that a board prints after power-on, `again` what it prints whenever its watchdog resets it.
    """

    def __init__(self, *lines: str) -> None:
        super().__init__(lines[0])
        text = "".join(f"{line}\r\n" for line in lines)
        self.log = _start("rst:0x1 (POWERON)") + text
        self.again = _start("rst:0x7 (TG0WDT_SYS_RST)", "Saved PC:0x40043ac8\r\n") + text


class _Invalid(Exception):
    """An image that cannot be used: the kind of fault, and what belongs to it."""


class _Program(NamedTuple):
    """An image that has passed its checks."""

    entry: int
    segments: list[tuple[int, bytes]]  # address, data
    hashes: tuple[bytes, bytes] | None  # calculated, stored


class _Partition(NamedTuple):
    kind: int
    offset: int
    size: int
    label: str


def boot_image(flash: Flash) -> Image:
    """The program that the chip would start: that of the table's first `app` partition.

    Raises:
        NoImage: there is none, or it is damaged.
    """
    loader = _loader(flash)
    log = _start("rst:0x1 (POWERON)") + "SPIWP:0xee\r\nmode:DIO, clock div:1\r\n"
    log += "".join(f"load:{address:#010x},len:{len(data):#x}\r\n" for address, data in loader.segments)
    if loader.hashes and loader.hashes[0] != loader.hashes[1]:  # only secure boot makes the ROM insist
        calculated, expected = (digest.hex() for digest in loader.hashes)
        log += f"SHA-256 comparison failed:\r\nCalculated: {calculated}\r\nExpected: {expected}\r\n"
        log += "Attempting to boot anyway...\r\n"
    partitions = _partitions(flash)
    app = next((each for each in partitions if each.kind == 0), None)
    if app is None:
        raise NoImage("E (60) boot: No bootable app partitions in the partition table")
    project, version = _described(_app(flash, app))
    vfs = next((each for each in partitions if each.label == "vfs"), _Partition(1, 0, 0, ""))
    return Image(project, version, vfs.offset, vfs.size, log + f"entry {loader.entry:#010x}\r\n")


def _loader(flash: Flash) -> _Program:
    """The second-stage bootloader at offset 0, as the ROM takes it."""
    try:
        return _program(flash, 0, TABLE)
    except _Invalid as fault:
        kind, *found = fault.args
        if kind == "magic":
            word = int.from_bytes(flash.read(0, 4), "little")
            raise NoImage(*[f"invalid header: {word:#010x}"] * 8) from None
        if kind == "chip":
            wrong = f"Invalid chip id. Expected {CHIP_ID} read {found[0]}. Bootloader for wrong chip?"
            raise NoImage(wrong, _HALT) from None
        if kind == "checksum":
            raise NoImage(
                f"Checksum failure. Calculated {found[0]:#04x} stored {found[1]:#04x}", _HALT
            ) from None
        raise NoImage("Invalid image block, can't boot.", _HALT) from None


def _app(flash: Flash, app: _Partition) -> _Program:
    """The program in its partition, as the second-stage bootloader takes it."""
    try:
        program = _program(flash, app.offset, app.size)
        if program.hashes and program.hashes[0] != program.hashes[1]:
            raise _Invalid("hash")
    except _Invalid as fault:
        kind, *found = fault.args
        why = {
            "magic": "image at {offset:#x} has invalid magic byte (nothing flashed here?)",
            "chip": "mismatch chip ID, expected {chip}, found {0}",
            "segments": "image at {offset:#x} segment count {0} exceeds max {most}",
            "length": "invalid segment length {0:#x}",
            "checksum": "Checksum failed. Calculated {0:#x} read {1:#x}",
            "hash": "Image hash failed - image is corrupt",
        }[kind].format(*found, offset=app.offset, chip=CHIP_ID, most=_MOST_SEGMENTS)
        raise NoImage(
            f"E (60) esp_image: {why}",
            "E (60) boot: Factory app partition is not bootable",
            "E (60) boot: No bootable app partitions in the partition table",
        ) from None
    return program


def _program(flash: Flash, offset: int, limit: int) -> _Program:
    """Read and check an image that has at most `limit` bytes."""
    magic, count, _, _, entry, _, _, _, _, chip, _, _, _, hashed = _HEADER.unpack(
        flash.read(offset, _HEADER.size)
    )
    if magic != _MAGIC:
        raise _Invalid("magic")
    if chip != CHIP_ID:
        raise _Invalid("chip", chip)
    if not 0 < count <= _MOST_SEGMENTS:
        raise _Invalid("segments", count)
    at, end, segments = offset + _HEADER.size, min(offset + limit, flash.size) - 64, []
    for _ in range(count):
        if at + _SEGMENT.size > end:
            raise _Invalid("length", 0xFFFFFFFF)
        address, size = _SEGMENT.unpack(flash.read(at, _SEGMENT.size))
        at += _SEGMENT.size + size
        if size % 4 or at > end:
            raise _Invalid("length", size)
        segments.append((address, flash.read(at - size, size)))
    at += 15 - at % 16
    calculated, stored = _checksum(data for _, data in segments), flash.read(at, 1)[0]
    if calculated != stored:
        raise _Invalid("checksum", calculated, stored)
    at += 1
    hashes = hashlib.sha256(flash.read(offset, at - offset)).digest(), flash.read(at, 32)
    return _Program(entry, segments, hashes if hashed else None)


def _partitions(flash: Flash) -> list[_Partition]:
    """The partition table's rows."""
    table = flash.read(TABLE, _TABLE_BYTES)
    found: list[_Partition] = []
    for number, (magic, kind, _, offset, size, label, _) in enumerate(_PARTITION.iter_unpack(table)):
        if magic == _MD5_MAGIC:
            row = number * _PARTITION.size
            if hashlib.md5(table[:row], usedforsecurity=False).digest() != table[row + 16 : row + 32]:
                raise _no_table("Incorrect MD5 checksum")
        elif magic == _ENTRY_MAGIC:
            if offset + size > flash.size:
                where = f"offset {offset:#x} size {size:#x} exceeds flash chip size {flash.size:#x}"
                raise _no_table(f"partition {number} invalid - {where}")
            found.append(_Partition(kind, offset, size, _text(label)))
        elif magic == 0xFFFF and number:
            return found
        else:
            raise _no_table(f"partition {number} invalid magic number {magic:#x}")
    raise _no_table("partition table has no terminating entry, not valid")


def _no_table(why: str) -> NoImage:
    return NoImage(
        f"E (57) flash_parts: {why}",
        "E (57) boot: Failed to verify partition table",
        "E (57) boot: load partition table error!",
    )


def _described(program: _Program) -> tuple[str, str]:
    """Project and version."""
    text = program.segments[0][1][: _APP_DESCRIPTION.size]
    if len(text) == _APP_DESCRIPTION.size:
        magic, _, _, version, project, *_ = _APP_DESCRIPTION.unpack(text)
        if magic == _APP_MAGIC:
            return _text(project), _text(version)
    return "", ""


def virtual_image(version: str) -> bytes:
    """An image of MicroPython for a virtual board, to be written at offset 0: bootloader, table, program.

    It has all that tools look at, and no code: the virtual board runs its own MicroPython when it finds it.
    """
    loader = _LOADER_DESCRIPTION.pack(_LOADER_MAGIC, 1, b"virtual", b"")
    app = _APP_DESCRIPTION.pack(
        _APP_MAGIC,
        0,
        b"",
        version.encode()[:31],
        b"micropython",
        b"",
        b"",
        b"virtual",
        bytes(32),
        0,
        65535,
        16,
    )
    parts = {
        0: _packed(0x403C8914, [(0x3FCE2810, loader), (0x403C8700, bytes(0x400))]),
        TABLE: _table(),
        APP: _packed(
            0x40375414, [(0x3C140020, app), (0x3FC98E00, bytes(0x200)), (0x40374000, bytes(0x2000))]
        ),
    }
    image = bytearray()
    for offset, part in parts.items():
        image = image.ljust(offset, b"\xff") + part
    return bytes(image)


def _packed(entry: int, segments: list[tuple[int, bytes]]) -> bytes:
    """An image with checksum and hash."""
    extended = _NO_PIN, 0, 0, 0, CHIP_ID, 0, 0, 65535, 1
    image = _HEADER.pack(_MAGIC, len(segments), _DIO, _80_MHZ_8_MB, entry, *extended)
    for address, data in segments:
        image += _SEGMENT.pack(address, len(data)) + data
    image = image.ljust(len(image) + 15 - len(image) % 16, b"\0") + bytes(
        [_checksum(data for _, data in segments)]
    )
    return image + hashlib.sha256(image).digest()


def _table() -> bytes:
    """The partitions of `partitions-8MiB.csv` in MicroPython's ESP32 port."""
    rows = (
        (1, 0x02, 0x9000, 0x6000, b"nvs"),
        (1, 0x01, 0xF000, 0x1000, b"phy_init"),
        (0, 0x00, APP, VFS - APP, b"factory"),
        (1, 0x81, VFS, SIZE - VFS, b"vfs"),
    )
    table = b"".join(_PARTITION.pack(_ENTRY_MAGIC, *row, 0) for row in rows)
    table += b"\xeb\xeb".ljust(16, b"\xff") + hashlib.md5(table, usedforsecurity=False).digest()
    return table.ljust(_TABLE_BYTES, b"\xff")


def _checksum(parts: Iterator[bytes]) -> int:
    """All bytes and 0xEF, by exclusive or."""
    return reduce(xor, (byte for part in parts for byte in part), 0xEF)


def _start(reset: str, saved: str = "") -> str:
    return f"{BANNER}{reset},boot:0x8 (SPI_FAST_FLASH_BOOT)\r\n{saved}"


def _text(field: bytes) -> str:
    return field.partition(b"\0")[0].decode("utf-8", "replace")
