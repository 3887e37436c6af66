"""The real esptool, run as a user runs it, takes the virtual chip for an ESP32-S3; its checks pass."""

import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.host.sim.bare import BareChip, Pty

from llmos.sim.flash import SECTOR, SIZE
from llmos.sim.image import APP, virtual_image
from llmos.sim.rfc2217 import Rfc2217Server

IMAGE = virtual_image("1.25.0")
NOISE = random.Random(4).randbytes(5000)  # cannot be compressed

Esptool = Callable[..., str]


def output(command: list[str]) -> str:
    """What a program prints; it must end well."""
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def said(*arguments: str) -> str:
    """What esptool prints."""
    return output([sys.executable, "-m", "esptool", *arguments])


@pytest.fixture
def chip(tmp_path: Path) -> Iterator[BareChip]:
    """A chip in its loader, behind a port without DTR and RTS."""
    (tmp_path / "image").write_bytes(IMAGE)
    (tmp_path / "noise").write_bytes(NOISE)
    with BareChip(tmp_path / "flash.bin", Pty()) as bare:
        yield bare


@pytest.fixture
def esptool(chip: BareChip, tmp_path: Path) -> Esptool:
    """Runs esptool on the chip, in the folder of its files, and leaves the chip in its loader."""
    fixed = ["--port", chip.port.url, "--before", "no-reset", "--after", "no-reset"]

    def on_chip(line: str) -> str:
        return said(*fixed, *(str(tmp_path / word) if word in FILES else word for word in line.split()))

    return on_chip


FILES = ("image", "noise", "out")


def test_who_it_is(esptool: Esptool, chip: BareChip) -> None:
    """Chip, revision, features, crystal, MAC, flash, and security are an ESP32-S3-WROOM-1-N8's."""
    about = esptool("--no-stub flash-id")
    for line in (
        "Chip type:          ESP32-S3 (QFN56) (revision v0.2)",
        "Features:           Wi-Fi, BT 5 (LE), Dual Core + LP Core, 240MHz",
        "Crystal frequency:  40MHz",
        f"MAC:                {chip.rom.mac.hex(':')}",
        "Manufacturer: c8",
        "Device: 4017",
        "Detected flash size: 8MB",
        "Flash type set in eFuse: quad (4 data lines)",
        "Flash voltage set by a strapping pin: 3.3V",
    ):
        assert f"{line}\n" in about
    assert "Secure Boot: Disabled\nFlash Encryption: Disabled\n" in esptool("get-security-info")
    assert f"MAC:                {chip.rom.mac.hex(':')}" in esptool("read-mac").splitlines()


@pytest.mark.parametrize("stub", ["", "--no-stub "])
@pytest.mark.parametrize("packing", ["--compress", "--no-compress"])
def test_write(esptool: Esptool, chip: BareChip, stub: str, packing: str) -> None:
    """Two files, aligned and not, by the stub or the ROM, packed or not, at another speed."""
    chip.flash.write(0, bytes(0x20000))
    log = esptool(f"{stub}--baud 921600 write-flash {packing} 0 image 0x20100 noise")
    assert log.count("Hash of data verified.") == 2
    assert chip.flash.read(0, len(IMAGE)) == IMAGE
    assert chip.flash.read(0x20000, 0x2000) == (b"\xff" * 0x100 + NOISE).ljust(0x2000, b"\xff")
    assert chip.rom.baud == 921_600
    assert "Verification successful (digest matched)." in esptool(f"{stub}verify-flash 0 image")


@pytest.mark.parametrize(("stub", "size"), [("", 0x5000), ("--no-stub ", 0x300)])
def test_read(esptool: Esptool, chip: BareChip, tmp_path: Path, stub: str, size: int) -> None:
    """What is read is what is in flash."""
    chip.flash.write(0xFF80, IMAGE[:size])
    esptool(f"{stub}read-flash 0xff80 {size} out")
    assert (tmp_path / "out").read_bytes() == IMAGE[:size]


def test_erase(esptool: Esptool, chip: BareChip) -> None:
    """A region, and everything."""
    chip.flash.write(0, bytes(SIZE))
    esptool("erase-region 0x3000 0x2000")
    assert chip.flash.read(0x2000, 4 * SECTOR) == bytes(SECTOR) + b"\xff" * 2 * SECTOR + bytes(SECTOR)
    esptool("erase-flash")
    assert chip.flash.read(0, SIZE) == b"\xff" * SIZE


def test_memory(esptool: Esptool, tmp_path: Path) -> None:
    """Registers and RAM can be read and written."""
    assert "0x40001000 = 0x00000009\n" in esptool("--no-stub read-mem 0x40001000")
    esptool("--no-stub write-mem 0x3fc90000 0x6c6c6d6f")
    esptool("--no-stub dump-mem 0x3fc90000 8 out")
    assert (tmp_path / "out").read_bytes() == b"omll" + bytes(4)


def test_run(esptool: Esptool, chip: BareChip) -> None:
    """`run` starts what was flashed."""
    chip.flash.write(0, IMAGE)
    esptool("--no-stub run")
    assert chip.events == ["run"]


def test_image_info(tmp_path: Path) -> None:
    """The virtual image and the program in it are valid images for this chip."""
    parts = ("image", IMAGE, "Bootloader version: 1"), ("app", IMAGE[APP:], "Project name: micropython")
    for name, data, line in parts:
        (tmp_path / name).write_bytes(data)
        about = said("image-info", str(tmp_path / name))
        for part in ("Detected image type: ESP32-S3", "Flash size: 8MB", "(valid)\nValidation hash: ", line):
            assert part in about
        assert "invalid" not in about.lower()


SESSION = """
import sys
from esptool.cmds import attach_flash, detect_chip, read_flash, reset_chip, run_stub
from esptool.cmds import verify_flash, write_flash
with detect_chip(sys.argv[1]) as chip:
    chip._port.timeout = 3  # the usual one, so that it need not be set, and waited for, at each command
    chip = run_stub(chip)
    chip.change_baud(921600)
    attach_flash(chip)
    image = open(sys.argv[2], "rb").read()
    write_flash(chip, [(0, image)])
    verify_flash(chip, [(0, image)])
    assert read_flash(chip, 0, 5000) == image[:5000]
    reset_chip(chip, "hard-reset")
"""


def test_over_rfc2217(tmp_path: Path) -> None:
    """DTR and RTS take it into the loader and out again; in between a session at another speed."""
    (tmp_path / "image").write_bytes(IMAGE)
    with BareChip(tmp_path / "flash.bin", Rfc2217Server()) as chip:
        log = output([sys.executable, "-c", SESSION, chip.port.url, str(tmp_path / "image")])
        assert chip.flash.read(0, len(IMAGE)) == IMAGE
    assert chip.events == ["hold", "download", "hold", "run"]
    assert "Hash of data verified." in log
    assert "Verification successful (digest matched)." in log
