# A small world for the firmware's tests, run by MicroPython: ports over a simulated clock, and a host at the
# other end.
import os
import sys
from binascii import crc32
from struct import calcsize, pack, unpack, unpack_from

sys.path.insert(0, "firmware")

from hashlib import sha256

from llmvm import _isa
from llmvm.supervisor import Supervisor
from llmvm.verify import Verifier

from laws import check, finish  # noqa: F401  # for whoever imports all of this

# the cube's limits, in the SPEC's order
LIMITS = [1024, 64, 200000, 120000, 5000, 50265, 64, 10000, 47, 942, 23, 471, 100, 50, 50, 8191, 7]
LIMITS += [21730, 10865, 1024, 512, 75, 60, 2000, 300, 4400, 300, 2000, 32768]
ANGLES = [0, 524, -524, 1571, -1571, 3142]
MANIFEST = crc32(pack(f"<{len(LIMITS)}i", *LIMITS))

MACHINE_CODE = os.getenv("LLMOS_MACHINE_CODE")  # a folder: run blocks as machine code where it has them

verifier = Verifier(LIMITS, MANIFEST)


def w(op, a=0, b=0, c=0):
    return op | a << 8 | (b & 0xFF) << 16 | (c & 0xFF) << 24


def wi(op, a=0, i=0):
    return op | a << 8 | (i & 0xFFFF) << 16


# One wheel pair: the dominant wheel follows a trapezoid, in steps of 1 ms.
class Wheels:
    def __init__(self):
        self.left = self.right = self.moving = 0
        self.start = (0, 0)
        self.goal = (0, 0)
        self.speed = self.done = 0.0
        self.halting = False
        self.halts = []
        self.moves = []

    # A motion the same way goes on from its speed.
    def move(self, left, right, rate, accel):
        goes_on = self.moving and left * self.goal[0] > 0 and right * self.goal[1] > 0
        self.speed = self.speed if goes_on else 0.0
        self.done = self.done % 1 if goes_on else 0.0
        self.start = (self.left, self.right)
        self.goal = (left, right)
        self.way = max(abs(left), abs(right))
        self.rate, self.accel = rate, accel
        self.halting, self.moving = False, 1
        self.moves.append((left, right, rate, accel))

    def halt(self, at_once):
        self.halts.append(at_once)
        if at_once:
            self.moving, self.speed = 0, 0.0
        self.halting = True

    def tick(self):
        if not self.moving:
            return
        step = self.accel / 1000
        if self.halting or self.speed * self.speed / (2 * self.accel) >= self.way - self.done:
            self.speed -= step
        elif self.speed < self.rate:
            self.speed = min(self.speed + step, self.rate)
        self.done += max(self.speed, 0) / 1000
        if self.done >= self.way or self.speed <= 0:
            self.moving = 0
            if not self.halting:
                self.done = self.way
        share = min(self.done / self.way, 1)
        self.left = self.start[0] + int(self.goal[0] * share)
        self.right = self.start[1] + int(self.goal[1] * share)


class Ports:
    mm = (2000,) * 6
    ages = (20,) * 6
    mrad = None
    mv = 5000
    room = 4096


# The set of ports, its clock, and what lies in the cable.
class World(Ports):
    def __init__(self):
        self.ms = 0
        self.drive = Wheels()
        self.clock = self.range = self.imu = self.battery = self.led = self.serial = self
        self.to_robot = b""
        self.from_robot = b""
        self.events = []  # (ms, function)
        self.lights = []
        self.tones = []
        self.rounds = 0
        self._nonces = 0
        self.each_ms = None

    def advance(self, until):
        self.rounds += 1
        moving = self.drive.moving
        while self.ms < until and not self.to_robot:
            self.ms += 1
            self.drive.tick()
            if self.each_ms:
                self.each_ms(self)
            due = [e for e in self.events if e[0] <= self.ms]
            self.events = [e for e in self.events if e[0] > self.ms]
            for event in due:
                event[1]()
            if moving and not self.drive.moving:
                break

    def feed(self):
        pass

    def nonce(self):
        self._nonces += 1
        return crc32(str(self._nonces).encode())

    def set(self, red, green, blue):
        self.lights.append((red, green, blue))

    def tone(self, hz, ms):
        self.tones.append((hz, ms))

    def readinto(self, buffer):
        size = min(len(buffer), len(self.to_robot))
        buffer[:size] = self.to_robot[:size]
        self.to_robot = self.to_robot[size:]
        return size

    def write(self, buffer, size):
        self.from_robot += bytes(buffer[:size])


