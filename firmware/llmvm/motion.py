# What a move means in steps, where the wheels have brought the robot, and when the reflex must stop it.
from math import cos, sin, sqrt

from llmvm import _isa

_NONE = 65535  # a range channel without a valid reading
_TURNED = 50  # mrad: so far to the side lies another way


# Turns distances into wheel steps. Steps are rounded down, so that no move is longer than was certified;
# rates are rounded up, so that none takes longer.
class Gear:
    def __init__(self, limits):
        self._per_m = limits[_isa.LIM_STEPS_PER_M]
        self._per_10rad = limits[_isa.LIM_STEPS_PER_10RAD]
        self._most = limits[_isa.LIM_MAX_STEPS_S]
        self.accel = limits[_isa.LIM_ACCEL_STEPS_S2]
        self.left = self.right = self.rate = 0

    # `mm` straight ahead at `speed` mm/s.
    def move(self, mm, speed):
        steps = abs(mm) * self._per_m // 1000
        self.left = self.right = steps if mm > 0 else -steps
        self.rate = self._rate(speed * self._per_m, 1000)

    # `mrad` on the spot at `rate` mrad/s.
    def turn(self, mrad, rate):
        steps = abs(mrad) * self._per_10rad // 10000
        self.right = steps if mrad > 0 else -steps
        self.left = -self.right
        self.rate = self._rate(rate * self._per_10rad, 10000)

    # Both wheels at their own speed in mm/s for `ms`.
    def drive(self, left, right, ms):
        steps = abs(left) * ms * self._per_m // 1000000
        self.left = steps if left > 0 else -steps
        steps = abs(right) * ms * self._per_m // 1000000
        self.right = steps if right > 0 else -steps
        self.rate = self._rate(max(abs(left), abs(right)) * self._per_m, 1000)

    def _rate(self, numerator, denominator):
        return min((numerator + denominator - 1) // denominator, self._most)


# The pose since the session began, and the way since the block began, from the wheels' steps; the heading
# from the IMU where there is one.
class Odometry:
    def __init__(self, hal, limits):
        self._drive = hal.drive
        self._imu = hal.imu
        self._mm = 500 / limits[_isa.LIM_STEPS_PER_M]  # the robot's way per step of one wheel
        self._mrad = 5000 / limits[_isa.LIM_STEPS_PER_10RAD]  # its turn per step of one wheel
        self._over = 0.0
        self.begin()
        self.begin_block()

    def begin(self):
        self._left = self._first_left = self._drive.left
        self._right = self._first_right = self._drive.right
        self._first_mrad = self._imu.mrad
        self.x = self.y = self.heading = 0.0  # mm, mm, mrad

    def begin_block(self):
        self.path, self.rotation, self._over = self._over, 0.0, 0.0  # mm, mrad

    # The last steps of each wheel, straight ahead, are the way of the block that begins now.
    def end_block(self, steps):
        self._over = 2 * steps * self._mm
        self.path -= self._over

    # Follow the wheels. The heading comes from the steps since the session began, so that no rounding adds
    # up.
    def update(self):
        left, right = self._drive.left, self._drive.right
        way = (left - self._left + right - self._right) * self._mm
        if self._first_mrad is None:
            heading = ((right - self._first_right) - (left - self._first_left)) * self._mrad
        else:
            heading = self._imu.mrad - self._first_mrad
        middle = (self.heading + heading) / 2000
        self.x += way * cos(middle)
        self.y += way * sin(middle)
        self.path += abs(way)
        self.rotation += abs(heading - self.heading)
        self.heading = heading
        self._left, self._right = left, right


# Stops a move before it brings the body nearer to an obstacle than the manifest's stop distance. What it has
# stopped for may slip between two beams; it stays in the way until the robot turns.
class Reflex:
    def __init__(self, limits, angles_mrad, odometry):
        self._odometry = odometry
        self.forget()
        # what a sensor sees must stay this far from the robot's middle
        self._keep = limits[_isa.LIM_RADIUS_MM] + limits[_isa.LIM_STOP_MM]
        self._tick = limits[_isa.LIM_TICK_MS]
        self._mm = 1000 / limits[_isa.LIM_STEPS_PER_M]
        present = limits[_isa.LIM_CHANNELS]
        ahead = (_isa.CH_FRONT, _isa.CH_FRONT_LEFT, _isa.CH_FRONT_RIGHT)
        self._ahead = [self._beam(c, angles_mrad[c] / 1000, 1) for c in ahead if present >> c & 1]
        self._behind = [self._beam(c, angles_mrad[c] / 1000, -1) for c in (_isa.CH_REAR,) if present >> c & 1]

    def forget(self):
        self._way = 0  # 1 or -1: the direction in which an obstacle is remembered
        self._room = self._x = self._y = self._heading = 0.0  # mm to it, and the pose then

    # A sensor as (channel, cosine along the way, sine across it).
    def _beam(self, channel, angle, way):
        return channel, way * cos(angle), abs(sin(angle))

    # Whether the way ahead (forward > 0) or behind (< 0) is not free for a robot that moves at `rate`
    # steps/s, can brake with `accel` steps/s², and has `left` steps to go. A reading that is not there counts
    # as an obstacle.
    def blocked(self, forward, rate, accel, left, senses, ages):
        speed = rate * self._mm
        brake = speed * rate / (2 * accel)
        if self._remembered(forward) < min(brake + speed * self._tick / 1000, left * self._mm):
            return True
        for channel, along, across in self._ahead if forward > 0 else self._behind:
            reading = senses[channel]
            if reading == _NONE:
                return True
            side = reading * across
            if side < self._keep:
                # the robot has come nearer since the reading was taken, and will come nearer until the next
                # poll
                late = speed * (ages[channel] + self._tick) / 1000
                room = reading * along - sqrt(self._keep * self._keep - side * side)
                if room < min(brake + late, left * self._mm):
                    self._remember(forward, room - speed * ages[channel] / 1000)
                    return True
        return False

    def _remember(self, forward, room):
        odometry = self._odometry
        self._way, self._room = forward, room
        self._x, self._y, self._heading = odometry.x, odometry.y, odometry.heading

    # The way in mm to the obstacle that is remembered.
    def _remembered(self, forward):
        odometry = self._odometry
        if abs(odometry.heading - self._heading) > _TURNED:
            self._way = 0
        if forward != self._way:
            return 1e9
        angle = self._heading / 1000
        gone = (odometry.x - self._x) * cos(angle) + (odometry.y - self._y) * sin(angle)
        return self._room - forward * gone
