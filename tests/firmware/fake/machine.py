# A fake ESP32-S3: what MicroPython's `machine` offers there, on the simulated clock. It is found instead of
# the unix port's own `machine` where this folder stands first on sys.path.
#
#   simulation.board         the clock: .us, .advance(us), .until(us, done), .at(us, function), .hang(us)
#   lines[number]            a pin's wire: .level, .log of changes as (us, level), .set(level) from outside,
#                            .listeners: functions (us, level) that see every change
#   adc_uv[number]           microvolts that an ADC pin reads
#   bus[address]             an I2C device: an object with write(bytes) and read(size) -> bytes, or OSError
#   traffic                  what went over I2C: (us, "w" or "r", address, bytes)
#   pulses                   what went through bitstream: (us, pin number, timing, bytes)
#
# A log keeps what is newest, five hundred entries at least.
from simulation import Reset, board

PWRON_RESET, HARD_RESET, WDT_RESET, DEEPSLEEP_RESET, SOFT_RESET = 1, 2, 3, 4, 5

adc_uv = {}
bus = {}
traffic = []
pulses = []
lines = {}
cause = PWRON_RESET


# Forget all, and power on `us` microseconds after the counters began.
def restart(us=0):
    for things in (adc_uv, bus, lines, Timer.all):
        things.clear()
    for log in (traffic, pulses):
        log[:] = []
    board.restart(us)


def note(log, entry):
    if len(log) == 1000:
        log[:500] = []
    log.append(entry)


class Line:
    def __init__(self):
        self.level = 0
        self.log = []
        self.listeners = []
        self.handler = None  # of an interrupt, with the edges that cause it
        self.edges = 0

    def set(self, level):
        level = 1 if level else 0
        if level == self.level:
            return
        self.level = level
        note(self.log, (board.us, level))
        for listener in self.listeners:
            listener(board.us, level)
        if self.handler and self.edges & (Pin.IRQ_RISING if level else Pin.IRQ_FALLING):
            board.schedule(self.handler, self)


def line(number):
    if number not in lines:
        lines[number] = Line()
    return lines[number]


class Pin:
    IN, OUT, OPEN_DRAIN = 1, 3, 7
    PULL_DOWN, PULL_UP = 1, 2
    IRQ_RISING, IRQ_FALLING = 1, 2
    DRIVE_0, DRIVE_1, DRIVE_2, DRIVE_3 = 0, 1, 2, 3

    def __init__(self, number, mode=-1, pull=-1, value=None, drive=None, hold=None):
        if not 0 <= number <= 48:
            raise ValueError("invalid pin")
        self.number = number
        self._line = line(number)
        self.init(mode, pull, value)

    def init(self, mode=-1, pull=-1, value=None, drive=None, hold=None):
        self.mode = mode
        if value is not None:
            self._line.set(value)

    def value(self, *level):
        if not level:
            return self._line.level
        self._line.set(level[0])
        return None

    __call__ = value

    def on(self):
        self._line.set(1)

    def off(self):
        self._line.set(0)

    def irq(self, handler=None, trigger=3, wake=None, hard=False):
        self._line.handler = handler and (lambda _line: handler(self))
        self._line.edges = trigger


