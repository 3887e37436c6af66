"""The world that a block is tried in without a robot: an empty room, exact wheels, sensors without noise."""

import math
from collections.abc import Callable
from typing import NamedTuple

from llmbytecode._isa import Chan, Limits
from llmbytecode.machine import NO_READING, REFLEX, Ended, Guards, first_tripped

HALF_ROOM_MM = 2000.0
POLL_MS = 10
BATTERY_MV = 5000
ROUNDING_MS = 1e-6  # of binary fractions
DIRECTIONS = {
    Chan.FRONT: 0.0,
    Chan.FRONT_LEFT: math.pi / 6,
    Chan.FRONT_RIGHT: -math.pi / 6,
    Chan.LEFT: math.pi / 2,
    Chan.RIGHT: -math.pi / 2,
    Chan.REAR: math.pi,
}


class Ramp(NamedTuple):
    """A motion from standstill to standstill: up with `accel`, on at `peak` until `down_ms`, down again.

    The unit is mm or mrad, per second.
    """

    peak: float
    accel: float
    down_ms: float

    @classmethod
    def over(cls, amount: float, speed: float, accel: float) -> "Ramp":
        """Return the ramp that covers an amount, no faster than a speed."""
        peak = min(speed, math.sqrt(amount * accel))
        return cls(peak, accel, 1000 * amount / peak)

    @property
    def top(self) -> float:
        """The speed that is reached."""
        return min(self.peak, self.accel * self.down_ms / 1000)

    @property
    def end_ms(self) -> float:
        """When the motion stands still again."""
        return self.down_ms + 1000 * self.top / self.accel

    def covered(self, ms: float) -> float:
        """Return what is covered at a time."""
        up, down = min(ms, self.down_ms) / 1000, max(0.0, ms - self.down_ms) / 1000
        rising = min(up, self.peak / self.accel)
        risen = self.accel * rising * rising / 2 + self.peak * (up - rising)
        return risen + self.top * down - self.accel * down * down / 2

    def cut(self, ms: float) -> "Ramp":
        """Return the motion that begins to slow down at a time, if it does not already."""
        return self._replace(down_ms=min(ms, self.down_ms))


class EmptyRoom:
    """A room of 4 m by 4 m; the robot starts in its middle and looks east."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.x = self.y = self.heading = self.ms = self.path_mm = self.began_ms = self.began_mm = 0.0

    def begin(self) -> None:
        """Start the channels clock and travelled from 0."""
        self.began_ms, self.began_mm = self.ms, self.path_mm

    def sense(self, channel: int) -> int:
        """Return a channel's value in its unit."""
        if channel in DIRECTIONS:
            return min(
                round(self._range(DIRECTIONS[Chan(channel)])), self.limits.range_max_mm, NO_READING - 1
            )
        values = {
            Chan.BATTERY: BATTERY_MV,
            Chan.X: self.x,
            Chan.Y: self.y,
            Chan.HEADING: 1000 * self.heading,
            Chan.CLOCK: self.ms - self.began_ms,
            Chan.TRAVELLED: self.path_mm - self.began_mm,
            Chan.AGE: 0,
        }
        return round(values[Chan(channel)])

    def move(self, distance_mm: int, speed: int, guards: Guards) -> Ended:
        """Drive straight on, or back where the distance is negative."""
        sign = 1 if distance_mm > 0 else -1
        return self._run(Ramp.over(abs(distance_mm), speed, self.limits.accel), sign, 0.0, guards)

    def turn(self, angle_mrad: int, rate: int, guards: Guards) -> Ended:
        """Turn on the spot."""
        sign = 1 if angle_mrad > 0 else -1
        return self._run(Ramp.over(abs(angle_mrad), rate, self.limits.turn_accel), 0.0, sign / 1000, guards)

    def drive(self, left: int, right: int, ms: int, guards: Guards) -> Ended:
        """Run the wheels at these speeds in mm/s, then ramp down; the slower wheel keeps the proportion."""
        top = max(abs(left), abs(right))
        if top == 0:
            return self.wait(ms, guards)
        forward, turning = (left + right) / 2 / top, (right - left) / self.limits.base_mm / top
        return self._run(Ramp(top, self.limits.accel, ms), forward, turning, guards)

    def wait(self, ms: int, guards: Guards) -> Ended:
        """Let time pass."""
        passed, trip = 0, first_tripped(guards, self.sense)
        while passed < ms and not trip:
            step = min(POLL_MS, ms - passed)
            passed, self.ms = passed + step, self.ms + step
            trip = first_tripped(guards, self.sense) if passed < ms else 0
        return Ended(trip, passed, 0, 0)

    def _run(self, ramp: Ramp, forward: float, turning: float, guards: Guards) -> Ended:
        """Follow a ramp; `forward` mm and `turning` rad belong to one unit of it."""
        start_ms, now, trip = self.ms, 0.0, 0
        while now < ramp.end_ms:
            if not trip:
                trip = first_tripped(guards, self.sense) or self._reflex(ramp, now, forward)
                ramp = ramp.cut(now) if trip else ramp
            then = min(now + POLL_MS, ramp.end_ms)
            self._shift(ramp.covered(then) - ramp.covered(now), forward, turning)
            now, self.ms = then, start_ms + then
        self.ms = start_ms + math.ceil(now - ROUNDING_MS)
        covered = ramp.covered(now)
        mm, mrad = round(covered * abs(forward)), round(1000 * covered * abs(turning))
        return Ended(trip, round(self.ms - start_ms), mm, mrad)

    def _shift(self, amount: float, forward: float, turning: float) -> None:
        middle = self.heading + amount * turning / 2
        self.x += amount * forward * math.cos(middle)
        self.y += amount * forward * math.sin(middle)
        self.heading += amount * turning
        self.path_mm += amount * abs(forward)

    def _reflex(self, ramp: Ramp, ms: float, forward: float) -> int:
        """Return TRIP's answer where the body would come nearer to a wall than the stop distance."""
        stopping = ramp.cut(ms)
        way = (stopping.covered(stopping.end_ms) - stopping.covered(ms)) * forward
        room = self._range(0.0) - self.limits.radius_mm - self.limits.stop_mm
        return REFLEX if forward > 0 and room <= way else 0

    def _range(self, direction: float) -> float:
        """Return the distance to the wall in mm, in a direction in rad from straight ahead."""
        angle = self.heading + direction
        along: list[Callable[[float], float]] = [math.cos, math.sin]
        distances = [
            (math.copysign(HALF_ROOM_MM, component(angle)) - at) / component(angle)
            for at, component in zip((self.x, self.y), along, strict=True)
            if abs(component(angle)) > 1e-9
        ]
        return max(0.0, min(distances))
