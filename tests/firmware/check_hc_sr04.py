# HC-SR04 rangers on the fake board: distances, no echo, late interrupts, and time.
from parts import *

import micropython

from llmvm.hal import hc_sr04
from llmvm.hal.ranges import CHANNELS, open_ranges

PINS = [[10, 11], [12, 13], [14, 21], [33, 34], [35, 36], [37, 38]]
NONE = 65535


def start(count=6):
    machine.restart()
    parts = tables(i2c=None)
    parts["range"]["driver"] = "hc_sr04"
    parts["range"]["pins"] = {CHANNELS[n]: PINS[n] for n in range(count)}
    parts["range"]["max_m"] = 2.5
    ranges = open_ranges(parts)
    return [Ultrasound(*pins) for pins in PINS[:count]], ranges, Rounds(ranges)


def near(readings, expected):
    return [abs(one - other) <= 1 for one, other in zip(readings, expected)] == [True] * 6


# Sound at 20 °C: 343.42 m/s, there and back.
check("a metre and back", hc_sr04.distance(round(2e6 / 343.42)), 1000)
far = [mm for mm in range(20, 4001) if abs(hc_sr04.distance(mm * 2000000 // 343420) - mm) > 1]
check("every distance within a mm", far, [])

for every in (1000, 7000, 50000):
    sensors, ranges, rounds = start()
    check("nothing is known before the start", (list(ranges.mm), list(ranges.ages)), ([NONE] * 6, [NONE] * 6))
    walls = [40, 333, 700, 1000, 1800, 2400]
    for sensor, mm in zip(sensors, walls):
        sensor.mm = mm
    rounds.run(1000, every)
    check(f"distances come out as put in, polled every {every} us", near(ranges.mm, walls), True)
    check(
        "their ages",
        max(ranges.ages) <= 7 * max(30, every // 1000 * -(-30000 // every)) + every // 1000,
        True,
    )
    fired = sorted((us, number) for number, sensor in enumerate(sensors) for us in sensor.fired)
    gaps = [later[0] - earlier[0] for earlier, later in zip(fired, fired[1:])]
    check("they fire one after the other, 30 ms apart at least", min(gaps) >= 30000, True)
    check("in turn", [number for _, number in fired[:12]], [0, 1, 2, 3, 4, 5] * 2)
    check("no poll takes longer than 2 ms", rounds.longest <= 2000, True)

# Too far to matter, too far to hear, too near, and a sensor that is not there.
sensors, ranges, rounds = start()
rounds.run(500)
sensors[0].mm, sensors[1].mm, sensors[2].mm, sensors[3].dead = 3500, None, 5, True
rounds.run(1000)
check("beyond the greatest range", (ranges.mm[0], ranges.ages[0] <= 200), (2500, True))
check("no echo, and a wall that is nearer than it can see", list(ranges.mm)[1:3], [NONE] * 2)
check("a sensor that does not answer", ranges.mm[3], NONE)
check("their ages grow", min(list(ranges.ages)[1:4]) >= 700, True)
check("the others go on", list(ranges.mm)[4:], [1000, 1000])
sensors[3].dead, sensors[1].mm = False, 777
rounds.run(1000)
check("they come back", (abs(ranges.mm[1] - 777) <= 1, abs(ranges.mm[3] - 1000) <= 1), (True, True))
rounds.longest = 0
sensors[0].echo.set(1)  # a broken wire
rounds.run(1000)
check("an echo that never ends is none", (ranges.mm[0], rounds.longest <= 2000), (NONE, True))
rounds.run(70000, 5000)
check("the age stops at its greatest", ranges.ages[0], NONE)

# Interrupts that come late: never a distance that is longer than the wall's, unless twice running.
sensors, ranges, rounds = start(1)
rounds.run(300)
turns = [0]


def late():
    turns[0] += 1
    return 3000 if turns[0] % 6 == 0 else 0  # every third falling edge


board.latency_us = late
seen = set()
for _ in range(300):
    rounds.run(10)
    seen.add(ranges.mm[0])
check("a late edge shows no wall farther than it is", max(seen) <= 1001, True)
check("and rather less often none", seen - {999, 1000, 1001} <= {NONE}, True)
board.latency_us = None


# While the interpreter hangs, both edges wait; what is seen then is no distance.
class Hanging:
    def poll(self, now):
        board.hang(20000)
        ranges.poll(now)


sensors, ranges, _ = start(1)
hanging = Rounds(Hanging())
hanging.run(2000)
check("a pulse that was over before it was seen is none", ranges.mm[0], NONE)

# Once open, a poll and an edge allocate nothing, but for the fake's own pins.
sensors, ranges, rounds = start(1)
rounds.run(300)
sensor = ranges._sensors[0]


class Wire:
    def value(self, *level):
        return 0


wire = Wire()
hc_sr04.ticks_us, hc_sr04.ticks_diff = lambda: 0, lambda later, earlier: later - earlier
now = board.us // 1000
micropython.heap_lock()
for _ in range(5):
    now += 40
    ranges.age(now)
    sensor._edge(wire)
    sensor.read()
micropython.heap_unlock()
check("without allocation", ranges.ages[0] >= 200, True)
finish()
