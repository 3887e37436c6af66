"""From a way to an LLMBytecode program: turns and guarded moves."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from llmbytecode import Limits
from llmos.planning.route import Point

BLOCKED = 1  # FAIL code: a guard or the reflex ended a move
LEAST_TURN = 0.02  # rad; a smaller error of heading is left to the next cycle
LEAST_MOVE = 0.01  # m
LOOK_RATE = 500  # mrad/s: at 20 readings a second, 25 mrad between two rays
TURN_RATE = 900  # mrad/s
LOOK = math.radians(90)  # with six rays, a quarter turn sweeps all directions

Pose = tuple[float, float, float]


@dataclass(frozen=True)
class Pace:
    """How fast a block drives, within the robot's limits."""

    speed: int  # mm/s
    turn_rate: int  # mrad/s
    look_rate: int  # mrad/s
    guard_mm: int  # a forward move ends when the way ahead is shorter than this

    @classmethod
    def of(cls, limits: Limits) -> "Pace":
        """Return the pace for a robot: top speed, and a guard that leaves room to ramp down."""
        speed = min(limits.top_speed, 255)
        braking = speed * speed // (2 * limits.accel) + 1
        return cls(
            speed=speed,
            turn_rate=min(TURN_RATE, limits.top_rate // 10 * 10),
            look_rate=min(LOOK_RATE, limits.top_rate // 10 * 10),
            guard_mm=limits.radius_mm + limits.stop_mm + braking,
        )


def wrap(angle: float) -> float:
    """Return an angle in (-pi, pi]."""
    return math.pi - (math.pi - angle) % (2 * math.pi)


def turn(angle: float, rate: int) -> list[str]:
    """Return the instructions for a turn on the spot by `angle` rad."""
    return [f"    TURN {round(angle * 1000)}mrad, {rate}mrad/s"] if abs(angle) >= LEAST_TURN else []


def move(distance_m: float, pace: Pace) -> list[str]:
    """Return the instructions for a guarded move forward that ends the block when it is cut short."""
    return [
        f"    GUARD g0, front < {pace.guard_mm}mm",
        f"    MOVE {round(distance_m * 1000)}mm, {pace.speed}mm/s",
        "    TRIP r0",
        "    BNE r0, r1, blocked",
        "    UNGUARD g0",
    ]


def drive_text(pose: Pose, way: Sequence[Point], look: float, mode: str, pace: Pace) -> str:
    """Return the program that drives a way from a pose, then turns by `look` rad to see more.

    Args:
        pose: x, y in m and heading in rad, counter-clockwise from east.
        way: points in m; the first is where the robot stands.
        look: angle in rad of the turn at the end, 0 for none.
        mode: the mode to announce.
        pace: speeds and the guard's threshold.
    """
    lines, (x, y, heading), moves = [f"    MODE {mode}"], pose, 0
    for to_x, to_y in way[1:]:
        distance = math.hypot(to_x - x, to_y - y)
        if distance < LEAST_MOVE:
            continue
        bearing = math.atan2(to_y - y, to_x - x)
        lines += turn(wrap(bearing - heading), pace.turn_rate) + move(distance, pace)
        x, y, heading, moves = to_x, to_y, bearing, moves + 1
    lines += turn(look, pace.look_rate)
    return "\n".join([*lines, "    END", *(["blocked:", f"    FAIL {BLOCKED}"] if moves else [])]) + "\n"


def turn_text(angle: float, mode: str, pace: Pace) -> str:
    """Return the program that turns by `angle` rad, slowly enough to look."""
    return "\n".join([f"    MODE {mode}", *turn(angle, pace.look_rate), "    END"]) + "\n"
