# Bad input at the robot's end of the wire while a block runs: truncated, flipped, oversized and lying
# containers, and broken frames. Each is refused by name, none of it runs, and the running block goes on.
from world import *

from llmvm import _isa as I
from llmvm import vm

# Moves, a guard that trips, waits, reports of the clock and of a variable.
running = container(
    [
        wi(I.OP_LDK, 1, 0),
        w(I.OP_SETV, 3, 1),
        w(I.OP_GUARD, 10 << 4 | 1 << 2, 0, 0) | 7000 << 16,  # clock > 7 s
        wi(I.OP_MOVE, 47, 300),
        w(I.OP_TRIP, 2),
        w(I.OP_REPORT, 1, 2),
        wi(I.OP_LOOP, 0, 30),
        wi(I.OP_WAIT, 0, 1000),
        w(I.OP_SENSE, 4, 10),
        w(I.OP_REPORT, 2, 4),
        wi(I.OP_UNGUARD, 0),
        wi(I.OP_ENDLOOP, 0, 5),
        wi(I.OP_TURN, 50, -700),
        w(I.OP_GETV, 5, 3),
        w(I.OP_REPORT, 3, 5),
        w(I.OP_END),
    ],
    (-123456,),
    autonomous=10000,
)
good = container([wi(I.OP_LDI, 3, 7), w(I.OP_SETV, 3, 3), wi(I.OP_MOVE, 47, 100), w(I.OP_END)], (1, 2))
HEADER = calcsize(I.HEADER_FORMAT)
FIELDS = (  # of the header: the first byte, and the rule that a change of it breaks
    (0, I.RULE_CONTAINER), (4, I.RULE_CONTAINER), (5, I.RULE_CONTAINER), (8, I.RULE_SPEC),
    (12, I.RULE_MANIFEST), (16, I.RULE_CONTAINER), (18, I.RULE_CONTAINER), (20, I.RULE_CERTIFICATE),
    (24, I.RULE_CERTIFICATE),
    (28, I.RULE_CERTIFICATE), (32, I.RULE_CERTIFICATE), (36, I.RULE_CERTIFICATE), (38, I.RULE_CERTIFICATE),
    (40, I.RULE_CERTIFICATE), (42, I.RULE_CERTIFICATE), (44, I.RULE_CERTIFICATE), (45, I.RULE_CERTIFICATE),
    (46, I.RULE_CONTAINER),
)  # fmt: skip


def with_byte(data, at, value):
    return data[:at] + bytes([value & 0xFF]) + data[at + 1 :]


