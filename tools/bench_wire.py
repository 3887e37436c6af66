"""Bytes on the wire for a square of 30 cm with a blink at each corner, by five ways to say it.

Ours are counted from the transcript of a drive on the virtual robot, both directions, with stuffing, all
acknowledgements, verdict and DONE; heartbeats and telemetry, which supervise whatever drives, are left
out and given in a note. The others: six-byte command frames (AA operation p1 p2 checksum FF), of which 8
say the moves and turns and nothing comes back; the same commands as JSON, a line each; and a Python
program, sent by mpremote's own code through raw paste to a device that answers as the protocol says. None
of the others bounds what the robot can do.
"""

import io
import json
import sys
from collections import Counter

from benchlib import Row, print_table
from mpremote.transport_serial import SerialTransport

from llmbytecode import assemble, write_container
from llmbytecode._isa import FrameType
from llmos.link import Robot, VirtualBoard
from llmos.link.frames import Splitter, build
from llmos.manifest import load_manifest, manifest_hash

SQUARE = """
        LOOP    4
        MOVE    30cm, 40mm/s
        LED     0, 0, 255
        WAIT    200ms
        LED     0, 0, 0
        TURN    90deg, 30deg/s
        ENDLOOP
        END
"""
COMMANDS = [
    {"cmd": "move", "mm": 300, "speed": 40},
    {"cmd": "led", "rgb": [0, 0, 255]},
    {"cmd": "wait", "ms": 200},
    {"cmd": "led", "rgb": [0, 0, 0]},
    {"cmd": "turn", "deg": 90, "rate": 30},
] * 4
PYTHON = """
from robot import move, turn, led
from time import sleep_ms
for _ in range(4):
    move(300, 40)
    led(0, 0, 255)
    sleep_ms(200)
    led(0, 0, 0)
    turn(90, 30)
""".lstrip()
SUPERVISION = (FrameType.HEARTBEAT, FrameType.STATUS, FrameType.TELEMETRY)
PEERS = ("six-byte frames", "JSON lines", "Python by raw paste")


class RawPasteDevice:
    """A device's end of MicroPython's raw REPL; the bytes of both directions are counted."""

    WINDOW = 128  # bytes between two acknowledgements, as MicroPython has it

    def __init__(self) -> None:
        self.bytes = 0
        self._answer = b""
        self._pasting = False
        self._taken = 0

    def write(self, data: bytes) -> None:
        """Take what the host sends, and answer."""
        self.bytes += len(data)
        if self._pasting:
            self._paste(data)
        elif data == b"\r\x01":
            self._say(b"raw REPL; CTRL-B to exit\r\n>")
        elif data == b"\x05A\x01":
            self._pasting = True
            self._say(b"R\x01" + self.WINDOW.to_bytes(2, "little") + b"\x01")

    def _paste(self, data: bytes) -> None:
        if data == b"\x04":
            self._pasting = False
            self._say(b"\x04" + b"\x04\x04>")  # the end is seen; no output, no error, the prompt
            return
        before, self._taken = self._taken, self._taken + len(data)
        self._say(b"\x01" * (self._taken // self.WINDOW - before // self.WINDOW))

    def _say(self, data: bytes) -> None:
        self._answer += data
        self.bytes += len(data)

    def read(self, size: int = 1) -> bytes:
        """Give the host what was said."""
        data, self._answer = self._answer[:size], self._answer[size:]
        return data

    def inWaiting(self) -> int:  # noqa: N802  # pyserial's name
        """How many bytes wait."""
        return len(self._answer)


def raw_paste(source: str) -> int:
    """Return the bytes that sending and running a program by raw paste takes, without the reset before it."""
    device = RawPasteDevice()
    transport = SerialTransport.__new__(SerialTransport)
    transport.serial, transport.is_pty = device, False
    transport.use_raw_paste, transport.in_raw_repl = True, False
    transport.enter_raw_repl(soft_reset=False)
    transport.exec_raw_no_follow(source)
    transport.follow(timeout=1)
    transport.exit_raw_repl()
    return device.bytes


def ours() -> tuple[Counter[str], Counter[str]]:
    """Return the bytes of each kind of frame in a first drive, and in one by hash alone."""
    limits = load_manifest().limits
    container = write_container(assemble(SQUARE), limits)
    drives = []
    with VirtualBoard(arena="empty") as board:
        transcript = io.BytesIO()
        with Robot(board.port, board.clock, manifest_hash(limits), seed=0, transcript=transcript) as robot:
            robot.connect()
            for _ in range(2):
                robot.wait(500)  # acknowledgements that are due come first
                transcript.seek(0)
                transcript.truncate()
                robot.run(container)
                robot.wait(500)
                drives.append(counted(transcript.getvalue()))
    return drives[0], drives[1]


def counted(transcript: bytes) -> Counter[str]:
    """Return the bytes of each kind of frame in a transcript."""
    count: Counter[str] = Counter()
    splitters = {b">": Splitter(), b"<": Splitter()}
    for line in transcript.splitlines():
        _, direction, data = line.split()
        for frame in splitters[direction].feed(bytes.fromhex(data.decode())):
            count[FrameType(frame.type).name] += len(build(frame))
    return count


def run() -> list[Row]:
    """Return our two ways beside the three others."""
    lines = "".join(json.dumps(command, separators=(",", ":")) + "\n" for command in COMMANDS)
    others = dict(zip(PEERS, (8 * 6, len(lines), raw_paste(PYTHON)), strict=True))
    rows = []
    for case, count in zip(("block, first time", "block, by hash"), ours(), strict=True):
        supervision = sum(count.pop(kind.name, 0) for kind in SUPERVISION)
        note = ", ".join(f"{name} {size}" for name, size in count.items())
        for peer, theirs in others.items():
            wanted = 1.0 if peer != PEERS[0] and case != "block, first time" else 0.0
            rows.append(Row(case, sum(count.values()), peer, theirs, "B", wanted, note))
            note = f"supervision {supervision} B in the whole drive" if peer == PEERS[0] else ""
    return rows


if __name__ == "__main__":
    sys.exit(0 if print_table("Bytes on the wire for a square drive", run()) else 1)
