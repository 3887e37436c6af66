"""The container: a header, the words, the constants; what is stored on disk and sent to the robot."""

import hashlib
import struct
import zlib
from typing import NamedTuple

from llmbytecode._isa import HEADER_FORMAT, MAJOR, MINOR, SPEC_HASH, Certificate, Header, Limits, Rule
from llmbytecode.errors import Refusal
from llmbytecode.program import Program
from llmbytecode.verify import verify

MAGIC = b"LLMB"
HEADER_SIZE = struct.calcsize(HEADER_FORMAT)
CRC_OFFSET = HEADER_SIZE - 4
BLOCK_HASH_SIZE = 8


class Container(NamedTuple):
    """What a container holds."""

    header: Header
    program: Program

    @property
    def certificate(self) -> Certificate:
        """The certificate that the header claims."""
        return Certificate(*(getattr(self.header, name) for name in Certificate._fields))


def manifest_hash(limits: Limits) -> int:
    """Return the CRC-32 over the limits' little-endian encoding."""
    return zlib.crc32(struct.pack(f"<{len(limits)}i", *limits))


def block_hash(container: bytes) -> bytes:
    """Return the eight bytes by which a container is known."""
    return hashlib.sha256(container).digest()[:BLOCK_HASH_SIZE]


def write_container(program: Program, limits: Limits) -> bytes:
    """Verify a program for a robot and return its container.

    Raises:
        Refusal: the program breaks a rule.
    """
    return pack_container(program, verify(program, limits), limits)


def pack_container(program: Program, certificate: Certificate, limits: Limits) -> bytes:
    """Return the container of a program with the certificate given, whether it is true or not."""
    header = Header(
        magic=MAGIC,
        major=MAJOR,
        minor=MINOR,
        autonomous_ms=program.autonomous_ms,
        spec_hash=SPEC_HASH,
        manifest_hash=manifest_hash(limits),
        words=len(program.words),
        constants=len(program.constants),
        **certificate._asdict(),
        reserved=0,
        crc=0,
    )
    body = struct.pack(f"<{header.words}I{header.constants}i", *program.words, *program.constants)
    return seal(struct.pack(HEADER_FORMAT, *header) + body)


def seal(container: bytes) -> bytes:
    """Return a container with its CRC-32 made right."""
    return container[:CRC_OFFSET] + struct.pack("<I", _crc(container)) + container[HEADER_SIZE:]


def read_container(data: bytes, limits: Limits | None = None) -> Container:
    """Return what a container holds; with a robot's limits, verify it for that robot too.

    Raises:
        Refusal: it is damaged, made for another SPEC or robot, breaks a rule, or its certificate is not true.
    """
    header = _read_header(data)
    if header.spec_hash != SPEC_HASH:
        raise Refusal(Rule.SPEC, 0, _signed(header.spec_hash), _signed(SPEC_HASH))
    numbers = struct.unpack_from(f"<{header.words}I{header.constants}i", data, HEADER_SIZE)
    words, constants = list(numbers[: header.words]), list(numbers[header.words :])
    container = Container(header, Program(words, constants, autonomous_ms=header.autonomous_ms))
    if limits is not None:
        _check_claims(container, limits)
    return container


def _signed(number: int) -> int:
    """Return the signed reading of an unsigned 32-bit number, as VERDICT carries it."""
    return number - 2**32 if number >= 2**31 else number


def _crc(data: bytes) -> int:
    return zlib.crc32(data[HEADER_SIZE:], zlib.crc32(data[:CRC_OFFSET]))


def _expect(found: int, expected: int) -> None:
    if found != expected:
        raise Refusal(Rule.CONTAINER, 0, _signed(found), _signed(expected))


def _read_header(data: bytes) -> Header:
    if len(data) < HEADER_SIZE:
        raise Refusal(Rule.CONTAINER, 0, len(data), HEADER_SIZE)
    header = Header(*struct.unpack_from(HEADER_FORMAT, data))
    if header.magic != MAGIC:
        raise Refusal(Rule.CONTAINER, 0, 0, 0)
    if header.major != MAJOR or header.minor > MINOR:
        raise Refusal(Rule.CONTAINER, 0, header.major << 8 | header.minor, MAJOR << 8 | MINOR)
    _expect(header.reserved, 0)
    _expect(len(data), HEADER_SIZE + 4 * (header.words + header.constants))
    _expect(header.crc, _crc(data))
    return header


def _check_claims(container: Container, limits: Limits) -> None:
    """Check what the header claims about the robot and the program."""
    expected = manifest_hash(limits)
    if container.header.manifest_hash != expected:
        raise Refusal(Rule.MANIFEST, 0, _signed(container.header.manifest_hash), _signed(expected))
    computed = verify(container.program, limits)
    for number, (claimed, true) in enumerate(zip(container.certificate, computed, strict=True)):
        if claimed != true:
            raise Refusal(Rule.CERTIFICATE, number, _signed(claimed), true)