# Every kind of damage, with the rule that refuses it.
def damaged():
    for size in (0, 1, 4, HEADER - 1, HEADER, HEADER + 1, len(good) - 4, len(good) - 1):
        yield good[:size], I.RULE_CONTAINER
    for more in (1, 4, 400):
        yield good + bytes(more), I.RULE_CONTAINER
        yield sealed(good + bytes(more)), I.RULE_CONTAINER
    for bit in range(0, 8 * len(good), 5):
        yield with_byte(good, bit // 8, good[bit // 8] ^ 1 << bit % 8), I.RULE_CONTAINER
    for at, rule in FIELDS:
        for change in (1, -1):
            yield sealed(with_byte(good, at, good[at] + change)), rule
    yield sealed(with_byte(good, 5, I.MINOR + 1)), I.RULE_CONTAINER
    yield sealed(with_byte(good, 7, 0xFF)), I.RULE_AUTONOMY
    yield sealed(with_byte(good, HEADER, 0)), I.RULE_OPCODE
    yield sealed(with_byte(good, HEADER + 1, 16)), I.RULE_OPERAND
    yield sealed(with_byte(good, HEADER + 9, 255)), I.RULE_SPEED
    yield sealed(with_byte(good, HEADER + 12, I.OP_TRIP)), I.RULE_REGION
    yield sealed(with_byte(good, HEADER + 10, 99)), I.RULE_CERTIFICATE


# What broken frames look like on the wire, the next reliable one's number being `seq`; none is answered.
def broken_frames(seq):
    whole = frame(I.F_STOP, 7, seq, 0)
    yield whole[:-3]
    yield b"\0" + bytes(range(1, 256)) * 4 + b"\0"
    for at in range(1, len(whole) - 1):
        yield with_byte(whole, at, whole[at] ^ 0x10)
    yield frame(I.F_STOP, 8, seq, 0)  # another session's
    yield frame(I.F_STOP, 7, seq + 1 & 0xFF, 0)  # one is missing before it
    yield frame(I.F_ESTOP, 7, seq, 0, seed=I.SPEC_HASH ^ 1)  # another dictionary's
    yield frame(I.F_BEGIN, 7, seq, 0, b"short")
    yield frame(I.F_DATA, 7, seq, 0, b"")
    yield frame(I.F_RUN, 7, seq, 0, bytes(7))
    yield frame(I.F_STOP, 7, seq, 0, b"more")
    yield frame(I.F_CLEAR, 7, seq, 0, b"\1\2\3")
    yield frame(I.F_DONE, 7, seq, 0, bytes(40))  # the robot's own
    yield frame(200, 7, seq, 0)
    yield b"\0\1\0\0\0\xff\0"


# Run the block to its end while `disturb` is called every 100 ms; what it left behind, and when.
def run(disturb):
    world, robot, host = start()
    host.upload(running)
    world.events, host.alive = [], False
    began = world.ms
    host.send(I.F_RUN, block_of(running))
    done = None
    while done is None and world.ms < began + 60000:
        host.send(I.F_HEARTBEAT, pack("<I", world.ms))
        disturb(world, host)
        done = host.until(world.ms + 100, I.F_DONE)
        host.send(I.F_ACK)
    left = list(robot._runner.state[: 2 * vm.VARIABLES])
    events = [payload for _, payload in host.of(I.F_EVENT)]
    return (unpack(I.DONE_FORMAT, done), events, world.drive.moves, left), (world, host)


quiet, _ = run(lambda world, host: None)
check("the block completes", (quiet[0][1], len(quiet[1])), (I.OUT_COMPLETED, 32))

inputs = list(damaged())
waiting = list(inputs)
wrong = []


def upload(world, host):
    if waiting:
        data, rule = waiting.pop()
        verdict = host.upload(data)
        if verdict[:2] != (block_of(data), rule):
            wrong.append((len(inputs) - len(waiting), rule, verdict))


noisy, (world, host) = run(upload)
check("each damaged container is refused by name", wrong, [])
check("some of them while the block ran", len(waiting) < len(inputs), True)
check("which did not notice", noisy, quiet)
while waiting:
    upload(world, host)
check("the others are refused by name too", wrong, [])

# Nothing of what was refused runs.
host.got = []
for data, _ in inputs:
    host.send(I.F_RUN, block_of(data))
    host.until(world.ms + 20)
faults = {unpack(I.FAULT_FORMAT, payload)[0] for _, payload in host.of(I.F_FAULT)}
check("none of them is held", (faults, len(host.of(I.F_FAULT))), ({I.FAULT_UNKNOWN_BLOCK}, len(inputs)))
check("and nothing has moved", world.drive.moves, quiet[2])
check("the good one is taken", host.upload(good)[1], 0)

# Frames that are broken do nothing, and what follows them is understood.
sent = 0


def disturb(world, host):
    global sent
    broken = list(broken_frames(host.seq))
    if sent < len(broken):
        world.to_robot += broken[sent]
        sent += 1


noisy, (world, host) = run(disturb)
check("broken frames while it runs", (noisy, sent), (quiet, len(list(broken_frames(0)))))
check("cost nothing but themselves", host.upload(good)[1], 0)

# Announcements that lie: about the size, the order, the hash.
uploads = [
    [(I.F_BEGIN, pack("<8sH", b"x" * 8, 65535))],
    [(I.F_BEGIN, pack("<8sH", b"x" * 8, 60)), (I.F_DATA, pack("<H", 0) + bytes(61))],
    [(I.F_BEGIN, pack("<8sH", b"x" * 8, 60)), (I.F_DATA, pack("<H", 1) + bytes(4))],
    [(I.F_DATA, pack("<H", 0) + bytes(4))],
    [(I.F_COMMIT, b"x" * 8)],
    [
        (I.F_BEGIN, pack("<8sH", b"x" * 8, len(good))),
        (I.F_DATA, pack("<H", 0) + good),
        (I.F_COMMIT, b"x" * 8),
    ],
]


def announce(world, host):
    if uploads:
        for code, payload in uploads.pop():
            host.send(code, payload)


noisy, (world, host) = run(announce)
check("false announcements while it runs", noisy, quiet)
faults = [unpack(I.FAULT_FORMAT, payload)[0] for _, payload in host.of(I.F_FAULT)]
check("are told as faults", faults, [I.FAULT_UPLOAD] * 6)
check("and the good one is taken", host.upload(good)[1], 0)

# Machine code that is not what it says: for a block that is not held, too large, cut short, of another hash,
# or none at all. The block it was meant for is interpreted as before.
junk = b"M\x06" + bytes(range(200))
whole = [(I.F_NATIVE, pack("<8sH", block_of(running), len(junk))), (I.F_DATA, pack("<H", 0) + junk)]
false_code = [
    ([(I.F_NATIVE, pack("<8sH", b"x" * 8, 100))], I.FAULT_UNKNOWN_BLOCK, I.FAULT_UNKNOWN_BLOCK),
    ([(I.F_NATIVE, pack("<8sH", block_of(running), 65535))], I.FAULT_NATIVE, I.FAULT_NATIVE),
    (whole[:1] + [(I.F_DATA, pack("<H", 0) + bytes(len(junk) + 1))], I.FAULT_UPLOAD, I.FAULT_UPLOAD),
    (whole[:1] + [(I.F_COMMIT, block_of(junk))], I.FAULT_BUSY, I.FAULT_NATIVE),
    (whole + [(I.F_COMMIT, b"x" * 8)], I.FAULT_BUSY, I.FAULT_NATIVE),
    (whole + [(I.F_COMMIT, block_of(junk))], I.FAULT_BUSY, I.FAULT_NATIVE),
]
waiting = list(false_code)


def attach(world, host):
    if waiting:
        for code, payload in waiting.pop(0)[0]:
            host.send(code, payload)


noisy, (world, host) = run(attach)
check("false machine code while it runs", noisy, quiet)
faults = [unpack(I.FAULT_FORMAT, payload)[0] for _, payload in host.of(I.F_FAULT)]
check("is told as faults", faults, [while_running for _, while_running, _ in false_code])
host.got, host.alive = [], True
for requests, _, _ in false_code:
    for code, payload in requests:
        host.send(code, payload)
    host.until(world.ms + 300)
faults = [unpack(I.FAULT_FORMAT, payload)[0] for _, payload in host.of(I.F_FAULT)]
check("and so it is afterwards", faults, [standing for _, _, standing in false_code])
check("the block is interpreted as before", host.run(running).fields[:5], quiet[0][:5])
finish()
