"""Both real ends of the link over a simulated line: the host's transport, and the firmware's on MicroPython.

Nothing is believed that an end says of itself. A ledger has every frame that an end has written; what the
other end takes for a frame must be in it, and what it hands on must be what was given to the link, once and
in order. A datagram may come twice, as the line may double it; it may not be handed on behind a reliable
frame that was sent after it.
"""

import re
import struct
import subprocess
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import NamedTuple

from llmbytecode._isa import FRAME_FORMAT, FRAMES, FrameType
from llmos.link.frames import MAX_PAYLOAD, RELIABLE, Frame, Splitter, build, parse
from llmos.link.messages import pack
from llmos.link.transport import Transport
from llmos.sim.faults import NEVER, parse_faults
from llmos.sim.uart import Wire

from .damage import KINDS, Damage

ROOT = Path(__file__).parents[2]
IDENTIFY_MS = 200
QUEUE = 144  # reliable frames that the firmware's end can keep
PATIENCE_MS = 3_600_000  # what has not come after an hour of the line's time will never come
FRAME = re.compile(rb"\0?[^\0]+\0")
REQUEST, ANSWER = struct.Struct("<IHH"), struct.Struct("<iHIHH")
HEADER = struct.Struct(FRAME_FORMAT)
RATES = (0.003, 0.03, 0.1, 0.3)

Given = tuple[int, bytes]  # type and payload


class Answer(NamedTuple):
    """What the firmware's end did: when it wants to be asked again, its notes, and what it wrote."""

    wake: int  # ms
    free: int  # places in its queue
    refused: int
    notes: list[tuple[bool, Frame]]  # frames that passed its checks, and whether it handed them on
    written: bytes


class Peer:
    """The firmware's end of the link, on MicroPython."""

    def __init__(self, micropython: Path) -> None:
        command = [micropython, "-X", "heapsize=4m", "tests/firmware/link_peer.py"]
        self._process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def close(self) -> None:
        """End it."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.close()
        self._process.wait(timeout=10)
        self._process.stdout.close()

    def ask(self, now: int, arrived: bytes, kept: list[Given], once: list[Given]) -> Answer:
        """Deliver bytes, give it frames to send, and return what it did."""
        assert self._process.stdin
        assert self._process.stdout
        given = [(1, *one) for one in kept] + [(0, *one) for one in once]
        commands = b"".join(bytes((how, type_, len(data))) + data for how, type_, data in given)
        self._process.stdin.write(REQUEST.pack(now, len(arrived), len(commands)) + arrived + commands)
        self._process.stdin.flush()
        head = self._process.stdout.read(ANSWER.size)
        wake, free, refused, size, rest = ANSWER.unpack(head)
        notes, at, data = [], 0, self._process.stdout.read(size)
        while at < size:
            body = data[at + 2 : at + 2 + data[at + 1]]
            notes.append((data[at] == 1, Frame(*HEADER.unpack_from(body), body[HEADER.size :])))
            at += 2 + len(body)
        return Answer(NEVER if wake < 0 else wake, free, refused, notes, self._process.stdout.read(rest))


@dataclass
class Tally:
    """What came of sessions."""

    sessions: int = 0
    frames: int = 0  # written by both ends
    reliable: int = 0  # given to both ends, and handed on
    datagrams: int = 0  # handed on
    refused: int = 0  # pieces that passed no check
    wrong: int = 0  # frames accepted that nobody sent
    lost: int = 0  # reliable frames that never came
    disorder: int = 0  # reliable frames twice or too early, datagrams too late
    ms: int = 0  # simulated
    damage: Counter[str] = field(default_factory=Counter)

    @property
    def corruptions(self) -> int:
        """All of them."""
        return self.damage.total()

    def add(self, other: "Tally") -> None:
        """Count another tally in."""
        for name, value in vars(other).items():
            setattr(self, name, getattr(self, name) + value)


class Ledger:
    """What one end was given and has written, and the judgement on what the other one makes of it."""

    def __init__(self, tally: Tally) -> None:
        self.plan: list[Given] = []  # the reliable frames, in order
        self.handed = 0  # of them
        self._tally = tally
        self._numbered = 0  # of them, written so far
        self._written: dict[bytes, int] = {}  # each frame, and how many reliable ones had been written before

    def write(self, data: bytes) -> list[bytes]:
        """Enter what an end writes; return its frames."""
        frames: list[bytes] = FRAME.findall(data)
        for frame in map(parse, (piece.strip(b"\0") for piece in frames)):
            self._written[build(frame)] = self._numbered
            if self.plan[self._numbered : self._numbered + 1] == [(frame.type, frame.payload)]:
                self._numbered += 1
        self._tally.frames += len(frames)
        return frames

    def judge(self, frame: Frame, handed_on: bool) -> None:
        """Enter a frame that has passed the other end's checks."""
        tally, before = self._tally, self._written.get(build(frame))
        if before is None:
            tally.wrong += 1
        elif handed_on and frame.type not in RELIABLE:
            tally.datagrams += 1
            tally.disorder += self.handed > before
        elif handed_on and self.plan[self.handed : self.handed + 1] == [(frame.type, frame.payload)]:
            tally.reliable += 1
            self.handed += 1
        elif handed_on:
            tally.disorder += 1


