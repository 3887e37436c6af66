"""The loader in the virtual chip's ROM keeps its protocol, whatever comes over the line."""

import json
import struct
import zlib
from base64 import b64decode
from collections.abc import Iterator
from functools import reduce
from hashlib import md5
from operator import xor
from pathlib import Path

import esptool
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llmos.sim import slip
from llmos.sim.flash import SECTOR, Flash
from llmos.sim.rom import Rom

STUB = json.loads(
    (Path(esptool.__file__).parent / "targets" / "stub_flasher" / "2" / "esp32s3.json").read_text()
)
SIZE = 1 << 20  # bytes, of a flash that is quickly made
SYNC = b"\x07\x07\x12\x20" + 32 * b"\x55"
DATA = bytes(range(256)) * 20


@pytest.fixture
def rom(tmp_path: Path) -> Iterator[Rom]:
    """A loader over a blank flash."""
    flash = Flash(tmp_path / "flash.bin", SIZE)
    yield Rom(flash)
    flash.close()


def packet(command: int, data: bytes, checksum: int = 0) -> bytes:
    return slip.frame(struct.pack("<BBHI", 0, command, len(data), checksum) + data)


def words(*values: int) -> bytes:
    return struct.pack(f"<{len(values)}I", *values)


def block(data: bytes, sequence: int = 0) -> bytes:
    return words(len(data), sequence, 0, 0) + data


def checksum(data: bytes) -> int:
    return reduce(xor, data, 0xEF)


def answers(rom: Rom, line: bytes) -> list[bytes]:
    return slip.Reader(100_000).feed(rom.receive(line))


def ask(rom: Rom, command: int, data: bytes = b"", check: int = 0) -> tuple[int, bytes]:
    """The value and the data with the status of the one answer."""
    (answer,) = answers(rom, packet(command, data, check))
    direction, echoed, size, value = struct.unpack_from("<BBHI", answer)
    assert (direction, echoed, size) == (1, command, len(answer) - 8)
    return value, answer[8:]


def upload(rom: Rom, program: bytes, address: int = 0x40378000) -> list[bytes]:
    """Load a program into RAM and start it."""
    ask(rom, 0x05, words(len(program), 1, len(program), address))
    assert ask(rom, 0x07, block(program), checksum(program)) == (0, bytes(4))
    return answers(rom, packet(0x06, words(0, address)))


def with_stub(rom: Rom) -> Rom:
    assert upload(rom, b64decode(STUB["data"]), STUB["data_start"])[-1] == b"OHAI"
    return rom


def test_prints(rom: Rom) -> None:
    """It says that it waits, in the words that tools look for."""
    assert rom.start().splitlines()[2:] == [
        b"rst:0x1 (POWERON),boot:0x0 (DOWNLOAD(USB/UART0))",
        b"waiting for download",
    ]


def test_sync(rom: Rom) -> None:
    """Eight answers; their value says whether the ROM or the stub gives them."""
    from_rom = answers(rom, packet(0x08, SYNC))
    assert len(from_rom) == 8
    assert {struct.unpack_from("<I", answer, 4)[0] for answer in from_rom} == {0x20120707}
    assert [answer[4:] for answer in answers(with_stub(rom), packet(0x08, SYNC))] == [bytes(6)] * 8


@pytest.mark.parametrize("stub", [False, True])
def test_write(rom: Rom, stub: bool) -> None:
    """What is written plain or packed is in flash, and the sums agree; what was there before is gone."""
    if stub:
        with_stub(rom)
    status, at = bytes(2 if stub else 4), 0x10000
    rom.flash.write(at, bytes(3 * SECTOR))
    assert ask(rom, 0x02, words(len(DATA), 2, 0x1000, at, 0)) == (0, status)
    for sequence in range(2):
        piece = DATA[sequence * 0x1000 :][:0x1000].ljust(0x1000, b"\xff")
        assert ask(rom, 0x03, block(piece, sequence), checksum(piece)) == (0, status)
    assert rom.flash.read(at, 3 * SECTOR) == DATA.ljust(2 * SECTOR, b"\xff") + bytes(SECTOR)
    packed = zlib.compress(DATA)
    assert ask(rom, 0x10, words(len(DATA), 2, 100, 0x20000, 0)) == (0, status)
    for sequence, piece in enumerate((packed[:100], packed[100:])):
        assert ask(rom, 0x11, block(piece, sequence), checksum(piece)) == (0, status)
    assert rom.flash.read(0x20000, len(DATA)) == DATA
    digest = md5(DATA).digest()
    told = ask(rom, 0x13, words(0x20000, len(DATA), 0, 0))[1]
    assert told == (digest if stub else digest.hex().encode()) + status


