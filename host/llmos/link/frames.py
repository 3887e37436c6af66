"""The link's frames as bytes: SPEC section 7."""

import struct
import zlib
from typing import NamedTuple

from llmbytecode._isa import FRAME_FORMAT, FRAMES, SPEC_HASH, FrameType
from llmos.link.cobs import StuffingError, decode, encode

MAX_PAYLOAD = 236
_HEADER = struct.Struct(FRAME_FORMAT)
_CRC = struct.Struct("<I")
OVERHEAD = _HEADER.size + _CRC.size + 1 + 2  # the stuffing's byte and the two delimiters
MAX_STUFFED = _HEADER.size + MAX_PAYLOAD + _CRC.size + 1

_INTRODUCTIONS = (FrameType.IDENTIFY, FrameType.HELLO)  # understood by a peer with another dictionary
_SEED = [0 if code in _INTRODUCTIONS else SPEC_HASH for code in range(256)]
_SIZES = {
    code: range(struct.calcsize(row.format), MAX_PAYLOAD + 1)
    if row.fields[-1:] == ("bytes",)
    else range(struct.calcsize(row.format), struct.calcsize(row.format) + 1)
    for code, row in FRAMES.items()
}
RELIABLE = frozenset(code for code, row in FRAMES.items() if row.reliable)


class FrameError(ValueError):
    """Bytes between two delimiters that are no frame."""


class Frame(NamedTuple):
    """One frame of the link; `payload` is packed as the type's row of the SPEC says."""

    type: int
    session: int
    seq: int
    ack: int
    credit: int
    payload: bytes


def build(frame: Frame) -> bytes:
    """Return a frame as it travels, delimiters included."""
    type_, session, seq, ack, credit, payload = frame
    body = _HEADER.pack(type_, session, seq, ack, credit) + payload
    return b"\0" + encode(body + _CRC.pack(zlib.crc32(body, _SEED[type_]))) + b"\0"


def parse(stuffed: bytes) -> Frame:
    """Return the frame in the bytes between two delimiters.

    Raises:
        StuffingError: malformed stuffing.
        FrameError: a wrong checksum, an unknown type, or a payload of the wrong length.
    """
    body = decode(stuffed)
    size = len(body) - _CRC.size
    if size < _HEADER.size or zlib.crc32(body[:size], _SEED[body[0]]) != _CRC.unpack_from(body, size)[0]:
        raise FrameError("wrong checksum")
    payload = body[_HEADER.size : size]
    if body[0] not in _SIZES or len(payload) not in _SIZES[body[0]]:
        raise FrameError("unknown layout")
    type_, session, seq, ack, credit = _HEADER.unpack_from(body)
    return Frame(type_, session, seq, ack, credit, payload)


class Splitter:
    """Finds the frames in a stream of bytes, whatever stands between them."""

    def __init__(self) -> None:
        """Start with an empty buffer."""
        self.refused = 0  # pieces that were no frame
        self._rest = b""

    def feed(self, data: bytes) -> list[Frame]:
        """Return the frames that `data` completes; the buffer stays smaller than two frames."""
        pieces = (self._rest + data).split(b"\0")
        self._rest = pieces.pop()[: MAX_STUFFED + 1]  # one byte too long is enough to be refused
        frames = []
        for piece in pieces:
            if not piece:
                continue
            try:
                if len(piece) > MAX_STUFFED:
                    raise FrameError("oversize")
                frames.append(parse(piece))
            except (StuffingError, FrameError):
                self.refused += 1
        return frames
