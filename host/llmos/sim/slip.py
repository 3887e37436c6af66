"""SLIP (RFC 1055), in which Espressif's serial protocol wraps its packets."""

END, ESCAPE, ESCAPED_END, ESCAPED_ESCAPE = b"\xc0", b"\xdb", b"\xdb\xdc", b"\xdb\xdd"


def frame(packet: bytes) -> bytes:
    """A packet as it goes over the line."""
    return END + packet.replace(ESCAPE, ESCAPED_ESCAPE).replace(END, ESCAPED_END) + END


class Reader:
    """Finds packets in what comes over the line, whatever lies between them."""

    def __init__(self, limit: int) -> None:
        """Frames of more bytes than the limit, escapes counted, are dropped."""
        self._limit = limit
        self._open = b""  # what has come of the frame that is under way

    def feed(self, data: bytes) -> list[bytes]:
        """The packets that the data completes, in order; frames with a wrong escape are dropped."""
        *frames, rest = (self._open + data).split(END)
        self._open = rest[: self._limit + 1]
        packets = [_unescape(each) for each in frames if 0 < len(each) <= self._limit]
        return [packet for packet in packets if packet is not None]


def _unescape(text: bytes) -> bytes | None:
    first, *others = text.split(ESCAPE)
    if any(each[:1] not in (b"\xdc", b"\xdd") for each in others):
        return None
    return first + b"".join((END if each[:1] == b"\xdc" else ESCAPE) + each[1:] for each in others)