class Noted(Splitter):
    """The host's splitter, which notes what passed its checks."""

    def __init__(self) -> None:
        super().__init__()
        self.passed: list[Frame] = []

    def feed(self, data: bytes) -> list[Frame]:
        """Find the frames."""
        frames = super().feed(data)
        self.passed += frames
        return frames


class Line:
    """One direction: the ledger of what is written, the damage, and the wire at its pace."""

    def __init__(self, tally: Tally, damage: Damage, wire: Wire) -> None:
        self.ledger, self.damage, self.wire = Ledger(tally), damage, wire

    def write(self, data: bytes, now: int) -> None:
        """Put frames on the wire."""
        if data:
            self.wire.send(b"".join(self.damage.pass_on(self.ledger.write(data))), now)


class Source:
    """Makes up frames of some types."""

    def __init__(self, random: Random, types: Sequence[FrameType]) -> None:
        self._random, self._types = random, types

    def make(self) -> Given:
        """Make one."""
        type_ = self._random.choice(self._types)
        size = struct.calcsize(FRAMES[type_].format)
        if type_ is FrameType.DATA:
            size = self._random.choice([self._random.randint(size, MAX_PAYLOAD), MAX_PAYLOAD])
        return type_, self._random.randbytes(size)


HOST = (FrameType.DATA,) * 6 + (FrameType.BEGIN, FrameType.COMMIT, FrameType.RUN, FrameType.NEXT)
ROBOT = (FrameType.EVENT, FrameType.DONE, FrameType.VERDICT, FrameType.FAULT)