# A hardware timer: one object for each number, as on the board.
class Timer:
    ONE_SHOT, PERIODIC = 0, 1
    all = {}

    def __new__(cls, number, **options):
        if not 0 <= number < 4:
            raise ValueError("invalid Timer number")
        if number not in cls.all:
            cls.all[number] = object.__new__(cls)
            cls.all[number]._event = None
        return cls.all[number]

    def __init__(self, number, **options):
        if options:
            self.init(**options)

    def init(self, mode=PERIODIC, callback=None, period=0xFFFFFFFF, tick_hz=1000, freq=None):
        self.deinit()
        self._us = max(1, int(1000000 / freq) if freq else period * 1000000 // tick_hz)
        self._mode, self._callback = mode, callback
        self._event = board.at(board.us + self._us, self._fire)

    def deinit(self):
        if self._event:
            board.cancel(self._event)
        self._event = None

    def _fire(self):
        self._event = board.at(board.us + self._us, self._fire) if self._mode == Timer.PERIODIC else None
        if self._callback:
            board.schedule(self._callback, self)


# It cannot be stopped; another one with another time takes its place.
class WDT:
    def __init__(self, id=0, timeout=5000):
        if id or timeout <= 0:
            raise ValueError("WDT timeout too short")
        self._us = timeout * 1000
        self.feed()

    def feed(self):
        board.watchdog_us = board.us + self._us


class ADC:
    ATTN_0DB, ATTN_2_5DB, ATTN_6DB, ATTN_11DB = 0, 1, 2, 3

    def __init__(self, pin, atten=0):
        self._number = pin.number if isinstance(pin, Pin) else pin

    def atten(self, atten):
        pass

    def init(self, atten=0):
        pass

    def read_uv(self):
        return adc_uv.get(self._number, 0)

    def read_u16(self):
        return min(65535, self.read_uv() * 65535 // 3100000)


class I2C:
    def __init__(self, id=0, scl=None, sda=None, freq=400000, timeout=50000):
        self._hz = freq

    def _device(self, address, size):
        board.advance((size + 1) * 9 * 1000000 // self._hz)
        if address not in bus:
            raise OSError(19)
        return bus[address]

    def scan(self):
        return sorted(bus)

    def writeto(self, address, data, stop=True):
        data = bytes(data)
        device = self._device(address, len(data))
        note(traffic, (board.us, "w", address, data))
        device.write(data)
        return len(data)

    def readfrom(self, address, size, stop=True):
        device = self._device(address, size)
        data = bytes(device.read(size))
        note(traffic, (board.us, "r", address, data))
        return data

    def readfrom_into(self, address, buffer, stop=True):
        buffer[:] = self.readfrom(address, len(buffer))

    def writevto(self, address, vector, stop=True):
        return self.writeto(address, b"".join(bytes(part) for part in vector))

    def writeto_mem(self, address, register, data, addrsize=8):
        self.writeto(address, register.to_bytes(addrsize // 8, "big") + bytes(data))

    def readfrom_mem_into(self, address, register, buffer, addrsize=8):
        self.writeto(address, register.to_bytes(addrsize // 8, "big"))
        self.readfrom_into(address, buffer)

    def readfrom_mem(self, address, register, size, addrsize=8):
        buffer = bytearray(size)
        self.readfrom_mem_into(address, register, buffer, addrsize=addrsize)
        return bytes(buffer)


SoftI2C = I2C


# A pin's pulse-width modulation; .log has (us, Hz, duty of 65536).
class PWM:
    def __init__(self, pin, freq=5000, duty_u16=32768):
        self.pin, self.log = pin, []
        self.init(freq, duty_u16)

    def init(self, freq=None, duty_u16=None):
        if freq is not None:
            self._hz = freq
        if duty_u16 is not None:
            self._duty = duty_u16
        note(self.log, (board.us, self._hz, self._duty))

    def freq(self, *hz):
        if not hz:
            return self._hz
        return self.init(freq=hz[0])

    def duty_u16(self, *duty):
        if not duty:
            return self._duty
        return self.init(duty_u16=duty[0])

    def deinit(self):
        note(self.log, (board.us, 0, 0))


def bitstream(pin, encoding, timing, data):
    note(pulses, (board.us, pin.number, timing, bytes(data)))
    board.advance(len(data) * 8 * (timing[0] + timing[1]) // 1000)


# Wait for the level and measure how long it lasts; -2: it did not come, -1: it did not end.
def time_pulse_us(pin, level, timeout=1000000):
    wire = line(pin.number)
    end = board.us + timeout
    board.until(end, lambda: wire.level == level)
    if wire.level != level:
        return -2
    began = board.us
    board.until(began + timeout, lambda: wire.level != level)
    return board.us - began if wire.level != level else -1


def unique_id():
    return b"\x34\x85\x18\xa0\x00\x01"


def reset_cause():
    return cause


def reset():
    raise Reset("reset")


def soft_reset():
    raise SystemExit


def freq(*hz):
    return 240000000


def disable_irq():
    return 0


def enable_irq(_state):
    pass


def idle():
    pass
