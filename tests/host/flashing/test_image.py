"""A file is MicroPython for the board, whole and recent, or is refused in a sentence."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmos.flashing.errors import FlashError, ImageError, WrongChip
from llmos.flashing.image import Image, check_fits, check_image, load_image, read_image, version_of
from llmos.sim.image import APP, virtual_image

WHOLE = virtual_image("v1.25.0")
MIB = 1 << 20


def changed(at: int, to: bytes) -> bytes:
    """The image with other bytes somewhere."""
    return WHOLE[:at] + to + WHOLE[at + len(to) :]


def resealed(at: int, to: bytes) -> bytes:
    """The image with other bytes in the app, and checksum and hash that fit them."""
    before, after = WHOLE[at : at + len(to)], to
    data = bytearray(changed(at, to))
    for old, new in zip(before, after, strict=True):
        data[-33] ^= old ^ new
    data[-32:] = hashlib.sha256(data[APP:-32]).digest()
    return bytes(data)


def test_what_a_whole_image_says() -> None:
    """Read from the file and, in the same way, from a flash that is larger."""
    expected = Image("micropython", "v1.25.0", APP, 8 * MIB)
    assert check_image(WHOLE, "file") == expected
    flash = WHOLE.ljust(8 * MIB, b"\xff")
    assert read_image(lambda offset, size: flash[offset : offset + size]) == expected
    assert read_image(lambda offset, size: b"\xff" * size) is None


VERSION_AT = APP + 32 + 16
PROJECT_AT = VERSION_AT + 32


@pytest.mark.parametrize(
    ("data", "error", "words"),
    [
        (b"", ImageError, "does not begin with 0xE9"),
        (b"PK\x03\x04" + bytes(100), ImageError, "does not begin with 0xE9"),
        (changed(12, b"\x00\x00"), WrongChip, "for the ESP32, and not for the ESP32-S3"),
        (changed(12, b"\x63\x00"), WrongChip, "chip 99"),
        (WHOLE[APP:], ImageError, "an app alone"),
        (WHOLE[:APP], ImageError, "no app lies"),
        (WHOLE[:-40], ImageError, "truncated"),
        (changed(APP + 100, b"?"), ImageError, "checksum"),
        (resealed(PROJECT_AT, b"circuitpython"), ImageError, "circuitpython, not MicroPython"),
        (resealed(VERSION_AT, b"v1.19.1"), ImageError, "MicroPython v1.19.1, and the firmware needs 1.22"),
    ],
)
def test_what_is_refused(data: bytes, error: type[FlashError], words: str) -> None:
    """Each in one sentence, with the file's name and what to take instead."""
    with pytest.raises(error, match=words) as caught:
        check_image(data, "some.bin")
    assert str(caught.value).startswith("some.bin ")
    assert "\n" not in str(caught.value)


@given(st.integers(1, len(WHOLE) - 1))
def test_no_part_is_taken_for_the_whole(size: int) -> None:
    """Wherever a download was cut off."""
    with pytest.raises(FlashError):
        check_image(WHOLE[:size], "some.bin")


@given(st.binary(max_size=200))
def test_noise_is_refused(data: bytes) -> None:
    """Also where it begins as an image does."""
    for noise in (data, b"\xe9" + data, WHOLE[:16] + data):
        with pytest.raises(FlashError):
            check_image(noise, "some.bin")


def test_what_does_not_fit_the_flash() -> None:
    """Its partitions count, too; an unknown size is asked of the chip later."""
    image = check_image(WHOLE, "some.bin")
    check_fits(WHOLE, image, 8 * MIB, "some.bin")
    check_fits(WHOLE, image, 0, "some.bin")
    with pytest.raises(ImageError, match="needs 8 MiB of flash and the board has 4 MiB"):
        check_fits(WHOLE, image, 4 * MIB, "some.bin")


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    """It is missing, or a folder."""
    for path in (tmp_path / "none.bin", tmp_path):
        with pytest.raises(ImageError, match="cannot be read"):
            load_image(path)


@pytest.mark.parametrize(
    ("text", "numbers"), [("v1.25.0", (1, 25)), ("1.24.1", (1, 24)), ("1.26.0-preview", (1, 26)), ("x", None)]
)
def test_versions(text: str, numbers: Callable[..., object]) -> None:
    """As MicroPython writes them."""
    assert version_of(text) == numbers