class Session:
    """One session between the two ends, to the last acknowledgement."""

    def __init__(
        self, peer: Peer, random: Random, to_robot: Line, to_host: Line, tally: Tally, frames: int
    ) -> None:
        self.peer, self.random, self.tally = peer, random, tally
        self.to_robot, self.to_host = to_robot, to_host
        self.host = Transport(random.getrandbits(16))
        self.host._splitter = self.passed = Noted()
        self.nonce = pack(FrameType.IDENTIFY, random.getrandbits(32))
        self.connected = False
        self.left = [frames, frames]  # reliable frames not yet given to the host's end, to the robot's
        self.sources = Source(random, HOST), Source(random, ROBOT)
        self.now = self.give_ms = 0
        self.wake = 0
        self.robot = Answer(NEVER, 0, 0, [], b"")

    def run(self) -> None:
        """Run it to its end."""
        while self.now < PATIENCE_MS:
            kept, once = self._give() if self.now >= self.give_ms else ([], [])
            self._host_turn()
            self._robot_turn(kept, once)
            if self.over:
                break
            wires = self.to_robot.wire.next_ms, self.to_host.wire.next_ms
            self.now = max(self.now + 1, min(*wires, self.wake, self.robot.wake, self.give_ms))
        for line, left in zip((self.to_robot, self.to_host), self.left, strict=True):
            self.tally.lost += len(line.ledger.plan) - line.ledger.handed + left
            self.tally.damage += line.damage.counts
        self.tally.refused += self.host.stats.refused
        self.tally.sessions += 1
        self.tally.ms += self.now

    @property
    def over(self) -> bool:
        """Whether all that was to be given is handed on and acknowledged."""
        lines = self.to_robot.ledger, self.to_host.ledger
        handed = all(ledger.handed == len(ledger.plan) for ledger in lines)
        return handed and self.left == [0, 0] and self.host.idle and self.robot.free == QUEUE

    def _give(self) -> tuple[list[Given], list[Given]]:
        """Give the host's end frames to send, and return those for the robot's."""
        if not self.connected:
            self.give_ms = self.now + IDENTIFY_MS
            self.host.send(FrameType.IDENTIFY, self.nonce)
            return [], []
        random, batches = self.random, []
        for end, most in enumerate((20, min(20, self.robot.free))):
            count = min(self.left[end], random.randint(0, most))
            self.left[end] -= count
            batches.append([self.sources[end].make() for _ in range(count)])
        self.to_robot.ledger.plan += batches[0]
        self.to_host.ledger.plan += batches[1]
        beats = [Source(random, (FrameType.HEARTBEAT,)).make() for _ in range(random.randint(0, 2))]
        for type_, payload in batches[0] + beats:
            self.host.send(type_, payload)
        self.give_ms = self.now + random.randint(1, 60) if any(self.left) else NEVER
        return batches[1], [
            Source(random, (FrameType.TELEMETRY,)).make() for _ in range(random.randint(0, 2))
        ]

    def _host_turn(self) -> None:
        accepted = self.host.receive(self.to_host.wire.arrived(self.now), self.now)
        handed = set(map(id, accepted))
        for frame in self.passed.passed:
            if frame.session == self.host.session:
                self.to_host.ledger.judge(frame, id(frame) in handed)
        self.passed.passed.clear()
        if not self.connected and any(frame.type == FrameType.HELLO for frame in accepted):
            self.connected, self.give_ms = True, self.now + 1
        data, wake = self.host.poll(self.now)
        self.wake = NEVER if wake is None else wake
        self.to_robot.write(data, self.now)

    def _robot_turn(self, kept: list[Given], once: list[Given]) -> None:
        arrived = self.to_robot.wire.arrived(self.now)
        if not (arrived or kept or once or self.now >= self.robot.wake):
            return
        before = self.robot.refused
        self.robot = self.peer.ask(self.now, arrived, kept, once)
        self.tally.refused += self.robot.refused - before if before else 0
        self.to_host.write(self.robot.written, self.now)
        for handed_on, frame in self.robot.notes:
            self.to_robot.ledger.judge(frame, handed_on)


def harm(random: Random) -> tuple[tuple[Damage, Damage], list[str]]:
    """Draw what befalls a session: damage of some kinds at some rate in each direction, perhaps delays."""
    both = []
    for _ in range(2):
        kinds = random.choice([KINDS, KINDS, KINDS, random.sample(KINDS, random.randint(1, 3))])
        both.append(Damage(random, random.choice(RATES), kinds))
    return (both[0], both[1]), random.choice([[], [], [], ["delay=30"]])


def try_session(peer: Peer, seed: int, frames: int = 150) -> Tally:
    """Run the session of a seed."""
    random, tally = Random(seed), Tally()
    damages, late = harm(random)
    wires = (Wire(parse_faults(late), seed, direction) for direction in (0, 1))
    to_robot, to_host = (Line(tally, damage, wire) for damage, wire in zip(damages, wires, strict=True))
    Session(peer, random, to_robot, to_host, tally, frames).run()
    return tally
