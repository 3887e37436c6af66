# Straight moves that follow each other join: the robot does not stand between them, and all else stays true.
from world import *

from llmvm import _isa as I

END = w(I.OP_END)
LED = w(I.OP_LED, 9, 9, 9)


def move(mm, speed=40):
    return wi(I.OP_MOVE, speed, mm)


def steps(mm):
    return abs(mm) * 21730 // 1000 * (1 if mm > 0 else -1)


# Watches the wheels: the places where they stood between their first step and their last.
class Watch:
    def __init__(self, world):
        self.stood = []
        self._moved = False
        self.world = world
        world.each_ms = self.look

    def look(self, world):
        if world.drive.moving:
            self._moved = True
        elif self._moved:
            self.stood.append(world.drive.left)
            self._moved = False


def most(data):
    verifier.check(data)
    return list(verifier.certificate)


def within(done, data):
    used = done.fuel, done.ms, done.path, done.rotation
    return all(amount <= limit for amount, limit in zip(used, most(data)))


# One block in a fresh world; returns what it did.
def drive(*words):
    world, robot, host = start()
    watch = Watch(world)
    data = container(list(words) + [END])
    host.upload(data)
    done = host.run(data)
    host.until(world.ms + 50)
    check("it keeps to its certificate", within(done, data), True)
    return world, watch, done


# What joins, and what does not
a, b = steps(100), steps(50)
loop = [wi(I.OP_LOOP, 0, 4), move(30), wi(I.OP_ENDLOOP, 0, 2)]
register = [wi(I.OP_LDI, 1, 50), move(100), w(I.OP_MOVER, 1, 6, 40)]
call = [move(100), wi(I.OP_CALL, 0, 3), move(25), END, w(I.OP_PROC), move(25), w(I.OP_RET)]
short = [move(3)] * 20
for name, words, places in (
    ("two moves", [move(100), move(50)], [a + b]),
    ("backward", [move(-100), move(-50)], [-a - b]),
    ("to a faster one", [move(100, 20), move(50, 47)], [a + b]),
    ("three", [move(100), move(50), move(100)], [2 * a + b]),
    (
        "with a light between",
        [move(100), LED, wi(I.OP_TONE, 5, 440), w(I.OP_REPORT, 1, 1), move(50)],
        [a + b],
    ),
    ("a move by register", register, [a + b]),
    ("a loop", loop, [4 * steps(30)]),
    ("a procedure", call, [a + 2 * steps(25)]),
    ("moves too short for the ramp", short, [20 * steps(3)]),
    ("over a move by nothing", [move(100), wi(I.OP_MOVE, 40, 0), move(50)], [a + b]),
    ("under a guard", [wi(I.OP_GUARD, 0, 150), move(100), move(50)], [a + b]),
    ("to a guard that does not hold", [move(100), wi(I.OP_GUARD, 0, 150), move(50)], [a + b]),
    ("not the other way", [move(100), move(-50)], [a, a - b]),
    ("not a slower one", [move(100, 40), move(50, 39)], [a, a + b]),
    ("not over a turn", [move(100), wi(I.OP_TURN, 50, 300), move(50)], [a, a - 325, a - 325 + b]),
    ("not over a wait", [move(100), wi(I.OP_WAIT, 0, 0), move(50)], [a, a + b]),
    ("not where something is sensed", [move(100), w(I.OP_SENSE, 1, I.CH_X), move(50)], [a, a + b]),
    ("not where a trip may count", [move(100), w(I.OP_TRIP, 1), move(50)], [a, a + b]),
    ("not to a guard that holds", [move(100), wi(I.OP_GUARD, 0, 2001), move(50)], [a]),
):
    world, watch, done = drive(*words)
    check(
        name,
        (watch.stood, done.outcome, done.trip),
        (places, I.OUT_COMPLETED, 1 if name[-5:] == "holds" else 0),
    )
world, watch, done = drive(move(100), move(100))
alone = drive(move(100), wi(I.OP_WAIT, 0, 0), move(100))[2]
saved = alone.ms - done.ms
check("one ramp down and one up are saved", 1690 < saved < 1710, True)
world, robot, host = start()
at = []
world.set = lambda red, green, blue: at.append(world.drive.left)
done = host.execute([move(100), LED, move(50), END])
check("a light between them is lit where they meet", (len(at), a <= at[0] <= a + 2), (1, True))


