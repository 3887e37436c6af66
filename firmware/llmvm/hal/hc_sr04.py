# HC-SR04 ultrasonic rangers. An interrupt stamps the echo's two edges; nobody waits for them. The sensors
# fire one after the other, so that none hears another's echo.
#
# The datasheet: a trigger of 10 µs, then the echo pin is high for the time of flight, forth and back; 20 to
# 4000 mm. On the ESP32 an interrupt's Python runs after the edge, whenever the interpreter comes to it. Late
# at the first edge, it shortens the distance, or finds the pulse over and drops it; late at the second, it
# lengthens the distance by 0.17 mm per µs: so the nearer one of a sensor's last two readings counts.
from array import array
from time import sleep_us, ticks_diff, ticks_us

from machine import Pin
from micropython import const

from llmvm.hal.ranges import CHANNELS, NONE, Readings

AIR_C = const(20)  # the air that distances are computed for; 10 °C beside it are 1.8 % of them
_SOUND_MM_S = const(331300 + 606 * AIR_C)  # in dry air, linear about 0 °C

_TRIGGER_US = const(10)
_LEAST_MM = const(20)
_MOST_MM = const(4000)
_SLOT_MS = const(30)  # from one sensor's trigger to the next one's: 4 m forth and back are 23.3 ms

_QUIET = const(0)  # no trigger yet, or the echo has been taken
_FIRED = const(1)
_RISEN = const(2)
_FALLEN = const(3)


# The distance in mm that a pulse of so many µs means.
def distance(us):
    return (us * (_SOUND_MM_S // 100) + 10000) // 20000


class HcSr04:
    def __init__(self, trigger, echo):
        self._trigger = Pin(trigger, Pin.OUT, value=0)
        self._echo = Pin(echo, Pin.IN)
        self._state = _QUIET
        self._rose = self._fell = 0  # µs
        self._before = NONE  # mm of the reading before
        self._echo.irq(self._edge, Pin.IRQ_RISING | Pin.IRQ_FALLING)

    def _edge(self, pin):
        now = ticks_us()
        if pin.value():
            if self._state == _FIRED:
                self._rose = now
                self._state = _RISEN
        elif self._state == _RISEN:
            self._fell = now
            self._state = _FALLEN
        elif self._state == _FIRED:  # the pulse was over before its beginning was seen
            self._state = _QUIET

    # Send a pulse, unless the last one's echo is still awaited by the sensor itself.
    def fire(self):
        self._state = _QUIET
        if self._echo.value():
            return
        self._trigger.value(1)
        sleep_us(_TRIGGER_US)
        self._state = _FIRED
        self._trigger.value(0)

    # The distance in mm since the last `fire`, or NONE where there was no echo.
    def read(self):
        newest = NONE
        if self._state == _FALLEN:
            mm = distance(ticks_diff(self._fell, self._rose))
            if _LEAST_MM <= mm <= _MOST_MM:
                newest = mm
        self._state = _QUIET
        mm = min(newest, self._before)
        self._before = newest
        return NONE if newest == NONE else mm


class HcSr04Ranges(Readings):
    def __init__(self, parts):
        super().__init__(parts)
        self._sensors = []
        self._channels = array("B")
        for channel, name in enumerate(CHANNELS):
            pins = parts["range"]["pins"].get(name)
            if pins:
                self._sensors.append(HcSr04(pins[0], pins[1]))
                self._channels.append(channel)
        self._slot_ms = max(_SLOT_MS, self.period_ms // max(len(self._sensors), 1))
        self._turn = -1  # the sensor that has fired
        self._due = 0  # ms of the next trigger
        self._fired = 0  # ms

    # Where a slot is over, take its echo and fire the next sensor.
    def poll(self, now):
        if self._sensors and now >= self._due:
            if self._turn >= 0:
                self._collect(self._channels[self._turn], self._sensors[self._turn].read())
            self._turn = (self._turn + 1) % len(self._sensors)
            self._sensors[self._turn].fire()
            self._fired = now
            self._due = now + self._slot_ms
        self.age(now)

    def _collect(self, channel, mm):
        if mm == NONE:
            self.lose(channel)
        else:
            self.take(channel, mm, self._fired)
