# Blocks that follow each other without a stop, in a small world.
from world import *

from llmvm import _isa as I


def waits(tag, ms=1000, *more):
    return container([wi(I.OP_WAIT, 0, ms), w(I.OP_REPORT, tag, 1)] + list(more) + [w(I.OP_END)])


# Queue a block behind another one.
def after(host, first, second):
    host.send(I.F_NEXT, block_of(first) + block_of(second))


# A robot that runs `first` and holds `second`.
def running(first, second, ms=100):
    world, robot, host = start()
    host.upload(first)
    host.send(I.F_RUN, block_of(first))
    host.until(world.ms + ms)
    if second != first:
        host.upload(second)
    return world, robot, host


def dones(host):
    return [(ms, Done(unpack(I.DONE_FORMAT, payload))) for ms, payload in host.of(I.F_DONE)]


def faults(host):
    return [unpack(I.FAULT_FORMAT, payload)[0] for _, payload in host.of(I.F_FAULT)]


# What the robot has said of blocks and faults, in order.
def story(host):
    said = []
    for _, code, payload in host.got:
        if code == I.F_DONE:
            said.append(Done(unpack(I.DONE_FORMAT, payload)).outcome)
        elif code == I.F_FAULT:
            said.append(("fault", unpack(I.FAULT_FORMAT, payload)[0]))
        elif code == I.F_EVENT:
            said.append(("event", unpack(I.EVENT_FORMAT, payload)[0]))
    return said


one, two, three = waits(1), waits(2), waits(3)
fails = container([wi(I.OP_WAIT, 0, 1000), w(I.OP_FAIL, 9)])

# The next block begins in the millisecond in which the one before it completes.
world, robot, host = running(one, two)
after(host, one, two)
host.until(world.ms + 5000)
(first_ms, first), (second_ms, second) = dones(host)
check("no time between two blocks", second_ms - first_ms, 1000)
check(
    "each says what it has used", ((first.ms, first.fuel), (second.ms, second.fuel)), ((1000, 3), (1000, 3))
)
check("in order", story(host), [("event", 1), 1, ("event", 2), 1])

# NEXT that comes a little late begins the block at once, as long as nothing else has happened.
world, robot, host = running(one, two, 3000)
after(host, one, two)
host.until(world.ms + 1500)
check("a block after one that has completed", story(host), [("event", 1), 1, ("event", 2), 1])
after(host, one, two)
host.until(world.ms + 100)
check("but not after the one before", story(host)[4:], [("fault", I.FAULT_NOT_COMPLETED)])
after(host, two, one)
host.until(world.ms + 1500)
check("which ends no chain", story(host)[5:], [("event", 1), 1])

# Registers and guards are new in each block, variables and the mode stay.
first = container(
    [
        wi(I.OP_LDI, 3, 7),
        w(I.OP_SETV, 2, 3),
        w(I.OP_MODE, 2),
        wi(I.OP_GUARD, 0, 9999),
        wi(I.OP_WAIT, 0, 0),
        w(I.OP_END),
    ]
)
tells = [
    w(I.OP_GETV, 4, 2),
    w(I.OP_REPORT, 1, 3),
    w(I.OP_REPORT, 2, 4),
    wi(I.OP_WAIT, 0, 50),
    w(I.OP_TRIP, 5),
]
second = container(tells + [w(I.OP_REPORT, 3, 5), w(I.OP_END)])
world, robot, host = running(one, first)
after(host, one, first)
host.until(world.ms + 2000)
host.upload(second)
after(host, first, second)
host.until(world.ms + 2000)
events = [unpack(I.EVENT_FORMAT, payload) for _, payload in host.of(I.F_EVENT)]
check("state of the block before", events[1:], [(1, 0), (2, 7), (3, 0)])
check("and its mode", host.telemetry().mode, 2)

# A block may follow itself.
world, robot, host = running(one, one)
after(host, one, one)
host.until(world.ms + 1100)
after(host, one, one)
host.until(world.ms + 5000)
check("the same block three times", story(host), [("event", 1), 1] * 3)
check("without a gap", [ms - dones(host)[0][0] for ms, _ in dones(host)], [0, 1000, 2000])

