# The frozen module of the ESP32's MicroPython, as far as the firmware uses it.
from machine import bitstream

_TIMING = (400, 850, 800, 450)  # ns of a WS2812's zero and one


class NeoPixel:
    def __init__(self, pin, n, bpp=3, timing=1):
        self.pin, self.n = pin, n
        self.buf = bytearray(3 * n)

    def __setitem__(self, i, colour):
        red, green, blue = colour
        self.buf[3 * i : 3 * i + 3] = bytes((green, red, blue))

    def write(self):
        bitstream(self.pin, 0, _TIMING, self.buf)
