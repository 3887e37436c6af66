"""The serial loader in an ESP32-S3's ROM, and the flasher stub that a host loads over it.

After Espressif's "Serial Protocol" (esptool's documentation, advanced topics). No code of the chip runs here:
a program loaded into RAM that can say the stub's greeting is taken to be the stub, and what the stub does
is done in its stead; any other program is silent until the next reset.
"""

import hashlib
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Literal

from llmos.sim import slip
from llmos.sim.flash import SECTOR, Flash, FlashFileError
from llmos.sim.image import BANNER
from llmos.sim.registers import CHIP_ID, Registers

_WAITING = BANNER + "rst:0x1 (POWERON),boot:0x0 (DOWNLOAD(USB/UART0))\r\nwaiting for download\r\n"
_GREETING = b"OHAI"
_LONGEST_FRAME = 2 * (8 + 16 + 0x4000)  # every byte of the stub's largest block escaped
_SYNC_ANSWERS = 8
_SYNC_VALUE = 0x20120707  # not 0 says that it is the ROM
_SLOW_READ = 64  # bytes, the ROM's largest
_READ_PACKET = 4096  # bytes, the stub's largest
_HEADER = struct.Struct("<BBHI")
_BLOCK = struct.Struct("<IIII")


class Fault(Enum):
    """Why a command is refused: the ROM's error code, and the first status byte of the stub's answer."""

    INVALID_MESSAGE = 0x05, 0xC0
    UNKNOWN_COMMAND = 0x05, 0xC3
    NOT_BEGUN = 0x05, 0xC6
    NOT_ENOUGH_DATA = 0x05, 0xC8
    TOO_MUCH_DATA = 0x05, 0xC9
    FAILED = 0x06, 0xC4
    WRONG_CHECKSUM = 0x07, 0xC1
    READ_TOO_LONG = 0x0A, 0xC2
    DEFLATE = 0x0B, 0xC7


class _Refused(Exception):
    """A command is answered with a fault."""

    def __init__(self, fault: Fault) -> None:
        self.fault = fault


@dataclass
class _Download:
    """Data on its way into RAM or flash."""

    kind: Literal["ram", "flash", "deflate"]
    address: int
    left: int  # bytes, unpacked
    unpack: "zlib._Decompress" = field(default_factory=zlib.decompressobj)


@dataclass
class _Upload:
    """Flash on its way to the host: one packet at a time, the next one when the host has it."""

    address: int
    left: int
    packet: int  # bytes
    digest: "hashlib._Hash" = field(default_factory=lambda: hashlib.md5(usedforsecurity=False))


Handler = Callable[["Rom", bytes, int], bytes]


