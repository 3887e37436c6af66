# The I2C bus that rangers and IMU share. A transfer never raises: it answers whether it was done.
from time import sleep_us

from machine import I2C, Pin
from micropython import const

_HALF_US = const(5)  # half a clock at 100 kHz
_CLOCKS = const(9)  # a byte and its acknowledgement
_TRIES = const(2)


# Return the robot's bus, or None where it has none.
def open_bus(parts):
    return Bus(parts["i2c"]) if parts["i2c"] else None


class Bus:
    def __init__(self, wires):
        self._sda = Pin(wires["sda"])
        self._scl = Pin(wires["scl"])
        self._hz = wires["hz"]
        self._byte = bytearray(1)
        self.failed = 0  # tries
        self._free()

    # Have a chip that was cut off in the middle of a byte finish it: nine clocks, then a stop (UM10204,
    # 3.1.16).
    def _free(self):
        sda, scl = self._sda, self._scl
        sda.init(Pin.OPEN_DRAIN, value=1)
        scl.init(Pin.OPEN_DRAIN, value=1)
        for _ in range(_CLOCKS):
            scl.value(0)
            sleep_us(_HALF_US)
            scl.value(1)
            sleep_us(_HALF_US)
        sda.value(0)
        sleep_us(_HALF_US)
        sda.value(1)
        self._i2c = I2C(0, sda=sda, scl=scl, freq=self._hz)

    # The ESP32-S3's driver waits for tenths of a second on a bus that is held low: nothing is begun on one.
    def _idle(self):
        if self._sda.value() and self._scl.value():
            return True
        self._free()
        return self._sda.value() and self._scl.value()

    # Fill the buffer from a register of a chip; what fails is tried once more. Allocates only where it fails.
    def read(self, chip, register, buffer):
        for _ in range(_TRIES):
            try:
                if self._idle():
                    self._i2c.readfrom_mem_into(chip, register, buffer)
                    return True
            except OSError:
                pass
            self.failed += 1
        return False

    # Write the buffer to a register of a chip; what fails is tried once more. Allocates only where it fails.
    def write(self, chip, register, buffer):
        for _ in range(_TRIES):
            try:
                if self._idle():
                    self._i2c.writeto_mem(chip, register, buffer)
                    return True
            except OSError:
                pass
            self.failed += 1
        return False

    # Write one byte to a register of a chip.
    def put(self, chip, register, value):
        self._byte[0] = value
        return self.write(chip, register, self._byte)
