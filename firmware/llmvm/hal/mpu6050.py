# MPU-6050: the rate about the vertical axis, integrated to a heading; mounted face up, counter-clockwise is
# positive. Registers and scales are those of its register map (RM-MPU-6000A) and its product specification
# (PS-MPU-6000A).
from math import pi
from time import ticks_add, ticks_diff, ticks_us

from micropython import const

from llmvm.hal.bus import open_bus

_CHIP = const(0x68)
_SAMPLE_DIVIDER = const(0x19)
_CONFIG = const(0x1A)
_GYRO_CONFIG = const(0x1B)
_GYRO_Z = const(0x47)
_POWER = const(0x6B)
_WHO_AM_I = const(0x75)

_GYRO_CLOCK = const(3)  # POWER: awake, by the clock of the gyro about z

_RESET_MS = const(110)  # the register map asks for 100
_WAKE_MS = const(40)
_RETRY_MS = const(1000)
_EVERY_MS = const(5)
_CHECK_MS = const(200)  # between looks whether it still runs as it was set up
_LOST_MS = const(100)  # without a reading, the wheels tell the heading

# 131 counts are a degree per second. The bias is kept in sixteenths of a count, time in units of 32 µs, so
# that nothing is beyond the 31 bits of a small integer.
_SIXTEENTHS = const(4)
_UNIT_US = const(32)
_MOST_UNITS = const(1800)
_PER_MRAD = const(3752874)  # 131 * 16 * 180 / pi / 1000 counts/16 s, in units of time
_WINDOW = const(64)  # readings of a bias
_REST_MS = const(300)  # after the wheels have come to rest, until the bias is looked at
_SPREAD = const(80)  # counts between a window's least and greatest: more, and somebody carries the robot
_MOST_BIAS = const(20 * 131)  # counts: the specification's zero-rate output
_DRIFT = const(131 * 16)  # the most, in sixteenths, that the bias may differ from the one before


# Return the IMU that the manifest names; where it names none, its heading is None.
def open_imu(parts):
    bus = open_bus(parts) if parts["imu"] else None
    return Mpu6050(bus, parts["drive"]) if bus else NoImu()


class NoImu:
    mrad = None

    def poll(self, now, drive):
        pass


class Mpu6050:
    def __init__(self, bus, wheels):
        self._bus = bus
        self._buffer = bytearray(2)
        self.mrad = None  # until the bias is known, the wheels tell
        self._rest = 0  # below a mrad
        self._bias = None  # counts / 16
        self._ready = False  # the chip is set up, and the last reading is a neighbour of the next one
        self._stage = 0  # of the set-up
        self._due = 0  # ms of the next stage, or reading
        self._rate = 0  # the last reading, in counts
        self._at = 0  # µs up to which the heading is integrated
        self._heard = 0  # ms of the last reading
        self._checked = 0  # ms of the last look at its power
        self._still = 0  # ms since when the wheels stand
        self._clear_window()
        way = pi * wheels["wheel_diameter_m"] / wheels["steps_per_turn"]
        self._urad = round(1000000 * way / wheels["wheel_base_m"])  # a turn by one step of one wheel
        self._steps = 0  # right less left
        self._wheels = 0  # the same, when the heading was brought up to date
        self._slip = 0  # µrad below a mrad

    def _clear_window(self):
        self._count = self._sum = 0
        self._least = 32767
        self._greatest = -32768

    # Read the rate and go on with the heading. `drive` is asked whether the wheels turn and what they did.
    def poll(self, now, drive):
        if drive.moving:
            self._still = now
            self._clear_window()
        self._steps = drive.right - drive.left
        if now >= self._due:
            self._work(now)
        if not self._ready and self.mrad is not None:
            self._slip += (self._steps - self._wheels) * self._urad
            self.mrad += self._slip // 1000
            self._slip %= 1000
            self._wheels = self._steps

    def _work(self, now):
        if not self._ready:
            self._set_up(now)
            return
        self._due = now + _EVERY_MS
        if now - self._checked >= _CHECK_MS:
            self._checked = now
            self._ready = self._awake()
        if self._bus.read(_CHIP, _GYRO_Z, self._buffer):
            self._follow(now)
        elif now - self._heard > _LOST_MS:
            self._ready = False

    # A chip that has lost its power sleeps, and tells of no turn at all.
    def _awake(self):
        return self._bus.read(_CHIP, _POWER, self._buffer) and self._buffer[0] == _GYRO_CLOCK

    # Reset, wake up with the gyro's clock, ±250 °/s, 42 Hz, 200 samples a second; one stage at a time.
    def _set_up(self, now):
        bus, stage = self._bus, self._stage
        wait = 0
        if stage == 0:
            done = bus.read(_CHIP, _WHO_AM_I, memoryview(self._buffer)[:1]) and self._buffer[0] == _CHIP
            done = done and bus.put(_CHIP, _POWER, 0x80)
            wait = _RESET_MS
        elif stage == 1:
            done = bus.put(_CHIP, _POWER, _GYRO_CLOCK)
            wait = _WAKE_MS
        elif stage == 2:
            done = self._awake() and bus.put(_CHIP, _SAMPLE_DIVIDER, 4) and bus.put(_CHIP, _CONFIG, 3)
        else:
            done = bus.put(_CHIP, _GYRO_CONFIG, 0) and bus.read(_CHIP, _GYRO_Z, self._buffer)
            if done:
                self._begin(now)
        self._stage = stage + 1 if done and stage < 3 else 0
        self._due = now + (wait if done else _RETRY_MS)

    def _begin(self, now):
        self._ready = True
        self._rate = self._signed()
        self._at = ticks_us()
        self._heard = now
        self._clear_window()

    def _signed(self):
        value = self._buffer[0] << 8 | self._buffer[1]
        return value - 65536 if value & 0x8000 else value

    # Integrate from the reading before to this one, by the trapezoidal rule.
    def _follow(self, now):
        before, self._rate = self._rate, self._signed()
        self._heard = now
        self._wheels = self._steps
        if self._bias is None:
            self._at = ticks_us()
        else:
            units = max(ticks_diff(ticks_us(), self._at), 0) // _UNIT_US
            self._at = ticks_add(self._at, units * _UNIT_US)
            mean = ((before + self._rate) << (_SIXTEENTHS - 1)) - self._bias
            while units:
                some = min(units, _MOST_UNITS)
                self._rest += mean * some
                self.mrad += self._rest // _PER_MRAD
                self._rest %= _PER_MRAD
                units -= some
        if now - self._still >= _REST_MS:
            self._watch(self._rate)

    # Take a reading at rest; a window of quiet ones is the bias.
    def _watch(self, rate):
        self._count += 1
        self._sum += rate
        self._least = min(self._least, rate)
        self._greatest = max(self._greatest, rate)
        if self._greatest - self._least > _SPREAD:
            self._clear_window()
        elif self._count == _WINDOW:
            bias = (self._sum << _SIXTEENTHS) // _WINDOW
            if self._bias is None:
                if abs(bias) <= _MOST_BIAS << _SIXTEENTHS:
                    self._bias = bias
                    self.mrad = 0
            elif abs(bias - self._bias) <= _DRIFT:
                self._bias = bias
            self._clear_window()
