"""Three other ways to send bytes to a robot, modelled from their public descriptions, under the same damage.

- *Six bytes with XOR-8*: `AA op left right xor FF`, the checksum over op, left and right, as the documents of
  EvolvingAgentsLabs' llmos and RoClaw describe it. A receiver looks for AA, takes six bytes, and passes one
  byte on where they do not fit. Nothing is numbered or repeated.
- *Raw paste*: MicroPython's reference, "The MicroPython Interactive Interpreter Mode (aka REPL)", section
  "Raw-paste mode": windows of bytes that the device acknowledges with 01, the end with 04; no checksum.
- *CRC-16 blocks*: Klipper's "Protocol" page: length, sequence (4 bits), content, CRC-16-CCITT, 7E. The device
  takes blocks in order and answers each with the number that it expects; the host repeats from there.
"""

from binascii import crc_hqx
from collections.abc import Callable, Sequence
from random import Random

from llmos.sim.faults import NEVER, parse_faults
from llmos.sim.uart import Wire

from .damage import Damage
from .link_pair import PATIENCE_MS, Tally, harm

OPERATIONS = range(1, 14)
WINDOW = 128  # bytes between two acknowledgements of raw paste
TRANSFER = 8 * WINDOW  # bytes of a program
PENDING = 12  # CRC-16 blocks on their way
RTO_MS = 25
SYNC, LEAST, MOST = 0x7E, 5, 64


class Order:
    """What was sent, in order, and the judgement on what is taken for it."""

    def __init__(self, tally: Tally, plan: Sequence[bytes]) -> None:
        self.plan, self.handed, self.seen = plan, 0, set[int]()
        self._places = {data: place for place, data in enumerate(plan)}
        self._tally = tally

    def judge(self, data: bytes) -> None:
        """Enter something that was accepted."""
        place = self._places.get(data)
        if place is None:
            self._tally.wrong += 1
        elif place < self.handed or place in self.seen:
            self._tally.disorder += 1
        else:
            self._tally.reliable += 1
            self.handed = place + 1
        if place is not None:
            self.seen.add(place)

    def close(self) -> None:
        """Count what never came."""
        self._tally.lost += len(self.plan) - len(self.seen)


def xor_frame(operation: int, left: int, right: int) -> bytes:
    """Build a six-byte frame."""
    return bytes((0xAA, operation, left, right, operation ^ left ^ right, 0xFF))


def xor_frames(stream: bytes) -> list[bytes]:
    """Return the frames that a receiver finds."""
    found, at = [], 0
    while (at := stream.find(0xAA, at)) >= 0 and at + 6 <= len(stream):
        frame = stream[at : at + 6]
        good = frame[5] == 0xFF and frame[1] ^ frame[2] ^ frame[3] == frame[4] and frame[1] in OPERATIONS
        found += [frame] if good else []
        at += 6 if good else 1
    return found


def try_xor(seed: int, frames: int = 150) -> Tally:
    """Send commands as six-byte frames."""
    random, tally = Random(seed), Tally(sessions=1)
    (damage, _), _ = harm(random)
    plan = [xor_frame(random.choice(OPERATIONS), number, random.randrange(256)) for number in range(frames)]
    order = Order(tally, plan)
    for frame in xor_frames(b"".join(damage.pass_on(plan))):
        order.judge(frame)
    order.close()
    tally.frames += frames
    tally.damage += damage.counts
    return tally