def test_read(rom: Rom) -> None:
    """The ROM reads 64 bytes at a time; the stub sends a packet when the one before is acknowledged."""
    rom.flash.write(100, DATA)
    assert ask(rom, 0x0E, words(100, 10)) == (0, DATA[:10] + bytes(54 + 4))
    with_stub(rom)
    got = answers(rom, packet(0xD2, words(100, len(DATA), SECTOR, 64)))[1:]
    while len(got[-1]) != 16:
        got += answers(rom, slip.frame(words(sum(map(len, got)))))
    assert (b"".join(got[:-1]), got[-1]) == (DATA, md5(DATA).digest())


def test_an_abandoned_read(rom: Rom) -> None:
    """A host that comes back in the middle of reading is understood at its next packet but one."""
    answers(with_stub(rom), packet(0xD2, words(0, SIZE, SECTOR, 64)))
    assert [len(answer) for answer in answers(rom, packet(0x08, SYNC))] == [16]
    assert len(answers(rom, packet(0x08, SYNC))) == 8


def test_erase(rom: Rom) -> None:
    """The stub erases whole sectors, or everything."""
    rom.flash.write(0, bytes(4 * SECTOR))
    with_stub(rom)
    assert ask(rom, 0xD1, words(SECTOR, SECTOR)) == (0, bytes(2))
    assert rom.flash.read(0, 3 * SECTOR) == bytes(SECTOR) + b"\xff" * SECTOR + bytes(SECTOR)
    assert ask(rom, 0xD0) == (0, bytes(2))
    assert rom.flash.md5(0, SIZE) == md5(b"\xff" * SIZE).digest()


def test_registers(rom: Rom) -> None:
    """Memory keeps what is written under the mask; fuses keep what they are."""
    for address, expected in (
        (0x3FC88000, 0x12FF56FF),
        (0x60008050, 0x12FF56FF),
        (0x60007044, None),
        (0x40001000, 9),
    ):
        before = ask(rom, 0x0A, words(address))[0]
        ask(rom, 0x09, words(address, 0xFFFFFFFF, 0xFFFFFFFF, 0) + words(address, 0x12345678, 0xFF00FF00, 0))
        assert ask(rom, 0x0A, words(address))[0] == (before if expected is None else expected)


def transact(rom: Rom, opcode: int, sent: int | None = None, address: int = 0) -> int:
    """One transaction with the flash chip through its controller's registers; the 32 bits that it answers."""
    user = 1 << 31 | 1 << 28 | (0 if sent is None else 1 << 27)
    settings = {
        0x18: user,
        0x20: 7 << 28 | opcode,
        0x04: address,
        0x24: 15,
        0x28: 31,
        0x58: sent or 0,
        0x00: 1 << 18,
    }
    for register, value in settings.items():
        ask(rom, 0x09, words(0x60002000 + register, value, 0xFFFFFFFF, 0))
    assert ask(rom, 0x0A, words(0x60002000))[0] == 0
    return ask(rom, 0x0A, words(0x60002058))[0]


def test_flash_chip(rom: Rom) -> None:
    """The flash chip tells its maker and its size, its parameters (SFDP), and keeps its status."""
    assert transact(rom, 0x9F) == 0x1440C8  # 2 to the power of 0x14 bytes, of this test's flash
    assert transact(rom, 0x5A).to_bytes(4, "little") == b"SFDP"
    assert transact(rom, 0x5A, address=0x34) == SIZE * 8 - 1
    assert transact(rom, 0x5A, address=0x1000) == 0xFFFFFFFF
    assert transact(rom, 0x05) == 0x0200
    transact(rom, 0x01, sent=0x0340)
    assert transact(rom, 0x35) == 0x03
    transact(rom, 0x31, sent=0x01)
    assert transact(rom, 0x05) == 0x0140