def stuff(data):
    return b"".join(bytes([len(run) + 1]) + run for run in data.split(b"\0"))


def unstuff(data):
    out = b""
    while data:
        out += data[1 : data[0]] + (b"\0" if len(data) > data[0] else b"")
        data = data[data[0] :]
    return out


def frame(code, session, seq, ack, payload=b"", credit=4096, seed=None):
    data = pack(_isa.FRAME_FORMAT, code, session, seq, ack, credit) + payload
    if seed is None:
        seed = 0 if code == _isa.F_IDENTIFY else _isa.SPEC_HASH
    return b"\0" + stuff(data + pack("<I", crc32(data, seed))) + b"\0"


# Every whole frame in a stream as (type, session, seq, ack, credit, payload).
def frames(stream):
    out = []
    for part in stream.split(b"\0"):
        if part:
            data = unstuff(part)
            code = data[0]
            seed = 0 if code == _isa.F_HELLO else _isa.SPEC_HASH
            if crc32(data[:-4], seed) == unpack("<I", data[-4:])[0]:
                out.append(unpack_from(_isa.FRAME_FORMAT, data, 0) + (data[7:-4],))
    return out


# A container, with the certificate that the robot's own verifier computes unless another is given.
def container(words, constants=(), certificate=None, autonomous=0):
    if certificate is None:
        verifier.check(container(words, constants, (0,) * 10, autonomous))
        if verifier.rule not in (0, _isa.RULE_CERTIFICATE):
            raise ValueError(f"rule {verifier.rule} at word {verifier.word}")
        certificate = verifier.certificate
    head = [b"LLMB", _isa.MAJOR, _isa.MINOR, autonomous, _isa.SPEC_HASH, MANIFEST, len(words), len(constants)]
    body = pack(f"<{len(words)}I", *[x & 0xFFFFFFFF for x in words])
    body += pack(f"<{len(constants)}i", *constants)
    return sealed(pack(_isa.HEADER_FORMAT, *head, *certificate, 0, 0) + body)


def sealed(data):
    at = calcsize(_isa.HEADER_FORMAT)
    return data[: at - 4] + pack("<I", crc32(data[at:], crc32(data[: at - 4]))) + data[at:]


def block_of(data):
    return sha256(data).digest()[:8]


