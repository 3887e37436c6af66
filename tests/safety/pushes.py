"""A box is pushed in front of a robot whose program looks nowhere: does the reflex keep them apart?"""

import cmath
import math
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

import numpy as np

from llmos.sim.arena import Arena, Start, clearance
from llmos.sim.faults import Faults, Push
from llmos.sim.judge import Sample
from llmos.sim.ranging import Rays

from .cuts import standstill_ms
from .stage import ACCEL, CUBE, LIMITS, MM, Host, Scene, block, play

ROOM = Arena(name="hall", size_m=(12.0, 8.0), start=Start(x=-2.0, y=0.0), noise_mm=5.0)
AHEAD = ("front", "front_left", "front_right")
ACCEL_MM = ACCEL * MM
LATE_MS = CUBE.range.period_ms + LIMITS.tick_ms  # from the push to a reading of it, and to a look at that
STEP_MM = 1.0
FAR_MM = 800.0
ROUNDING_MM = 1.0  # a move ends on a whole step, a body on a tenth of a second's pose


@dataclass(frozen=True)
class Met:
    """How a drive towards a box ended; lengths in mm, the robot's speed in mm/s."""

    seed: int
    kind: str
    speed: float
    room: float  # to the contact, on the way that it was on
    need: float  # to stand, from the push on, at the worst moments of sensor and poll
    brake: float  # to stand if it knew at once
    seen: bool  # by a sensor that the reflex reads, where it was put
    margin: float  # between body and box when it stood
    contact: bool
    later: bool  # the contact came only after it had stood, as its program drove on

    @property
    def fate(self) -> str:
        """Whether it could have kept from touching it."""
        if self.room >= FAR_MM:
            return "out of the way"
        if self.later:
            return "stopped, drove on"
        if self.room < self.brake:
            return "too near to brake"
        if self.room < self.need + ROUNDING_MM:
            return "a matter of moments"
        return "avoidable" if self.seen else "not seen at first"


def meet(seed: int) -> Met:
    """Play one push."""
    random = Random(seed)
    kind = random.choice(("forward", "forward", "joined", "arc", "backward"))
    speed = random.randint(15, LIMITS.top_speed)
    left, right, text = _program(kind, speed, random)
    bearing = random.uniform(176, 184) if kind == "backward" else random.uniform(-30, 30)
    near = random.uniform(1, 60) if random.random() < 0.4 else random.uniform(40, 260)
    push = Push(random.randint(300, 18_000), near, bearing)

    def script(host: Host) -> None:
        host.robot.connect()
        host.robot.run(block(text))
        host.robot.wait(300)

    truth = play(Scene(ROOM, script, seed, Faults(pushes=[push]))).truth
    record = truth.events[0]
    pose, v = record["at"], record["rate"] * MM
    box = ROOM.model_copy(update={"walls": tuple(map(tuple, record["box"]))})
    later = min(speed, v + ACCEL_MM * LATE_MS / 1000) if v else 0.0
    end = max(record["ms"], standstill_ms(truth.samples))
    last = [one for one in truth.samples if one.ms <= end][-1]
    return Met(
        seed=seed,
        kind=kind,
        speed=v,
        room=_room_mm(box, pose, left, right) if v else FAR_MM,
        need=later * LATE_MS / 1000 + later**2 / (2 * ACCEL_MM),
        brake=v**2 / (2 * ACCEL_MM),
        seen=_seen(box, pose, ("rear",) if kind == "backward" else AHEAD),
        margin=1000 * (clearance(box, last.x, last.y) - CUBE.radius_m),
        contact=last.collisions > 0,
        later=last.collisions > 0 and not _first_stand(truth.samples, record["ms"]).collisions,
    )


def _first_stand(samples: Sequence[Sample], ms: int) -> Sample:
    """How it was when it stood for the first time after a moment."""
    return next(one for one in samples if one.ms >= ms and not one.moving)


def _program(kind: str, speed: int, random: Random) -> tuple[int, int, str]:
    """Return the wheels' speeds, and a program of that kind that arms no guard."""
    if kind == "arc":
        pair = speed, random.randint(speed // 2, speed)
        left, right = random.choice((pair, pair[::-1]))
        return left, right, f"LDI r1, {left}\nLDI r2, {right}\nDRIVE r1, r2, {speed}mm/s, 25s\nEND"
    if kind == "joined":
        return speed, speed, f"LOOP 8\nMOVE 150mm, {speed}mm/s\nENDLOOP\nEND"
    way = -1 if kind == "backward" else 1
    return way * speed, way * speed, f"MOVE {way * 1200}mm, {speed}mm/s\nEND"


def _room_mm(arena: Arena, pose: tuple[float, float, float], left: float, right: float) -> float:
    """How far the robot can go on as it does before it touches something."""
    x, y, heading = pose
    bend = (right - left) / (CUBE.drive.wheel_base_m * 1000) / ((left + right) / 2)  # rad per mm
    sign = math.copysign(1, left + right)
    at, gone = complex(x, y), 0.0
    while gone < FAR_MM:
        if clearance(arena, at.real, at.imag) < CUBE.radius_m:
            return gone
        at += sign * cmath.rect(STEP_MM / 1000, heading)
        heading += bend * STEP_MM * sign
        gone += STEP_MM
    return FAR_MM


def _seen(arena: Arena, pose: tuple[float, float, float], names: tuple[str, ...]) -> bool:
    """Whether one of these sensors looks at the box."""
    x, y, heading = pose
    angles = np.radians([CUBE.range.angles_deg[name] for name in names]) + heading
    with_box, without = Rays(arena).cast(x, y, angles), Rays(ROOM).cast(x, y, angles)
    return bool((with_box < without - 1e-6).any())
