"""Which blocks a robot runs as machine code, and how it gets there.

Whether a block will run often enough is not known, so machine code is bought when as much time could have
been saved as it costs: whatever comes, that is at most twice the best that could have been done (the
ski-rental rule; Karlin, Manasse, Rudolph and Sleator 1988). Blocks of a stream behind the first are left as
they are, because a robot takes machine code in only while it stands.
"""

import hashlib
from collections import Counter
from typing import TYPE_CHECKING, Literal

from llmbytecode import read_container
from llmbytecode._isa import FrameType
from llmbytecode.native import CompileError, compile_source, target_of, viper_source

if TYPE_CHECKING:
    from llmos.link.robot import Robot

Choice = Literal["auto", "always", "never"]
# What an instruction costs less as machine code. x64 and x86: measured by tools/bench_native.py. The ESP32's
# is an estimate and was never measured; its manifest allows an interpreted instruction at most 50 µs.
SAVED_NS = {"x64": 5.0, "x86": 5.0, "xtensawin": 1000.0}
BYTE_MS = 10 / 115.2 * 1.15  # ten bits at 115200 baud, and what the frames of 116 bytes add
MAKING_MS = 25.0  # to compile and to load: tools/bench_native.py
ANSWER_MS = 3000
HASH = 8  # bytes of the SHA-256 that COMMIT names


def break_even(size: int, target: str) -> float:
    """Return after how many instructions machine code of `size` bytes has saved the time that it takes."""
    return (MAKING_MS + size * BYTE_MS) * 1e6 / SAVED_NS[target]


class MachineCode:
    """A robot's machine code, block by block: made once, sent at most once in a session."""

    def __init__(self) -> None:
        """Know of no block yet."""
        self.choice: Choice = "auto"
        self.executed: Counter[bytes] = Counter()  # by block: instructions interpreted
        self._made: dict[tuple[bytes, str], bytes] = {}  # by block and target; empty: it cannot be made
        self._settled: set[bytes] = set()  # blocks of this session whose code is attached, or refused

    def begin(self) -> None:
        """Note that a session begins."""
        self._settled.clear()

    def prepare(self, robot: "Robot", container: bytes, block: bytes) -> None:
        """Attach machine code to a block that the robot holds, where that is wanted and worth it."""
        target = target_of(robot.hello.native) if robot.hello else None
        if self.choice == "never" or target is None or block in self._settled:
            return
        if self.choice == "auto" and self.executed[block] < break_even(0, target):
            return
        mpy = self._make(container, block, target)
        if not mpy or (self.choice == "auto" and self.executed[block] < break_even(len(mpy), target)):
            return
        attach(robot, block, mpy)
        self._settled.add(block)

    def _make(self, container: bytes, block: bytes, target: str) -> bytes:
        if (block, target) not in self._made:
            try:
                source = viper_source(read_container(container).program, None)
                self._made[block, target] = compile_source(source, target)
            except CompileError:  # the interpreter does it too
                self._made[block, target] = b""
        return self._made[block, target]


def attach(robot: "Robot", block: bytes, mpy: bytes) -> bool:
    """Send machine code for a block that the robot holds; return whether it took it.

    Raises:
        LinkTimeout: no answer came.
    """
    if len(mpy) > 0xFFFF:
        return False
    robot._verdict = None
    robot._request(FrameType.NATIVE, block, len(mpy))
    robot._send_data(mpy)
    robot._request(FrameType.COMMIT, hashlib.sha256(mpy).digest()[:HASH])
    robot._pump(ANSWER_MS + int(len(mpy) * BYTE_MS), lambda: robot._fault or robot._verdict)
    if robot._fault:
        robot._fault = None
        return False
    if robot._verdict is None:
        raise robot._timeout("VERDICT", ANSWER_MS)
    return True
