# The gyro, the battery, the LED and the tone on the fake board.
from parts import *

import micropython

from llmvm.hal import mpu6050
from llmvm.hal.adc import open_battery
from llmvm.hal.mpu6050 import open_imu
from llmvm.hal.ws2812 import open_led

COUNTS_PER_MRAD = 7.505747  # and second: 131 counts for a degree per second


class Wheels:
    left = right = moving = 0


def start(bias=0, noise=0, us=0):
    machine.restart(us)
    gyro, wheels = Gyro(), Wheels()
    gyro.bias, gyro.noise = bias, noise
    imu = open_imu(tables(imu={"driver": "mpu6050"}))
    return gyro, wheels, imu, Rounds(imu, wheels)


# Turn at `mrad_s` for some time; the wheels turn, too, but do not say so in steps.
def turn(gyro, wheels, rounds, mrad_s, ms, every=1000):
    wheels.moving = 1
    gyro.rate = round(mrad_s * COUNTS_PER_MRAD)
    rounds.run(ms, every)
    gyro.rate = 0
    wheels.moving = 0


check("no IMU, no heading", open_imu(tables()).mrad, None)
gyro, wheels, imu, rounds = start(bias=-211, noise=12)
check("no heading before the bias is known", imu.mrad, None)
rounds.run(2000)
check("none at rest", imu.mrad, 0)
rounds.run(120000, 5000)
check("nor after two minutes", abs(imu.mrad) <= 2, True)
check(
    "registers: awake by the gyro's clock, 200 Hz, 42 Hz, 250 deg/s",
    bytes(gyro.registers[0x19:0x1C]),
    b"\x04\x03\x00",
)
check("power", gyro.registers[0x6B], 3)
turn(gyro, wheels, rounds, 800, 5000)
check("the heading comes out as put in", abs(imu.mrad - 4000) <= 12, True)
turn(gyro, wheels, rounds, -500, 20000, 50000)
check("unwrapped, the other way, with rare polls", abs(imu.mrad - 4000 + 10000) <= 60, True)
before = imu.mrad
gyro.bias = -150  # it has grown warm
rounds.run(3000)
held = imu.mrad
rounds.run(60000, 5000)
check("a bias that drifts is followed at rest", abs(imu.mrad - held) <= 2, True)
gyro.rate = round(300 * COUNTS_PER_MRAD)
rounds.run(2000)
gyro.rate = 0
check("a robot that is carried round at rest turns", abs(imu.mrad - held - 600) <= 6, True)

# The counter of microseconds overflows in the middle of a turn.
gyro, wheels, imu, rounds = start(us=(1 << 30) - 4000000)
rounds.run(2000)
turn(gyro, wheels, rounds, 500, 8000)
check("an overflow of the counter is none of the heading's", abs(imu.mrad - 4000) <= 12, True)

# Time passes without polls; no turn at all; full speed.
gyro, wheels, imu, rounds = start()
rounds.run(2000)
wheels.moving = 1
gyro.rate = 32767
rounds.run(100)
first = imu.mrad
board.advance(900000)
rounds.run(100)
check("a gap of most of a second", abs(imu.mrad - first - 4365) <= 25, True)

# The chip falls silent: the wheels go on; it comes back: so does the gyro.
gyro, wheels, imu, rounds = start(bias=40)
rounds.run(2000)
wheels.moving = 1
del machine.bus[0x68]
wheels.right += 500  # before anybody has seen that it is silent
wheels.left -= 500
rounds.run(200)
wheels.right += 500
wheels.left -= 500
rounds.run(200)
check("2000 steps of the wheels are 920 mrad", abs(imu.mrad - 920) <= 1, True)
machine.bus[0x68] = gyro
gyro.reset()
rounds.run(3000)
held = imu.mrad
turn(gyro, wheels, rounds, 400, 1000)
check("the gyro again", abs(imu.mrad - held - 400) <= 4, True)
check("no poll takes longer than 2 ms", rounds.longest <= 2000, True)

# It loses its power for a moment, and sleeps.
gyro.reset()
rounds.run(3000)
held = imu.mrad
turn(gyro, wheels, rounds, 400, 1000)
check("after a brown-out", abs(imu.mrad - held - 400) <= 4, True)


def other_chip(gyro):
    gyro.reset = lambda: None
    gyro.registers[0x75] = 0x70


