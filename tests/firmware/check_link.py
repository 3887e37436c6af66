# The robot's end of the link against damage and loss, and the two slots.
from world import *

from llmvm import _isa as I
from llmvm import link as link_module


class Dice:
    def __init__(self, seed):
        self.state = seed

    def roll(self, n):
        self.state = (self.state * 1103515245 + 12345) & 0x7FFFFFFF
        return (self.state >> 8) % n


dice = Dice(1)

# COBS: what is stuffed comes out again, through the robot's own functions and the plain model.
wrong = []
for size in list(range(1, 30)) + [100, 200, 247]:
    for zeros in (1, 2, 8, 1000):
        data = bytearray(dice.roll(256) if dice.roll(zeros) else 0 for _ in range(size))
        wire = bytearray(300)
        n = link_module._stuff(data, size, wire)
        if bytes(wire[:n]) != b"\0" + stuff(bytes(data)) + b"\0":
            wrong.append(("stuff", data))
        copy = bytearray(wire[1 : n - 1])
        n = link_module._unstuff(copy, len(copy))
        if copy[:n] != data:
            wrong.append(("unstuff", data))
check("COBS round trips", wrong, [])
check("COBS refuses a length behind the end", link_module._unstuff(bytearray(b"\x05ab"), 3), -1)

# The stream may come in any pieces.
small = container([w(I.OP_END)])
for piece in (1, 2, 3, 7, 64):
    world, robot, host = start()
    upload = frame(I.F_BEGIN, 7, 0, 0, pack("<8sH", block_of(small), len(small)))
    upload += frame(I.F_DATA, 7, 1, 0, pack("<H", 0) + small) + frame(I.F_COMMIT, 7, 2, 0, block_of(small))
    for at in range(0, len(upload), piece):
        world.to_robot = upload[at : at + piece]
        robot.step()
    host.hear()
    verdict = unpack(I.VERDICT_FORMAT, host.of(I.F_VERDICT)[-1][1])
    check(f"pieces of {piece}", verdict, (block_of(small), 0, 0, 0, 0))

