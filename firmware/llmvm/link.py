# The robot's end of the link: COBS frames with a CRC, sessions, sequence numbers and go-back-N.
from array import array
from binascii import crc32
from struct import calcsize, pack_into, unpack_from

import micropython
from micropython import const

from llmvm import _isa

HEADER = const(7)  # bytes before the payload
_CRC = const(4)
_LARGEST = const(247)  # header, payload and CRC
_STUFFED = const(248)  # COBS adds one byte to fewer than 255
_WINDOW = const(8)
_RTO_LEAST = const(25)  # ms
_RTO_MOST = const(1000)
_KEPT = const(32)  # bytes kept of a reliable frame: its size, its type, its payload
_FIRST = const(2)

_BREAK = b"\x03"  # Ctrl-C
_FIRST_TYPED = b"\r\x03"  # nothing else begins a break: a heartbeat that is cut off may read 04 03
_TYPED = b"\x01\x02\x03\x04\x05\r\n"  # what a terminal's user or tool sends with it
_GAP_MS = const(50)  # no frame has a longer pause in it


_HOST_FRAMES = "IDENTIFY HEARTBEAT STATUS BEGIN DATA COMMIT RUN STOP ESTOP CLEAR ACK NEXT NATIVE CLOSE"


# The size of each host frame's payload, by type; DATA's is the least, and -1 stands for what no host sends.
def _payload_sizes():
    sizes = [-1] * _isa.FRAMES
    for name in _HOST_FRAMES.split():
        sizes[getattr(_isa, "F_" + name)] = calcsize(getattr(_isa, name + "_FORMAT", ""))
    return sizes


# Copy bytes from chunk[at:size] to the frame until a zero. Returns the place behind the last byte taken,
# which was the zero unless that place is `size` and state[1] is 0. state[0] counts the frame's bytes; those
# beyond its room are only counted.
@micropython.viper
def _collect(chunk: ptr8, at: int, size: int, frame: ptr8, state: ptr32) -> int:
    n = state[0]
    state[1] = 0
    while at < size:
        byte = chunk[at]
        at += 1
        if byte == 0:
            state[1] = 1
            break
        if n < _STUFFED:
            frame[n] = byte
        n += 1
    state[0] = n
    return at


# Undo COBS in place and return the number of bytes, or -1 where a length byte points behind the end.
@micropython.viper
def _unstuff(frame: ptr8, size: int) -> int:
    at = 0
    out = 0
    while at < size:
        run = frame[at]
        end = at + run
        if end > size:
            return -1
        at += 1
        while at < end:
            frame[out] = frame[at]
            out += 1
            at += 1
        if run < 255 and at < size:
            frame[out] = 0
            out += 1
    return out


# Write zero, the stuffed bytes and zero to out; returns how many. The size is below 254.
@micropython.viper
def _stuff(data: ptr8, size: int, out: ptr8) -> int:
    out[0] = 0
    mark = 1
    n = 2
    at = 0
    while at < size:
        byte = data[at]
        at += 1
        if byte:
            out[n] = byte
        else:
            out[mark] = n - mark
            mark = n
        n += 1
    out[mark] = n - mark
    out[n] = 0
    return n + 1


