# The ports between the supervisor and a robot's parts. A set has these attributes, and nobody can tell which
# set it is. All numbers are integers; `clock.advance` brings all of them up to date.
#
#   clock.ms                 monotonic milliseconds
#   clock.advance(until)     let time pass until then, or, if that is earlier, until bytes arrive or the
#                            wheels come to rest
#   clock.feed()             feed the watchdog
#   drive.left, drive.right  half-steps done since power-on, signed
#   drive.moving             1 while the wheels turn
#   drive.move(left, right, rate, accel)
#                            begin a finite motion: half-steps of each wheel, and steps/s and steps/s² of
#                            the one that has more; the other keeps in proportion. It ends by itself, at
#                            standstill. A motion the same way that runs goes over into it from its speed.
#   drive.halt(at_once)      0: ramp down to standstill, 1: stop at once, coils off
#   range.mm, range.ages     six readings in mm in channel order (65535: none), and their ages in ms
#   imu.mrad                 heading in mrad, counter-clockwise, not wrapped, or None where there is no IMU
#   battery.mv               millivolts
#   led.set(red, green, blue)    0…255 each
#   led.tone(hz, ms)         begin a tone
#   serial.readinto(buffer)  take what has arrived without waiting; returns the number of bytes
#   serial.write(buffer, size)   send the buffer's first bytes
#   serial.room              bytes that the receive buffer holds
#   leave(data)              the REPL has the serial port from now on, and reads these bytes first
#   nonce()                  a number of 32 bits that has not been given before


# Return the set that the robot's configuration names.
def open(config):
    name = config["hal"]
    if name == "arena":
        from llmvm.hal.arena import Arena

        return Arena()
    if name == "esp32":
        from llmvm.hal.esp32 import Esp32

        return Esp32(config)
    raise ValueError("robot.json: hal is " + repr(name) + ", and there are 'arena' and 'esp32'")
