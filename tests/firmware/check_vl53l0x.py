# VL53L0X rangers on the fake board: the start, distances, silence, a bad bus, and time.
from parts import *

import micropython

from llmvm.hal import vl53l0x
from llmvm.hal.ranges import CHANNELS, open_ranges

SHUTDOWN = [10, 11, 12, 13, 14, 21]
NONE = 65535


def start(count=6, **wires):
    machine.restart()
    chips = [TimeOfFlight(pin) for pin in SHUTDOWN[:count]]
    parts = tables()
    parts["range"]["pins"] = {CHANNELS[n]: [SHUTDOWN[n]] for n in range(count)}
    parts["i2c"].update(wires)
    ranges = open_ranges(parts)
    return chips, ranges, Rounds(ranges)


# Everything that a chip is told, from its power-on to its first measurement, in ST's order.
chips, ranges, rounds = start(1)
check("nothing is known before the start", (list(ranges.mm), list(ranges.ages)), ([NONE] * 6, [NONE] * 6))
check("a chip that has not been asked for is in shutdown", machine.bus, {})
rounds.run(400)
told = []
with open("tests/vectors/parts/vl53l0x_start.txt") as file:
    for row in file:
        row = row.split("#")[0].split()
        told += [(int(row[0], 16) + n, int(value, 16)) for n, value in enumerate(row[1:])]
check("the start's writes", chips[0].written[: len(told)], told)
check("the stop variable is written back", chips[0].pages[1, 0x91], 0x3C)
spads = [bin(byte).count("1") for byte in chips[0].registers[0xB0:0xB6]]
check("as many SPADs as the factory counted, behind the aperture", spads, [0, 4, 1, 0, 0, 0])
check("the period in the chip's ticks", int.from_bytes(chips[0].registers[4:8], "big"), 50 * chips[0].TICKS)

# The API's formula by another way: mantissa << exponent, plus 1, is the timeout in periods.
for budget in (20000, 25000, 33000, 50000):
    code = vl53l0x.final_timeout(budget)
    us = (((code & 0xFF) << (code >> 8)) + 1 - 151) * 2304 * 10 * 1655 / 1000000
    check(f"a budget of {budget} us", -20 < budget - 17067 - us < 1500, True)

chips, ranges, rounds = start()
rounds.run(1000)
check("each has an address of its own", sorted(machine.bus), [0x30 + n for n in range(6)])
for number, chip in enumerate(chips):
    chip.mm = 100 + 300 * number
rounds.run(110)
check("distances come out as put in", list(ranges.mm), [100, 400, 700, 1000, 1300, 1600])
check("they are younger than two periods", max(ranges.ages) <= 100, True)
chips[0].mm, chips[1].status, chips[2].status, chips[3].status = 8190, 4, 7, 6
rounds.run(110)
check(
    "beyond the greatest range, nothing, a vague one, a wrong phase",
    list(ranges.mm)[:4],
    [2000, 2000, NONE, NONE],
)
rounds.run(300)
check(
    "what is not believed grows old",
    (ranges.ages[0] <= 100, ranges.ages[2] > 300, ranges.ages[3] > 300),
    (True,) * 3,
)
check("six started, none again", [chip.restarts for chip in chips], [1] * 6)

# One falls silent, comes back after its new start; another one loses its power for a moment.
chips, ranges, rounds = start()
rounds.run(1000)
chips[0].deaf = True
rounds.run(600)
check(
    "silence is no reading",
    (ranges.mm[0], ranges.ages[0] > 500, list(ranges.mm)[1:]),
    (NONE, True, [1234] * 5),
)
ages = []
for _ in range(10):
    rounds.run(100)
    ages.append(ranges.ages[0])
