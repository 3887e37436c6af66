# The LED, a WS2812, and the tone, by PWM.
from machine import PWM, Pin, bitstream
from micropython import const

_TIMING = (400, 850, 800, 450)  # ns high and low of a zero and of a one (WS2812B datasheet, ±150 ns)
_LEAST_HZ = const(20)
_MOST_HZ = const(20000)
_LOUD = const(32768)  # of 65536: a square wave


# Return the LED and the tone that the manifest names; what it does not name is not there, and silent.
def open_led(parts):
    return Led(parts["led"], parts["tone_pin"])


class Led:
    def __init__(self, led, tone_pin):
        self._pin = Pin(led["pin"], Pin.OUT, value=0) if led else None
        self._pwm = PWM(Pin(tone_pin), freq=1000, duty_u16=0) if tone_pin is not None else None
        self._colour = bytearray(3)  # green, red, blue
        self._length = 0  # ms of a tone that `poll` has not seen yet
        self._ends = 0  # ms
        self._sounds = False
        self.set(0, 0, 0)

    # Show a colour, 0…255 each.
    def set(self, red, green, blue):
        colour = self._colour
        colour[0], colour[1], colour[2] = green, red, blue
        if self._pin:
            bitstream(self._pin, 0, _TIMING, colour)

    # Begin a tone; it ends by itself.
    def tone(self, hz, ms):
        if not self._pwm:
            return
        self._length = ms
        self._sounds = hz > 0 and ms > 0
        if self._sounds:
            self._pwm.freq(min(max(hz, _LEAST_HZ), _MOST_HZ))
        self._pwm.duty_u16(_LOUD if self._sounds else 0)

    # A tone's time begins with the first poll behind it, so it lasts as long as asked, or a round longer.
    def poll(self, now):
        if self._length:
            self._ends = now + self._length
            self._length = 0
        elif self._sounds and now >= self._ends:
            self._sounds = False
            self._pwm.duty_u16(0)
