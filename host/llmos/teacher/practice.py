"""A robot to practise with: the reference machine in an arena, which steps from reading to reading.

It runs the same proven blocks through the same link interface as a board, and a mind cannot tell it from one
but by its pace: no serial line, no MicroPython, no ramps. A drive takes a fiftieth of the time that it takes
on the virtual board, so that thousands of arenas can be driven through on a laptop. What is judged is driven
on the board (`llmos eval`).
"""

import math
from collections.abc import Callable, Generator, Iterable
from typing import TypeVar

import numpy as np

from llmbytecode import Chan, Machine, Outcome, read_container
from llmbytecode.machine import REFLEX, Ended, Guards, first_tripped
from llmos.link.messages import Done, Event, Telemetry
from llmos.manifest import RANGE_CHANNELS, Manifest
from llmos.sim.arena import Arena, clearance
from llmos.sim.ranging import NO_READING, Rays

STEP_M, STEP_RAD = 0.04, 0.05  # between two readings
NOTHING = (0,) * 7  # of what a board says of its block: state, mode, trip, flags, pc, fuel, clear
_Result = TypeVar("_Result")


class _Clock:
    """The robot's time, which stands still while the host computes."""

    simulated = True

    def __init__(self) -> None:
        self.ms = 0.0

    def now(self) -> int:
        """Return the time in ms."""
        return round(self.ms)


class Practice:
    """A `Body` in an arena; poses in telemetry are relative to the start, as a board's are.

    Args:
        arena: where it stands.
        manifest: what it is.
        seed: of the range sensors' noise, and of the slip of its wheels.
        slip: standard deviation of a step's error, as a share of the step.
    """

    def __init__(self, arena: Arena, manifest: Manifest, seed: int = 0, slip: float = 0.0) -> None:
        self.world = Floor(arena, manifest, seed, slip)
        self.clock = self.world.clock
        self.events: list[Event] = []
        self.ended_ms = 0
        self._limits = manifest.limits

    @property
    def telemetry(self) -> Telemetry:
        """The newest telemetry."""
        return self.world.telemetry

    def run(self, container: bytes, on_telemetry: Callable[[Telemetry], None] | None = None) -> Done:
        """Run a block to its end."""
        world = self.world
        world.hears = on_telemetry
        machine = Machine(read_container(container).program, self._limits, world)
        began, outcome = self.clock.ms, machine.run()
        self.events = [Event(tag, value) for tag, value in machine.reports]
        self.ended_ms = self.clock.now()
        world.tell()
        spent = round(self.clock.ms - began)
        code = machine.code if outcome is Outcome.FAILED else 0
        used = (machine.fuel, spent, machine.path_mm, machine.rotation_mrad)
        return Done(b"", outcome, code, machine.pc, *used, machine.trip)

    def stream(
        self, containers: Iterable[bytes], on_telemetry: Callable[[Telemetry], None] | None = None
    ) -> Generator[Done]:
        """Run blocks one after the other."""
        for container in containers:
            yield self.run(container, on_telemetry)

    def wait(self, ms: int) -> None:
        """Let time pass."""
        self.world.wait(ms, {})

    def think(self, function: Callable[[], _Result]) -> _Result:
        """Return `function()`; the robot stands meanwhile."""
        return function()


