# The battery's voltage by the ADC, behind a divider. `read_uv` uses the chip's calibration from the factory;
# the manifest's divider is what is left to calibrate.
from machine import ADC, Pin
from micropython import const

_EVERY_MS = const(10)
_WEIGHT = const(4)  # a reading counts for one in 16: the low-pass has a time constant of 160 ms


# Return the battery that the manifest names.
def open_battery(parts):
    battery = parts["battery"]
    return Battery(battery) if battery["pin"] is not None else Unmeasured(battery["full_mv"])


# A battery without a wire to the ADC counts as full: nobody can know better.
class Unmeasured:
    def __init__(self, mv):
        self.mv = mv

    def poll(self, now):
        pass


class Battery:
    def __init__(self, battery):
        self._adc = ADC(Pin(battery["pin"]), atten=ADC.ATTN_11DB)  # up to 3.1 V
        self._divider = round(battery["divider"] * 1000)
        self._due = 0
        self._smooth = self._read() << _WEIGHT
        self.mv = self._smooth >> _WEIGHT

    def _read(self):
        return self._adc.read_uv() // 1000 * self._divider // 1000

    # Take a reading where one is due.
    def poll(self, now):
        if now >= self._due:
            self._due = now + _EVERY_MS
            self._smooth += self._read() - (self._smooth >> _WEIGHT)
            self.mv = self._smooth >> _WEIGHT
