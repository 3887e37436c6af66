"""The stuffing is one-to-one, and its result has no zero."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmos.link.cobs import StuffingError, decode, encode

EDGES = st.lists(st.sampled_from([b"\0", b"x" * 253, b"x" * 254, b"x" * 255])).map(b"".join)
DATA = st.one_of(st.binary(max_size=600), EDGES)


@given(DATA)
def test_decode_undoes_encode(data: bytes) -> None:
    stuffed = encode(data)
    assert 0 not in stuffed
    assert len(stuffed) == len(data) + 1 or len(data) >= 254
    assert decode(stuffed) == data


@given(st.one_of(DATA, st.lists(st.integers(0, 255)).map(bytes)))
def test_whatever_is_decoded_has_one_stuffing(stuffed: bytes) -> None:
    try:
        data = decode(stuffed)
    except StuffingError:
        return
    assert encode(data) == stuffed


@pytest.mark.parametrize(
    ("data", "stuffed"),
    [
        (b"", "01"),
        (b"\0", "0101"),
        (b"\x11\x22\0\x33", "0311220233"),
        (b"x" * 253, "fe" + "78" * 253),
        (b"x" * 254, "ff" + "78" * 254 + "01"),
    ],
)
def test_known_stuffings(data: bytes, stuffed: str) -> None:
    assert encode(data).hex() == stuffed


@pytest.mark.parametrize("stuffed", ["", "00", "02", "0311", "01000101", "ff" + "78" * 254])
def test_malformed_stuffing_is_refused(stuffed: str) -> None:
    with pytest.raises(StuffingError):
        decode(bytes.fromhex(stuffed))
