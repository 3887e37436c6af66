# The supervisor in a small world: moves, guards, the reflex, waits, reports, how blocks end.
from world import *

from llmvm import _isa as I


def fresh():
    return start()


# What a block does to the wheels, and what it says it has used.
world, robot, host = fresh()
check("HELLO", host.hello[:5], (1, I.SPEC_HASH, MANIFEST, I.MAJOR, I.MINOR))
done = host.execute([wi(I.OP_MOVE, 40, 100), wi(I.OP_TURN, 50, -1571), w(I.OP_END)])
check("the moves in steps", world.drive.moves, [(2173, 2173, 870, 512), (1706, -1706, 544, 512)])
check("completed", (done.outcome, done.code, done.pc, done.fuel, done.trip), (I.OUT_COMPLETED, 0, 2, 3, 0))
check("path and rotation", (99 <= done.path <= 100, 1569 <= done.rotation <= 1571), (True, True))
now = host.telemetry()
check("odometry", (now.x, now.y, now.heading), (100, 0, -1570))
done = host.execute([wi(I.OP_MOVE, 40, -50), w(I.OP_FAIL, 77)])
check("failed with its code", (done.outcome, done.code, done.path), (I.OUT_FAILED, 77, 49))
now = host.telemetry()
check("backward along the heading", (now.x, now.y), (100, 50))
check("the state after a block", (now.state, now.flags), (I.STATE_READY, 0))

# Rates are rounded up, but never above the motors'.
world, robot, host = fresh()
host.execute([wi(I.OP_MOVE, 47, 30), wi(I.OP_TURN, 94, 300), w(I.OP_END)])
check("fast moves", [m[2] for m in world.drive.moves], [1022, 1022])

# Every certified duration holds in this world.
world, robot, host = fresh()
moves = [wi(I.OP_MOVE, v, d) for v in (1, 2, 3, 7, 13, 40, 47) for d in (1, 5, 23, -60)]
moves += [wi(I.OP_TURN, v, d) for v in (1, 2, 5, 50, 94) for d in (3, 50, -700)]
late = []
for move in moves:
    data = container([move, w(I.OP_END)])
    most = list(verifier.certificate)
    host.upload(data)
    done = host.run(data)
    if done.outcome != I.OUT_COMPLETED or done.ms > most[I.CERT_MS] or done.path > most[I.CERT_PATH_MM]:
        late.append((hex(move), done.fields, most))
check("no move is longer than certified", late, [])

# DRIVE
world, robot, host = fresh()
done = host.execute([wi(I.OP_LDI, 1, 40), wi(I.OP_LDI, 2, 20), w(I.OP_DRIVE, 0x12, 47, 20), w(I.OP_END)])
check("DRIVE in steps", world.drive.moves, [(1738, 869, 870, 512)])
check("DRIVE takes its time and a ramp", 3600 <= done.ms <= 3710, True)
check("DRIVE curves right", -410 < host.telemetry().heading < -380, True)
done = host.execute([w(I.OP_DRIVE, 0x33, 47, 5), w(I.OP_END)])
check("DRIVE at no speed stands", (done.ms, len(world.drive.moves)), (500, 1))


# Guards
def guarded(threshold, first, later, at, *body):
    world, robot, host = fresh()
    world.mm = (first,) + (2000,) * 5
    world.events.append((at, lambda: setattr(world, "mm", (later,) + (2000,) * 5)))
    tell = [w(I.OP_TRIP, 5), w(I.OP_REPORT, 1, 5), w(I.OP_END)]
    done = host.execute([wi(I.OP_GUARD, 2, threshold)] + list(body) + tell)
    return world, done, unpack(I.EVENT_FORMAT, host.of(I.F_EVENT)[-1][1])[1]


move = wi(I.OP_MOVE, 40, 300)
world, done, trip = guarded(400, 2000, 399, 3000, move)
check("a guard ends a move", (done.outcome, trip, world.drive.halts), (I.OUT_COMPLETED, 3, [0]))
check("within a tick and the ramp", 90 < done.path < 145, True)
world, done, trip = guarded(400, 399, 399, 0, move)
check("a guard that holds lets no move begin", (trip, world.drive.moves, done.path), (3, [], 0))
world, done, trip = guarded(400, 2000, 65535, 3000, move)
check("a guard that sees nothing trips", (trip, world.drive.halts), (3, [0]))
world, done, trip = guarded(400, 2000, 399, 1200, wi(I.OP_WAIT, 0, 5000))
check("a guard ends a wait within a tick", (trip, 1000 < done.ms <= 1250), (3, True))
world, done, trip = guarded(400, 2000, 2000, 0, wi(I.OP_WAIT, 0, 5000))
check("a wait that ends by itself", (trip, done.ms), (0, 5000))
world, done, trip = guarded(100, 2000, 399, 3000, move)
check("a guard that does not hold", (trip, world.drive.halts), (0, []))
world, done, trip = guarded(400, 2000, 399, 1200, wi(I.OP_TURN, 20, 1571))
check("a guard ends a turn", (trip, world.drive.halts), (3, [0]))


