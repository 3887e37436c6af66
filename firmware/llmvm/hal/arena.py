# The simulated robot: ports that ask the arena over two pipes, and have the serial port on stdin and stdout.
import io
import sys
from binascii import crc32
from struct import pack_into, unpack_from

from micropython import const, kbd_intr

try:
    import repl  # of a MicroPython that is built as a board
except ImportError:
    repl = None

_ADVANCE = const(1)
_DRIVE = const(2)
_HALT = const(3)
_LED = const(4)
_TONE = const(5)

_REQUEST = "<B3xiiii"  # operation and four parameters
_REQUEST_SIZE = const(20)
# ms, bytes sent to us so far, left, right, moving, reserved, mV; then six mm and six ages
_REPLY = "<IIiiBBH"
_REPLY_SIZE = const(44)
_RANGES = const(20)
_AGES = const(32)
_ROOM = const(4096)  # as the robot's UART has it


# Read exactly `size` bytes into the buffer's beginning.
def _fill(stream, buffer, size):
    got = stream.readinto(buffer, size)
    while got != size:
        if not got:
            raise SystemExit("the arena has gone")
        rest = stream.read(size - got)
        buffer[got : got + len(rest)] = rest
        got = got + len(rest) if rest else 0


class Clock:
    def __init__(self, arena):
        self._arena = arena
        self.ms = 0

    def advance(self, until):
        self._arena.advance(until)

    # There is no watchdog: time stands still while this program computes.
    def feed(self):
        pass


class Drive:
    def __init__(self, arena):
        self._request = arena.request
        self.left = self.right = self.moving = 0

    def move(self, left, right, rate, accel):
        self._request(_DRIVE, left, right, rate, accel)
        self.moving = 1

    def halt(self, at_once):
        self._request(_HALT, at_once, 0, 0, 0)


class Range:
    mm = ages = (65535,) * 6


class Imu:
    mrad = None


class Battery:
    mv = 0


class Led:
    def __init__(self, arena):
        self._request = arena.request

    def set(self, red, green, blue):
        self._request(_LED, red, green, blue, 0)

    def tone(self, hz, ms):
        self._request(_TONE, hz, ms, 0, 0)


class Serial:
    def __init__(self):
        self.room = _ROOM
        self.arrived = 0  # bytes that the arena has put on stdin so far
        self.taken = repl.taken() if repl else 0
        self.sent = 0
        self._in = sys.stdin.buffer
        self._out = sys.stdout.buffer

    def readinto(self, buffer):
        size = min(self.arrived - self.taken, len(buffer))
        if size:
            _fill(self._in, buffer, size)
            self.taken += size
        return size

    def write(self, buffer, size):
        self._out.write(buffer, size)
        self.sent += size


class Arena:
    def __init__(self):
        self._replies = io.open(3, "rb")
        self._requests = io.open(4, "wb")
        self._request = bytearray(_REQUEST_SIZE)
        self._reply = bytearray(_REPLY_SIZE)
        self._nonces = 0
        kbd_intr(-1)  # a frame may hold Ctrl-C
        self.clock = Clock(self)
        self.drive = Drive(self)
        self.range = Range()
        self.imu = Imu()
        self.battery = Battery()
        self.led = Led(self)
        self.serial = Serial()

    def request(self, operation, p1, p2, p3, p4):
        pack_into(_REQUEST, self._request, 0, operation, p1, p2, p3, p4)
        try:
            self._requests.write(self._request)
        except OSError:
            raise SystemExit("the arena has gone") from None

    def advance(self, until):
        self.request(_ADVANCE, until, self.serial.sent, 0, 0)
        reply = self._reply
        _fill(self._replies, reply, _REPLY_SIZE)
        drive = self.drive
        values = unpack_from(_REPLY, reply, 0)
        self.clock.ms, self.serial.arrived, drive.left, drive.right, drive.moving, _, self.battery.mv = values
        self.range.mm = unpack_from("<6H", reply, _RANGES)
        self.range.ages = unpack_from("<6H", reply, _AGES)

    def leave(self, data):
        kbd_intr(3)
        if repl:
            repl.give_back(data)

    # Deterministic, so that a run can be repeated.
    def nonce(self):
        self._nonces += 1
        return crc32(b"%d" % self._nonces)
