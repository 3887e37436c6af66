"""Consistent overhead byte stuffing: a frame without a zero byte (Cheshire and Baker, SIGCOMM 1997)."""


class StuffingError(ValueError):
    """The bytes are not what `encode` returns for any data."""


def encode(data: bytes) -> bytes:
    """Return `data` without zero bytes, one byte longer for each begun run of 254."""
    out = bytearray()
    for piece in data.split(b"\0"):
        while len(piece) >= 254:
            out.append(255)
            out += piece[:254]
            piece = piece[254:]
        out.append(len(piece) + 1)
        out += piece
    return bytes(out)


def decode(stuffed: bytes) -> bytes:
    """Return the data that `encode` made `stuffed` from.

    Raises:
        StuffingError: a zero byte, a group that runs over the end, or an end without its group.
    """
    if 0 in stuffed:
        raise StuffingError("a zero byte in stuffed data")
    out = bytearray()
    at, end, code = 0, len(stuffed), 255
    while at < end:
        code = stuffed[at]
        out += stuffed[at + 1 : at + code]
        at += code
        if code != 255:
            out.append(0)
    if at != end or code == 255:
        raise StuffingError("stuffed data ends inside a group")
    return bytes(out[:-1])  # the last group's zero stands for the end