def try_paste(seed: int, frames: int = 150) -> Tally:
    """Send programs by raw paste."""
    random, tally = Random(seed), Tally(sessions=1)
    damages, _ = harm(random)
    for _ in range(frames * WINDOW // TRANSFER):
        program = bytes(random.choices(range(10, 127), k=TRANSFER))
        taken = _paste(program, *damages)
        tally.frames += TRANSFER // WINDOW
        if taken is None:
            tally.lost += 1
        elif taken == program:
            tally.reliable += 1
        else:
            tally.wrong += 1
    for damage in damages:
        tally.damage += damage.counts
    return tally


def _paste(program: bytes, to_device: Damage, to_host: Damage) -> bytes | None:
    """Return what the device executes; None where the transfer stops, by an error or for ever."""
    window, at, got, counted = 2 * WINDOW, 0, bytearray(), 0
    while window >= WINDOW or at >= len(program):
        chunk = program[at : at + WINDOW] or b"\x04"
        at, window = at + len(chunk), window - WINDOW
        for byte in b"".join(to_device.pass_on([chunk])):
            if byte == 3:
                return None
            if byte == 4:
                return bytes(got)
            got.append(byte)
            counted += 1
        grants, counted = counted // WINDOW, counted % WINDOW
        answer = b"".join(to_host.pass_on([b"\x01"] * grants))
        if answer.strip(b"\x01") or chunk == b"\x04":
            return None  # an unexpected answer, or an end that never came
        window += WINDOW * len(answer)
    return None


def block(seq: int, content: bytes = b"") -> bytes:
    """Build a CRC-16 block."""
    body = bytes((len(content) + LEAST, 0x10 | seq & 15)) + content
    return body + crc_hqx(body, 0xFFFF).to_bytes(2, "big") + bytes((SYNC,))


class Blocks:
    """Finds CRC-16 blocks in a stream."""

    def __init__(self) -> None:
        self._rest = b""
        self._lost_sync = False

    def feed(self, data: bytes) -> list[tuple[int, bytes] | None]:
        """Return each block's number and content, None for each place where the stream made no sense."""
        found: list[tuple[int, bytes] | None] = []
        rest = self._rest + data
        while rest:
            if self._lost_sync:
                _, sync, rest = rest.partition(bytes((SYNC,)))
                self._lost_sync = not sync
            elif rest[0] == SYNC:
                rest = rest[1:]
            elif not LEAST <= rest[0] <= MOST or (len(rest) > 1 and rest[1] & 0xF0 != 0x10):
                self._lost_sync = True
                found.append(None)
            elif len(rest) < rest[0]:
                break
            else:
                one, size = rest[: rest[0]], rest[0]
                good = one[-1] == SYNC and crc_hqx(one[:-3], 0xFFFF) == int.from_bytes(one[-3:-1], "big")
                self._lost_sync = not good
                found.append((one[1] & 15, one[2:-3]) if good else None)
                rest = rest[size:] if good else rest
        self._rest = rest
        return found


class BlockHost:
    """The host's end of the CRC-16 blocks: what is not acknowledged is sent again from there."""

    def __init__(self, plan: Sequence[bytes]) -> None:
        self.plan, self.base, self.next = plan, 0, 0
        self.deadline = NEVER
        self._repeated = -1
        self._blocks = Blocks()

    def turn(self, data: bytes, now: int) -> list[bytes]:
        """Take acknowledgements, and return the blocks to send."""
        for found in self._blocks.feed(data):
            if found is None or found[1]:
                continue
            count = (found[0] - self.base) & 15
            if 0 < count <= self.next - self.base:
                self.base += count
                self.deadline = now + RTO_MS if self.base < self.next else NEVER
            elif count == 0 and self._repeated != self.base:
                self._repeated, self.deadline = self.base, now
        out = []
        if now >= self.deadline:
            out = [block(at, self.plan[at]) for at in range(self.base, self.next)]
            self.deadline = now + RTO_MS
        while self.next < min(len(self.plan), self.base + PENDING):
            out.append(block(self.next, self.plan[self.next]))
            self.next += 1
            self.deadline = now + RTO_MS
        return out


def try_crc16(seed: int, frames: int = 150) -> Tally:
    """Send blocks as Klipper frames them, until all are acknowledged."""
    random, tally = Random(seed), Tally(sessions=1)
    damages, late = harm(random)
    wires = [Wire(parse_faults(late), seed, direction) for direction in (0, 1)]
    plan = [number.to_bytes(2, "big") + random.randbytes(random.randint(0, 57)) for number in range(frames)]
    host, order, blocks, expected, now = BlockHost(plan), Order(tally, plan), Blocks(), 0, 0
    while host.base < frames and now < PATIENCE_MS:
        sent = host.turn(wires[1].arrived(now), now)
        tally.frames += len(sent)
        wires[0].send(b"".join(damages[0].pass_on(sent)), now)
        for found in blocks.feed(wires[0].arrived(now)):
            if found and found[1] and found[0] == expected & 15:
                order.judge(found[1])
                expected += 1
            wires[1].send(b"".join(damages[1].pass_on([block(expected)])), now)
        now = max(now + 1, min(wires[0].next_ms, wires[1].next_ms, host.deadline))
    order.close()
    for damage in damages:
        tally.damage += damage.counts
    return tally


OTHERS: dict[str, Callable[[int], Tally]] = {
    "six bytes, XOR-8": try_xor,
    "raw paste": try_paste,
    "CRC-16 blocks": try_crc16,
}