def test_mac(tmp_path: Path) -> None:
    """Each flash file gives its board a locally administered address of its own; one can be chosen."""
    macs = []
    for name in "ab":
        flash = Flash(tmp_path / name, SIZE)
        macs.append(Rom(flash).mac)
        assert Rom(flash, b"\x02abcde").mac == b"\x02abcde"
        flash.close()
    assert macs[0] != macs[1]
    assert {mac[0] & 3 for mac in macs} == {2}


def test_other_programs_are_silent(rom: Rom) -> None:
    """A program that is no stub is not run; nothing answers until the next reset."""
    assert len(upload(rom, bytes(1000))) == 1
    assert answers(rom, packet(0x08, SYNC)) == []
    rom.start()
    assert len(answers(rom, packet(0x08, SYNC))) == 8


def test_leaving(rom: Rom) -> None:
    """The end of a download, or the watchdog, starts the flashed program; the stub hands back to the ROM."""
    ask(rom, 0x02, words(0, 0, 0x400, 0, 0))
    assert (rom.leave, ask(rom, 0x04, words(1)), rom.leave) == (None, (0, bytes(4)), "run")
    rom.start()
    for address, value in ((0x600080B0, 0x50D83AA1), (0x60008098, 1 << 31 | 2)):
        ask(rom, 0x09, words(address, value, 0xFFFFFFFF, 0))
        assert rom.leave is None
    assert (ask(rom, 0x09, words(0x600080B0, 0, 0xFFFFFFFF, 0)), rom.leave) == ((0, bytes(4)), "run")
    rom.start()
    with_stub(rom)
    ask(rom, 0x02, words(0, 0, 0x400, 0, 0))
    assert (ask(rom, 0x04, words(0)), rom.leave) == ((0, bytes(2)), None)
    assert struct.unpack_from("<I", answers(rom, packet(0x08, SYNC))[0], 4) == (0x20120707,)


BEGIN = (0x02, words(0x1000, 4, 0x400, 0, 0), 0)
PACKED = (0x10, words(0x10, 1, 0x400, 0, 0), 0)
RAM = (0x05, words(0x10, 1, 0x400, 0x3FC90000), 0)
FULL = zlib.compress(bytes(0x20))
Command = tuple[int, bytes, int]
FAULTS = [
    pytest.param([(0x33, b"", 0)], 0x05, 0xC3, id="unknown command"),
    pytest.param([(0x08, SYNC[:-1], 0)], 0x05, 0xC0, id="short sync"),
    pytest.param([(0x0A, words(1, 2), 0)], 0x05, 0xC0, id="two addresses to read"),
    pytest.param([(0x0A, words(0x3FC88001), 0)], 0x06, 0xC4, id="odd address"),
    pytest.param([(0x09, words(1, 2, 3), 0)], 0x05, 0xC8, id="a quarter of a write missing"),
    pytest.param([(0x0F, words(0, 0), 0)], 0x05, 0xC0, id="no speed"),
    pytest.param([(0x03, block(b"a"), 0xEF ^ 97)], 0x05, 0xC6, id="data before begin"),
    pytest.param([BEGIN, (0x11, block(b"a"), 0xEF ^ 97)], 0x05, 0xC6, id="packed data in a plain download"),
    pytest.param([BEGIN, (0x03, block(b"a"), 0)], 0x07, 0xC1, id="wrong checksum"),
    pytest.param([BEGIN, (0x03, b"short", 0)], 0x05, 0xC8, id="no block header"),
    pytest.param([BEGIN, (0x03, words(9, 0, 0, 0) + b"a", 0)], 0x05, 0xC8, id="block too short"),
    pytest.param([BEGIN, (0x03, words(0, 0, 0, 0) + b"a", 0)], 0x05, 0xC9, id="block too long"),
    pytest.param(
        [(0x02, words(0, 0, 1, 0, 0), 0), (0x03, block(b"a"), 0xEF ^ 97)],
        0x05,
        0xC9,
        id="more than announced",
    ),
    pytest.param([(0x02, words(0x1001, 5, 0x400, SIZE - 0x1000, 0), 0)], 0x06, 0xC4, id="beyond the flash"),
    pytest.param(
        [(0x02, words(0xFFFFFFFF, 5, 0x400, 0xFFFFFFFF, 0), 0)], 0x06, 0xC4, id="far beyond the flash"
    ),
    pytest.param([(0x02, words(0x1000, 4, 0x400, 0, 1), 0)], 0x06, 0xC4, id="encrypted without a key"),
    pytest.param([PACKED, (0x11, block(b"no zlib!"), checksum(b"no zlib!"))], 0x0B, 0xC7, id="no deflate"),
    pytest.param([PACKED, (0x11, block(FULL), checksum(FULL))], 0x05, 0xC9, id="unpacks to too much"),
    pytest.param([RAM, (0x07, block(bytes(0x11)), 0xEF)], 0x05, 0xC9, id="more RAM than announced"),
    pytest.param(
        [(0x05, words(1, 1, 1, 0x10), 0), (0x07, block(b"\0"), 0xEF)], 0x06, 0xC4, id="no RAM there"
    ),
    pytest.param([(0x06, words(0, 0), 0)], 0x05, 0xC6, id="run without a program"),
    pytest.param([(0x04, words(0), 0)], 0x05, 0xC6, id="end before begin"),
    pytest.param([(0x13, words(SIZE, 1, 0, 0), 0)], 0x06, 0xC4, id="sum beyond the flash"),
]