class Rom:
    """The loader behind a serial line: bytes in, bytes out."""

    def __init__(self, flash: Flash, mac: bytes | None = None) -> None:
        """Args: mac: 6 bytes; without it a locally administered one, made of the name of the flash's file."""
        if mac is None:
            name = hashlib.sha256(flash.path.name.encode()).digest()
            mac = bytes([name[0] & 0xFC | 0x02]) + name[1:6]
        self.flash, self.mac = flash, mac
        self.start()

    def start(self) -> bytes:
        """Enter the loader anew, as after a reset with GPIO0 low; returns what it prints."""
        self.leave: Literal["run"] | None = None  # "run" once the host has asked for the flashed program
        self.baud = 115_200  # bit/s
        self._registers = Registers(self.mac, self.flash.size)
        self._reader = slip.Reader(_LONGEST_FRAME)
        self._stub = self._deaf = False
        self._download: _Download | None = None
        self._upload: _Upload | None = None
        return _WAITING.encode()

    def receive(self, data: bytes) -> bytes:
        """Obey what has come over the line; returns the answers."""
        return b"".join(map(self._packet, self._reader.feed(data)))

    def _packet(self, packet: bytes) -> bytes:
        if self.leave or self._deaf:
            return b""
        if self._upload is not None:
            return self._acknowledged(self._upload, packet)
        if len(packet) < _HEADER.size or packet[0] != 0:
            return b""
        _, command, size, checksum = _HEADER.unpack_from(packet)
        try:
            handler = _COMMANDS.get(command)
            if (
                handler is None
                or (command in _ROM_ONLY and self._stub)
                or (command in _STUB_ONLY and not self._stub)
            ):
                raise _Refused(Fault.UNKNOWN_COMMAND)
            if size != len(packet) - _HEADER.size:
                raise _Refused(Fault.INVALID_MESSAGE)
            return handler(self, packet[_HEADER.size :], checksum)
        except _Refused as refusal:
            return self._answer(command, fault=refusal.fault)
        except FlashFileError:
            return self._answer(command, fault=Fault.FAILED)

    def _answer(self, command: int, value: int = 0, data: bytes = b"", fault: Fault | None = None) -> bytes:
        rom, stub = fault.value if fault else (0, 0)
        status = bytes([stub, 0]) if self._stub else bytes([1 if rom else 0, rom, 0, 0])
        body = data + status
        return slip.frame(_HEADER.pack(1, command, len(body), value) + body)

    def _sync(self, data: bytes, _: int) -> bytes:
        _words(data, 9)
        return self._answer(0x08, 0 if self._stub else _SYNC_VALUE) * _SYNC_ANSWERS

    def _read_register(self, data: bytes, _: int) -> bytes:
        (address,) = _words(data, 1)
        if address % 4:
            raise _Refused(Fault.FAILED)
        return self._answer(0x0A, self._registers.read(address))

    def _write_register(self, data: bytes, _: int) -> bytes:
        if not data or len(data) % _BLOCK.size:
            raise _Refused(Fault.NOT_ENOUGH_DATA)
        for address, value, mask, _delay_us in _BLOCK.iter_unpack(data):
            if address % 4:
                raise _Refused(Fault.FAILED)
            self._registers.write(address, value & mask | self._registers.read(address) & ~mask)
        if self._registers.watchdog:
            self.leave = "run"
        return self._answer(0x09)

    def _security(self, data: bytes, _: int) -> bytes:
        _words(data, 0)
        return self._answer(0x14, data=struct.pack("<I8xII", 0, CHIP_ID, 0))

    def _set_baud(self, data: bytes, _: int) -> bytes:
        baud, _ = _words(data, 2)
        if not baud:
            raise _Refused(Fault.INVALID_MESSAGE)
        self.baud = baud
        self._registers.set_baud(baud)
        return self._answer(0x0F)

    def _attach(self, data: bytes, _: int) -> bytes:
        _words(data, 1 if self._stub else 2)
        return self._answer(0x0D)

    def _set_parameters(self, data: bytes, _: int) -> bytes:
        _words(data, 6)
        return self._answer(0x0B)

    def _begin_ram(self, data: bytes, _: int) -> bytes:
        size, _, _, address = _words(data, 4)
        self._download = _Download("ram", address, size)
        return self._answer(0x05)

    def _begin_flash(self, data: bytes, _: int) -> bytes:
        self._begin(data, "flash")
        return self._answer(0x02)

    def _begin_deflate(self, data: bytes, _: int) -> bytes:
        self._begin(data, "deflate")
        return self._answer(0x10)

    def _begin(self, data: bytes, kind: Literal["flash", "deflate"]) -> None:
        """Erase what will be written; the ROM does that now, too, the stub as it goes."""
        size, _, _, address, encrypted = _words(data if len(data) == 20 else data + bytes(4), 5)
        if encrypted:  # no key is burnt
            raise _Refused(Fault.FAILED)
        start = address - address % SECTOR
        end = -(-(address + size) // SECTOR) * SECTOR
        self.flash.erase(start, end - start if size else 0)
        self._download = _Download(kind, address, size)

    def _put_ram(self, data: bytes, checksum: int) -> bytes:
        download, block = self._block("ram", data, checksum)
        if len(block) > download.left:
            raise _Refused(Fault.TOO_MUCH_DATA)
        if not self._registers.load(download.address, block):
            raise _Refused(Fault.FAILED)
        download.address += len(block)
        download.left -= len(block)
        return self._answer(0x07)

    def _put_flash(self, data: bytes, checksum: int) -> bytes:
        download, block = self._block("flash", data, checksum)
        if not download.left:
            raise _Refused(Fault.TOO_MUCH_DATA)
        self._store(download, block[: download.left])  # the last block is padded
        return self._answer(0x03)

    def _put_deflate(self, data: bytes, checksum: int) -> bytes:
        download, block = self._block("deflate", data, checksum)
        try:
            plain = download.unpack.decompress(block, download.left + 1)
        except zlib.error:
            raise _Refused(Fault.DEFLATE) from None
        if len(plain) > download.left:
            raise _Refused(Fault.TOO_MUCH_DATA)
        self._store(download, plain)
        return self._answer(0x11)

    def _block(self, kind: str, data: bytes, checksum: int) -> tuple[_Download, bytes]:
        """The download that a block belongs to, and the block."""
        if self._download is None or self._download.kind != kind:
            raise _Refused(Fault.NOT_BEGUN)
        if len(data) < _BLOCK.size:
            raise _Refused(Fault.NOT_ENOUGH_DATA)
        size, _, _, _ = _BLOCK.unpack_from(data)
        block = data[_BLOCK.size :]
        if size != len(block):
            raise _Refused(Fault.TOO_MUCH_DATA if size < len(block) else Fault.NOT_ENOUGH_DATA)
        if checksum != _checksum(block):
            raise _Refused(Fault.WRONG_CHECKSUM)
        return self._download, block

    def _store(self, download: _Download, data: bytes) -> None:
        self.flash.write(download.address, data)
        download.address += len(data)
        download.left -= len(data)

    def _end_ram(self, data: bytes, _: int) -> bytes:
        """Run what was loaded, unless the host says to stay."""
        stay, _ = _words(data, 2)
        if self._download is None or self._download.kind != "ram":
            raise _Refused(Fault.NOT_BEGUN)
        self._download = None
        answer = self._answer(0x06)
        if stay:
            return answer
        self._stub = self._registers.holds(_GREETING)
        self._deaf = not self._stub
        return answer + (slip.frame(_GREETING) if self._stub else b"")

    def _end_flash(self, data: bytes, _: int) -> bytes:
        return self._end(data, 0x04)

    def _end_deflate(self, data: bytes, _: int) -> bytes:
        return self._end(data, 0x12)

    def _end(self, data: bytes, command: int) -> bytes:
        """The ROM runs the flashed program now, at once or by a reset; the stub hands back to it or stays."""
        (stay,) = _words(data, 1)
        if self._download is None or self._download.kind == "ram":
            raise _Refused(Fault.NOT_BEGUN)
        if self._stub and self._download.left:
            raise _Refused(Fault.INVALID_MESSAGE)
        self._download = None
        answer = self._answer(command)
        if not self._stub:
            self.leave = "run"
        elif not stay:
            self._stub = False
        return answer

    def _md5(self, data: bytes, _: int) -> bytes:
        address, size, _, _ = _words(data, 4)
        digest = self.flash.md5(address, size)
        return self._answer(0x13, data=digest if self._stub else digest.hex().encode())

    def _read_slowly(self, data: bytes, _: int) -> bytes:
        address, size = _words(data, 2)
        if size > _SLOW_READ:
            raise _Refused(Fault.READ_TOO_LONG)
        return self._answer(0x0E, data=self.flash.read(address, size).ljust(_SLOW_READ, b"\0"))

    def _erase_all(self, data: bytes, _: int) -> bytes:
        _words(data, 0)
        self.flash.erase(0, self.flash.size)
        return self._answer(0xD0)

    def _erase_region(self, data: bytes, _: int) -> bytes:
        address, size = _words(data, 2)
        if address % SECTOR or size % SECTOR:
            raise _Refused(Fault.INVALID_MESSAGE)
        self.flash.erase(address, size)
        return self._answer(0xD1)

    def _read_flash(self, data: bytes, _: int) -> bytes:
        address, size, packet, _ = _words(data, 4)
        if not 0 < packet <= _READ_PACKET:
            raise _Refused(Fault.INVALID_MESSAGE)
        self.flash.read(address, size)  # refuses what lies outside
        self._upload = _Upload(address, size, packet)
        return self._answer(0xD2) + self._next_packet(self._upload)

    def _acknowledged(self, upload: _Upload, packet: bytes) -> bytes:
        """The host has a packet; what is no acknowledgement ends the reading."""
        if len(packet) != 4:
            upload.left = 0
        return self._next_packet(upload)

    def _next_packet(self, upload: _Upload) -> bytes:
        if not upload.left:
            self._upload = None
            return slip.frame(upload.digest.digest())
        data = self.flash.read(upload.address, min(upload.left, upload.packet))
        upload.digest.update(data)
        upload.address += len(data)
        upload.left -= len(data)
        return slip.frame(data)

    def _run(self, _data: bytes, _: int) -> bytes:
        self.leave = "run"
        return b""


_COMMANDS: dict[int, Handler] = {
    0x02: Rom._begin_flash,
    0x03: Rom._put_flash,
    0x04: Rom._end_flash,
    0x05: Rom._begin_ram,
    0x06: Rom._end_ram,
    0x07: Rom._put_ram,
    0x08: Rom._sync,
    0x09: Rom._write_register,
    0x0A: Rom._read_register,
    0x0B: Rom._set_parameters,
    0x0D: Rom._attach,
    0x0E: Rom._read_slowly,
    0x0F: Rom._set_baud,
    0x10: Rom._begin_deflate,
    0x11: Rom._put_deflate,
    0x12: Rom._end_deflate,
    0x13: Rom._md5,
    0x14: Rom._security,
    0xD0: Rom._erase_all,
    0xD1: Rom._erase_region,
    0xD2: Rom._read_flash,
    0xD3: Rom._run,
}
_ROM_ONLY = frozenset({0x0E})
_STUB_ONLY = frozenset({0xD0, 0xD1, 0xD2, 0xD3})


def _words(data: bytes, count: int) -> tuple[int, ...]:
    """A command's parameters, 32 bits each; another number of them is refused."""
    if len(data) != 4 * count:
        raise _Refused(Fault.INVALID_MESSAGE)
    return struct.unpack(f"<{count}I", data)


def _checksum(data: bytes) -> int:
    """The protocol's: all bytes and 0xEF, by exclusive or."""
    total = 0xEF
    for byte in data:
        total ^= byte
    return total