# The host: it acknowledges what it understands, and keeps the lease while `alive`.
class Host:
    def __init__(self, world, robot):
        self.world, self.robot = world, robot
        self.session, self.seq, self.ack = 7, 0, 0
        self.alive = True
        self.got = []  # (ms, type, payload): the reliable frames once and in order, and HELLO
        self.newest = None  # TELEMETRY's payload
        self.beat_at = 100

    def send(self, code, payload=b""):
        self.world.to_robot += frame(code, self.session, self.seq, self.ack, payload)
        if _isa.RELIABLE >> code & 1:
            self.seq = (self.seq + 1) & 0xFF

    def hear(self):
        stream, self.world.from_robot = self.world.from_robot, b""
        owing = False
        for code, session, seq, _ack, _credit, payload in frames(stream):
            if session != self.session:
                continue
            if _isa.RELIABLE >> code & 1:
                owing = True
                if seq != self.ack:
                    continue
                self.ack = (self.ack + 1) & 0xFF
            if code == _isa.F_TELEMETRY:
                self.newest = payload
            else:
                self.got.append((self.world.ms, code, payload))
        if owing and self.alive:
            self.send(_isa.F_ACK)

    # Let the robot work until `ms`, or until it has sent a frame of type `code`; returns that frame's
    # payload.
    def until(self, ms, code=None):
        seen = len(self.got)
        if (self.world.ms, self._beat) not in self.world.events and self.alive and not self.world.events:
            self.world.events.append((max(self.beat_at, self.world.ms + 1), self._beat))
        while self.world.ms < ms:
            self.robot._until = min(self.robot._until, ms)
            self.robot.step()
            self.hear()
            for at in range(seen, len(self.got)):
                if self.got[at][1] == code:
                    return self.got[at][2]
            seen = len(self.got)
        return None

    def _beat(self):
        if self.alive:
            self.send(_isa.F_HEARTBEAT, pack("<I", self.world.ms))
            self.world.events.append((self.world.ms + 100, self._beat))

    def of(self, code):
        return [(ms, payload) for ms, c, payload in self.got if c == code]

    def identify(self, nonce=1, session=7):
        self.session, self.seq, self.ack = session, 0, 0
        self.send(_isa.F_IDENTIFY, pack("<I", nonce))
        return unpack(_isa.HELLO_FORMAT, self.until(self.world.ms + 50, _isa.F_HELLO))

    def upload(self, data):
        block = block_of(data)
        self.send(_isa.F_BEGIN, pack("<8sH", block, len(data)))
        for at in range(0, len(data), 200):
            self.send(_isa.F_DATA, pack("<H", at) + data[at : at + 200])
        self.send(_isa.F_COMMIT, block)
        verdict = self.until(self.world.ms + 500, _isa.F_VERDICT)
        verdict = verdict and unpack(_isa.VERDICT_FORMAT, verdict)
        if MACHINE_CODE and verdict and verdict[1] == 0:
            self._attach_or_wish(data)
        return verdict

    # Attach the block's machine code where it has been made, else leave the block to be compiled.
    def _attach_or_wish(self, data):
        name = MACHINE_CODE + "/" + "".join("%02x" % byte for byte in block_of(data))
        try:
            with open(name + ".mpy", "rb") as file:
                self.attach(data, file.read())
        except OSError:
            with open(name + ".llmb", "wb") as file:
                file.write(data)

    # Send machine code for a block that is held; returns VERDICT's or FAULT's fields. `code`: the hash that
    # COMMIT names, where it is not the right one.
    def attach(self, data, native, code=None):
        seen = len(self.got)
        self.send(_isa.F_NATIVE, pack(_isa.NATIVE_FORMAT, block_of(data), len(native)))
        for at in range(0, len(native), 200):
            self.send(_isa.F_DATA, pack("<H", at) + native[at : at + 200])
            self.until(self.world.ms + 1)
        self.send(_isa.F_COMMIT, code or block_of(native))
        self.until(self.world.ms + 1)
        for _ms, kind, payload in self.got[seen:]:
            if kind == _isa.F_VERDICT:
                return unpack(_isa.VERDICT_FORMAT, payload)
            if kind == _isa.F_FAULT:
                return unpack(_isa.FAULT_FORMAT, payload)
        return None

    def run(self, data, limit=100000):
        self.send(_isa.F_RUN, block_of(data))
        done = self.until(self.world.ms + limit, _isa.F_DONE)
        return done and Done(unpack(_isa.DONE_FORMAT, done))

    # Upload and run words; returns DONE's fields.
    def execute(self, words, constants=(), **options):
        data = container(words, constants, **options)
        verdict = self.upload(data)
        if verdict[1]:
            raise ValueError(f"refused: {verdict}")
        return self.run(data)

    def telemetry(self):
        return Telemetry(unpack(_isa.TELEMETRY_FORMAT, self.newest))


class Done:
    def __init__(self, fields):
        self.fields = fields
        _, self.outcome, self.code, self.pc, self.fuel, self.ms, self.path, self.rotation, self.trip = fields


class Telemetry:
    def __init__(self, fields):
        self.ms, self.x, self.y, self.heading = fields[:4]
        self.ranges, self.age, self.battery = fields[4:10], fields[10], fields[11]
        self.state, self.mode, self.trip, self.flags, self.pc, self.fuel, self.clear = fields[12:]


# A robot, its world and its host, connected.
def start(limits=LIMITS):
    world = World()
    robot = Supervisor(world, limits, ANGLES)
    host = Host(world, robot)
    host.hello = host.identify()
    return world, robot, host
