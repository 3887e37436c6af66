# The container's header: what it says, and whether the container is whole and made for this robot.
from array import array
from struct import calcsize

import micropython
from micropython import const

from llmvm import _isa

SIZE = calcsize(_isa.HEADER_FORMAT)
_FIELDS = const(20)  # of the header, and their numbers
_MAGIC = const(0)
_MAJOR = const(1)
_MINOR = const(2)
AUTONOMOUS_MS = const(3)
_SPEC_HASH = const(4)
_MANIFEST_HASH = const(5)
WORDS = const(6)
CONSTANTS = const(7)
CERTIFICATE = const(8)
_RESERVED = const(18)
_CRC = const(19)


# How many bytes each field takes.
def _sizes():
    letters = [letter for letter in _isa.HEADER_FORMAT if letter.isalpha()]
    return bytes(4 if letter == "s" else calcsize("<" + letter) for letter in letters)


# What four steps of CRC-32 make of each number of four bits.
def _nibbles():
    table = array("I", range(16))
    for i in range(16):
        for _ in range(4):
            table[i] = table[i] >> 1 ^ (0xEDB88320 if table[i] & 1 else 0)
    return table


# Read the fields, each into 32 bits.
@micropython.viper
def _read(data: ptr8, sizes: ptr8, fields: ptr32):
    place = 0
    field = 0
    while field < _FIELDS:
        value = 0
        bits = 0
        while bits < 8 * int(sizes[field]):
            value |= data[place] << bits
            place += 1
            bits += 8
        fields[field] = value
        field += 1


# 1 where a field is not the number expected; both are then in `out`.
@micropython.viper
def _differs(fields: ptr32, field: int, expected: ptr32, out: ptr32) -> int:
    if fields[field] == expected[field]:
        return 0
    out[1] = fields[field]
    out[2] = expected[field]
    return 1


# Expect the CRC-32 of everything but the four bytes at `own`.
@micropython.viper
def _expect_crc(data: ptr8, size: int, own: int, nibbles: ptr32, expected: ptr32):
    crc = -1
    at = 0
    while at < size:
        if at == own:
            at += 4
        else:
            crc ^= data[at]
            crc = ((crc >> 4) & 0x0FFFFFFF) ^ nibbles[crc & 15]
            crc = ((crc >> 4) & 0x0FFFFFFF) ^ nibbles[crc & 15]
            at += 1
    expected[_CRC] = crc ^ -1


# Reads headers of containers for a robot with this manifest; `out` takes word, value and limit of a refusal.
# binascii's CRC-32 and struct's tuples would take from the heap, and so would 32-bit numbers.
class Header:
    def __init__(self, manifest, out):
        self._out = out
        self._sizes = _sizes()
        self._nibbles = _nibbles()
        self.fields = array("i", bytes(4 * _FIELDS))
        self._expected = array("I", bytes(4 * _FIELDS))  # of the fields that are the same in every good block
        self._expected[_MAGIC] = 0x424D4C4C  # LLMB
        self._expected[_SPEC_HASH] = _isa.SPEC_HASH
        self._expected[_MANIFEST_HASH] = manifest

    # Read a container's header and return the rule that the container breaks, or 0.
    def broken(self, data):
        if len(data) < SIZE:
            return self._refuse(len(data), SIZE)
        fields, expected, out = self.fields, self._expected, self._out
        _read(data, self._sizes, fields)
        if _differs(fields, _MAGIC, expected, out):
            return self._refuse(0, 0)
        major, minor = fields[_MAJOR], fields[_MINOR]
        if major != _isa.MAJOR or minor > _isa.MINOR:
            return self._refuse(major << 8 | minor, _isa.MAJOR << 8 | _isa.MINOR)
        if fields[_RESERVED]:
            return self._refuse(fields[_RESERVED], 0)
        size = SIZE + 4 * (fields[WORDS] + fields[CONSTANTS])
        if len(data) != size:
            return self._refuse(len(data), size)
        _expect_crc(data, size, SIZE - 4, self._nibbles, expected)
        if _differs(fields, _CRC, expected, out):
            return _isa.RULE_CONTAINER
        if _differs(fields, _SPEC_HASH, expected, out):
            return _isa.RULE_SPEC
        if _differs(fields, _MANIFEST_HASH, expected, out):
            return _isa.RULE_MANIFEST
        return 0

    def _refuse(self, value, limit):
        self._out[1], self._out[2] = value, limit
        return _isa.RULE_CONTAINER
