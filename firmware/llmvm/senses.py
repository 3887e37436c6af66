# What the robot perceives: one array that the interpreter, the guards and the reflex read.
from array import array

from micropython import const

from llmvm import _isa

NONE = const(65535)  # a range channel without a valid reading


class Senses:
    def __init__(self, hal, limits, odometry):
        self._hal = hal
        self._odometry = odometry
        self._present = limits[_isa.LIM_CHANNELS]
        self._stale_ms = limits[_isa.LIM_STALE_MS]
        self._least_mv = limits[_isa.LIM_BATTERY_MIN_MV]
        self.values = array("i", [0] * 16)  # by channel
        self.flags = 0  # those of TELEMETRY that are perceived

    # Read every channel; `began` is when the block began.
    def refresh(self, now, began):
        hal, values, odometry = self._hal, self.values, self._odometry
        odometry.update()
        ages = hal.range.ages
        flags = channel = oldest = 0
        for mm in hal.range.mm:
            if self._present >> channel & 1:
                oldest = max(oldest, ages[channel])
                if mm == NONE or ages[channel] > self._stale_ms:
                    mm = NONE
                    flags = _isa.FLAG_STALE
            values[channel] = mm
            channel += 1
        values[_isa.CH_BATTERY] = hal.battery.mv
        values[_isa.CH_X] = round(odometry.x)
        values[_isa.CH_Y] = round(odometry.y)
        values[_isa.CH_HEADING] = round(odometry.heading)
        values[_isa.CH_CLOCK] = now - began
        values[_isa.CH_TRAVELLED] = int(odometry.path)
        values[_isa.CH_AGE] = oldest
        if hal.drive.moving:
            flags |= _isa.FLAG_MOVING
        if hal.battery.mv < self._least_mv:
            flags |= _isa.FLAG_BATTERY
        self.flags = flags