# Not there, another chip, a bias that no good one has, and a bus that fails.
for name, spoil in (
    ("nobody", lambda gyro: machine.bus.clear()),
    ("another chip", other_chip),
    ("a broken gyro", lambda gyro: setattr(gyro, "bias", 5000)),
    ("one that shakes", lambda gyro: setattr(gyro, "noise", 500)),
):
    gyro, wheels, imu, rounds = start()
    spoil(gyro)
    rounds.run(5000)
    check(f"{name}: no heading", (imu.mrad, rounds.longest <= 2000), (None, True))
for seed in range(5):
    _, _, noisy, rounds = start()
    machine.bus[0x68] = Noise(seed)
    rounds.run(5000)
    check(f"noise {seed}", (noisy.mrad, rounds.longest <= 2000), (None, True))
true_device = machine.I2C._device
transfers = [0]


def failing(self, address, size):
    transfers[0] += 1
    if transfers[0] % 5 == 0:
        raise OSError(19)
    return true_device(self, address, size)


machine.I2C._device = failing
gyro, wheels, imu, rounds = start(bias=100)
rounds.run(3000)
turn(gyro, wheels, rounds, 800, 5000)
check("every fifth transfer fails", abs(imu.mrad - 4000) <= 12, True)
machine.I2C._device = true_device


# Once open, a poll allocates nothing.
class Still:
    def read(self, chip, register, buffer):
        buffer[0] = 3 if register == 0x6B else 120
        return True


imu._bus = Still()
now = board.us // 1000
counter = [0]


def ticks():
    counter[0] += 50000
    return counter[0]


mpu6050.ticks_us, mpu6050.ticks_diff, mpu6050.ticks_add = ticks, lambda a, b: a - b, lambda a, b: a + b
imu._at = 0
micropython.heap_lock()
for _ in range(10):
    now += 50
    imu.poll(now, wheels)
micropython.heap_unlock()
check("without allocation", imu.mrad > 5500, True)

# The battery.
machine.restart()
machine.adc_uv[1] = 2500000
battery = open_battery(tables())
check("a battery's first reading", battery.mv, 5000)
rounds = Rounds(battery)
machine.adc_uv[1] = 2000000
rounds.run(30)
check("a dip is smoothed", 4800 < battery.mv < 5000, True)
rounds.run(2000)
check("what lasts is seen", 3980 <= battery.mv <= 4000, True)
machine.adc_uv[1] = 3100000
rounds.run(3000)
check("and the other way", 6180 <= battery.mv <= 6200, True)
battery._adc.read_uv = lambda: 2000000
now = board.us // 1000
micropython.heap_lock()
for _ in range(5):
    now += 10
    battery.poll(now)
micropython.heap_unlock()
check("without allocation", battery.mv < 6000, True)
unmeasured = open_battery(tables(battery={"pin": None, "divider": 1.0, "full_mv": 5000, "min_mv": 4400}))
check("a battery without a wire counts as full", unmeasured.mv, 5000)

# The LED and the tone.
machine.restart()
led = open_led(tables(led={"pin": 2}, tone_pin=3))
rounds = Rounds(led)
check("dark at first", machine.pulses, [(0, 2, (400, 850, 800, 450), b"\0\0\0")])
led.set(255, 128, 1)
check("green, red, blue", machine.pulses[-1][3], b"\x80\xff\x01")
heard = led._pwm.log
led.tone(440, 250)
begun = board.us
rounds.run(1000)
check("a tone", heard[-2][1:], (440, 32768))
check("ends", heard[-1][1:], (440, 0))
check("after its time, or a round more", 250000 <= heard[-1][0] - begun <= 252000, True)
count = len(heard)
rounds.run(1000)
check("once", len(heard), count)
led.tone(440, 5000)
rounds.run(100)
led.tone(880, 100)
rounds.run(1000)
check("a later tone takes its place", heard[-1][1:], (880, 0))
led.tone(440, 5000)
rounds.run(100)
led.tone(0, 0)
check("no tone ends it", heard[-1][2], 0)
count = len(heard)
rounds.run(6000)
check("for good", len(heard), count)
for hz in (1, 2**31 - 1):
    led.tone(hz, 10)
    check(f"{hz} Hz is none that a pin could not do", 20 <= led._pwm.freq() <= 20000, True)
rounds.run(100)
silent = open_led(tables())
silent.set(1, 2, 3)
silent.tone(440, 100)
silent.poll(0)
check("no LED, no tone", len(machine.pulses), 2)
finish()
