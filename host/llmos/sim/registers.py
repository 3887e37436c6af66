"""The memory of a virtual ESP32-S3 as its ROM loader shows it: RAM, fuses, and the flash chip's controller.

It is the chip of an ESP32-S3-WROOM-1-N8: revision v0.2, 40 MHz crystal, no flash or PSRAM of its own in the
package, beside an 8 MB quad flash by GigaDevice. Addresses: ESP32-S3 Technical Reference Manual.
"""

from collections.abc import Iterator

CHIP_ID = 9  # ESP32-S3, in images and in the loader's security information
CRYSTAL_HZ = 40_000_000

_RAM = (
    (0x3FC88000, 0x3FD00000),
    (0x40370000, 0x403E0000),
    (0x50000000, 0x50002000),
    (0x600FE000, 0x60100000),
)
_PERIPHERALS = range(0x60000000, 0x600FE000)
_DETECT = 0x40001000  # a word of the ROM that differs between chips
_UART_DIVIDER = 0x60000014
_SPI = 0x60002000
_COMMAND, _ADDRESS, _USER, _OPCODE = _SPI, _SPI + 0x04, _SPI + 0x18, _SPI + 0x20
_SENT_BITS, _READ_BITS, _BUFFER = _SPI + 0x24, _SPI + 0x28, _SPI + 0x58
_START, _SENDS, _READS = 1 << 18, 1 << 27, 1 << 28
_FUSES = 0x60007000
_WATCHDOG, _WATCHDOG_LOCK = 0x60008098, 0x600080B0
_GIGADEVICE = 0xC8
_QUAD_ENABLE = 0x0200


class Registers:
    """Words of 32 bits by address; whatever is not modelled keeps what was written, from 0."""

    def __init__(self, mac: bytes, flash_size: int) -> None:
        self._ram = [(start, bytearray(end - start)) for start, end in _RAM]
        self._words = dict(_fuses(mac)) | {_DETECT: CHIP_ID}
        self._flash_size = flash_size
        self._status = _QUAD_ENABLE  # the flash chip's
        self.set_baud(115_200)

    @property
    def watchdog(self) -> bool:
        """Whether the watchdog was switched on and locked, which is how a host asks for a reset."""
        return bool(self._words.get(_WATCHDOG, 0) >> 31) and self._words.get(_WATCHDOG_LOCK) == 0

    def set_baud(self, baud: int) -> None:
        """The line's speed in bit/s, from which a host works out the crystal's frequency."""
        self._words[_UART_DIVIDER] = CRYSTAL_HZ // baud

    def read(self, address: int) -> int:
        """A word; 0 where there is none."""
        for start, data in self._ram:
            if 0 <= address - start <= len(data) - 4:
                return int.from_bytes(data[address - start :][:4], "little")
        return self._words.get(address, 0)

    def write(self, address: int, value: int) -> None:
        """Change a word of the RAM or of a peripheral; elsewhere nothing happens."""
        if self.load(address, value.to_bytes(4, "little")) or address not in _PERIPHERALS:
            return
        if not _FUSES <= address < _FUSES + 0x1C0:  # fuses are burnt, not written
            self._words[address] = value
        if address == _COMMAND and value & _START:
            self._run_flash_command()

    def load(self, address: int, data: bytes) -> bool:
        """Put bytes into RAM; False where it has none there."""
        for start, ram in self._ram:
            if 0 <= address - start <= len(ram) - len(data):
                ram[address - start : address - start + len(data)] = data
                return True
        return False

    def holds(self, text: bytes) -> bool:
        """Whether the text lies anywhere in RAM."""
        return any(text in data for _, data in self._ram)

    def _run_flash_command(self) -> None:
        """One transaction with the flash chip, as far as a host needs it to learn what chip it is."""
        self._words[_COMMAND] &= ~_START
        command, user = self._words.get(_OPCODE, 0) & 0xFF, self._words.get(_USER, 0)
        sent = self._words.get(_BUFFER, 0) & (1 << min(32, self._words.get(_SENT_BITS, 0) + 1)) - 1
        if user & _SENDS and command == 0x01:  # write status
            self._status = self._status & ~0xFFFF | sent & 0xFFFF
        elif user & _SENDS and command in (0x31, 0x11):
            shift = 8 if command == 0x31 else 16
            self._status = self._status & ~(0xFF << shift) | (sent & 0xFF) << shift
        if user & _READS:
            bits = min(32, self._words.get(_READ_BITS, 0) + 1)
            self._words[_BUFFER] = self._answer(command) & (1 << bits) - 1

    def _answer(self, command: int) -> int:
        capacity = self._flash_size.bit_length() - 1
        if command == 0x9F:  # read identification (JEDEC)
            return capacity << 16 | 0x40 << 8 | _GIGADEVICE
        if command == 0x5A:  # read SFDP (JEDEC JESD216)
            address = self._words.get(_ADDRESS, 0) & 0xFFFFFF
            return int.from_bytes(_sfdp(self._flash_size)[address : address + 4].ljust(4, b"\xff"), "little")
        shift = {0x05: 0, 0x35: 8, 0x15: 16}.get(command)  # read status
        return 0xFFFFFFFF if shift is None else self._status >> shift


def _fuses(mac: bytes) -> Iterator[tuple[int, int]]:
    """The fuses that are burnt; in the others every bit is 0."""
    yield _FUSES + 0x44, int.from_bytes(mac[2:], "big")
    yield _FUSES + 0x48, int.from_bytes(mac[:2], "big")
    yield _FUSES + 0x50, 2 << 18 | 3 << 24  # chip revision v0.2, fuse block version v1.3
    yield _FUSES + 0x5C + 0x10, 1


def _sfdp(flash_size: int) -> bytes:
    """Header, two parameter headers, and the basic flash parameter table at 0x30."""
    headers = (
        b"SFDP\x00\x01\x01\xff"
        + b"\x00\x00\x01\x09\x30\x00\x00\xff"
        + bytes([_GIGADEVICE, 0, 1, 0, 0x60, 0, 0, 0xFF])
    )
    basic = b"\xe5\x20\xf1\xff" + (flash_size * 8 - 1).to_bytes(4, "little")
    return headers.ljust(0x30, b"\xff") + basic
