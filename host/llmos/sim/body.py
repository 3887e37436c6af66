"""The true robot in its arena: stepper kinematics, collisions, range sensors, battery and LED."""

import cmath
import math
from itertools import pairwise
from typing import Any

import numpy as np

from llmos.manifest import Manifest
from llmos.sim.arena import Arena, clearance
from llmos.sim.faults import NEVER, Faults, Push
from llmos.sim.motion import Motion
from llmos.sim.ranging import Ranging

SUBSTEP_MS = 10  # longest time between two looks for a collision
APART_M = 0.005  # this far from every obstacle a contact is over
IDLE_MV_S = 0.02  # what the battery loses at rest, mV per second
DRIVE_MV_S = 0.1  # and while the wheels turn
BOX_M = 0.12, 0.06  # width and depth of a box that is pushed in the way


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
        self.pushed: list[dict[str, Any]] = []  # the boxes, each with when and how the body was then
        self._pushes = sorted(self.faults.pushes)
        self.motions = 0  # begun, changed or stopped so far
        self._free_m = 0.0  # the robot may move this far before it can touch anything
        self._charge_mv = self.faults.number.get("battery", float(manifest.battery.full_mv))
        names = {"wheel": "wheel_diameter_m", "base": "wheel_base_m"}
        true = {key: self.faults.much(name) / 1000 for name, key in names.items() if self.faults.much(name)}
        drive = manifest.drive.model_copy(update=true)
        self._per_step, self._base_m = 1 / drive.steps_per_m, drive.wheel_base_m
        self._stalled = self.faults.channel.get("stall", {})
        self._slip = np.random.default_rng([seed, 2])
        self._ranging = Ranging(arena, manifest, seed, self.faults)
        self._ranging.look(0, self.x, self.y, self.heading)

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
        self.motions += 1
        self._base_left, self._base_right = self.left_pos, self.right_pos
        self._motion = motion if motion.rest_ms > self.now else None

    @property
    def moving(self) -> bool:
        """Whether the wheels turn."""
        return self._motion is not None

    @property
    def rate(self) -> float:
        """Speed of the faster wheel in half-steps/s."""
        return max(map(abs, self._motion.speeds(self.now))) if self._motion else 0.0

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
        return self._ranging.ranges()

    def ages(self) -> list[int]:
        """How long ago each range reading was taken, in ms."""
        return self._ranging.ages(self.now)

    def advance(self, until_ms: int) -> None:
        """Let time pass until `until_ms`; a motion that ends on the way ends at its own moment."""
        while self._pushes and self._pushes[0].ms <= until_ms:
            push = self._pushes.pop(0)
            self._pass(push.ms)
            self._push(push)
        self._pass(until_ms)

    def _push(self, push: Push) -> None:
        """Put a box in the way; where it stands over a wall, both are there."""
        near, side = self.manifest.radius_m + push.mm / 1000, BOX_M[0] / 2
        far = near + BOX_M[1]
        turn = cmath.rect(1, self.heading + math.radians(push.deg))
        corners = [
            complex(self.x, self.y) + turn * complex(*corner)
            for corner in ((near, -side), (near, side), (far, side), (far, -side))
        ]
        sides = pairwise((*corners, corners[0]))
        box = tuple((one.real, one.imag, other.real, other.imag) for one, other in sides)
        self.arena = self.arena.model_copy(update={"walls": (*self.arena.walls, *box)})
        where = {"ms": self.now, "at": (self.x, self.y, self.heading), "rate": round(self.rate)}
        self.pushed.append({**where, "box": box})
        self._free_m = 0.0
        self._ranging.see(self.arena)

    def _pass(self, until_ms: int) -> None:
        while (motion := self._motion) and self.now < until_ms:
            grid = self.now - self.now % SUBSTEP_MS + SUBSTEP_MS
            self._substep(motion, min(until_ms, grid, motion.rest_ms))
        if until_ms > self.now:
            self._charge_mv -= (until_ms - self.now) * IDLE_MV_S / 1000
            self.now = until_ms
            self._ranging.look(self.now, self.x, self.y, self.heading)

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
        self._ranging.look(self.now, self.x, self.y, self.heading)

    def _move(self, left: float, right: float) -> None:
        """Roll the wheels by so many metres, unless that would push the body into an obstacle."""
        if self._stalled:
            left *= self.now < self._stalled.get(0, NEVER)
            right *= self.now < self._stalled.get(1, NEVER)
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
