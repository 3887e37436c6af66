# Ctrl-C on the link's port: when it is one, what happens first, and what the REPL reads then.
from world import *

from llmvm import _isa as I


# Let the robot work for `ms`; returns what the REPL gets, or None where it gets nothing.
def left(world, robot, ms):
    given = []
    world.leave = given.append
    end = world.ms + ms
    try:
        while world.ms < end:
            robot._until = min(robot._until, end)
            robot.step()
    except KeyboardInterrupt:
        check("it halts before it leaves", world.drive.moving, 0)
        return given[0]
    return None


def fresh():
    world = World()
    return world, Supervisor(world, LIMITS, ANGLES)


# A robot that no host has asked anything: what tools and people send.
for typed, rest in (
    (b"\x03", b""),
    (b"\r\x03", b""),
    (b"\r\x03\r\x01", b"\r\x01"),
    (b"\r\x03\x03\r\x01\x04", b"\r\x01\x04"),
    (b"\x03\x03", b""),
):
    world, robot = fresh()
    world.to_robot = typed
    check("Ctrl-C " + repr(typed), left(world, robot, 200), rest)

# What is none.
for noise in (b"\r\n", b"\x01", b"\x04", b"a\x03", b"\x03a", b"\x03\0", b"\x05\x03", b"\0\r\n\0\x04"):
    world, robot = fresh()
    world.to_robot = noise
    check("no Ctrl-C: " + repr(noise), left(world, robot, 2000), None)

# It is one only when nothing follows it at once.
world, robot = fresh()
world.to_robot = b"\x03"
world.events = [(30, lambda: setattr(world, "to_robot", b"abc\0"))]
check("bytes behind it make it noise", left(world, robot, 2000), None)

# A frame that breaks off does not hide the Ctrl-C that comes after a pause, as from a host that was killed.
world, robot = fresh()
world.to_robot = frame(I.F_IDENTIFY, 7, 0, 0, pack("<I", 1))[:9]
world.events = [(200, lambda: setattr(world, "to_robot", b"\r\x03\r\x01"))]
check("a broken frame before it", left(world, robot, 1000), b"\r\x01")

# While a host is alive it is noise; when the host has gone, the robot stops by its lease and listens.
world, robot, host = start()
data = container([wi(I.OP_MOVE, 47, 1000), w(I.OP_END)], autonomous=8000)
host.upload(data)
host.send(I.F_RUN, block_of(data))
host.until(world.ms + 1000)
world.to_robot += b"\r\x03"
host.until(world.ms + 3000)
check("a living host is not interrupted", (robot._runner.slot is not None, world.drive.moving), (True, 1))
host.alive = False
world.events = []
heard = robot._link.heard
host.until(heard + 60)
world.to_robot += b"\r\x03\r\x01"
check("a silent one is, in the midst of an autonomous move", left(world, robot, 1000), b"\r\x01")
check("when the lease is over", heard + 300 <= world.ms <= heard + 310, True)

finish()