# Two blocks, the second queued while the first one moves; something happens at `ms`.
def blocks(first, second, ms=100000, event=None):
    world, robot, host = start()
    watch = Watch(world)
    host.upload(first)
    host.upload(second)
    host.send(I.F_RUN, block_of(first))
    host.until(world.ms + 200)
    host.send(I.F_NEXT, block_of(first) + block_of(second))
    host.until(200 + ms)
    if event:
        event(world, host)
    end = world.ms + 12000
    while world.ms < end and len(host.of(I.F_DONE)) + len(host.of(I.F_FAULT)) < 2:
        host.until(world.ms + 100)
    host.until(world.ms + 60)
    ends = [Done(unpack(I.DONE_FORMAT, payload)) for _, payload in host.of(I.F_DONE)]
    faults = [unpack(I.FAULT_FORMAT, payload)[0] for _, payload in host.of(I.F_FAULT)]
    fine = [within(done, data) for done, data in zip(ends, (first, second))]
    return world, watch, ends, faults, fine


one, two = container([LED, move(100), END]), container([wi(I.OP_GUARD, 0, 150), move(50), END])
world, watch, ends, faults, fine = blocks(one, two)
check(
    "two blocks join", (watch.stood, [done.outcome for done in ends], fine), ([a + b], [1, 1], [True, True])
)
check("and share the way", [(done.path, done.fuel) for done in ends], [(100, 3), (49, 3)])
faster = container([move(50, 47), END])
check("whichever is faster", blocks(one, faster)[1].stood, [a + b])
waits = container([wi(I.OP_WAIT, 0, 10), move(50), END])
check("not where the next begins with a wait", blocks(one, waits)[1].stood, [a, a + b])
asks = container([move(100), w(I.OP_TRIP, 1), END])
check("nor where the first asks how it went", blocks(asks, two)[1].stood, [a, a + b])
world, watch, ends, faults, fine = blocks(one, two, 1000, lambda world, _host: setattr(world, "mv", 4399))
check("nor on an empty battery", (watch.stood, len(ends), faults), ([a], 1, [I.FAULT_BATTERY]))

# Whenever the host stops them, each block accounts for its own way, and each NEXT is answered.
bad = []
split = 0
for ms in range(1, 4600, 163):
    for name, event in (
        ("STOP", lambda world, host: host.send(I.F_STOP)),
        ("ESTOP", lambda world, host: host.send(I.F_ESTOP)),
        ("silence", lambda world, host: setattr(host, "alive", False)),
    ):
        world, watch, ends, faults, fine = blocks(one, two, ms, event)
        way = world.drive.left * 1000 / 21730
        if name == "silence":
            fine.append(way <= 150)
        else:
            fine.append(len(ends) + len(faults) == 2)
            fine.append(way - 2 < sum(done.path for done in ends) <= way)
            split += len(ends) == 2 and ends[0].outcome == ends[1].outcome != I.OUT_COMPLETED
        if not all(fine) or world.drive.moving:
            bad.append((name, ms, [done.fields for done in ends], faults, way))
check("stopped at any moment", bad, [])
check("in between, the way is the second block's", split > 0, True)

# A guard or the reflex that ends a move in motion ends it within the way of the next.
bad = []
early = 0
for ms in range(200, 4600, 223):
    for first, between, hold in ((150, [], 100), (150, [], 5000), (0, [wi(I.OP_GUARD, 0, 150)], 5000)):
        world, robot, host = start()
        world.events.append((ms, lambda: setattr(world, "mm", (149,) + (2000,) * 5)))
        world.events.append((ms + hold, lambda: setattr(world, "mm", (2000,) * 6)))
        words = [wi(I.OP_GUARD, 0, first), move(100)] + between + [move(50), END]
        data = container(words)
        host.upload(data)
        done = host.run(data)
        early += done.trip == 1
        if not within(done, data) or world.drive.left > a + b or world.drive.moving:
            bad.append((ms, first, hold, done.fields, world.drive.left))
check("a guard at any moment", bad, [])
check("which may last or pass", 10 < early < 50, True)
finish()
