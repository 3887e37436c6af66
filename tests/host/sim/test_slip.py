"""SLIP finds every packet again, however the line cuts it and whatever else it carries."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from llmos.sim import slip

special = st.sampled_from([b"\xc0", b"\xdb", b"\xdc", b"\xdd", b"\xdb\xdc", b"\0"])
packets = st.lists(
    st.lists(special | st.binary(min_size=1, max_size=5), min_size=1, max_size=8).map(b"".join), max_size=5
)


@given(packets, st.lists(st.integers(0, 200), max_size=5))
def test_round_trip(sent: list[bytes], cuts: list[int]) -> None:
    """Framed packets come out as they went in, in whatever pieces they arrive."""
    line = b"".join(map(slip.frame, sent))
    reader = slip.Reader(1000)
    edges = [0, *sorted(min(cut, len(line)) for cut in cuts), len(line)]
    got = [packet for start, end in pairwise(edges) for packet in reader.feed(line[start:end])]
    assert got == sent


@given(st.binary(max_size=200))
def test_garbage_costs_at_most_itself(garbage: bytes) -> None:
    """After any bytes the next packet is found."""
    reader = slip.Reader(1000)
    reader.feed(garbage)
    assert slip.frame(b"packet") in [slip.frame(packet) for packet in reader.feed(slip.frame(b"packet"))]


def test_limit() -> None:
    """A frame beyond the limit is dropped, in one piece or in many; one at the limit is not."""
    reader = slip.Reader(10)
    assert reader.feed(b"\xc0" + b"a" * 11 + b"\xc0" + b"b" * 10 + b"\xc0") == [b"b" * 10]
    assert [reader.feed(b"a") for _ in range(1000)] == [[]] * 1000
    assert reader.feed(b"\xc0cd\xc0") == [b"cd"]


def test_wrong_escape() -> None:
    """A frame with an escape that SLIP does not know is dropped."""
    assert slip.Reader(99).feed(b"\xc0a\xdb\x01b\xc0c\xdb\xc0d\xc0") == [b"d"]
