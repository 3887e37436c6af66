"""The true robot in its arena: stepper kinematics, collisions, range sensors, battery and LED."""

import math

import numpy as np
from numpy.typing import NDArray

from llmos.manifest import Manifest
from llmos.sim.arena import Arena, clearance
from llmos.sim.faults import NEVER, Faults
from llmos.sim.motion import Motion

SUBSTEP_MS = 10  # longest time between two looks for a collision
NO_READING = 65535  # mm
APART_M = 0.005  # this far from every obstacle a contact is over
IDLE_MV_S = 0.02  # what the battery loses at rest, mV per second
DRIVE_MV_S = 0.1  # and while the wheels turn
_NOISE_ROWS = 4096  # noise repeats after so many readings of all sensors, 205 s at 50 ms

Floats = NDArray[np.float64]


class Rays:
    """Distances along rays from a point to segments and discs, all at once."""

    def __init__(self, arena: Arena) -> None:
        walls = np.array(arena.segments, float)
        self.x, self.y = walls[:, 0].copy(), walls[:, 1].copy()
        self.ex, self.ey = walls[:, 2] - self.x, walls[:, 3] - self.y
        discs = np.array(arena.discs, float).reshape(-1, 3)
        self.cx, self.cy, self.r2 = discs[:, 0].copy(), discs[:, 1].copy(), discs[:, 2] ** 2

    def cast(self, x: float, y: float, directions: Floats) -> Floats:
        """Distance in metres from (x, y) to the first obstacle in each direction (rad)."""
        dx, dy = np.cos(directions)[:, None], np.sin(directions)[:, None]
        qx, qy = self.x - x, self.y - y
        across = dx * self.ey - dy * self.ex
        across[across == 0] = 1e-300  # parallel: `along` leaves the segment
        along = (qx * dy - qy * dx) / across
        away = (qx * self.ey - qy * self.ex) / across
        hit = (along >= -1e-9) & (along <= 1 + 1e-9) & (away >= 0)
        nearest: Floats = np.where(hit, away, np.inf).min(axis=1)
        if len(self.r2):
            qx, qy = self.cx - x, self.cy - y
            ahead = dx * qx + dy * qy
            square = ahead * ahead - (qx * qx + qy * qy - self.r2)
            away = ahead - np.sqrt(np.maximum(square, 0))
            nearest = np.minimum(nearest, np.where((square >= 0) & (away >= 0), away, np.inf).min(axis=1))
        return nearest