@pytest.mark.parametrize("stub", [False, True])
@pytest.mark.parametrize(("commands", "by_rom", "by_stub"), FAULTS)
def test_faults(rom: Rom, stub: bool, commands: list[Command], by_rom: int, by_stub: int) -> None:
    """What is wrong is answered with the documented code, of the ROM or of the stub, and changes no flash."""
    if stub:
        with_stub(rom)
    *before, last = commands
    for command in before:
        assert not any(ask(rom, *command)[1])
    rom.flash.write(0, b"kept")
    assert ask(rom, *last) == (0, bytes([by_stub, 0]) if stub else bytes([1, by_rom, 0, 0]))
    assert rom.flash.read(0, 8) == b"kept\xff\xff\xff\xff"


def test_faults_of_one_side(rom: Rom) -> None:
    """The ROM reads 64 bytes at most and does not erase; the stub does not read slowly."""
    assert ask(rom, 0x0E, words(0, 65)) == (0, b"\x01\x0a\0\0")
    assert [ask(rom, op, words(0, SECTOR))[1] for op in (0xD0, 0xD1, 0xD2, 0xD3)] == [b"\x01\x05\0\0"] * 4
    with_stub(rom)
    assert ask(rom, 0x0E, words(0, 4)) == (0, b"\xc3\0")
    assert ask(rom, 0xD1, words(0, 100)) == (0, b"\xc0\0")
    assert ask(rom, 0xD1, words(SIZE, SECTOR)) == (0, b"\xc4\0")
    assert ask(rom, 0xD2, words(0, SIZE + 1, SECTOR, 64)) == (0, b"\xc4\0")
    assert ask(rom, 0xD2, words(0, 10, SECTOR + 1, 64)) == (0, b"\xc0\0")
    ask(rom, 0x02, words(0x1000, 4, 0x400, 0))
    assert ask(rom, 0x04, words(0)) == (0, b"\xc0\0")


def test_sizes_and_garbage(rom: Rom) -> None:
    """A packet whose size is wrong is refused; what is no request is ignored, and the next one is heard."""
    wrong = slip.frame(struct.pack("<BBHI", 0, 0x0A, 5, 0) + words(0))
    assert [answer[8:] for answer in answers(rom, wrong)] == [b"\x01\x05\0\0"]
    garbage = b"hello\xc0\x01\x08\0\0\0\0\0\0\xc0\xdb\x01\xc0\0\xc0"
    assert len(answers(rom, garbage + packet(0x08, SYNC))) == 8


commands = st.builds(
    packet,
    st.integers(0, 0x20) | st.sampled_from([0xD0, 0xD1, 0xD2, 0xD3]) | st.integers(0, 255),
    st.binary(max_size=40)
    | st.lists(st.sampled_from([0, 1, 4, 64, SECTOR, 0x3FC88000, SIZE, 0xFFFFFFFF]), max_size=6).map(
        lambda v: words(*v)
    ),
    st.sampled_from([0, 0xEF]),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=150)
@given(st.lists(commands | st.binary(max_size=60), max_size=12), st.booleans())
def test_any_bytes(rom: Rom, line: list[bytes], stub: bool) -> None:
    """No bytes make it fail, and after a reset it answers."""
    rom.start()
    if stub:
        with_stub(rom)
    for data in line:
        rom.receive(data)
    rom.start()
    assert len(answers(rom, packet(0x08, SYNC))) == 8
