"""One direction of the virtual serial line: its speed, and what can happen to bytes on their way."""

import re
from collections import deque

import numpy as np

from llmos.sim.faults import ENDS, NEVER, Faults

BAUD = 921_600
_BITS = 10  # start bit, eight bits, stop bit
_FRAME = re.compile(rb"\0*[^\0]+\0?|\0+")  # what stands between two delimiters, one of them included


class Wire:
    """Bytes on their way; times in ms of the arena's clock."""

    def __init__(self, faults: Faults, seed: int, direction: int) -> None:
        """Lay a line to `ENDS[direction]`."""
        self._faults = faults.toward(ENDS[direction])
        self._random = np.random.default_rng([seed, 3, direction])
        self._on_way: deque[tuple[int, bytes]] = deque()
        self._free_us = 0  # when the line has sent everything
        self._noisy = any(map(self._faults.much, ("lose", "flip", "double", "swap")))

    def send(self, data: bytes, now_ms: int) -> None:
        """Put bytes on the line; each frame arrives when its last bit has, at least one millisecond later."""
        if self._cut(now_ms):
            return
        late = int(self._faults.much("delay"))
        late = int(self._random.integers(late + 1)) if late else 0
        for frame in _FRAME.findall(data):
            self._free_us = max(self._free_us, now_ms * 1000) + -(-len(frame) * _BITS * 1_000_000 // BAUD)
            arrival = max(-(-self._free_us // 1000), now_ms + 1) + late
            arrival = max(arrival, self._on_way[-1][0] if self._on_way else 0)
            if self._faults.much("drop") and self._random.random() < self._faults.much("drop"):
                continue
            if frame := self._spoiled(frame) if self._noisy else frame:
                self._on_way.append((arrival, frame))

    def _cut(self, now_ms: int) -> bool:
        return self._faults.when("cut") <= now_ms < self._faults.over("cut")

    @property
    def next_ms(self) -> int:
        """When the next bytes arrive; `NEVER` where none are on their way."""
        return self._on_way[0][0] if self._on_way else NEVER

    def arrived(self, now_ms: int) -> bytes:
        """Take what has arrived."""
        data = b""
        while self._on_way and self._on_way[0][0] <= now_ms:
            data += self._on_way.popleft()[1]
        return b"" if self._cut(now_ms) else data

    def clear(self) -> None:
        """Forget what is on its way."""
        self._on_way.clear()

    def _spoiled(self, data: bytes) -> bytes:
        chances = self._random.random((len(data), 4))
        lose, flip, double, swap = (
            chances[:, column] < self._faults.much(name)
            for column, name in enumerate(("lose", "flip", "double", "swap"))
        )
        out = bytearray()
        for index, byte in enumerate(data):
            if lose[index]:
                continue
            if flip[index]:
                byte ^= 1 << int(self._random.integers(8))
            out += bytes([byte]) * (2 if double[index] else 1)
            if swap[index] and len(out) > 1:
                out[-1], out[-2] = out[-2], out[-1]
        return bytes(out)