class Link:
    # `handlers` has a function (payload's size) or None for each type; the payload is in `link.frame` from
    # HEADER on. `queue` is the number of reliable frames that can wait to be acknowledged.
    def __init__(self, serial, handlers, queue):
        self._serial = serial
        self._handlers = handlers
        self._sizes = _payload_sizes()
        self._chunk = bytearray(256)
        self.frame = bytearray(_STUFFED)
        self._frame_view = memoryview(self.frame)
        self._state = array("i", (0, 0))
        self.out = bytearray(_LARGEST)  # a datagram's payload is written here, from HEADER on, before `send`
        self._out_view = memoryview(self.out)
        self._wire = bytearray(_LARGEST + 3)
        self._queue = queue
        self._kept = bytearray(queue * _KEPT)
        self._kept_view = memoryview(self._kept)
        self.session = self.asked = -1  # the session, and the one that IDENTIFY asks for; -1: none
        self.heard = 0  # ms when the last valid frame came
        self._stirred = 0  # ms when the last byte came
        self.bad = self.strange = self.repeated = 0  # frames broken, of another session or number, sent again
        self._restart()

    def _restart(self):
        self._expected = 0  # the host's next reliable frame
        self._owing = False  # an acknowledgement
        self._base = self._next = 0  # the first frame not acknowledged, the next one to send; not modulo 256
        self._sent = self._end = 0  # the first one that was never sent, the first one that is not there
        self._in_flight = 0  # bytes
        self._room = 0  # the host's credit
        self._rtt = 0  # ms * 8, smoothed
        self._deviation = 0  # ms * 4
        self._rto = 4 * _RTO_LEAST
        self._timed = -1  # the frame whose round trip is measured
        self._timed_at = 0
        self._resent = -1  # the frame for which a repeated acknowledgement has been answered
        self.deadline = None  # ms when the unacknowledged frames are sent again

    # Take what has arrived and hand on every valid frame.
    def receive(self, now):
        size = self._serial.readinto(self._chunk)
        if size and now - self._stirred >= _GAP_MS:
            self._state[0] = 0  # what had begun before the pause was no frame
        while size:
            self._stirred = now
            at = 0
            while at < size:
                at = _collect(self._chunk, at, size, self.frame, self._state)
                if self._state[1]:
                    size_of_frame = self._state[0]
                    self._state[0] = 0
                    if size_of_frame:
                        self._check(size_of_frame, now)
            size = self._serial.readinto(self._chunk)

    # When it will be certain that what came last is a Ctrl-C and no part of a frame; None where it is none.
    def break_at(self):
        size = self._state[0]
        if not 0 < size <= _STUFFED:
            return None
        typed = bytes(self._frame_view[:size])
        if typed[:1] not in _FIRST_TYPED or _BREAK not in typed or typed.strip(_TYPED):
            return None
        return self._stirred + _GAP_MS

    # What came behind the Ctrl-C.
    def behind_break(self):
        typed = bytes(self._frame_view[: self._state[0]])
        return typed[typed.rindex(_BREAK) + 1 :]

    def _check(self, size, now):
        size = _unstuff(self.frame, size) - _CRC if size <= _STUFFED else -1
        if size < HEADER:
            self.bad += 1
            return
        code, session, seq, ack, credit = unpack_from(_isa.FRAME_FORMAT, self.frame, 0)
        seed = 0 if code == _isa.F_IDENTIFY else _isa.SPEC_HASH
        if crc32(self._frame_view[:size], seed) != unpack_from("<I", self.frame, size)[0]:
            self.bad += 1
            return
        size -= HEADER
        least = self._sizes[code] if code < len(self._sizes) else -1
        if least < 0 or size < least or (size > least and code != _isa.F_DATA):
            self.bad += 1
        elif code == _isa.F_IDENTIFY:
            self._identify(session, credit, size, now)
        elif session == self.session:
            self._accept(code, seq, ack, credit, size, now)
        else:
            self.strange += 1

    # A repeated IDENTIFY is answered again but begins nothing: the handler tells by the nonce, and calls
    # `begin`. Once its session has gone on, it is an echo, which proves nobody alive.
    def _identify(self, session, credit, size, now):
        if session != self.session or self._expected == 0:
            self.heard = now
        self.asked = session
        self._handlers[_isa.F_IDENTIFY](size)
        self._room = credit

    # Begin a session; -1: be without one.
    def begin(self, session):
        self.session = session
        self._restart()

    def _accept(self, code, seq, ack, credit, size, now):
        self._room = credit
        self._acknowledged(ack, code == _isa.F_ACK, now)
        if (_isa.RELIABLE >> code) & 1:
            self._owing = True
            if seq != self._expected:
                self.strange += 1
                return
            self._expected = (seq + 1) & 0xFF
        elif (seq - self._expected) & 0x80:
            self.strange += 1
            return
        self.heard = now
        handler = self._handlers[code]
        if handler:
            handler(size)

    def _acknowledged(self, ack, alone, now):
        count = (ack - self._base) & 0xFF
        if count == 0:
            if alone and self._sent > self._base and self._resent != self._base:
                self._resent = self._base
                self._again(now)
            return
        if count > self._sent - self._base:
            return
        if self._base <= self._timed < self._base + count:
            self._measure(now - self._timed_at)
        while count:
            if self._base < self._next:
                self._in_flight -= self._kept[self._base % self._queue * _KEPT] + HEADER + _CRC
            self._base += 1
            count -= 1
        self._next = max(self._next, self._base)
        self.deadline = now + self._rto if self._sent > self._base else None

    # The smoothed round trip and deviation of RFC 6298, in integers.
    def _measure(self, rtt):
        if self._rtt:
            error = rtt - (self._rtt >> 3)
            self._rtt += error
            self._deviation += abs(error) - (self._deviation >> 2)
        else:
            self._rtt = rtt << 3
            self._deviation = rtt << 1
        self._rto = min(max((self._rtt >> 3) + self._deviation, _RTO_LEAST), _RTO_MOST)
        self._timed = -1

    # Keep a reliable frame, whose payload is in `payload`, until it is acknowledged; False where the queue
    # has fewer than `spare` places left.
    def keep(self, code, payload, size, spare=1):
        if self._end - self._base > self._queue - spare:
            return False
        at = self._end % self._queue * _KEPT
        self._kept[at] = size
        self._kept[at + 1] = code
        self._kept_view[at + _FIRST : at + _FIRST + size] = payload[:size]
        self._end += 1
        return True

    # Send every reliable frame that the window and the host's credit allow, again where the time is over, and
    # what is owed.
    def flush(self, now):
        if self.deadline is not None and now >= self.deadline:
            self._rto = min(2 * self._rto, _RTO_MOST)
            self._again(now)
        while self._next < self._end and self._next - self._base < _WINDOW:
            at = self._next % self._queue * _KEPT
            size = self._kept[at]
            if self._in_flight + size + HEADER + _CRC > self._room:
                break
            self._send_kept(at, size, now)
        if self._owing:
            self.send(_isa.F_ACK, 0)

    def _again(self, now):
        self.repeated += self._next - self._base
        self._next = self._base
        self._in_flight = 0
        self._timed = -1
        self.deadline = now + self._rto

    def _send_kept(self, at, size, now):
        self._in_flight += size + HEADER + _CRC
        if self._timed < 0 and self.deadline is None:
            self._timed = self._next
            self._timed_at = now
        self.deadline = now + self._rto
        self.out[HEADER : HEADER + size] = self._kept_view[at + _FIRST : at + _FIRST + size]
        self._transmit(self._kept[at + 1], self._next & 0xFF, size)
        self._next += 1
        self._sent = max(self._sent, self._next)

    # Send a datagram whose payload of `size` bytes is in `out`.
    def send(self, code, size):
        self._transmit(code, self._sent & 0xFF, size)

    def _transmit(self, code, seq, size):
        out = self.out
        pack_into(_isa.FRAME_FORMAT, out, 0, code, self.session, seq, self._expected, self._serial.room)
        size += HEADER
        seed = 0 if code == _isa.F_HELLO else _isa.SPEC_HASH
        pack_into("<I", out, size, crc32(self._out_view[:size], seed))
        self._serial.write(self._wire, _stuff(out, size + _CRC, self._wire))
        self._owing = False
