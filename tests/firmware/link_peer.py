# The robot's end of the link alone, for link_pair.py: no robot, and no clock but what each request says.
# Standard input: requests
#     <IHH  now in ms, size of what has arrived, size of the commands; then both
# A command is whether the frame is kept until it is acknowledged (1) or sent once (0), its type, the size of
# its payload, and the payload. Standard output: answers
#     <iHIHH  when to ask again (ms, -1: when bytes arrive), free places in the queue, frames refused so far,
#     size of the notes, size of what was written; then both
# A note is whether a frame that passed the checks was handed on, its size without the checksum, and itself.
import sys
from struct import pack, pack_into, unpack, unpack_from

sys.path.insert(0, "firmware")

from llmvm import _isa as I
from llmvm.link import HEADER, Link

QUEUE = 144  # as the supervisor of the reference robot has it


class Serial:
    room = 4096

    def __init__(self):
        self.arrived = b""
        self.out = []

    def readinto(self, buffer):
        size = min(len(buffer), len(self.arrived))
        buffer[:size] = self.arrived[:size]
        self.arrived = self.arrived[size:]
        return size

    def write(self, buffer, size):
        self.out.append(bytes(buffer[:size]))


class Noted(Link):
    def __init__(self, serial):
        super().__init__(serial, [None] + [self._take] * (I.FRAMES - 1), QUEUE)
        self._handlers[I.F_IDENTIFY] = self._hello
        self._nonce = None
        self._taken = 0
        self.notes = []

    def _take(self, size):
        self._taken = 1

    # As the supervisor does it.
    def _hello(self, size):
        nonce = unpack_from(I.IDENTIFY_FORMAT, self.frame, HEADER)[0]
        if self.asked != self.session or nonce != self._nonce:
            self._nonce = nonce
            self.begin(self.asked)
        pack_into(I.HELLO_FORMAT, self.out, HEADER, nonce, I.SPEC_HASH, 0, I.MAJOR, I.MINOR, 0, 0)
        self.send(I.F_HELLO, HELLO_SIZE)

    def _accept(self, code, seq, ack, credit, size, now):
        self._taken = 0
        super()._accept(code, seq, ack, credit, size, now)
        self.notes.append(bytes((self._taken, HEADER + size)) + self.frame[: HEADER + size])


HELLO_SIZE = len(pack(I.HELLO_FORMAT, 0, 0, 0, 0, 0, 0, 0))
source, sink = sys.stdin.buffer, sys.stdout.buffer
serial = Serial()
link = Noted(serial)


def obey(commands):
    at = 0
    while at < len(commands):
        kept, code, size = commands[at : at + 3]
        payload = commands[at + 3 : at + 3 + size]
        if kept:
            link.keep(code, payload, size)
        else:
            link.out[HEADER : HEADER + size] = payload
            link.send(code, size)
        at += 3 + size


while True:
    request = source.read(8)
    if len(request) < 8:
        break
    now, size, size_of_commands = unpack("<IHH", request)
    serial.arrived = source.read(size) if size else b""
    link.receive(now)
    if link.session >= 0:
        obey(source.read(size_of_commands) if size_of_commands else b"")
        link.flush(now)
    deadline = -1 if link.deadline is None else link.deadline
    free = QUEUE - (link._end - link._base)
    notes, out = b"".join(link.notes), b"".join(serial.out)
    link.notes.clear()
    serial.out.clear()
    sink.write(pack("<iHIHH", deadline, free, link.bad, len(notes), len(out)) + notes + out)
