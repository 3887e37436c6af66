"""Over a line that loses, flips, doubles and invents bytes, reliable frames come once and in order."""

import itertools
import random
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmbytecode._isa import FrameType
from llmos.link.frames import RELIABLE, Frame, build, parse
from llmos.link.messages import pack
from llmos.link.transport import BYTES_PER_MS, MAX_RTO_MS, MIN_RTO_MS, RECEIVE_BUFFER, WINDOW, Transport


@dataclass
class Line:
    """One direction: what is written arrives `delay` ms later, or what is left of it."""

    chance: random.Random
    harm: dict[str, float]
    delay: int = 2
    on_way: list[tuple[int, bytes]] = field(default_factory=list)

    def write(self, data: bytes, now: int) -> None:
        for piece in data.split(b"\0"):
            for part in self._harmed(b"\0" + piece + b"\0" if piece else b""):
                late = self.chance.randrange(30) if self._hits("reorder") else 0
                self.on_way.append((now + self.delay + late, part))

    def read(self, now: int) -> bytes:
        self.on_way.sort(key=lambda item: item[0])
        data = b""
        while self.on_way and self.on_way[0][0] <= now:
            data += self.on_way.pop(0)[1]
        return data

    def _hits(self, name: str) -> bool:
        return self.chance.random() < self.harm.get(name, 0)

    def _harmed(self, piece: bytes) -> list[bytes]:
        if not piece or self._hits("lose"):
            return []
        data = bytearray(piece)
        if self._hits("flip"):
            data[self.chance.randrange(len(data))] ^= 1 << self.chance.randrange(8)
        if self._hits("truncate"):
            del data[self.chance.randrange(len(data)) :]
        if self._hits("garbage"):
            data += self.chance.randbytes(self.chance.randrange(1, 300))
        return [bytes(data)] * (2 if self._hits("double") else 1)


class Pair:
    """Two transports and the line between them, on a clock of their own."""

    def __init__(self, seed: int = 0, harm: dict[str, float] | None = None) -> None:
        chance = random.Random(seed)
        self.ends = (Transport(7), Transport(7))
        self.lines = (Line(chance, harm or {}), Line(chance, harm or {}))
        self.received: tuple[list[Frame], list[Frame]] = ([], [])
        self.now = 0

    def step(self) -> None:
        for end in (0, 1):
            self.received[end].extend(self.ends[end].receive(self.lines[1 - end].read(self.now), self.now))
        for end in (0, 1):
            data, wake = self.ends[end].poll(self.now)
            assert wake is None or self.now < wake <= self.now + MAX_RTO_MS + 1
            self.lines[end].write(data, self.now)
        self.now += 1

    def settle(self, limit_ms: int = 300_000) -> None:
        while not (self.ends[0].idle and self.ends[1].idle):
            self.step()
            assert self.now < limit_ms, "frames are lost for good"

    def reliable(self, end: int) -> list[tuple[int, bytes]]:
        return [(frame.type, frame.payload) for frame in self.received[end] if frame.type in RELIABLE]


HARMS = ("lose", "flip", "truncate", "garbage", "double", "reorder")
HARM = st.fixed_dictionaries({name: st.sampled_from([0, 0, 0.02, 0.2]) for name in HARMS})


def _data(number: int, size: int = 0) -> bytes:
    return pack(FrameType.DATA, number, tail=bytes(size))


@settings(max_examples=60)
@given(st.integers(0, 2**32), HARM, st.lists(st.integers(0, 234), max_size=40), st.integers(0, 20))
def test_whatever_the_line_does(seed: int, harm: dict[str, float], sizes: list[int], events: int) -> None:
    pair = Pair(seed, harm)
    there = [(FrameType.DATA, _data(number, size)) for number, size in enumerate(sizes)]
    back = [(FrameType.EVENT, pack(FrameType.EVENT, 1, number)) for number in range(events)]
    for type_, payload in there:
        pair.ends[0].send(type_, payload)
    for type_, payload in back:
        pair.ends[1].send(type_, payload)
    for number in range(20):
        pair.ends[0].send(FrameType.HEARTBEAT, pack(FrameType.HEARTBEAT, number))
        pair.step()
    pair.settle()
    assert pair.reliable(1) == there
    assert pair.reliable(0) == back
    beats = [frame.payload for frame in pair.received[1] if frame.type == FrameType.HEARTBEAT]
    assert set(beats) <= {pack(FrameType.HEARTBEAT, number) for number in range(20)}


def test_numbers_wrap() -> None:
    pair = Pair(1, {"lose": 0.1})
    for number in range(1000):
        pair.ends[0].send(FrameType.DATA, _data(number))
    pair.settle()
    assert pair.reliable(1) == [(FrameType.DATA, _data(number)) for number in range(1000)]


