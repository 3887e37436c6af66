"""A chip starts what its flash holds, or says in its ROM's words why it does not."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from llmos.sim.flash import SECTOR, SIZE, Flash
from llmos.sim.image import APP, TABLE, VFS, NoImage, boot_image, virtual_image

IMAGE = virtual_image("1.25.0")


@pytest.fixture
def flash(tmp_path: Path) -> Iterator[Flash]:
    """A flash with the virtual image in it."""
    memory = Flash(tmp_path / "flash.bin")
    memory.write(0, IMAGE)
    yield memory
    memory.close()


def put(flash: Flash, offset: int, data: bytes) -> None:
    """Replace bytes, whatever was there."""
    start = offset - offset % SECTOR
    size = -(-(offset + len(data) - start) // SECTOR) * SECTOR
    old = bytearray(flash.read(start, size))
    old[offset - start : offset - start + len(data)] = data
    flash.erase(start, size)
    flash.write(start, bytes(old))


def test_the_virtual_image(flash: Flash) -> None:
    """It starts as MicroPython, with the file system where boards of 8 MB have it."""
    image = boot_image(flash)
    assert image[:4] == ("micropython", "1.25.0", VFS, SIZE - VFS)
    assert image.log.splitlines() == [
        "ESP-ROM:esp32s3-20210327",
        "Build:Mar 27 2021",
        "rst:0x1 (POWERON),boot:0x8 (SPI_FAST_FLASH_BOOT)",
        "SPIWP:0xee",
        "mode:DIO, clock div:1",
        "load:0x3fce2810,len:0x50",
        "load:0x403c8700,len:0x400",
        "entry 0x403c8914",
    ]


def test_a_blank_board(tmp_path: Path) -> None:
    """It prints the header that is none, over and over."""
    flash = Flash(tmp_path / "flash.bin")
    with pytest.raises(NoImage, match=r"^invalid header: 0xffffffff$") as caught:
        boot_image(flash)
    assert caught.value.log.startswith(
        "ESP-ROM:esp32s3-20210327\r\nBuild:Mar 27 2021\r\nrst:0x1 (POWERON),boot:0x8 "
    )
    assert caught.value.again.splitlines()[2:5] == [
        "rst:0x7 (TG0WDT_SYS_RST),boot:0x8 (SPI_FAST_FLASH_BOOT)",
        "Saved PC:0x40043ac8",
        "invalid header: 0xffffffff",
    ]
    flash.close()


APP_END = len(IMAGE) - 33  # the checksum's place
BAD = [
    pytest.param(0, b"\0\0\0\0", "invalid header: 0x00000000", id="no header"),
    pytest.param(
        12, b"\0\0", "Invalid chip id. Expected 9 read 0. Bootloader for wrong chip?", id="ESP32's loader"
    ),
    pytest.param(1, b"\xc8", "Invalid image block, can't boot.", id="200 segments"),
    pytest.param(28, b"\xff\xff\xff\xff", "Invalid image block, can't boot.", id="endless loader"),
    pytest.param(0x30, b"\x01", "Checksum failure. Calculated 0xde stored 0xdf", id="damaged loader"),
    pytest.param(
        TABLE, b"\xff" * 32, "E (57) flash_parts: partition 0 invalid magic number 0xffff", id="no table"
    ),
    pytest.param(TABLE + 4, b"\x01", "E (57) flash_parts: Incorrect MD5 checksum", id="damaged table"),
    pytest.param(
        TABLE + 0x68,
        (SIZE).to_bytes(4, "little"),
        "E (57) flash_parts: partition 3 invalid - offset 0x200000 size 0x800000 exceeds flash chip size",
        id="table of a larger board",
    ),
    pytest.param(
        APP,
        b"\xff" * 0x3000,
        "E (60) esp_image: image at 0x10000 has invalid magic byte (nothing flashed here?)",
        id="no program",
    ),
    pytest.param(
        APP + 12,
        b"\x05\0",
        "E (60) esp_image: mismatch chip ID, expected 9, found 5",
        id="ESP32-C3's program",
    ),
    pytest.param(
        APP + 0x1000, b"\xff" * 0x3000, "E (60) esp_image: Checksum failed.", id="truncated in a segment"
    ),
    pytest.param(
        APP + 0x120,
        b"\xff" * 0x3000,
        "E (60) esp_image: invalid segment length 0xffffffff",
        id="truncated between",
    ),
    pytest.param(
        APP_END, b"\0", "E (60) esp_image: Checksum failed. Calculated 0xf6 read 0x0", id="wrong checksum"
    ),
    pytest.param(
        APP_END + 9, b"\0", "E (60) esp_image: Image hash failed - image is corrupt", id="wrong hash"
    ),
]


@pytest.mark.parametrize(("offset", "data", "says"), BAD)
def test_damage(flash: Flash, offset: int, data: bytes, says: str) -> None:
    """Each kind of damage has its words, first of all in the error itself."""
    put(flash, offset, data)
    with pytest.raises(NoImage) as caught:
        boot_image(flash)
    assert str(caught.value).startswith(says)
    assert f"\r\n{caught.value}\r\n" in caught.value.log


def test_a_loader_with_a_wrong_hash_starts(flash: Flash) -> None:
    """Without secure boot the ROM only complains, as esptool may have changed the header's flash settings."""
    put(flash, 3, b"\x2f")
    assert "Attempting to boot anyway...\r\n" in boot_image(flash).log


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, len(IMAGE)), st.binary(min_size=1, max_size=8)), min_size=1, max_size=6)
)
@example([(APP + 1, b"\0")])
@example([(28, b"\xfc\x7f\0\0")])
def test_any_damage(flash: Flash, changes: list[tuple[int, bytes]]) -> None:
    """Whatever is in the flash, it starts or says why not."""
    for offset, data in changes:
        put(flash, offset, data)
    with contextlib.suppress(NoImage):
        boot_image(flash)
    put(flash, 0, IMAGE)
