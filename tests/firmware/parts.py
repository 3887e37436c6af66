# What the tests of the robot's parts share: the fake board before all else, and models of the chips, by their
# registers, on its simulated clock.
import sys

sys.path.insert(0, "firmware")
sys.path.insert(0, "tests/firmware/fake")

import machine
from simulation import board

from laws import check, finish  # noqa: F401  # for whoever imports all of this

_KEPT = 300  # writes


# The manifest's hardware tables, as robot.json has them.
def tables(**others):
    parts = dict.fromkeys(("imu", "led", "tone_pin", "wifi"))
    parts["drive"] = {"wheel_diameter_m": 0.06, "wheel_base_m": 0.1, "steps_per_turn": 4096}
    parts["i2c"] = {"sda": 8, "scl": 9, "hz": 400000}
    parts["battery"] = {"pin": 1, "divider": 2.0, "full_mv": 5000, "min_mv": 4400}
    parts["range"] = {"driver": "vl53l0x", "pins": {}, "max_m": 2.0, "stale_ms": 300, "period_ms": 50}
    parts.update(others)
    return parts


# What polls a part as the clock's rounds do, and the longest that a poll took, in µs.
class Rounds:
    def __init__(self, part, *more):
        self.part, self.more = part, more
        self.longest = 0

    def run(self, ms, every_us=1000):
        end = board.us + ms * 1000
        while board.us < end:
            begun = board.us
            self.part.poll(board.us // 1000, *self.more)
            self.longest = max(self.longest, board.us - begun)
            board.until(max(board.us, begun + every_us))
            for log in [machine.traffic] + [line.log for line in machine.lines.values()]:
                log[:] = []


# A chip with 256 registers behind an address, as I2C sees it: a register's number, then bytes from there on.
class Chip:
    def __init__(self):
        self.registers = bytearray(256)
        self.at = 0
        self.written = []  # the first (register, value) since power-on

    def write(self, data):
        self.at = data[0]
        for value in data[1:]:
            if len(self.written) < _KEPT:
                self.written.append((self.at, value))
            self.put(self.at, value)
            self.at = (self.at + 1) & 0xFF

    def read(self, size):
        data = bytes(self.get((self.at + n) & 0xFF) for n in range(size))
        self.at = (self.at + size) & 0xFF
        return data

    def put(self, register, value):
        self.registers[register] = value

    def get(self, register):
        return self.registers[register]


# The address where the I2C bus finds a chip moves with the chip; a chip in shutdown is at none.
def move(chip, old, new):
    if machine.bus.get(old) is chip:
        del machine.bus[old]
    if new is not None:
        if new in machine.bus:
            raise RuntimeError("two chips answer to " + hex(new))
        machine.bus[new] = chip


# A VL53L0X that measures `mm` (with the API's range status) once a period, once it has been started as ST's
# API does it. Pages are 0xFF's; what lies on page 0 is kept in the registers.
class TimeOfFlight(Chip):
    BUDGET_MS = 33
    TICKS = 1000  # of its oscillator in a ms

    def __init__(self, shutdown):
        super().__init__()
        self.mm, self.status = 1234, 11
        self.deaf = False  # measures no more
        self.spads = 5
        self.restarts = 0
        self.address = None
        self.pages = {}
        machine.line(shutdown).listeners.append(self.power)

    def power(self, _us, level):
        move(self, self.address, None)
        self.address = 0x29 if level else None
        if not level:
            return
        self.restarts += 1
        self.registers = bytearray(256)
        self.registers[0xC0:0xC3] = b"\xee\xaa\x10"
        self.registers[0xB0:0xB6] = b"\xff\xff\xff\xff\xff\xff"
        self.registers[0xF8:0xFA] = (self.TICKS).to_bytes(2, "big")
        self.registers[0x84] = 0x11
        self.page, self.open, self.written = 0, 0, []
        self.pages = {(1, 0x91): 0x3C, (6, 0x83): 0x10, (7, 0x92): 0x80 | self.spads, (7, 0x83): 0}
        self.ready_at = None  # µs when a sample is there
        self.period_us = 0
        self.asked_at = 0
        board.at(board.us + 1200, self.boot)

    def boot(self):
        if self.address is not None and machine.bus.get(self.address) is None:
            move(self, None, self.address)

    def put(self, register, value):
        if register == 0xFF:
            self.page = value
        elif self.page:
            if (self.page, register) == (7, 0x83):
                self.asked_at = board.us
                value = 1 if value else 0
            self.pages[self.page, register] = value
        elif register == 0x8A:
            move(self, self.address, value & 0x7F)
            self.address = value & 0x7F
        elif register == 0x0B:
            self.sampled()
        else:
            self.registers[register] = value
            if register == 0x00 and value & 7:
                self.begin(value)

    def begin(self, value):
        step = self.registers[0x01]
        calibrates = step in (1, 2) and value & 1
        self.period_us = 0
        if value & 4:
            ticks = int.from_bytes(self.registers[0x04:0x08], "big")
            self.period_us = ticks // self.TICKS * 1000
        self.ready_at = board.us + (3000 if calibrates else self.BUDGET_MS * 1000)

    def sampled(self):
        if self.period_us and self.ready_at is not None and board.us >= self.ready_at:
            self.ready_at += self.period_us
            while self.ready_at <= board.us:
                self.ready_at += self.period_us
        elif not self.period_us:
            self.ready_at = None

    def get(self, register):
        if self.page and register != 0xFF:
            if (self.page, register) == (7, 0x83):
                return int(board.us >= self.asked_at + 2000)
            return self.pages.get((self.page, register), 0)
        ready = self.ready_at is not None and board.us >= self.ready_at and not self.deaf
        if register == 0x13:
            return 4 if ready else 0
        if register == 0x14:
            return self.status << 3
        if register in (0x1E, 0x1F):
            return self.mm >> 8 if register == 0x1E else self.mm & 0xFF
        return self.registers[register]


# An MPU-6050 that turns with `rate` counts about its vertical axis, plus its bias and a noise of ±`noise`.
class Gyro(Chip):
    def __init__(self):
        super().__init__()
        self.rate = self.bias = self.noise = 0
        self.dice = 1
        self.reset_at = -1000000
        self.reset()
        machine.bus[0x68] = self

    def reset(self):
        self.registers = bytearray(256)
        self.registers[0x75] = 0x68
        self.registers[0x6B] = 0x40

    def put(self, register, value):
        if board.us - self.reset_at < 100000:
            return  # it does not listen yet
        if register == 0x6B and value & 0x80:
            self.reset_at = board.us
            self.reset()
        else:
            self.registers[register] = value

    def get(self, register):
        if register in (0x47, 0x48):
            if register == 0x47:
                self.dice = (self.dice * 1103515245 + 12345) & 0x7FFFFFFF
                noise = (self.dice >> 8) % (2 * self.noise + 1) - self.noise
                awake = not self.registers[0x6B] & 0x40
                self.now = int(self.rate + self.bias + noise) & 0xFFFF if awake else 0
            return self.now >> 8 if register == 0x47 else self.now & 0xFF
        return self.registers[register]


# Answers to an address, to any register, with whatever comes.
class Noise(Chip):
    def __init__(self, seed):
        super().__init__()
        self.dice = seed

    def get(self, register):
        self.dice = (self.dice * 1103515245 + 12345) & 0x7FFFFFFF
        if self.dice >> 8 & 31 == 0:
            raise OSError(116)
        return 0xEE if register == 0xC0 else 0x68 if register == 0x75 else self.dice >> 16 & 0xFF


# An HC-SR04 before a wall at `mm`; None: it hears nothing, and gives up after 38 ms. Every sound it sends is
# kept; a sensor that is `open_ended` does not answer at all.
class Ultrasound:
    def __init__(self, trigger, echo):
        self.mm = 1000
        self.dead = False
        self.fired = []
        self.echo = machine.line(echo)
        machine.line(trigger).listeners.append(self.edge)
        self.rose = None

    def edge(self, us, level):
        if level:
            self.rose = us
        elif self.rose is not None and us - self.rose >= 10 and not self.dead:
            self.fired.append(us)
            flight = 38000 if self.mm is None else self.mm * 2000000 // 343420
            board.at(us + 450, lambda: self.echo.set(1))
            board.at(us + 450 + flight, lambda: self.echo.set(0))