# The reflex: a wall that stands still in front of a robot that drives to it.
def toward(distance, channel, op, amount, speed=40, ages=(20,) * 6):
    world, robot, host = fresh()
    world.ages = ages

    def look(w):
        way = int((w.drive.left + w.drive.right) / 2 * 1000 / 21730)
        mm = [2000] * 6
        mm[channel] = max(distance - (-way if channel == I.CH_REAR else way), 0)
        w.mm = tuple(mm)

    look(world)
    world.each_ms = look
    done = host.execute([wi(op, speed, amount), w(I.OP_TRIP, 5), w(I.OP_END)])
    return world, done, host.telemetry()


for speed in (10, 25, 47):
    world, done, now = toward(400, 0, I.OP_MOVE, 400, speed)
    left = world.mm[0] - 75
    check(
        f"the reflex stops at {speed} mm/s",
        (done.trip, now.flags & I.FLAG_REFLEX, world.drive.halts),
        (5, 2, [0]),
    )
    check(f"with the stop distance left at {speed} mm/s ({left} mm)", 60 <= left <= 75, True)
world, done, now = toward(134, 0, I.OP_MOVE, 400)
check("no move begins within the stop distance", (done.trip, world.drive.moves), (5, []))
world, done, now = toward(190, 0, I.OP_MOVE, 50)
check("a short move that ends in time is let be", (done.trip, world.drive.halts), (0, []))
world, done, now = toward(150, 1, I.OP_MOVE, 400)
check("an obstacle at the side of the way counts", done.trip, 5)
world, done, now = toward(180, 1, I.OP_MOVE, 8)
check("one beside the way does not", done.trip, 0)
world, done, now = toward(100, 3, I.OP_MOVE, 100)
check("nor does a wall at the left", done.trip, 0)
world, done, now = toward(134, 5, I.OP_MOVE, 100)
check("nor one behind", done.trip, 0)
world, done, now = toward(134, 5, I.OP_MOVE, -100)
check("but behind it stops a move backward", (done.trip, world.drive.moves), (5, []))
world, done, now = toward(100, 0, I.OP_MOVE, -100)
check("which a wall in front does not", done.trip, 0)
world, done, now = toward(100, 0, I.OP_TURN, 500)
check("a turn is free", done.trip, 0)
world, done, now = toward(66000, 0, I.OP_MOVE, 100)
world, done, now = toward(1000, 0, I.OP_MOVE, 100, ages=(301, 0, 0, 0, 0, 0))
check("an old reading stops a forward move", (done.trip, now.flags & I.FLAG_STALE), (5, I.FLAG_STALE))
world, done, now = toward(1000, 5, I.OP_MOVE, 100, ages=(0, 0, 0, 0, 0, 301))
check("an old reading behind does not", done.trip, 0)

# A channel that the robot does not have is never stale.
world, robot, host = start([n & ~(1 << I.CH_REAR) if n == 8191 else n for n in LIMITS])
world.mm, world.ages = (2000,) * 5 + (65535,), (20,) * 5 + (65535,)
host.until(world.ms + 200)
now = host.telemetry()
check("an absent channel", (now.ranges[5], now.age, now.flags), (65535, 20, 0))

# Where there is an IMU the heading is its own.
world = World()
world.mrad = 700
robot = Supervisor(world, LIMITS, ANGLES)
host = Host(world, robot)
host.identify()
world.mrad = 2271
host.execute([wi(I.OP_MOVE, 40, 100), w(I.OP_END)])
now = host.telemetry()
check("the IMU's heading counts", (now.heading, now.x, 95 < now.y <= 100), (1571, 0, True))

# Signals, reports, state
world, robot, host = fresh()
reports = [w(I.OP_REPORT, tag, 1) for tag in range(64)]
done = host.execute(
    [wi(I.OP_LDI, 1, -3), w(I.OP_LED, 1, 2, 3), wi(I.OP_TONE, 5, 440)] + reports + [w(I.OP_END)]
)
events = [unpack(I.EVENT_FORMAT, payload) for _, payload in host.of(I.F_EVENT)]
check("every report arrives, in order, before DONE", events, [(tag, -3) for tag in range(64)])
check("LED and TONE", (world.lights, world.tones), ([(1, 2, 3)], [(440, 50)]))
host.execute([wi(I.OP_LDI, 1, 5), w(I.OP_SETV, 3, 1), w(I.OP_MODE, 2), w(I.OP_END)])
host.execute([w(I.OP_GETV, 1, 3), w(I.OP_REPORT, 9, 1), w(I.OP_REPORT, 10, 2), w(I.OP_END)])
events = [unpack(I.EVENT_FORMAT, payload) for _, payload in host.of(I.F_EVENT)]
check("variables outlive a block, registers do not", events[-2:], [(9, 5), (10, 0)])
check("and so does the mode", host.telemetry().mode, 2)
host.identify(nonce=2, session=8)
host.got = []
host.execute([w(I.OP_GETV, 1, 3), w(I.OP_REPORT, 9, 1), w(I.OP_END)])
check("a session forgets them", unpack(I.EVENT_FORMAT, host.of(I.F_EVENT)[0][1]), (9, 0))
check("and the mode", host.telemetry().mode, 0)

