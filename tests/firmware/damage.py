"""What a bad cable does to frames, by the frame: ten kinds of corruption, counted."""

from collections import Counter
from collections.abc import Callable, Sequence
from random import Random

LONGEST_GARBAGE = 40  # bytes
FURTHEST = 3  # frames that may overtake another one


def _flip(frame: bytearray, random: Random, _other: bytes) -> None:
    """Flip one to four bits."""
    for _ in range(random.randint(1, 4)):
        frame[random.randrange(len(frame))] ^= 1 << random.randrange(8)


def _lose(frame: bytearray, random: Random, _other: bytes) -> None:
    """Lose some bytes in a row."""
    at = random.randrange(len(frame))
    del frame[at : at + random.randint(1, 4)]


def _double(frame: bytearray, random: Random, _other: bytes) -> None:
    """Have a byte twice."""
    at = random.randrange(len(frame))
    frame.insert(at, frame[at])


def _swap(frame: bytearray, random: Random, _other: bytes) -> None:
    """Exchange two bytes, mostly neighbours."""
    one = random.randrange(len(frame))
    other = random.choice([one - 1, one - 1, random.randrange(len(frame))])
    frame[one], frame[other] = frame[other], frame[one]


def _truncate(frame: bytearray, random: Random, _other: bytes) -> None:
    """Lose the end."""
    del frame[random.randrange(len(frame)) :]


def _splice(frame: bytearray, random: Random, other: bytes) -> None:
    """Begin as this frame and end as the one before it."""
    del frame[random.randrange(len(frame)) :]
    frame += other[random.randrange(len(other)) :] if other else b""


def _garbage(frame: bytearray, random: Random, _other: bytes) -> None:
    """Have bytes before or behind it that nobody sent."""
    noise = random.randbytes(random.randint(1, LONGEST_GARBAGE))
    at = random.choice([0, len(frame)])
    frame[at:at] = noise


BYTES: dict[str, Callable[[bytearray, Random, bytes], None]] = {
    "flip": _flip,
    "lose": _lose,
    "double": _double,
    "swap": _swap,
    "truncate": _truncate,
    "splice": _splice,
    "garbage": _garbage,
}
FRAMES = (
    "drop",
    "repeat",
    "overtake",
)  # what befalls a frame as a whole: lost, twice, later than the next ones
KINDS = (*BYTES, *FRAMES)


class Damage:
    """One direction of a bad cable: each frame is hit with the probability `rate`, and perhaps again."""

    def __init__(self, random: Random, rate: float, kinds: Sequence[str] = KINDS) -> None:
        self.random, self.rate, self.kinds = random, rate, kinds
        self.counts: Counter[str] = Counter()
        self._before = b""  # the last frame, undamaged
        self._held: list[tuple[int, bytes]] = []  # how many frames still overtake it, and the frame

    def pass_on(self, frames: Sequence[bytes]) -> list[bytes]:
        """Return what arrives of the frames, in its order."""
        arrived: list[bytes] = []
        for frame in frames:
            arrived += self._one(frame)
            self._before = frame
            self._held = [(left - 1, held) for left, held in self._held]
            arrived += [held for left, held in self._held if left == 0]
            self._held = [(left, held) for left, held in self._held if left]
        return arrived

    def _one(self, frame: bytes) -> list[bytes]:
        hits = []
        while self.random.random() < self.rate:
            hits.append(self.random.choice(self.kinds))
        if not hits:
            return [frame]
        self.counts.update(hits)
        piece = bytearray(frame)
        for kind in hits:
            if piece and kind in BYTES:
                BYTES[kind](piece, self.random, self._before)
        if "drop" in hits:
            return []
        if "overtake" in hits:
            self._held.append((self.random.randint(1, FURTHEST) + 1, bytes(piece)))
            return []
        return [bytes(piece)] * (2 if "repeat" in hits else 1)