def test_a_perfect_line_repeats_nothing() -> None:
    pair = Pair()
    for number in range(100):
        pair.ends[0].send(FrameType.DATA, _data(number, 200))
    pair.settle()
    assert pair.ends[0].stats.retransmits == 0
    assert pair.ends[1].stats.dropped == 0


def test_one_lost_frame_is_repeated_after_a_round_trip_not_after_a_timeout() -> None:
    pair = Pair()
    pair.ends[0].send(FrameType.DATA, _data(0))
    pair.settle()
    for number in range(1, 5):
        pair.ends[0].send(FrameType.DATA, _data(number))
    pair.step()
    pair.lines[0].on_way.pop(0)
    lost = pair.now
    pair.settle()
    assert pair.now - lost <= 12
    assert pair.ends[0].stats.retransmits == 4


def test_repeats_never_outrun_the_line() -> None:
    end = Transport(7)
    for number in range(WINDOW):
        end.send(FrameType.DATA, _data(number, 234))
    written = 0
    for now in range(1000):  # a peer that misses the first frame says so for every frame that comes
        end.receive(_from_peer(FrameType.ACK), now)
        written += len(end.poll(now)[0])
    assert written <= (1000 + 2 * MIN_RTO_MS) * BYTES_PER_MS


def test_the_wait_doubles_on_a_dead_line_and_recovers() -> None:
    end = Transport(7)
    end.send(FrameType.STOP)
    sent, now = [], 0
    while now < 10_000:
        data, wake = end.poll(now)
        assert data
        assert wake is not None
        sent.append(now)
        now = wake
    gaps = [later - earlier for earlier, later in itertools.pairwise(sent)]
    assert gaps == sorted(gaps)
    assert gaps[-1] == MAX_RTO_MS + 1


def test_the_wait_does_not_double_while_the_peer_is_heard() -> None:
    end = Transport(7)
    end.send(FrameType.STOP)
    end.poll(0)
    resent = []
    for now in range(1, 5000):
        if now % 100 == 0:
            end.receive(_from_peer(FrameType.HEARTBEAT), now)
        if end.poll(now)[0]:
            resent.append(now)
    assert max(later - earlier for earlier, later in itertools.pairwise(resent)) <= 301


def _from_peer(
    type_: FrameType, seq: int = 0, ack: int = 0, credit: int = RECEIVE_BUFFER, session: int = 7
) -> bytes:
    payload = pack(type_, 0) if type_ is FrameType.HEARTBEAT else b""
    return build(Frame(type_, session, seq, ack, credit, payload))


def _written(data: bytes) -> list[Frame]:
    return [parse(piece) for piece in data.split(b"\0") if piece]


def test_the_window_and_the_credit_bound_what_is_on_the_way() -> None:
    end = Transport(7)
    for number in range(20):
        end.send(FrameType.DATA, _data(number, 100))
    assert len(_written(end.poll(0)[0])) == WINDOW
    end.receive(_from_peer(FrameType.ACK, ack=8, credit=250), 5)
    assert len(_written(end.poll(5)[0])) == 2
    end.receive(_from_peer(FrameType.ACK, ack=10, credit=0), 10)
    assert len(_written(end.poll(10)[0])) == 1  # one goes without credit, so that news of more can come
    end.receive(_from_peer(FrameType.ACK, ack=11, credit=999), 15)
    assert len(_written(end.poll(15)[0])) == 8


def test_stale_datagrams_and_other_sessions_are_not_obeyed() -> None:
    end = Transport(7)
    beat = FrameType.HEARTBEAT
    assert len(end.receive(_from_peer(beat, 0) + _from_peer(FrameType.STOP, 0), 0)) == 2
    assert end.receive(_from_peer(beat, 0), 1) == []  # behind the one expected
    assert len(end.receive(_from_peer(beat, 1), 2)) == 1
    assert len(end.receive(_from_peer(beat, 3), 3)) == 1  # ahead: only a reliable frame is missing
    assert end.receive(_from_peer(beat, 1, session=8), 4) == []
    assert end.receive(_from_peer(FrameType.STOP, 1, session=8), 4) == []
    assert (end.stats.dropped, end.stats.foreign) == (1, 2)


@pytest.mark.parametrize("seq", [1, 0xFF])
def test_an_early_or_repeated_frame_is_answered_at_once_and_dropped(seq: int) -> None:
    end = Transport(7)
    assert end.receive(_from_peer(FrameType.STOP, seq), 0) == []
    (ack,) = _written(end.poll(0)[0])
    assert (ack.type, ack.ack) == (FrameType.ACK, 0)
    assert end.poll(1)[0] == b""


def test_an_ack_for_what_was_not_sent_is_ignored() -> None:
    end = Transport(7)
    end.send(FrameType.STOP)
    end.poll(0)
    end.receive(_from_peer(FrameType.ACK, ack=9), 1)
    assert not end.idle
    end.receive(_from_peer(FrameType.ACK, ack=1), 2)
    assert end.idle
