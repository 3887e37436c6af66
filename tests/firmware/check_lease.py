# The lease, the latch and its release, on the simulated clock.
from world import *

from llmvm import _isa as I

LONG = [wi(I.OP_MOVE, 47, 1000), w(I.OP_END)]


# A robot in the middle of a long move.
def moving(**options):
    world, robot, host = start()
    data = container(LONG, **options)
    host.upload(data)
    host.send(I.F_RUN, block_of(data))
    host.until(world.ms + 5000)
    check("it moves", world.drive.moving, 1)
    return world, robot, host


def last_done(host):
    return Done(unpack(I.DONE_FORMAT, host.of(I.F_DONE)[-1][1]))


# The host falls silent.
world, robot, host = moving()
heard = robot._link.heard
host.alive = False
halted = []
halt = world.drive.halt
world.drive.halt = lambda at_once: (halted.append((world.ms - heard, at_once)), halt(at_once))
host.until(heard + 299)
check("no halt within the lease", halted, [])
host.until(heard + 301)
check("a ramp when the lease is over", halted, [(300, 0)])
check("telemetry says so", host.telemetry().flags & I.FLAG_LEASE, I.FLAG_LEASE)
host.until(heard + 1999)
check("no latch before its time", host.telemetry().state, I.STATE_RUNNING)
host.until(heard + 2001)
check("then the e-stop, at once", halted, [(300, 0), (2000, 1)])
done = last_done(host)
check("the block ended by the lease", (done.outcome, world.drive.moving), (I.OUT_LEASE, 0))
host.until(heard + 2200)
check("latched", host.telemetry().state, I.STATE_LATCHED)
rounds = world.rounds
host.until(heard + 12200)
check("a latched robot waits without spinning", world.rounds - rounds < 210, True)

# Only the right nonce releases the latch.
host.alive = True
data = container(LONG)
host.send(I.F_RUN, block_of(data))
fault = host.until(world.ms + 100, I.F_FAULT)
check("RUN is refused while latched", unpack(I.FAULT_FORMAT, fault)[0], I.FAULT_LATCHED)
clear = host.telemetry().clear
check("the nonce is not HELLO's any more", clear != host.hello[5], True)
for wrong in (0, clear ^ 1, host.hello[5]):
    host.send(I.F_CLEAR, pack("<I", wrong))
    host.until(world.ms + 120)
    check("a wrong nonce releases nothing", host.telemetry().state, I.STATE_LATCHED)
host.send(I.F_STOP)
host.send(I.F_HEARTBEAT, pack("<I", 0))
host.until(world.ms + 120)
check("nor does anything else", host.telemetry().state, I.STATE_LATCHED)
hello = host.identify(nonce=99, session=9)
check(
    "a new session keeps the latch",
    (host.until(world.ms + 120), host.telemetry().state),
    (None, I.STATE_LATCHED),
)
check("and tells the nonce", hello[5], clear)
host.send(I.F_CLEAR, pack("<I", clear))
host.until(world.ms + 120)
check("the right one does", host.telemetry().state, I.STATE_READY)
done = host.execute([wi(I.OP_MOVE, 47, 20), w(I.OP_END)])
check("then blocks run again", done.outcome, I.OUT_COMPLETED)
host.send(I.F_ESTOP)
host.until(world.ms + 120)
check("each latch has its own nonce", host.telemetry().clear != clear, True)

# ESTOP in a move
world, robot, host = moving()
host.send(I.F_ESTOP)
done = Done(unpack(I.DONE_FORMAT, host.until(world.ms + 100, I.F_DONE)))
check("ESTOP stops at once", (done.outcome, world.drive.halts, world.drive.moving), (I.OUT_ESTOP, [1], 0))