class World:
    """The arena with the robot in it; `now` is the arena's clock in ms.

    Pose in metres and radians in the arena's frame; wheel positions in half-steps since power-on.
    """

    def __init__(self, arena: Arena, manifest: Manifest, seed: int = 0, faults: Faults | None = None) -> None:
        self.arena, self.manifest, self.faults = arena, manifest, faults or Faults()
        self.now = 0
        self.x, self.y = float(arena.start.x), float(arena.start.y)
        self.heading = math.radians(arena.start.heading_deg)
        self.collisions = 0
        self.led = (0, 0, 0)
        self.left_pos = self.right_pos = 0
        self._base_left = self._base_right = 0  # positions when the motion began
        self._motion: Motion | None = None
        self._touching = False
        self._free_m = 0.0  # the robot may move this far before it can touch anything
        self._charge_mv = self.faults.number.get("battery", float(manifest.battery.full_mv))
        self._per_step = 1 / manifest.drive.steps_per_m
        self._base_m = manifest.drive.wheel_base_m
        self._rays = Rays(arena)
        self._angles = np.array(manifest.range_angles)
        self._period = manifest.range.period_ms
        random = np.random.default_rng([seed, 1])
        self._noise = random.normal(0.0, arena.noise_mm, (_NOISE_ROWS, len(self._angles)))
        self._slip = np.random.default_rng([seed, 2])
        self._seen = (0, self.x, self.y, self.heading)  # when and where the sensors last looked
        self._last: list[int] = [NO_READING] * len(self._angles)
        self._looked_at: tuple[int, float, float, float] | None = None
        self._dead = self.faults.channel.get("blind", {})
        self._stuck = self.faults.channel.get("stuck", {})

    def drive(self, left: int, right: int, rate: int, accel: int) -> None:
        """Start a motion over half-steps, or replace the running one (steps/s, steps/s²)."""
        top = float(min(max(rate, 1), self.manifest.drive.max_steps_s))
        push = float(max(accel, 1))
        if self._motion:
            self._set(self._motion.replaced(self.now, left, right, top, push))
        else:
            self._set(Motion(self.now, left, right, top, push))

    def halt(self, at_once: bool = False) -> None:
        """Ramp the running motion down, or stop it at once."""
        if self._motion:
            self._set(Motion(self.now, 0, 0, 1, 1) if at_once else self._motion.ramped_down(self.now))

    def power_cycle(self) -> None:
        """Lose power for a moment: the wheels stop, their positions are forgotten, the LED goes out."""
        self._motion = None
        self.left_pos = self.right_pos = 0
        self.led = (0, 0, 0)

    def _set(self, motion: Motion) -> None:
        self._base_left, self._base_right = self.left_pos, self.right_pos
        self._motion = motion if motion.rest_ms > self.now else None

    @property
    def moving(self) -> bool:
        """Whether the wheels turn."""
        return self._motion is not None

    @property
    def rest_ms(self) -> int:
        """When the running motion ends; `NEVER` at rest."""
        return self._motion.rest_ms if self._motion else NEVER

    @property
    def battery_mv(self) -> int:
        """Battery voltage."""
        return max(0, int(self._charge_mv))

    def ranges(self) -> list[int]:
        """The newest range readings in mm, in channel order."""
        if self._looked_at != self._seen:
            self._look()
        return self._last

    def ages(self) -> list[int]:
        """How long ago each range reading was taken, in ms."""
        moment = self._seen[0]
        if not self._dead:
            return [self.now - moment] * len(self._angles)
        lost = (min(moment, self._dead.get(channel, NEVER)) for channel in range(len(self._angles)))
        return [min(self.now - taken, NO_READING) for taken in lost]

    def _look(self) -> None:
        moment, x, y, heading = self._seen
        noise = self._noise[moment // self._period % _NOISE_ROWS]
        most = int(self.manifest.range.max_m * 1000)
        true = self._rays.cast(x, y, self._angles + heading) * 1000
        seen = np.where(true < most, np.clip(np.rint(true + noise), 0, most), most).astype(int).tolist()
        for channel, since in self._stuck.items():
            if moment >= since and self._looked_at:
                seen[channel] = self._last[channel]
        for channel, since in self._dead.items():
            if moment >= since:
                seen[channel] = NO_READING
        self._last, self._looked_at = seen, self._seen

    def advance(self, until_ms: int) -> None:
        """Let time pass until `until_ms`; a motion that ends on the way ends at its own moment."""
        while (motion := self._motion) and self.now < until_ms:
            grid = self.now - self.now % SUBSTEP_MS + SUBSTEP_MS
            self._substep(motion, min(until_ms, grid, motion.rest_ms))
        if until_ms > self.now:
            self._charge_mv -= (until_ms - self.now) * IDLE_MV_S / 1000
            self.now = until_ms
            self._refresh()

    def _substep(self, motion: Motion, to_ms: int) -> None:
        left, right = motion.steps(to_ms)
        left += self._base_left
        right += self._base_right
        self._move((left - self.left_pos) * self._per_step, (right - self.right_pos) * self._per_step)
        self.left_pos, self.right_pos = left, right
        self._charge_mv -= (to_ms - self.now) * DRIVE_MV_S / 1000
        self.now = to_ms
        if to_ms >= motion.rest_ms:
            self._motion = None
        self._refresh()

    def _refresh(self) -> None:
        moment = self.now - self.now % self._period
        if moment > self._seen[0]:
            self._seen = (moment, self.x, self.y, self.heading)

    def _move(self, left: float, right: float) -> None:
        """Roll the wheels by so many metres, unless that would push the body into an obstacle."""
        slip = self.faults.much("slip")
        if slip:
            lost = self._slip.random(2) * slip
            left, right = left * (1 - lost[0]), right * (1 - lost[1])
        way, turn = (left + right) / 2, (right - left) / self._base_m
        middle = self.heading + turn / 2
        if way:
            x, y = self.x + way * math.cos(middle), self.y + way * math.sin(middle)
            if not self._is_free(x, y, abs(way)):
                self.collisions += not self._touching
                self._touching = True
                return
            self.x, self.y = x, y
            self._touching = self._touching and self._free_m < APART_M
        self.heading += turn

    def _is_free(self, x: float, y: float, way: float) -> bool:
        self._free_m -= way
        if self._free_m <= 0:
            room = clearance(self.arena, x, y) - self.manifest.radius_m
            if room < 0:
                self._free_m = 0.0
                return False
            self._free_m = room
        return True