# A long computation takes many slices, and the robot listens in between.
world, robot, host = fresh()
spin = [wi(I.OP_LOOP, 0, 300), wi(I.OP_LOOP, 0, 100), wi(I.OP_ADDI, 1, 1)]
spin += [wi(I.OP_ENDLOOP, 0, 2), wi(I.OP_ENDLOOP, 0, 4)]
before = world.rounds
done = host.execute(spin + [w(I.OP_END)])
check("fuel of 60602", done.fuel, 60602)
check("a round for each 1000 instructions at least", world.rounds - before > 60602 // 1000, True)
data = container(spin + [w(I.OP_END)])
host.upload(data)
host.send(I.F_RUN, block_of(data))
robot.step()
host.send(I.F_STOP)
done = Done(unpack(I.DONE_FORMAT, host.until(world.ms + 100, I.F_DONE)))
check("STOP ends a computation", (done.outcome, done.fuel <= 3000), (I.OUT_STOPPED, True))

# STOP and ESTOP in a move
world, robot, host = fresh()
data = container([wi(I.OP_MOVE, 47, 500), w(I.OP_END)])
host.upload(data)
host.send(I.F_RUN, block_of(data))
host.until(world.ms + 3000)
host.send(I.F_STOP)
done = Done(unpack(I.DONE_FORMAT, host.until(world.ms + 5000, I.F_DONE)))
check("STOP ramps down", (done.outcome, world.drive.halts, world.drive.moving), (I.OUT_STOPPED, [0], 0))
check("in the time of the ramp", 4900 < done.ms < 5100, True)

# A block that is not what its certificate says cannot run on: fuel and time are counted.
world, robot, host = fresh()
data = container([wi(I.OP_LOOP, 0, 100), wi(I.OP_ADDI, 1, 1), wi(I.OP_ENDLOOP, 0, 2), w(I.OP_END)])
host.upload(data)
robot._blocks.find(block_of(data)).certificate[I.CERT_FUEL] = 150
done = host.run(data)
check("fuel beyond the certificate", (done.outcome, 140 < done.fuel <= 150), (I.OUT_FAULT, True))
data = container([wi(I.OP_MOVE, 47, 500), w(I.OP_END)])
host.upload(data)
robot._blocks.find(block_of(data)).certificate[I.CERT_MS] = 3000
done = host.run(data)
check(
    "time beyond the certificate",
    (done.outcome, world.drive.halts, 3000 < done.ms < 5200),
    (I.OUT_FAULT, [0], True),
)

# Battery
world, robot, host = fresh()
data = container([w(I.OP_END)])
host.upload(data)
world.mv = 4399
host.until(world.ms + 200)
host.send(I.F_RUN, block_of(data))
check(
    "no block starts on an empty battery",
    unpack(I.FAULT_FORMAT, host.until(world.ms + 100, I.F_FAULT)),
    (3, 4399),
)
check("which telemetry says", host.telemetry().flags & I.FLAG_BATTERY, I.FLAG_BATTERY)

# An error in the firmware stops the robot, latches it and is reported.
world, robot, host = fresh()
data = container([wi(I.OP_MOVE, 47, 500), w(I.OP_END)])
host.upload(data)
host.send(I.F_RUN, block_of(data))
host.until(world.ms + 1000)


class Broken(Exception):
    pass


def broken(_now):
    raise Broken


robot._runner.go_on = broken
try:
    host.until(world.ms + 60)
except Broken as error:
    robot._fail(error)
robot._runner.go_on = None
host.until(world.ms + 50)
done = Done(unpack(I.DONE_FORMAT, host.of(I.F_DONE)[-1][1]))
check("an error stops at once", (done.outcome, world.drive.halts, world.drive.moving), (I.OUT_FAULT, [1], 0))
check("and is reported", unpack(I.FAULT_FORMAT, host.of(I.F_FAULT)[-1][1]), (I.FAULT_INTERNAL, 0))
check("and latches", host.telemetry().state, I.STATE_LATCHED)
finish()
