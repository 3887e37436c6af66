# The real robot: an ESP32-S3 with stepper wheels, and what else its manifest names.
import io
import json
import os
import select
import sys
from time import ticks_diff, ticks_ms

import machine
import micropython
from micropython import const

from llmvm.hal.adc import open_battery
from llmvm.hal.mpu6050 import open_imu
from llmvm.hal.ranges import open_ranges
from llmvm.hal.stepper import Stepper
from llmvm.hal.ws2812 import open_led

_SLICE_MS = const(5)  # longest wait between two looks at the parts
_ROOM = const(256)  # the ring behind the REPL's port has 260 bytes (MicroPython 1.25, esp32/mphalport.c)
_SILENT_MS = const(1000)  # so long the network may be silent before the cable takes its place
_STUCK_MS = const(100)  # a frame that takes longer to write is read by nobody
_WATCHDOG_MS = const(5000)
# The task watchdog cannot be stopped, and would bite a REPL that runs no supervisor. It can be set anew, to
# as long as its 32-bit counter of half milliseconds allows with its second stage twice as long: 12 days.
# (MicroPython 1.25, ports/esp32/machine_wdt.c; ESP-IDF 5, task_wdt_impl_timergroup.c)
_NEVER_MS = const(0x3FFFFFFF)
_CTRL_C = const(3)
_LATE = const(64)  # bytes that may come between the break and the REPL


# Monotonic time, from counters that wrap around every 12 days.
class Clock:
    def __init__(self, set):
        self._set = set
        self._ticks = ticks_ms()
        self._watchdog = None
        self.ms = 0

    def look(self):
        ticks = ticks_ms()
        self.ms += ticks_diff(ticks, self._ticks)
        self._ticks = ticks

    def advance(self, until):
        set = self._set
        drive, serial = set.drive, set.serial
        moved, waited = drive.moving, False
        while True:
            self.look()
            set.poll(self.ms)
            wait = until - self.ms
            if wait <= 0 or serial.waits(waited) or (moved and not drive.moving):
                return
            serial.wait(min(wait, _SLICE_MS))
            waited = True

    # The first call starts the watchdog.
    def feed(self):
        if self._watchdog is None:
            self._watchdog = machine.WDT(timeout=_WATCHDOG_MS)
        self._watchdog.feed()

    def leave(self):
        if self._watchdog is not None:
            self._watchdog = None
            machine.WDT(timeout=_NEVER_MS)


# Gives bytes to the REPL, once.
class Given(io.IOBase):
    def __init__(self, data):
        self._data = data

    def readinto(self, buffer):
        if not self._data:
            return None
        buffer[0] = self._data[0]
        self._data = self._data[1:]
        return 1

    def write(self, data):
        return len(data)

    def ioctl(self, request, _argument):
        return 0


# The REPL's own port: UART or USB. Where a host has proved over the network that it may, the link is there
# from its first byte on, and the cable is deaf, until the network has been silent for a while.
class Serial:
    def __init__(self, wifi):
        self.room = _ROOM
        self._in = sys.stdin.buffer
        self._out = sys.stdout.buffer
        self._poller = select.poll()
        self._poller.register(self._in, select.POLLIN)
        self._byte = bytearray(1)
        self._late = bytearray(_LATE)
        self._stuck = False  # nobody reads what we write to the cable
        self._wifi = wifi
        self._paired = False  # as far as we know
        self._fresh = False  # its host is new, and has not spoken
        self._air = False  # the link is on the network
        self._now = self._heard = 0  # ms: the network
        micropython.kbd_intr(-1)

    def poll(self, now):
        self._now = now
        wifi = self._wifi
        if wifi:
            wifi.poll(now)
            self._fresh = wifi.paired and (self._fresh or not self._paired)
            self._paired = wifi.paired
            self._air = self._air and wifi.paired

    # Whether there are bytes to read. Of the network's it is only known that there may be some, after a
    # while.
    def waits(self, waited):
        for _ in self._poller.ipoll(0):
            return True
        return waited and self._paired

    def wait(self, ms):
        for _ in self._poller.ipoll(ms):
            return

    def readinto(self, buffer):
        if self._paired:
            size = self._wifi.readinto(buffer)
            if size and self._fresh:
                self._fresh, self._air = False, True
            if size and self._air:
                self._heard = self._now
                return size
        size = self._read(buffer)
        if size and self._air:
            if self._now - self._heard < _SILENT_MS:
                return 0
            self._air = False
        return size

    # What the cable has brought. The port's own `readinto` would wait for as many bytes as the buffer holds.
    def _read(self, buffer):
        byte, most, size = self._byte, len(buffer), 0
        while size < most and self.waits(False):
            self._in.readinto(byte, 1)
            buffer[size] = byte[0]
            size += 1
        if size:
            self._stuck = False
        return size

    # A USB port that nobody reads makes every write wait for half a second: such a port gets nothing until it
    # speaks again.
    def write(self, buffer, size):
        if self._air:
            self._wifi.write(buffer, size)
        elif not self._stuck:
            began = ticks_ms()
            self._out.write(buffer, size)
            self._stuck = ticks_diff(ticks_ms(), began) > _STUCK_MS

    # From now on the port is the REPL's, which reads `data` first, and then what has come since.
    def give_back(self, data):
        size = self._read(self._late)
        data += self._late[:size]
        micropython.kbd_intr(_CTRL_C)
        if data:
            before = os.dupterm(Given(data))
            os.dupterm_notify(None)
            os.dupterm(before)


def _secrets():
    try:
        with open("secrets.json") as file:
            return json.load(file)
    except (OSError, ValueError):
        return None


class Esp32:
    def __init__(self, config):
        parts = config["parts"]
        wifi = None
        if parts["wifi"]:
            from llmvm.hal.wifi import Wifi

            wifi = Wifi(parts, _secrets())
        self.drive = Stepper(parts["drive"])
        self.range = open_ranges(parts)
        self.imu = open_imu(parts)
        self.battery = open_battery(parts)
        self.led = open_led(parts)
        self.serial = Serial(wifi)
        self.clock = Clock(self)

    def poll(self, now):
        self.drive.poll()
        self.range.poll(now)
        self.imu.poll(now, self.drive)
        self.battery.poll(now)
        self.led.poll(now)
        self.serial.poll(now)

    def leave(self, data):
        self.drive.halt(1)
        self.clock.leave()
        self.serial.give_back(data)

    def nonce(self):
        return int.from_bytes(os.urandom(4), "little")
