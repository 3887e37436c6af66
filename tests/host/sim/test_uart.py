"""The serial line delivers in order and in time, and spoils only what it was told to."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmos.sim.faults import NEVER, FaultError, Faults, parse_faults
from llmos.sim.uart import Wire

writes = st.lists(st.tuples(st.integers(0, 50), st.binary(min_size=1, max_size=300)), max_size=20)


def through(wire: Wire, sent: list[tuple[int, bytes]]) -> list[tuple[int, bytes]]:
    """Send each chunk so many ms after the one before; returns what arrived and when."""
    now, arrived = 0, []
    for wait, data in sent:
        now += wait
        wire.send(data, now)
    while wire.next_ms < NEVER:
        now = wire.next_ms
        arrived.append((now, wire.arrived(now)))
    return arrived


def joined(wire: Wire, sent: list[tuple[int, bytes]]) -> bytes:
    """Send the chunks; returns all that arrived."""
    return b"".join(data for _, data in through(wire, sent))


@given(writes)
def test_line_delivers_every_byte_in_order(sent: list[tuple[int, bytes]]) -> None:
    """Without a fault, what goes in comes out."""
    arrived = through(Wire(Faults(), 0, 0), sent)
    assert b"".join(data for _, data in arrived) == b"".join(data for _, data in sent)
    assert [moment for moment, _ in arrived] == sorted({moment for moment, _ in arrived})


@pytest.mark.parametrize(("count", "ms"), [(1, 1), (92, 1), (93, 2), (250, 3), (1000, 11)])
def test_bytes_take_their_time(count: int, ms: int) -> None:
    """Ten bits a byte at 921600 baud, rounded up to a millisecond."""
    wire = Wire(Faults(), 0, 0)
    wire.send(bytes(count), 100)
    assert wire.next_ms == 100 + ms


def test_a_write_waits_for_the_one_before() -> None:
    """The line is one line."""
    wire = Wire(Faults(), 0, 0)
    wire.send(bytes(921), 0)
    wire.send(b"x", 0)
    assert wire.arrived(10) == bytes(921)
    assert (wire.arrived(10), wire.next_ms, wire.arrived(11)) == (b"", 11, b"x")


def test_frames_of_one_write_arrive_one_by_one() -> None:
    """The first one need not wait for the last one's end."""
    frame = b"\0" + bytes(range(1, 241)) + b"\0"
    arrived = through(Wire(Faults(), 0, 0), [(0, 3 * frame)])
    assert arrived == [(3, frame), (6, frame), (8, frame)]


def test_drop_loses_whole_frames() -> None:
    """About so many of a thousand, and nothing of the others."""
    frames = [b"\0" + number.to_bytes(2, "big") + b"x\0" for number in range(257, 1500) if number % 256]
    data = joined(Wire(parse_faults(["drop=0.1"]), 3, 0), [(0, b"".join(frames))])
    kept = {data[at : at + 5] for at in range(0, len(data), 5)}
    assert kept < set(frames)
    assert 0.87 < len(kept) / len(frames) < 0.93


def test_a_cable_may_come_back() -> None:
    """It passes bytes again when the cut is over."""
    wire = Wire(parse_faults(["cut@500+200"]), 0, 0)
    wire.send(b"during", 690)
    assert wire.next_ms == NEVER
    wire.send(b"after", 700)
    assert wire.arrived(710) == b"after"


@pytest.mark.parametrize("fault", ["cut", "drop", "lose", "flip", "double", "swap", "delay"])
def test_a_direction_alone(fault: str) -> None:
    """A fault that names an end harms what is on its way there, and nothing else."""
    rest = {"cut": "@0", "delay": "=900"}.get(fault, "=1")
    sent = [(0, bytes(range(1, 200)))]
    clean = through(Wire(Faults(), 0, 0), sent)
    faults = parse_faults([f"{fault}/robot{rest}"])
    assert through(Wire(faults, 0, 1), sent) == clean
    assert through(Wire(faults, 0, 0), sent) != clean
    assert through(Wire(parse_faults([fault + rest]), 0, 1), sent) != clean


def test_a_fault_of_one_direction_goes_before_that_of_both() -> None:
    """The other direction keeps the general one."""
    faults = parse_faults(["drop=1", "drop/host=0"])
    assert joined(Wire(faults, 0, 0), [(0, b"x")]) == b""
    assert joined(Wire(faults, 0, 1), [(0, b"x")]) == b"x"


def test_cut_lets_nothing_pass_from_its_moment() -> None:
    """Neither what is sent after it nor what is on its way."""
    wire = Wire(parse_faults(["cut@500"]), 0, 0)
    wire.send(b"before", 490)
    assert wire.arrived(495) == b"before"
    wire.send(b"late", 499)
    wire.send(b"after", 500)
    assert (wire.arrived(505), wire.next_ms) == (b"", NEVER)


@pytest.mark.parametrize(
    ("fault", "least", "most"), [("lose=0.1", 850, 950), ("double=0.1", 1050, 1150), ("swap=0.1", 1000, 1000)]
)
def test_probabilities_are_kept(fault: str, least: int, most: int) -> None:
    """About so many bytes of a thousand are hit."""
    data = joined(Wire(parse_faults([fault]), 7, 0), [(0, bytes(range(250)) * 4)])
    assert least <= len(data) <= most
    assert data != bytes(range(250)) * 4


def test_flip_changes_one_bit_of_some_bytes() -> None:
    """The length stays; each changed byte differs in one bit."""
    data = joined(Wire(parse_faults(["flip=0.05"]), 1, 0), [(0, bytes(1000))])
    changed = [byte for byte in data if byte]
    assert (len(data), {byte.bit_count() for byte in changed}) == (1000, {1})
    assert 25 <= len(changed) <= 80


def test_delay_keeps_the_order() -> None:
    """What is late is not overtaken."""
    sent = [(3, bytes([n])) for n in range(50)]
    arrived = through(Wire(parse_faults(["delay=40"]), 1, 0), sent)
    assert b"".join(data for _, data in arrived) == bytes(range(50))


def test_same_seed_spoils_the_same_bytes_and_directions_differ() -> None:
    """Faults repeat with the seed."""
    faults, sent = parse_faults(["lose=0.1", "flip=0.1"]), [(0, bytes(range(200)))]
    assert through(Wire(faults, 5, 0), sent) == through(Wire(faults, 5, 0), sent)
    assert through(Wire(faults, 5, 0), sent) != through(Wire(faults, 5, 1), sent)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("melt", "unknown; known are cut@MS[+MS]"),
        ("cut@5+", "write cut@MS[+MS]"),
        ("brownout@5+5", "no whole number"),
        (
            "slip/host=0.1",
            "only cut, delay, double, drop, flip, lose, swap have a direction, /robot or /host",
        ),
        ("flip/moon=0.1", "have a direction, /robot or /host"),
        ("cut", "write cut@MS"),
        ("cut=5", "write cut@MS"),
        ("cut@soon", "write cut@MS"),
        ("cut@-5", "not from 0"),
        ("lose=2", "not from 0 to 1; write lose=P"),
        ("lose=nan", "not from 0 to 1"),
        ("blind=nose@5", "'nose' is none of front, front_left"),
        ("blind=front", "write blind=CHANNEL@MS"),
        ("", "unknown"),
    ],
)
def test_wrong_fault_is_refused_with_its_form(text: str, reason: str) -> None:
    """A fault that cannot be read says how it is written."""
    with pytest.raises(FaultError) as refusal:
        parse_faults([text])
    assert reason in str(refusal.value)
