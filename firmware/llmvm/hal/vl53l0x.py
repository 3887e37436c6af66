# VL53L0X time-of-flight rangers: several on one bus, each brought up through its shutdown pin and moved to an
# address of its own. ST publishes no register map: the sequences are those of its API (STSW-IMG005, described
# in UM2039): DataInit, StaticInit with DefaultTuningSettings of vl53l0x_tuning.h, PerformRefCalibration,
# StartMeasurement in timed mode; boot time, model and default address stand in the datasheet (DS11555).
from errno import ENODEV, ETIMEDOUT
from struct import pack_into, unpack_from
from time import ticks_diff, ticks_us

from machine import Pin
from micropython import const

from llmvm.hal.bus import open_bus
from llmvm.hal.ranges import CHANNELS, Readings

_DEFAULT = const(0x29)  # the address of each chip that has just started
_FIRST = const(0x30)  # the addresses that they are given
_MODEL = const(0xEE)

_RESET_MS = const(2)
_BOOT_MS = const(2)  # datasheet: 1.2 ms
_PATIENCE = const(100)  # looks, a millisecond apart, for what the chip does by itself while it starts
_RETRY_MS = const(1000)
_AGAIN_MS = const(2)  # until a sample that was not ready is looked for again
_EARLY_MS = const(3)  # before the period is over
_POLL_US = const(2000)  # the most that one poll may take
_OVERHEAD_US = const(300)  # of a transfer, beside its bits
_LONGEST = const(144)  # bits of the longest transfer: 16 bytes with their acknowledgements
_LOST_MS = const(200)  # and three periods: silent for so long, a chip is started again

_SYSRANGE_START = const(0x00)
_SEQUENCE_CONFIG = const(0x01)
_INTERMEASUREMENT = const(0x04)
_INTERRUPT_CONFIG = const(0x0A)
_INTERRUPT_CLEAR = const(0x0B)
_INTERRUPT_STATUS = const(0x13)  # the result follows it: status at +1, mm at +11
_RATE_LIMIT = const(0x44)
_MSRC_CONTROL = const(0x60)
_FINAL_TIMEOUT = const(0x71)
_GPIO_ACTIVE_HIGH = const(0x84)
_PAD_VOLTAGE = const(0x89)
_ADDRESS = const(0x8A)
_STOP = const(0x91)
_SPAD_MAP = const(0xB0)
_MODEL_ID = const(0xC0)
_OSC_CALIBRATE = const(0xF8)

_TIMED = const(4)  # SYSRANGE_START: measure once a period
_QUARTER_MCPS = const(0x20)  # RATE_LIMIT: in 1/128 of a million counts per second
_STEPS = const(0xE8)  # SEQUENCE_CONFIG: dynamic SPAD selection, pre-range, final range
_NEW_SAMPLE = const(4)
_APERTURE = const(12)  # the first SPAD behind an aperture

# API's device range status: a target, and no return of light that is one
_TARGET = const(11)
_NO_TARGET = const(4)

# register, value; register, value ...
_OPEN_PAGE = b"\x80\x01\xff\x01\x00\x00"
_CLOSE_PAGE = b"\x00\x01\xff\x00\x80\x00"
_ASK_SPADS = b"\xff\x07\x81\x01\x80\x01\x94\x6b\x83\x00"
_AFTER_SPADS = b"\xff\x01\x00\x01\xff\x00\x80\x00"
_SELECT_SPADS = b"\xff\x01\x4f\x00\x4e\x2c\xff\x00\xb6\xb4"
_TUNING = (
    b"\xff\x01\x00\x00\xff\x00\x09\x00\x10\x00\x11\x00\x24\x01\x25\xff\x75\x00\xff\x01\x4e\x2c\x48\x00\x30\x20"
    b"\xff\x00\x30\x09\x54\x00\x31\x04\x32\x03\x40\x83\x46\x25\x60\x00\x27\x00\x50\x06\x51\x00\x52\x96\x56\x08"
    b"\x57\x30\x61\x00\x62\x00\x64\x00\x65\x00\x66\xa0\xff\x01\x22\x32\x47\x14\x49\xff\x4a\x00\xff\x00\x7a\x0a"
    b"\x7b\x00\x78\x21\xff\x01\x23\x34\x42\x00\x44\xff\x45\x26\x46\x05\x40\x40\x0e\x06\x20\x1a\x43\x40\xff\x00"
    b"\x34\x03\x35\x44\xff\x01\x31\x04\x4b\x09\x4c\x05\x4d\x04\xff\x00\x44\x00\x45\x20\x47\x08\x48\x28\x67\x00"
    b"\x70\x04\x71\x01\x72\xfe\x76\x00\x77\x00\xff\x01\x0d\x01\xff\x00\x80\x01\x01\xf8\xff\x01\x8e\x01\x00\x01"
    b"\xff\x00\x80\x00"
)
_CALIBRATE = b"\x0b\x01\x00\x00"  # after each of the two: clear the interrupt, stop

