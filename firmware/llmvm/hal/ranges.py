# What all range sensors have in common: six readings with their ages.
from array import array

from micropython import const

NONE = const(65535)  # no valid reading; and the greatest age
CHANNELS = "front", "front_left", "front_right", "left", "right", "rear"


# Return the range sensors that the manifest names.
def open_ranges(parts):
    driver = parts["range"]["driver"]
    if driver == "vl53l0x":
        from llmvm.hal.vl53l0x import Vl53l0xRanges

        return Vl53l0xRanges(parts)
    if driver == "hc_sr04":
        from llmvm.hal.hc_sr04 import HcSr04Ranges

        return HcSr04Ranges(parts)
    raise ValueError("robot.json: range.driver is " + repr(driver) + ", and there are vl53l0x and hc_sr04")


# The readings. A channel without a sensor, and one that has never been read, has none and the greatest age.
class Readings:
    def __init__(self, parts):
        self.mm = array("H", [NONE] * len(CHANNELS))
        self.ages = array("H", [NONE] * len(CHANNELS))
        self._taken = array("i", [-NONE] * len(CHANNELS))  # ms; valid where a reading has been taken
        self._ever = bytearray(len(CHANNELS))
        self.most = int(parts["range"]["max_m"] * 1000)
        self.period_ms = parts["range"]["period_ms"]

    # Take a reading; one beyond the greatest range saw nothing, which is the greatest range.
    def take(self, channel, mm, now):
        self.mm[channel] = min(mm, self.most)
        self._taken[channel] = now
        self._ever[channel] = 1

    # A sensor has answered nothing that could be believed. Its age goes on from its last reading.
    def lose(self, channel):
        self.mm[channel] = NONE

    # Bring the ages up to date.
    def age(self, now):
        for channel in range(len(self.ages)):
            if self._ever[channel]:
                age = now - self._taken[channel]
                if age >= NONE:  # so that it never seems young again
                    self._ever[channel] = 0
                    age = NONE
                self.ages[channel] = age