# Garbage, oversize and truncated frames are dropped and counted, and the next good frame is understood.
world, robot, host = start()
link = robot._link
good = frame(I.F_STATUS, 7, 0, 0)
for name, noise in (
    ("garbage", bytes(dice.roll(256) for _ in range(2000))),
    ("oversize", b"\0" + b"\7" * 5000 + b"\0"),
    ("truncated", good[: len(good) // 2] + b"\0"),
    ("too short", b"\0\3\1\2\0"),
    ("a flipped bit", bytes([good[0]]) + bytes([good[1], good[2] ^ 64]) + good[3:]),
):
    before = link.bad
    world.to_robot = noise + b"\0" + good
    host.newest = None
    robot.step()
    host.hear()
    check(name + " is counted", link.bad > before, True)
    check(name + " is passed over", host.newest is not None, True)


# A lossy cable in both directions: everything reliable still arrives once and in order.
class Lossy(Host):
    def send(self, code, payload=b""):
        before = self.world.to_robot
        super().send(code, payload)
        self.sent = getattr(self, "sent", [])
        if I.RELIABLE >> code & 1:
            self.sent.append((code, payload))
        if dice.roll(4) == 0:
            self.world.to_robot = before

    def hear(self):
        stream = self.world.from_robot
        parts = [part for part in stream.split(b"\0") if part]
        kept = []
        for part in parts:
            fate = dice.roll(8)
            if fate == 0:
                continue
            if fate == 1:
                part = part[:3] + bytes([part[3] ^ 16]) + part[4:]
            kept.append(part)
            if fate == 2:
                kept.append(part)
        self.world.from_robot = b"\0" + b"\0".join(kept) + b"\0"
        super().hear()


world, robot, _ = start()
host = Lossy(world, robot)
words = [wi(I.OP_LDI, 1, 7)]
for tag in range(60):
    words += [w(I.OP_REPORT, tag, 1), wi(I.OP_WAIT, 0, 20)]
data = container(words + [w(I.OP_END)], autonomous=10000)  # heartbeats are lost too
slot = robot._blocks._slots[0]
slot.data[: len(data)] = data
verifier.check(memoryview(data))
slot.accept(block_of(data), verifier)
world.to_robot = frame(I.F_RUN, 7, 0, 0, block_of(data))
host.seq = 1
done = host.until(world.ms + 60000, I.F_DONE)
events = [unpack(I.EVENT_FORMAT, payload)[0] for _, payload in host.of(I.F_EVENT)]
check("60 reports over a lossy cable", events, list(range(60)))
check("some were sent again", robot._link.repeated > 0, True)
check("and the block completed", done and Done(unpack(I.DONE_FORMAT, done)).outcome, I.OUT_COMPLETED)

# No acknowledgement: the window stays at eight, and repeats back off to a second.
world, robot, host = start()
host.execute([w(I.OP_END)])
data = container([w(I.OP_REPORT, tag, 1) for tag in range(20)] + [w(I.OP_END)])
host.upload(data)
host.send(I.F_RUN, block_of(data))
host.alive = False
seen = []
for _ in range(60):
    robot.step()
    for code, _s, seq, _a, _c, _p in frames(world.from_robot):
        if code == I.F_EVENT:
            seen.append((world.ms, seq))
    world.from_robot = b""
first = seen[0][1]
times = sorted({ms for ms, _ in seen})
gaps = [b - a for a, b in zip(times, times[1:])]
check("a window of eight", {(seq - first) & 255 for _, seq in seen}, set(range(8)))
check(
    "repeats start early and back off",
    (gaps[0] <= 200, gaps == sorted(gaps), gaps[-1] <= 1000),
    (True, True, True),
)

# A host without room gets nothing reliable.
world, robot, host = start()
world.to_robot = frame(I.F_RUN, 7, 0, 0, b"12345678", credit=10)
robot.step()
check("credit holds frames back", [f[0] for f in frames(world.from_robot) if f[0] == I.F_FAULT], [])
world.from_robot = b""
world.to_robot = frame(I.F_ACK, 7, 1, 0, credit=100)
robot.step()
check("and lets them go", [f[0] for f in frames(world.from_robot) if f[0] == I.F_FAULT], [I.F_FAULT])
check("the robot tells its own", frames(world.from_robot)[0][4], world.room)

# Slots: two phases, by hash, and a refused block touches nothing that is held or runs.
world, robot, host = start()
one = container([wi(I.OP_LDI, 1, 1), w(I.OP_REPORT, 1, 1), wi(I.OP_WAIT, 0, 2000), w(I.OP_END)])
two = container([wi(I.OP_LDI, 1, 2), w(I.OP_REPORT, 2, 1), w(I.OP_END)])
host.upload(one)
host.send(I.F_RUN, block_of(two))
fault = host.until(world.ms + 100, I.F_FAULT)
check("RUN of what is not held", unpack(I.FAULT_FORMAT, fault)[0], I.FAULT_UNKNOWN_BLOCK)
host.send(I.F_RUN, block_of(one))
host.until(world.ms + 100)
broken = two[:-4] + b"\xff\xff\xff\xff"
check("a broken block is refused while another runs", host.upload(broken)[1], I.RULE_CONTAINER)
check("one that breaks a rule too", host.upload(sealed(broken))[1], I.RULE_OPCODE)
lie = container([w(I.OP_END)], certificate=(2, 1, 0, 0, 0, 0, 0, 0, 0, 1))
check("one shorter than a header", host.upload(b"LLMB"), (block_of(b"LLMB"), I.RULE_CONTAINER, 0, 4, 52))
check("and one that lies", host.upload(lie), (block_of(lie), I.RULE_CERTIFICATE, 0, 2, 1))
check("a good one is accepted meanwhile", host.upload(two)[1], 0)
host.send(I.F_RUN, block_of(two))
fault = host.until(world.ms + 100, I.F_FAULT)
check("but does not run yet", unpack(I.FAULT_FORMAT, fault)[0], I.FAULT_BUSY)
done = host.until(world.ms + 3000, I.F_DONE)
check(
    "the first ends as if nothing had been", Done(unpack(I.DONE_FORMAT, done)).fields[:2], (block_of(one), 1)
)
check("then the second runs", host.run(two).outcome, I.OUT_COMPLETED)
check("and the first is still there", host.run(one).outcome, I.OUT_COMPLETED)

# Uploads that do not fit their announcement
big = 52 + 4 * (1024 + 64)
for name, requests, code, value in (
    ("too large", [(I.F_BEGIN, pack("<8sH", b"x" * 8, big + 1))], I.FAULT_UPLOAD, big + 1),
    ("DATA without BEGIN", [(I.F_DATA, pack("<H", 0) + b"abc")], I.FAULT_UPLOAD, 0),
    (
        "a gap",
        [(I.F_BEGIN, pack("<8sH", b"x" * 8, 100)), (I.F_DATA, pack("<H", 4) + b"abc")],
        I.FAULT_UPLOAD,
        4,
    ),
    (
        "beyond the end",
        [(I.F_BEGIN, pack("<8sH", b"x" * 8, 60)), (I.F_DATA, pack("<H", 0) + bytes(61))],
        4,
        0,
    ),
    ("COMMIT without BEGIN", [(I.F_COMMIT, b"x" * 8)], I.FAULT_UPLOAD, 0),
    (
        "COMMIT too early",
        [(I.F_BEGIN, pack("<8sH", b"x" * 8, 60)), (I.F_COMMIT, b"x" * 8)],
        I.FAULT_UPLOAD,
        0,
    ),
):
    world, robot, host = start()
    for request in requests:
        host.send(*request)
    host.send(I.F_COMMIT, b"y" * 8)
    host.until(world.ms + 200)
    faults = [unpack(I.FAULT_FORMAT, payload) for _, payload in host.of(I.F_FAULT)]
    check(name, faults[0], (code, value))
    check("after " + name + " a good upload works", host.upload(two)[1], 0)
world, robot, host = start()
host.send(I.F_BEGIN, pack("<8sH", b"x" * 8, len(two)))
host.send(I.F_DATA, pack("<H", 0) + two)
host.send(I.F_COMMIT, b"x" * 8)
check("a wrong hash", unpack(I.FAULT_FORMAT, host.until(world.ms + 100, I.F_FAULT))[0], I.FAULT_UPLOAD)

# A session that begins in the middle of a move
world, robot, host = start()
host.execute([w(I.OP_END)])
far = container([wi(I.OP_MOVE, 47, 1000), w(I.OP_END)])
host.upload(far)
host.send(I.F_RUN, block_of(far))
host.until(world.ms + 3000)
host.identify(3, session=11)
check("ends it with a ramp", (world.drive.halts, world.drive.moving), ([0], 1))
check("takes blocks", host.upload(two)[1], 0)
host.send(I.F_RUN, block_of(two))
fault = host.until(world.ms + 100, I.F_FAULT)
check("runs none while the wheels turn", unpack(I.FAULT_FORMAT, fault)[0], I.FAULT_BUSY)
host.until(world.ms + 2100)
check("and then does", host.run(two).outcome, I.OUT_COMPLETED)

# Sessions
world, robot, host = start()
host.upload(two)
nonce = 5
hello = host.identify(nonce, session=12)
host.send(I.F_RUN, block_of(two))
fault = host.until(world.ms + 100, I.F_FAULT)
check("a session forgets the blocks", unpack(I.FAULT_FORMAT, fault)[0], I.FAULT_UNKNOWN_BLOCK)
seq, ack = host.seq, host.ack
check("a repeated IDENTIFY is answered", host.identify(nonce, session=12), hello)
host.seq, host.ack = seq, ack
check("but begins nothing", host.upload(two)[1], 0)
finish()