# What the tuning above makes of the time before the final range, by the API's formulas.
_PRE_MACRO_NS = const(53384)  # 2304 * 14 periods of the laser * 1.655 ns
_FINAL_MACRO_NS = const(38131)  # 2304 * 10 * 1.655 ns
_PRE_MACROS = const(151)
_BEFORE_US = const(17067)  # overheads, twice the SPAD selection, pre-range
_BUDGET_US = const(33000)  # the API's default
_LEAST_US = const(20000)
_BETWEEN_MS = const(4)  # from one measurement's end to the next one's begin, at least

_OFF = const(0)
_STARTING = const(1)
_RANGING = const(2)
_CLEARING = const(3)


# The final range's timeout register for a measurement that takes `budget` µs: mantissa and exponent.
def final_timeout(budget):
    macros = ((budget - _BEFORE_US) * 1000 + _FINAL_MACRO_NS // 2) // _FINAL_MACRO_NS + _PRE_MACROS - 1
    exponent = 0
    while macros > 255:
        macros >>= 1
        exponent += 1
    return exponent << 8 | macros


class Vl53l0x:
    def __init__(self, bus, shutdown, address, period_ms):
        self._bus = bus
        self._shutdown = Pin(shutdown, Pin.OPEN_DRAIN, value=0)  # a breakout pulls it up by itself
        self._address = address
        self._budget_us = min(max((period_ms - _BETWEEN_MS) * 1000, _LEAST_US), _BUDGET_US)
        self.period_ms = max(period_ms, self._budget_us // 1000 + _BETWEEN_MS)
        self._chip = _DEFAULT
        self._one = bytearray(1)
        self._two = bytearray(2)
        self._four = bytearray(4)
        self._spads = bytearray(6)
        self.result = bytearray(13)
        self._steps = iter(())
        self.phase = _OFF
        self.due = 0  # ms
        self.heard = 0  # ms when the last sample came, or the start sequence ended

    def _get(self, register):
        self._need(self._bus.read(self._chip, register, self._one))
        return self._one[0]

    def _put(self, register, value):
        self._need(self._bus.put(self._chip, register, value))

    def _need(self, done):
        if not done:
            raise OSError(ENODEV)

    # The steps of the start. Each but the first is one or two transfers, and gives the ms until the next one.
    def _start(self):
        self._chip = _DEFAULT
        self._shutdown.value(0)
        yield _RESET_MS
        self._shutdown.value(1)
        yield _BOOT_MS
        if self._get(_MODEL_ID) != _MODEL:
            raise OSError(ENODEV)
        yield 0
        self._put(_ADDRESS, self._address)
        self._chip = self._address
        yield 0
        yield from self._data_init()
        yield from self._spad_init()
        yield from self._write(_TUNING)
        self._put(_INTERRUPT_CONFIG, _NEW_SAMPLE)
        yield 0
        self._put(_GPIO_ACTIVE_HIGH, self._get(_GPIO_ACTIVE_HIGH) & ~0x10)
        yield 0
        self._put(_INTERRUPT_CLEAR, 1)
        yield 0
        pack_into(">H", self._two, 0, final_timeout(self._budget_us))
        self._need(self._bus.write(self._chip, _FINAL_TIMEOUT, self._two))
        yield 0
        yield from self._calibrate(1, 0x41)  # the voltage of the SPADs
        yield from self._calibrate(2, 0x01)  # the phase
        self._put(_SEQUENCE_CONFIG, _STEPS)
        yield 0
        yield from self._begin()

    def _write(self, table):
        for at in range(0, len(table), 2):
            self._put(table[at], table[at + 1])
            yield 0

    # DataInit: pads at 2.8 V, I2C standard mode, the stop variable, limits.
    def _data_init(self):
        self._put(_PAD_VOLTAGE, self._get(_PAD_VOLTAGE) | 1)
        yield 0
        self._put(0x88, 0)
        yield 0
        yield from self._write(_OPEN_PAGE)
        self._stop = self._get(_STOP)
        yield 0
        yield from self._write(_CLOSE_PAGE)
        self._put(_MSRC_CONTROL, self._get(_MSRC_CONTROL) | 0x12)
        yield 0
        pack_into(">H", self._two, 0, _QUARTER_MCPS)
        self._need(self._bus.write(self._chip, _RATE_LIMIT, self._two))
        yield 0
        self._put(_SEQUENCE_CONFIG, 0xFF)
        yield 0

    # StaticInit's first half: of the reference SPADs that are good, enable as many as the factory counted.
    def _spad_init(self):
        yield from self._write(_OPEN_PAGE)
        self._put(0xFF, 6)
        yield 0
        self._put(0x83, self._get(0x83) | 4)
        yield 0
        yield from self._write(_ASK_SPADS)
        yield from self._await(0x83, 0xFF)
        self._put(0x83, 1)
        yield 0
        info = self._get(0x92)
        yield 0
        self._put(0x81, 0)
        yield 0
        self._put(0xFF, 6)
        yield 0
        self._put(0x83, self._get(0x83) & ~4)
        yield 0
        yield from self._write(_AFTER_SPADS)
        self._need(self._bus.read(self._chip, _SPAD_MAP, self._spads))
        yield 0
        yield from self._write(_SELECT_SPADS)
        keep_spads(self._spads, _APERTURE if info & 0x80 else 0, info & 0x7F)
        self._need(self._bus.write(self._chip, _SPAD_MAP, self._spads))
        yield 0

    def _calibrate(self, steps, start):
        self._put(_SEQUENCE_CONFIG, steps)
        yield 0
        self._put(_SYSRANGE_START, start)
        yield 1
        yield from self._await(_INTERRUPT_STATUS, 7)
        yield from self._write(_CALIBRATE)

    def _await(self, register, bits):
        for _ in range(_PATIENCE):
            if self._get(register) & bits:
                return
            yield 1
        raise OSError(ETIMEDOUT)

    # StartMeasurement; the period is counted in ticks of the chip's own oscillator.
    def _begin(self):
        yield from self._write(_OPEN_PAGE)
        self._put(_STOP, self._stop)
        yield 0
        yield from self._write(_CLOSE_PAGE)
        self._need(self._bus.read(self._chip, _OSC_CALIBRATE, self._two))
        yield 0
        pack_into(">I", self._four, 0, self.period_ms * (unpack_from(">H", self._two, 0)[0] or 1))
        self._need(self._bus.write(self._chip, _INTERMEASUREMENT, self._four))
        yield 0
        self._put(_SYSRANGE_START, _TIMED)

    # Begin, or go on with, the start; returns whether it is over.
    def start(self, now):
        if self.phase == _OFF:
            self.phase = _STARTING
            self._steps = self._start()
        try:
            wait = next(self._steps, -1)  # type: ignore[arg-type]
        except OSError:
            self.fail(now)
            return True
        self.due = now + max(wait, 0)
        if wait < 0:
            self.phase = _RANGING
            self.heard = now
        return wait < 0

    # Give up for a while; in shutdown it answers to no address.
    def fail(self, now):
        self._shutdown.value(0)
        self.phase = _OFF
        self.due = now + _RETRY_MS

    # Look for a sample, or acknowledge the one that has been read; returns whether there is a new one.
    def measure(self, now):
        if self.phase == _CLEARING:
            if self._bus.put(self._chip, _INTERRUPT_CLEAR, 1):
                self.phase = _RANGING
                self.due = now + self.period_ms - _EARLY_MS
                return False
        elif self._bus.read(self._chip, _INTERRUPT_STATUS, self.result) and self.result[0] & 7:
            self.phase = _CLEARING
            self.heard = now
            return True
        self.due = now + _AGAIN_MS
        if now - self.heard > _LOST_MS + 3 * self.period_ms:
            self.fail(now)
        return False


# Clear all bits of the map but the first `count` that are set from bit `first` on.
def keep_spads(spads, first, count):
    for bit in range(8 * len(spads)):
        if spads[bit >> 3] >> (bit & 7) & 1:
            if bit >= first and count:
                count -= 1
            else:
                spads[bit >> 3] &= ~(1 << (bit & 7))


class Vl53l0xRanges(Readings):
    # Nothing is started here: that is done by `poll`, sensor by sensor, since they all begin at one address.
    def __init__(self, parts):
        super().__init__(parts)
        bus = open_bus(parts)
        self._sensors = []
        self._channels = []
        for channel, name in enumerate(CHANNELS):
            pins = parts["range"]["pins"].get(name)
            if bus and pins:
                address = _FIRST + channel
                self._sensors.append(Vl53l0x(bus, pins[0], address, self.period_ms))
                self._channels.append(channel)
        hz = parts["i2c"]["hz"] if bus else 1
        self._share_us = max(_POLL_US - _LONGEST * 1000 * 1000 // hz - _OVERHEAD_US, 1)
        self._turn = 0
        self._starting = -1  # the sensor that answers, or may answer, to the common address

    # Serve the sensors in turn, until nothing is due or the time is over.
    def poll(self, now):
        begun = ticks_us()
        idle = 0
        while idle < len(self._sensors) and ticks_diff(ticks_us(), begun) < self._share_us:
            self._turn = (self._turn + 1) % len(self._sensors)
            idle = 0 if self._serve(self._turn, now) else idle + 1
        self.age(now)

    def _serve(self, number, now):
        sensor = self._sensors[number]
        if now < sensor.due:
            return False
        if sensor.phase >= _RANGING:
            if sensor.measure(now):
                self._take(self._channels[number], sensor.result, now)
            if sensor.phase == _OFF:
                self.lose(self._channels[number])
            return True
        if self._starting not in (-1, number):
            return False
        self._starting = -1 if sensor.start(now) else number
        return True

    def _take(self, channel, result, now):
        status = result[1] >> 3 & 15
        if status == _TARGET:
            self.take(channel, result[11] << 8 | result[12], now)
        elif status == _NO_TARGET:
            self.take(channel, self.most, now)
        else:
            self.lose(channel)