check("its age grows", ages, sorted(ages))
check("to more than a second", ages[-1] > 1500, True)
chips[0].deaf = False
rounds.run(2500)
check("it is started again", (ranges.mm[0], ranges.ages[0] <= 100, chips[0].restarts > 1), (1234, True, True))
chips[1].power(0, 1)  # back at the common address, with nothing set
rounds.run(3000)
check("and one after a brown-out", list(ranges.mm), [1234] * 6)
check("no poll takes longer than 2 ms", rounds.longest <= 2000, True)
chips[5].boot = lambda: None  # it never comes back
chips[5].power(0, 1)
rounds.run(70000, 5000)
check("the age stops at its greatest", (ranges.mm[5], ranges.ages[5]), (NONE, NONE))

# Polls that come rarely, and a slow bus.
for wires, every in (({}, 50000), ({"hz": 100000}, 1000)):
    chips, ranges, rounds = start(**wires)
    rounds.run(60000 if every > 1000 else 3000, every)
    check(f"started {wires} {every}", list(ranges.mm), [1234] * 6)
    check(f"no poll takes longer than 2 ms {wires} {every}", rounds.longest <= 2000, True)


# A bus on which each n-th transfer fails, or all do from some moment on.
class Bad:
    def __init__(self, chip, fails):
        self.chip, self.fails = chip, fails

    def write(self, data):
        if self.fails():
            raise OSError(19)
        self.chip.write(data)

    def read(self, size):
        if self.fails():
            raise OSError(116)
        return self.chip.read(size)


transfers = 0
true_device = machine.I2C._device


def every(n):
    def device(self, address, size):
        global transfers
        transfers += 1
        chip = true_device(self, address, size)
        return Bad(chip, lambda: transfers % n == 0)

    return device


for n in (1, 2, 3, 5, 7, 20, 111):
    machine.I2C._device = every(n)
    chips, ranges, rounds = start()
    rounds.run(3000)
    if n == 1 or n > 3:  # a register is read in two transfers, and tried twice
        check(f"every {n}th transfer fails", list(ranges.mm), [NONE if n == 1 else 1234] * 6)
    check(f"no poll takes longer than 2 ms, every {n}th", rounds.longest <= 2000, True)
machine.I2C._device = true_device

# Whatever a chip answers, nothing is raised, nobody waits, and a reading is one that the robot could have.
for seed in range(5):
    chips, ranges, rounds = start(2)
    for address in (0x29, 0x30, 0x31):
        machine.bus[address] = Noise(seed + address)
    for chip in chips:
        machine.line(SHUTDOWN[chips.index(chip)]).listeners.clear()
    rounds.run(5000)
    sane = max(mm for mm in ranges.mm if mm != NONE) <= 2000 if min(ranges.mm) != NONE else True
    check(f"noise {seed}", (sane, rounds.longest <= 2000), (True, True))


# A chip holds the data line, in the middle of a byte, until it has been clocked to its end.
class Held(machine.Line):
    def __init__(self, clocks):
        super().__init__()
        self.clocks = clocks
        machine.line(9).listeners.append(self.clock)

    def clock(self, _us, level):
        self.clocks -= level
        if self.clocks == 0:
            super().set(1)

    def set(self, level):
        if self.clocks <= 0:
            super().set(level)


chips, ranges, rounds = start()
rounds.run(1000)
bus = ranges._sensors[0]._bus
bus._sda._line = held = Held(5)
rounds.run(300)
check("a held bus is set free", (held.level, list(ranges.mm)), (1, [1234] * 6))
bus._sda._line = held = Held(1000000)
rounds.run(600)
check("a bus held for good is no reading", list(ranges.mm), [NONE] * 6)
check("and nobody waits for it", rounds.longest <= 2000, True)


# Once open, a poll allocates nothing.
class Still:
    def read(self, chip, register, buffer):
        buffer[0] = 4
        return True

    def put(self, chip, register, value):
        return True


chips, ranges, rounds = start()
rounds.run(1000)
for sensor in ranges._sensors:
    sensor._bus = Still()
now = board.us // 1000 + 60
vl53l0x.ticks_us, vl53l0x.ticks_diff = lambda: 0, lambda later, earlier: later - earlier
micropython.heap_lock()
for _ in range(3):
    ranges.poll(now)
    now += 60
micropython.heap_unlock()
check("without allocation", ranges.ages[0] <= 60, True)
finish()
