"""Frames survive the way to bytes and back; nothing else is taken for a frame."""

import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmbytecode._isa import FRAMES, SPEC_HASH, FrameType
from llmos.link.cobs import encode
from llmos.link.frames import MAX_PAYLOAD, OVERHEAD, Frame, FrameError, Splitter, build, parse
from llmos.link.messages import MESSAGES, Telemetry, pack, unpack


@st.composite
def frames(draw: st.DrawFn) -> Frame:
    type_ = draw(st.sampled_from(sorted(FRAMES)))
    size = struct.calcsize(FRAMES[type_].format)
    longest = MAX_PAYLOAD if FRAMES[type_].fields[-1:] == ("bytes",) else size
    byte, half = st.integers(0, 255), st.integers(0, 65535)
    payload = draw(st.binary(min_size=size, max_size=longest))
    return Frame(type_, draw(half), draw(byte), draw(byte), draw(half), payload)


@given(st.lists(frames(), max_size=5), st.lists(st.integers(0, 60)))
def test_a_stream_is_split_wherever_it_is_cut(sent: list[Frame], cuts: list[int]) -> None:
    stream = b"".join(map(build, sent))
    assert len(stream) == sum(len(frame.payload) + OVERHEAD for frame in sent)
    splitter, received = Splitter(), []
    for cut in [*cuts, len(stream)]:
        received += splitter.feed(stream[:cut])
        stream = stream[cut:]
    assert received == sent
    assert splitter.refused == 0


@given(frames(), st.data())
def test_a_damaged_frame_is_refused(frame: Frame, data: st.DataObject) -> None:
    line = bytearray(build(frame))
    at = data.draw(st.integers(1, len(line) - 2))
    line[at] ^= data.draw(st.integers(1, 255))
    splitter = Splitter()
    assert splitter.feed(bytes(line)) == []
    assert splitter.feed(build(frame)) == [frame]  # and the next one is found


@given(st.binary(max_size=2000), frames())
def test_noise_costs_no_later_frame(noise: bytes, frame: Frame) -> None:
    splitter = Splitter()
    assert splitter.feed(noise) == []
    assert splitter.feed(build(frame)) == [frame]


def test_a_stream_without_an_end_takes_no_memory() -> None:
    splitter = Splitter()
    for _ in range(1000):
        splitter.feed(b"x" * 1000)
    assert len(splitter._rest) < 1000
    assert splitter.feed(b"\0") == []
    assert splitter.refused == 1


def _sealed(body: bytes, seed: int) -> bytes:
    return encode(body + struct.pack("<I", zlib.crc32(body, seed)))


def test_another_dictionary_is_understood_only_at_the_introduction() -> None:
    hello = bytes([FrameType.HELLO]) + bytes(6 + 20)
    assert parse(_sealed(hello, 0)).type == FrameType.HELLO
    run = bytes([FrameType.RUN]) + bytes(6 + 8)
    assert parse(_sealed(run, SPEC_HASH)).type == FrameType.RUN
    with pytest.raises(FrameError):
        parse(_sealed(run, SPEC_HASH ^ 1))


@pytest.mark.parametrize(
    "body",
    [b"", b"\x0e", *(bytes([type_, *bytes(size)]) for type_, size in ((FrameType.STOP, 7), (99, 6), (7, 7)))],
)
def test_a_layout_that_the_spec_does_not_know_is_refused(body: bytes) -> None:
    with pytest.raises(FrameError):
        parse(_sealed(body, SPEC_HASH))


@pytest.mark.parametrize("type_", sorted(MESSAGES))
def test_messages_have_the_fields_of_the_spec(type_: int) -> None:
    assert MESSAGES[type_]._fields == FRAMES[type_].fields


def test_a_message_is_its_numbers() -> None:
    telemetry = Telemetry(*range(19))
    frame = Frame(FrameType.TELEMETRY, 1, 0, 0, 0, pack(FrameType.TELEMETRY, *telemetry))
    assert unpack(frame) == telemetry
    assert unpack(Frame(FrameType.ACK, 1, 0, 0, 0, b"")) is None