# Only frames that are whole, of this session and in their order renew the lease.
FAKES = (
    ("a broken frame", lambda host: frame(I.F_HEARTBEAT, host.session, host.seq, 0, b"\1\0\0\0", seed=1)),
    ("another session's", lambda host: frame(I.F_HEARTBEAT, host.session + 1, host.seq, 0, b"\1\0\0\0")),
    (
        "an old datagram",
        lambda host: frame(I.F_HEARTBEAT, host.session, (host.seq - 1) & 255, 0, b"\1\0\0\0"),
    ),
    ("an old request", lambda host: frame(I.F_STOP, host.session, (host.seq - 1) & 255, 0)),
    ("a request of tomorrow", lambda host: frame(I.F_STOP, host.session, host.seq + 1, 0)),
    ("a robot's own frame", lambda host: frame(I.F_TELEMETRY, host.session, host.seq, 0, bytes(46))),
    ("a payload of another size", lambda host: frame(I.F_HEARTBEAT, host.session, host.seq, 0, b"\1\0\0")),
    ("an unknown type", lambda host: frame(99, host.session, host.seq, 0)),
    ("the echo of its IDENTIFY", lambda host: frame(I.F_IDENTIFY, host.session, 0, 0, pack("<I", 1))),
    ("noise", lambda host: b"\0" + bytes(range(1, 200)) + b"\0"),
)
for name, fake in FAKES:
    world, robot, host = moving()
    host.alive = False
    heard = robot._link.heard
    for ms in range(50, 400, 50):
        world.events.append(
            (heard + ms, lambda fake=fake: setattr(world, "to_robot", world.to_robot + fake(host)))
        )
    host.until(heard + 310)
    check(name + " does not renew the lease", world.drive.halts, [0])
world, robot, host = moving()
host.until(world.ms + 3000)
check("heartbeats do", world.drive.halts, [])

# Autonomy: the header's time takes the lease's place while that block runs.
world, robot, host = moving(autonomous=4000)
host.alive = False
heard = robot._link.heard
host.until(heard + 3999)
check("an autonomous block goes on alone", (world.drive.halts, host.telemetry().state), ([], I.STATE_RUNNING))
host.until(heard + 4100)
check("for its time", world.drive.halts, [0])
host.until(heard + 5800)
check("and then latches", (world.drive.halts, host.telemetry().state), ([0, 1], I.STATE_LATCHED))

# Before any session nothing is at stake.
world = World()
robot = Supervisor(world, LIMITS, ANGLES)
for _ in range(10):
    robot.step()
check(
    "a robot without a host waits", (world.ms >= 5000, world.from_robot, world.drive.halts), (True, b"", [])
)

# A host that takes its leave: nothing is to be renewed any more, and nothing latches.
world, robot, host = moving()
host.send(I.F_CLOSE)
fault = host.until(world.ms + 100, I.F_FAULT)
check("CLOSE is refused while a block runs", unpack(I.FAULT_FORMAT, fault)[0], I.FAULT_BUSY)
host.send(I.F_STOP)
host.until(world.ms + 5000, I.F_DONE)
host.until(world.ms + 1000)
host.send(I.F_CLOSE)
host.alive = False
world.events = []
host.until(world.ms + 10)
check("it is acknowledged", robot._link.session, -1)
host.until(world.ms + 60000)
check("no latch a minute later", robot._latched, False)
host.send(I.F_HEARTBEAT, pack("<I", 0))
host.until(world.ms + 100)
check("the old session is over", robot._link.session, -1)
host.alive = True
host.seq = host.ack = 0
host.identify(nonce=9, session=8)
host.until(world.ms + 300)
check("another one begins without a clear", host.telemetry().state, I.STATE_READY)
host.send(I.F_ESTOP)
host.until(world.ms + 200)
host.send(I.F_CLOSE)
fault = host.until(world.ms + 100, I.F_FAULT)
check("CLOSE releases no latch", (unpack(I.FAULT_FORMAT, fault)[0], robot._latched), (I.FAULT_LATCHED, True))

finish()