# One block can be queued, and no upload touches it or the one that runs.
world, robot, host = running(one, two)
after(host, one, two)
after(host, one, two)
host.until(world.ms + 50)
check("one block is queued at most", story(host), [("fault", I.FAULT_BUSY)])
host.upload(three)
check("an upload finds no slot", story(host)[1:], [("fault", I.FAULT_BUSY)])
host.until(world.ms + 1000)
check("and touches none", host.upload(three)[1], 0)
after(host, two, three)
host.until(world.ms + 3000)
check("then all have run", story(host)[2:], [("event", 1), 1, ("event", 2), 1, ("event", 3), 1])

# NEXT that cannot be met
world, robot, host = running(one, two)
after(host, one, three)
after(host, two, one)
host.until(world.ms + 2000)
check("a block not held, and one after another than runs", story(host)[:2], [("fault", 1), ("fault", 7)])
host.identify(3, session=11)
host.got = []
host.upload(two)
after(host, one, two)
host.until(world.ms + 100)
check("a session begins without a block to follow", story(host), [("fault", 7)])

# A block that does not complete takes the queued one with it: each NEXT is answered once.
world, robot, host = running(fails, two)
after(host, fails, two)
host.until(world.ms + 3000)
check("behind one that fails", story(host), [I.OUT_FAILED, ("fault", 7)])
after(host, fails, two)
host.until(world.ms + 3000)
check("nor after it", story(host)[2:], [("fault", 7)])
for name, end, outcome in (
    ("STOP", lambda host: host.send(I.F_STOP), I.OUT_STOPPED),
    ("ESTOP", lambda host: host.send(I.F_ESTOP), I.OUT_ESTOP),
):
    world, robot, host = running(one, two)
    after(host, one, two)
    host.until(world.ms + 100)
    end(host)
    host.until(world.ms + 3000)
    check(name + " drops the queue", story(host), [outcome, ("fault", 7)])
world, robot, host = running(one, two, 3000)
host.send(I.F_STOP)
after(host, one, two)
host.until(world.ms + 3000)
check("no block follows a STOP", story(host)[2:], [("fault", 7)])
world, robot, host = running(one, two)
after(host, one, two)
host.until(world.ms + 50)
host.alive = False
host.until(world.ms + 1000)
host.alive = True
host.send(I.F_ACK)
host.until(world.ms + 1500)
check("the lease drops the queue", story(host), [I.OUT_LEASE, ("fault", 7)])
world, robot, host = running(one, two)
after(host, one, two)
host.until(world.ms + 50)
host.identify(3, session=11)
host.until(world.ms + 3000)
check("so does a session, without a word", story(host), [])

# The battery counts when a block starts, the lease is each block's own.
world, robot, host = running(one, two)
after(host, one, two)
host.until(world.ms + 50)
world.mv = 4399
host.until(world.ms + 3000)
check("no block follows on an empty battery", story(host), [("event", 1), 1, ("fault", I.FAULT_BATTERY)])
alone = container([wi(I.OP_WAIT, 0, 1000), w(I.OP_END)], autonomous=5000)
world, robot, host = running(alone, two)
after(host, alone, two)
host.until(world.ms + 50)
host.alive = False
host.until(world.ms + 1500)
host.alive = True
host.send(I.F_ACK)
host.until(world.ms + 1500)
check("a tethered block behind an autonomous one has a lease", story(host), [1, I.OUT_LEASE])
check("and does nothing without it", dones(host)[1][1].fuel, 0)

# Reports of two blocks wait for a host that is slow to acknowledge.
reports = container([w(I.OP_REPORT, tag, 1) for tag in range(64)] + [w(I.OP_END)], autonomous=10000)
world, robot, host = running(one, reports)
after(host, one, reports)
host.until(world.ms + 1100)
after(host, reports, reports)
host.until(world.ms + 3000)
tags = [unpack(I.EVENT_FORMAT, payload)[0] for _, payload in host.of(I.F_EVENT)]
check("no report is lost between two blocks", tags, [1] + list(range(64)) * 2)
finish()
