"""A sample of tools/campaign_link.py: both real ends of the link, and three others, under the same damage."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from llmbytecode._isa import FrameType
from llmos.link.frames import Frame, build
from llmos.micropython import word_size

from .damage import KINDS
from .link_pair import Ledger, Peer, Tally, try_session
from .other_frames import Blocks, block, try_crc16, try_paste, try_xor, xor_frame, xor_frames


@pytest.fixture
def peer(micropython: Path) -> Iterator[Peer]:
    """The firmware's end of the link."""
    one = Peer(micropython)
    yield one
    one.close()


def test_whatever_befalls_the_frames(peer: Peer, micropython: Path) -> None:
    """None is accepted wrongly, none is lost for good, none is out of order, in either direction."""
    first = word_size(micropython) * 1000
    tally = Tally()
    for seed in range(first, first + 24):
        tally.add(try_session(peer, seed))
    assert (tally.wrong, tally.lost, tally.disorder) == (0, 0, 0)
    assert (tally.sessions, tally.reliable) == (24, 24 * 300)
    assert tally.corruptions > 2000
    assert set(tally.damage) == set(KINDS)


def test_the_ledger_finds_out_what_would_be_wrong() -> None:
    """A frame that nobody sent, one that comes twice, and a datagram from before what has come already."""
    tally = Tally()
    ledger = Ledger(tally)
    ledger.plan = [(FrameType.RUN, b"12345678"), (FrameType.STOP, b"")]
    beat, run, stop = (
        Frame(type_, 1, seq, 0, 0, data)
        for type_, seq, data in (
            (FrameType.HEARTBEAT, 0, b"abcd"),
            (FrameType.RUN, 0, b"12345678"),
            (14, 1, b""),
        )
    )
    assert len(ledger.write(build(beat) + build(run) + build(stop))) == 3
    ledger.judge(run._replace(payload=b"12345679"), handed_on=False)
    assert (tally.wrong, tally.reliable, tally.disorder) == (1, 0, 0)
    ledger.judge(stop, handed_on=True)
    assert (tally.wrong, tally.reliable, tally.disorder) == (1, 0, 1)
    ledger.judge(beat, handed_on=True)
    ledger.judge(run, handed_on=True)
    ledger.judge(run, handed_on=False)
    assert (tally.datagrams, tally.reliable, tally.disorder) == (1, 1, 1)
    ledger.judge(beat, handed_on=True)
    ledger.judge(run, handed_on=True)
    assert (tally.wrong, tally.reliable, tally.disorder) == (1, 1, 3)


def test_other_ways_are_harmed_as_they_must_be() -> None:
    """One bit of parity in eight lets damage through, no checksum lets all through, CRC-16 little."""
    xor, paste, crc16 = Tally(), Tally(), Tally()
    for seed in range(60):
        xor.add(try_xor(seed))
        paste.add(try_paste(seed))
        crc16.add(try_crc16(seed))
    assert xor.wrong > 0
    assert xor.lost > 0
    assert xor.disorder > 0
    assert paste.wrong > paste.frames / 100
    assert (crc16.lost, crc16.disorder) == (0, 0)


def test_the_others_work_on_a_good_line() -> None:
    """What was sent is what is found."""
    commands = [xor_frame(1, number, 255 - number) for number in range(100)]
    assert xor_frames(b"".join(commands)) == commands
    assert xor_frame(1, 100, 100) == bytes.fromhex("AA01646401FF")
    stream = block(3, b"~abc") + b"garbage~" + block(20)
    assert Blocks().feed(stream) == [(3, b"~abc"), None, (4, b"")]