class Floor:
    """What the machine senses and moves in: an `llmbytecode.World`; see `Practice`."""

    def __init__(self, arena: Arena, manifest: Manifest, seed: int = 0, slip: float = 0.0) -> None:
        self.clock = _Clock()
        self.hears: Callable[[Telemetry], None] | None = None
        self.collisions = 0
        self.path_m = 0.0
        self.true = (float(arena.start.x), float(arena.start.y), math.radians(arena.start.heading_deg))
        self._arena, self._manifest, self._limits = arena, manifest, manifest.limits
        self._rays, self._angles = Rays(arena), np.array(manifest.range_angles)
        self._present = [name in manifest.range.angles_deg for name in RANGE_CHANNELS]
        self._chance = np.random.default_rng([seed, 3])
        self._slip = slip
        self._odometry = (0.0, 0.0, 0.0)  # where it believes it is, from its start
        self._began_ms = self._began_m = 0.0
        self._ranges: list[int] = []
        self._look()

    @property
    def telemetry(self) -> Telemetry:
        """The newest telemetry."""
        x, y, heading = self._odometry
        pose = (round(1000 * x), round(1000 * y), round(1000 * heading))
        age, battery = 0, self._manifest.battery.full_mv
        return Telemetry._make([self.clock.now(), *pose, *self._ranges, age, battery, *NOTHING])

    def begin(self) -> None:
        """Start the channels clock and travelled from 0."""
        self._began_ms, self._began_m = self.clock.ms, self.path_m

    def sense(self, channel: int) -> int:
        """Return a channel's value in its unit."""
        now = self.telemetry
        named = {Chan.X: now.x_mm, Chan.Y: now.y_mm, Chan.HEADING: now.heading_mrad, Chan.AGE: 0}
        named |= {Chan.BATTERY: now.battery, Chan.CLOCK: round(self.clock.ms - self._began_ms)}
        named |= {Chan.TRAVELLED: round(1000 * (self.path_m - self._began_m))}
        return named[Chan(channel)] if channel in named else getattr(now, RANGE_CHANNELS[channel])

    def move(self, distance_mm: int, speed: int, guards: Guards) -> Ended:
        """Drive straight on, or back where the distance is negative."""
        whole, sign = abs(distance_mm) / 1000, math.copysign(1, distance_mm)
        return self._go(whole, STEP_M, speed / 1000, guards, sign, 0.0)

    def turn(self, angle_mrad: int, rate: int, guards: Guards) -> Ended:
        """Turn on the spot."""
        whole, sign = abs(angle_mrad) / 1000, math.copysign(1, angle_mrad)
        return self._go(whole, STEP_RAD, rate / 1000, guards, 0.0, sign)

    def drive(self, left: int, right: int, ms: int, guards: Guards) -> Ended:
        """Run the wheels at these speeds in mm/s."""
        top = max(abs(left), abs(right))
        if not top:
            return self.wait(ms, guards)
        forward, turning = (left + right) / 2 / top, (right - left) / self._limits.base_mm / top * 1000
        return self._go(top * ms / 1e6, STEP_M, top / 1000, guards, forward, turning)

    def wait(self, ms: int, guards: Guards) -> Ended:
        """Let time pass."""
        self.clock.ms += ms
        self._look()
        self.tell()
        return Ended(first_tripped(guards, self.sense), ms, 0, 0)

    def _go(
        self, whole: float, step: float, speed: float, guards: Guards, forward: float, turning: float
    ) -> Ended:
        """Cover an amount in steps; `forward` metres and `turning` rad belong to one unit of it."""
        began, done, trip = self.clock.ms, 0.0, 0
        while done < whole - 1e-9:
            trip = first_tripped(guards, self.sense) or (REFLEX if forward > 0 and self._near() else 0)
            if trip or not self._shift(min(step, whole - done), forward, turning):
                break
            part = min(step, whole - done)
            done += part
            self.clock.ms += 1000 * part / speed
            self._look()
            self.tell()
        mm, mrad = round(1000 * done * abs(forward)), round(1000 * done * abs(turning))
        return Ended(trip, round(self.clock.ms - began), mm, mrad)

    def _near(self) -> bool:
        """Whether the body would come nearer to what is ahead than the stop distance."""
        return self._ranges[0] - self._limits.radius_mm - self._limits.stop_mm <= 0

    def _shift(self, amount: float, forward: float, turning: float) -> bool:
        """Move the body by an amount, unless something is in the way; its wheels slip unnoticed."""
        off = 1 + self._slip * float(self._chance.standard_normal())
        moved = self._moved(self.true, amount * forward * off, amount * turning * off)
        if forward and clearance(self._arena, *moved[:2]) < self._manifest.radius_m:
            self.collisions += 1
            return False
        self.true = moved
        self._odometry = self._moved(self._odometry, amount * forward, amount * turning)
        self.path_m += amount * abs(forward)
        return True

    @staticmethod
    def _moved(pose: tuple[float, float, float], way: float, angle: float) -> tuple[float, float, float]:
        middle = pose[2] + angle / 2
        return pose[0] + way * math.cos(middle), pose[1] + way * math.sin(middle), pose[2] + angle

    def _look(self) -> None:
        """Read the range sensors, all at once."""
        x, y, heading = self.true
        most = self._manifest.range.max_m * 1000
        true = self._rays.cast(x, y, self._angles + heading) * 1000
        noisy = np.rint(true + self._chance.normal(0.0, self._arena.noise_mm, len(true)))
        seen = np.where(true < most, np.clip(noisy, 0, most), most).astype(int).tolist()
        self._ranges = [mm if there else NO_READING for mm, there in zip(seen, self._present, strict=True)]

    def tell(self) -> None:
        """Send the newest telemetry to whoever hears."""
        if self.hears:
            self.hears(self.telemetry)
