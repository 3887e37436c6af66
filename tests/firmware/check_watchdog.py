# The watchdog is fed by rounds that have come to their end, and by nothing else; a round that fails stops the
# robot before anything else happens.
from world import *

from llmvm import _isa as I

LONG = [wi(I.OP_MOVE, 47, 1000), w(I.OP_END)]
PORTS = ("advance", "readinto", "write")


# What no handler in the firmware catches: the round goes on for ever, or the power is gone.
class Hangs(BaseException):
    pass


# A world that counts, and whose ports fail while `fails` says so.
class Frail(World):
    def __init__(self):
        super().__init__()
        self.fed = []  # ms
        self.fails = {}  # port -> how often
        self.error = OSError
        self.fed_by_then = []  # how often it had been fed when a port failed
        self.end = None  # ms

    def feed(self):
        self.fed.append(self.ms)

    def _port(self, name):
        if self.fails.get(name, 0):
            self.fails[name] -= 1
            self.fed_by_then.append(len(self.fed))
            raise self.error(5)

    def advance(self, until):
        self._port("advance")
        if self.end is not None and self.ms >= self.end:
            raise Hangs()
        return super().advance(until if self.end is None else min(until, self.end))

    def readinto(self, buffer):
        self._port("readinto")
        return super().readinto(buffer)

    def write(self, buffer, size):
        self._port("write")
        return super().write(buffer, size)


# A robot in the middle of a long move.
def moving():
    world = Frail()
    robot = Supervisor(world, LIMITS, ANGLES)
    host = Host(world, robot)
    host.hello = host.identify()
    data = container(LONG)
    host.upload(data)
    host.send(I.F_RUN, block_of(data))
    host.until(world.ms + 3000)
    check("it moves", world.drive.moving, 1)
    return world, robot, host


# Let the firmware run by itself for so long; returns what ended it.
def run(world, robot, ms):
    world.end = world.ms + ms
    try:
        robot.run()
    except Hangs:
        return None
    except Exception as error:
        return error
    finally:
        world.end = None


world, robot, host = moving()
check("every round feeds it once", len(world.fed), world.rounds)
check("at least once a second", max(b - a for a, b in zip(world.fed, world.fed[1:])) <= 1000, True)

for port in PORTS:
    world, robot, host = moving()
    world.error, world.fails = Hangs, {port: 1}
    run(world, robot, 500)
    check(port + " hangs: the watchdog is not fed", [len(world.fed)], world.fed_by_then)
    check(
        port + " hangs: what can be stopped is stopped", (world.drive.halts[-1], world.drive.moving), (1, 0)
    )

    world, robot, host = moving()
    world.fails = {port: 3}
    ended = run(world, robot, 3000)
    check(port + " fails for good: the program ends", isinstance(ended, OSError), True)
    check(port + " fails for good: the wheels stand", (world.drive.halts[0], world.drive.moving), (1, 0))
    check(port + " fails for good: it is not fed again", [len(world.fed)] * 3, world.fed_by_then)

    world, robot, host = moving()
    world.fails = {port: 2}
    check(port + " fails twice: the program goes on", run(world, robot, 150), None)
    check(port + " fails twice: the wheels stand", (world.drive.halts[0], world.drive.moving), (1, 0))
    check(port + " fails twice: not fed by these", world.fed_by_then[0], world.fed_by_then[1])
    check(port + " fails twice: fed by the next", len(world.fed) > world.fed_by_then[1], True)
    host.until(world.ms + 300)
    fault = host.of(I.F_FAULT)
    check(port + " fails twice: the host is told", fault and unpack(I.FAULT_FORMAT, fault[0][1]), (6, 5))
    check(port + " fails twice: it is latched", host.telemetry().state, I.STATE_LATCHED)
    host.send(I.F_CLEAR, pack("<I", host.telemetry().clear))
    host.until(world.ms + 120)
    check(port + " fails twice: cleared, it works", host.execute([w(I.OP_END)]).outcome, I.OUT_COMPLETED)

# A round that fails and a drive that does not stop: the program ends, and the watchdog is left.
world, robot, host = moving()
halt, world.fails = world.drive.halt, {"readinto": 1}


def broken(at_once):
    raise OSError(19)


world.drive.halt = broken
fed = len(world.fed)
ended = run(world, robot, 3000)
check(
    "a drive that does not obey ends the program", (isinstance(ended, OSError), len(world.fed)), (True, fed)
)
finish()
