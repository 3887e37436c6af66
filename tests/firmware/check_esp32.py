# The whole firmware on the fake ESP32-S3: a host on the cable, six rangers on the bus, coils on the pins.
from parts import *

import gc
import os

from llmvm import _isa as I
from llmvm import hal
from llmvm.hal import esp32
from llmvm.hal.ranges import CHANNELS
from llmvm.supervisor import Supervisor
from world import ANGLES, LIMITS, Host, block_of, container, w, wi
from world import Done, unpack
from wheels import Wheels

SHUTDOWN = [10, 11, 12, 13, 14, 21]
DRIVE = {"pins_left": [4, 5, 6, 7], "pins_right": [15, 16, 17, 18], "max_steps_s": 1024}


# What happens at a time, in ms of the robot's clock.
class Events(list):
    def __init__(self, wire):
        super().__init__()
        self.wire = wire

    def append(self, event):
        super().append(event)
        board.at(board.us + max(event[0] - self.wire.ms, 0) * 1000, lambda: self.run(event))

    def run(self, event):
        self.remove(event)
        event[1]()


# The cable and the host's desk: the robot's stdin and stdout.
class Wire:
    def __init__(self):
        self.to_robot = self.from_robot = b""
        self.robot = None
        self.events = Events(self)
        self.buffer = self.stdin = self.stdout = self
        self.slow_us = 0  # that a write takes

    @property
    def ms(self):
        self.robot.clock.look()
        return self.robot.clock.ms

    def ioctl(self, _request, flags):
        return flags if self.to_robot else 0

    # As the port's own, it would wait for the whole buffer.
    def readinto(self, buffer, size):
        if size > len(self.to_robot):
            raise RuntimeError("the firmware would hang")
        buffer[:size] = self.to_robot[:size]
        self.to_robot = self.to_robot[size:]
        return size

    def write(self, buffer, size):
        board.advance(self.slow_us)
        self.from_robot += bytes(buffer[:size])
        return size


# A robot with power since a moment, its host and its wheels. What was there before makes room.
def start(**others):
    global chips, wheels, wire, robot, host
    chips = wheels = wire = robot = host = esp32.sys = None
    machine.restart((1 << 30) * 1000 - 5000000)  # the counter of milliseconds wraps after 5 s
    gc.collect()
    chips = [TimeOfFlight(pin) for pin in SHUTDOWN]
    machine.adc_uv[1] = 2450000
    wheels = Wheels(DRIVE["pins_left"] + DRIVE["pins_right"])
    parts = tables(**others)
    parts["drive"].update(DRIVE)
    parts["range"]["pins"] = {CHANNELS[n]: [SHUTDOWN[n]] for n in range(6)}
    wire = Wire()
    esp32.sys = wire
    wire.robot = hal.open({"hal": "esp32", "parts": parts})
    robot = Supervisor(wire.robot, LIMITS, ANGLES)
    host = Host(wire, robot)
    host.hello = host.identify()
    host.until(wire.ms + 1500)  # the rangers start


start()
check("HELLO names the SPEC", host.hello[1], I.SPEC_HASH & 0xFFFFFFFF)
check("the rangers measure", list(host.telemetry().ranges), [1234] * 6)
check("so does the battery", host.telemetry().battery, 4900)

# One block from its upload to DONE
done = host.execute([wi(I.OP_MOVE, 47, 200), wi(I.OP_TURN, 50, 1571), w(I.OP_END)])
move, turn = 200 * LIMITS[17] // 1000, 1571 * LIMITS[18] // 10000
check("a block is run to its end", (done.outcome, done.code), (I.OUT_COMPLETED, 0))
check("within its certificate", done.ms <= 200 * 1000 // 47 + 1571 * 1000 // 500 + 4000 + 200, True)
check("its steps are made, on the pins", (wheels.left, wheels.right), (move - turn, move + turn))
check("each once", wheels.made, 2 * (move + turn))
check(
    "the robot counts the same", (wire.robot.drive.left, wire.robot.drive.right), (wheels.left, wheels.right)
)
check("and knows where it is", (done.path, done.rotation), (200, 1570))
host.until(wire.ms + 200)
check("the coils are off again", [machine.lines[pin].level for pin in DRIVE["pins_left"]], [0] * 4)
check("the clock has passed its wrap", board.us > (1 << 30) * 1000, True)

# What stops it
LONG = container([wi(I.OP_MOVE, 47, 1000), w(I.OP_END)])


def moving():
    start()
    host.upload(LONG)
    host.send(I.F_RUN, block_of(LONG))
    host.until(wire.ms + 5000)
    check("it moves", wire.robot.drive.moving, 1)


moving()
chips[0].mm = 140
host.until(wire.ms + 3000)
done = Done(unpack(I.DONE_FORMAT, host.of(I.F_DONE)[-1][1]))
check("the reflex stops it", (done.outcome, done.trip, wheels.left < 21730), (I.OUT_COMPLETED, 5, True))

moving()
made = wheels.made
host.send(I.F_ESTOP)
host.until(wire.ms + 1000)
check("ESTOP stops it at once", wheels.made - made <= 20, True)
check("with its coils off", wheels.coils, 0)

moving()
host.alive = False
heard = robot._link.heard
host.until(heard + 299)
check("until the lease runs out it moves", wire.robot.drive.moving, 1)
made = wheels.made
host.until(heard + 300 + 2010)
check("then it ramps down", (wire.robot.drive.moving, wheels.made > made), (0, True))

# Python hangs: not one step more, and the watchdog bites.
moving()
made = wheels.made
try:
    board.hang(10000000)
    check("the watchdog bites", False, True)
except type(board).reset as reset:
    check("the watchdog bites", str(reset), "watchdog")
check("without Python no step is made", wheels.made, made)

# Python loops, deaf to everything: the motion ends where it was planned to.
moving()
board.watchdog_us = None
board.advance(60000000)
check("a motion that nobody looks after ends at its total", (wheels.left, wheels.coils), (21730, 0))

# The REPL's turn
moving()
host.alive = False
heard = robot._link.heard
os.terminal[:] = b""
wire.to_robot += b"\r\x03\x03\x01"
try:
    host.until(heard + 1000)
    check("Ctrl-C ends the supervisor", False, True)
except KeyboardInterrupt:
    check("Ctrl-C ends the supervisor when the lease has run out", wire.ms - heard in range(300, 360), True)
made = wheels.made
check("the REPL reads what follows", bytes(os.terminal + wire.to_robot), b"\x01")
board.advance(100000000)
check("the wheels stand", (wheels.made, wheels.coils), (made, 0))
check("no watchdog bites the REPL", board.watchdog_us > board.us + 86400 * 1000000, True)
# A port that nobody reads
start()
wire.slow_us = 500000
host.alive = False
host.until(wire.ms + 700)
before = len(wire.from_robot)
host.until(wire.ms + 3000)
check("a port that is stuck gets no more", len(wire.from_robot), before)
wire.slow_us = 0
host.alive = True
wire.events.append((wire.ms + 10, host._beat))
host.until(wire.ms + 300)
check("until it speaks again", host.telemetry().ms > wire.ms - 200, True)
finish()
