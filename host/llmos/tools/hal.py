"""The robot's tools. Whatever moves is a program that the verifiers of host and robot accept, or is refused.

Angles grow counter-clockwise, as everywhere. Distances that are measured are from the robot's middle.
"""

import hashlib
import math
from typing import Annotated, Any, Literal

from pydantic import Field

from llmbytecode import Outcome, Program
from llmos.eyes import Seen, words
from llmos.kernel import blocks
from llmos.kernel.seeing import DIRECTIONS
from llmos.manifest import RANGE_CHANNELS, RangeChannel
from llmos.report import GOOD
from llmos.runs import Run, ended
from llmos.tools.robot import RobotSession
from llmos.tools.session import Session
from llmos.tools.tool import Arguments, Nothing, ToolError, tool

Byte = Annotated[int, Field(ge=0, le=255)]
WheelSpeed = Annotated[int, Field(ge=-255, le=255)]
DRIVES = ("drive",)


class Wheels(Arguments):
    """Speeds of both wheels for a time."""

    left_mm_s: WheelSpeed
    right_mm_s: WheelSpeed
    duration_ms: Annotated[int, Field(ge=100, le=10_000, multiple_of=100)]


class Rotation(Arguments):
    """A turn on the spot, counter-clockwise where it is positive."""

    angle_deg: Annotated[float, Field(ge=-360, le=360)]


class Distance(Arguments):
    """A way straight on."""

    distance_cm: Annotated[float, Field(ge=1, le=200)]


class Place(Arguments):
    """A place in the room, from its middle: east and north."""

    x_m: Annotated[float, Field(ge=-50, le=50)]
    y_m: Annotated[float, Field(ge=-50, le=50)]


class Sentence(Arguments):
    """What the robot is to do, in a sentence."""

    goal: Annotated[str, Field(min_length=2, max_length=200)]


class Scan(Arguments):
    """How to look: once ahead, all around, or all around until a thing is seen."""

    mode: Literal["full", "targeted", "quick"] = "full"
    target: Annotated[str, Field(max_length=40)] = ""


class Direction(Arguments):
    """Where to measure; all around where nothing is named."""

    direction: Literal[RangeChannel, "all"] = "all"


class Light(Arguments):
    """A colour, and how often it blinks; 0: it stays on."""

    red: Byte
    green: Byte
    blue: Byte
    blinks: Annotated[int, Field(ge=0, le=10)] = 0


class Speech(Arguments):
    """What is to be said."""

    text: Annotated[str, Field(min_length=1, max_length=200)]


class Grip(Arguments):
    """What the hand does."""

    action: Literal["open", "close"]


class Reach(Arguments):
    """Where the hand goes, from the arm's foot."""

    x_cm: Annotated[float, Field(ge=-100, le=100)]
    y_cm: Annotated[float, Field(ge=-100, le=100)]
    z_cm: Annotated[float, Field(ge=-100, le=100)]


@tool("robot", "move", {"left_mm_s": 40, "right_mm_s": 20, "duration_ms": 1000}, requires=DRIVES)
def hal_drive(session: Session, arguments: Wheels) -> dict[str, Any]:
    """Run both wheels."""
    left, right = arguments.left_mm_s, arguments.right_mm_s
    fastest = max(abs(left), abs(right))
    if not fastest:
        raise ToolError("hal_drive: both speeds are 0; hal_stop stops the robot")
    way = f"    DRIVE r1, r2, {fastest}mm/s, {arguments.duration_ms}ms"
    lines = [f"    LDI r1, {left}", f"    LDI r2, {right}", way]
    return carried_out(session.robot, guarded(lines, left + right, session.robot))


@tool("robot", "move", {"angle_deg": 90}, {"angle_deg": -45.5}, requires=DRIVES)
def hal_rotate(session: Session, arguments: Rotation) -> dict[str, Any]:
    """Turn on the spot."""
    mrad = round(math.radians(arguments.angle_deg) * 1000)
    if not mrad:
        raise ToolError(f"hal_rotate: {arguments.angle_deg} deg is no turn; the least is 0.1 deg")
    rate = session.robot.pace.turn_rate
    return carried_out(session.robot, f"    TURN {mrad}mrad, {rate}mrad/s\n    END\n")


@tool("robot", "move", {"distance_cm": 20}, requires=DRIVES)
def hal_move_forward(session: Session, arguments: Distance) -> dict[str, Any]:
    """Drive forward, under a guard."""
    return straight(session.robot, arguments.distance_cm)


@tool("robot", "move", {"distance_cm": 10}, requires=DRIVES)
def hal_move_backward(session: Session, arguments: Distance) -> dict[str, Any]:
    """Drive backward, under a guard where there is a sensor behind."""
    return straight(session.robot, -arguments.distance_cm)


@tool("robot", "move", {"x_m": 1.0, "y_m": -0.5}, requires=("drive", "range"))
def hal_move_to(session: Session, arguments: Place) -> dict[str, Any]:
    """Drive to a place on a planned way around what is in it."""
    return came_of(session.robot, f"drive to {arguments.x_m:.3f}, {arguments.y_m:.3f}")


@tool("robot", "move", {"goal": "explore"}, {"goal": "drive to 1.0, -0.5"}, requires=("drive", "range"))
def pursue_goal(session: Session, arguments: Sentence) -> dict[str, Any]:
    """Carry out a goal as `llmos run` does: a place, a room to see, a thing to find, a behaviour."""
    return came_of(session.robot, arguments.goal)


def came_of(robot: RobotSession, goal: str) -> dict[str, Any]:
    """Carry out a goal, and return what the robot believes to have come of it.

    Raises:
        ToolError: not what was wanted.
    """
    report = robot.go(goal)
    came = {"outcome": report.outcome, "reason": report.reason, "cycles": len(report.steps)}
    if report.outcome not in GOOD:
        raise ToolError(f"{report.outcome}: {report.reason}", came | pose(robot))
    return came | pose(robot)


@tool("robot", "stop")
def hal_stop(session: Session, arguments: Nothing) -> dict[str, Any]:
    """Ramp down to standstill."""
    session.robot.stop()
    return pose(session.robot)


@tool("robot", "move", {"mode": "full"}, {"mode": "targeted", "target": "red box"}, requires=("range",))
def hal_vision_scan(session: Session, arguments: Scan) -> dict[str, Any]:
    """Look ahead, or all around, with rangers and camera."""
    robot, seeing = session.robot, "camera" in session.parts
    if bool(arguments.target) != (arguments.mode == "targeted"):
        raise ToolError("hal_vision_scan: a target goes with the mode targeted, and only with it")
    if arguments.target and not seeing:
        raise ToolError(f"hal_vision_scan: to look for a {arguments.target} the camera must be on (--camera)")
    robot.look()
    looks: list[dict[str, Any]] = []
    for number in range(1 if arguments.mode == "quick" else DIRECTIONS):
        things = seen_things(robot.see(arguments.target), arguments.target) if seeing else []
        front = robot.belief.ranges_m["front"]
        looks.append({"angle_deg": 360 / DIRECTIONS * number, "front_cm": cm(front), "seen": things})
        if arguments.target and things:
            break
        if arguments.mode != "quick":
            carried_out(robot, blocks.turn_text(math.tau / DIRECTIONS, "exploring", robot.pace))
    free = [(look["front_cm"], look["angle_deg"]) for look in looks if look["front_cm"] is not None]
    clearest = max(free)[1] if free else None
    found = bool(looks[-1]["seen"]) if arguments.target else None
    return {"scan": looks, "clearest_deg": clearest, "found": found, **pose(robot)}


@tool("robot", "read", requires=("camera",))
def hal_capture_frame(session: Session, arguments: Nothing) -> dict[str, Any]:
    """Take a picture, and say what it shows."""
    robot = session.robot
    seen = robot.see()
    if seen.frame is None:
        raise ToolError(f"hal_capture_frame: {seen.problem or 'no picture came'}")
    digest, scene = hashlib.sha256(robot.picture).hexdigest()[:16], seen.frame.scene
    return {
        "bytes": len(robot.picture),
        "sha256": digest,
        "seen": [
            {"label": one.label, "confidence": one.confidence, "depth_cm": one.estimated_depth_cm}
            for one in seen.frame.detections
        ],
        "openings": list(scene.openings),
        "blocked": list(scene.blocked),
        **pose(robot),
    }


@tool("robot", "read", {"direction": "front"}, {}, requires=("range",))
def hal_get_distance(session: Session, arguments: Direction) -> dict[str, Any]:
    """Measure how far the way is free."""
    session.robot.look()
    found = session.robot.belief.ranges_m
    wanted = RANGE_CHANNELS if arguments.direction == "all" else (arguments.direction,)
    if arguments.direction != "all" and found[arguments.direction] is None:
        raise ToolError(f"hal_get_distance: {arguments.direction} has no sensor, or no valid reading")
    return {"distance_cm": {name: cm(found[name]) for name in wanted}}


@tool("robot", "write", {"red": 0, "green": 255, "blue": 0}, requires=("led",))
def hal_set_led(session: Session, arguments: Light) -> dict[str, Any]:
    """Light the LED."""
    on = f"    LED {arguments.red}, {arguments.green}, {arguments.blue}\n"
    if arguments.blinks:
        half = "    WAIT 300ms\n"
        on = f"    LOOP {arguments.blinks}\n{on}{half}    LED 0, 0, 0\n{half}    ENDLOOP\n"
    return carried_out(session.robot, f"{on}    END\n")


@tool("robot", "move", {"action": "close"}, requires=("arm",))
def hal_grasp(session: Session, arguments: Grip) -> dict[str, Any]:
    """Open or close the hand."""
    raise ToolError("hal_grasp: no robot with an arm is known")


@tool("robot", "move", {"x_cm": 10, "y_cm": 0, "z_cm": 5}, requires=("arm",))
def hal_arm_move_to(session: Session, arguments: Reach) -> dict[str, Any]:
    """Move the hand."""
    raise ToolError("hal_arm_move_to: no robot with an arm is known")


@tool("robot", "write", {"text": "hello"}, requires=("speaker",))
def hal_speak(session: Session, arguments: Speech) -> dict[str, Any]:
    """Say something."""
    raise ToolError("hal_speak: no robot with a speaker is known")


@tool("robot", "stop")
def hal_emergency_stop(session: Session, arguments: Nothing) -> dict[str, Any]:
    """Stop at once, and latch."""
    session.robot.estop()
    return pose(session.robot)


@tool("robot", "move")
def hal_reset_emergency(session: Session, arguments: Nothing) -> dict[str, Any]:
    """Release the latched e-stop, where a person allows it."""
    if not session.may_reset:
        raise ToolError(
            "hal_reset_emergency: only a person releases the e-stop: see that the way is free, then start "
            "the session with --may-reset"
        )
    session.robot.clear()
    return pose(session.robot)


def cm(far_m: float | None) -> float | None:
    """Return a distance in cm; None where it is unknown."""
    return None if far_m is None else round(far_m * 100, 1)


def seen_things(seen: Seen, target: str) -> list[dict[str, Any]]:
    """Return what was seen just now, with its place; of things that are looked for those only."""
    return [
        {"label": one.label, "x_m": round(one.pos_m[0], 2), "y_m": round(one.pos_m[1], 2)}
        for one in seen.objects
        if one.age_ms == 0 and not one.lost and words(target) <= words(one.label)
    ]


def straight(robot: RobotSession, distance_cm: float) -> dict[str, Any]:
    """Drive straight on, backwards where the distance is negative."""
    way = f"    MOVE {round(distance_cm * 10)}mm, {robot.pace.speed}mm/s"
    return carried_out(robot, guarded([way], distance_cm, robot))


def guarded(lines: list[str], forward: float, robot: RobotSession) -> str:
    """Return the program of a move that a guard in the direction of the way ends, and the block with it."""
    side = "front" if forward > 0 else "rear" if forward < 0 else ""
    watched = side in robot.manifest.range.angles_deg
    *before, move = lines
    guard = [f"    GUARD g0, {side} < {robot.pace.guard_mm}mm"] if watched else []
    after = ["    TRIP r0", "    BNE r0, r15, blocked", "    END", "blocked:", f"    FAIL {blocks.BLOCKED}"]
    return "\n".join([*before, *guard, move, *after]) + "\n"


def carried_out(robot: RobotSession, program: str | Program) -> dict[str, Any]:
    """Run a program, and say what came of it; ToolError where it did not run to its end."""
    run = robot.run(program)
    if run.done.outcome != Outcome.COMPLETED:
        raise ToolError(ended(run), account(robot, run))
    return account(robot, run)


def account(robot: RobotSession, run: Run) -> dict[str, Any]:
    """Return what came of a run."""
    return {
        "outcome": Outcome(run.done.outcome).name.lower(),
        "path_cm": round(run.done.path_mm / 10, 1),
        "rotation_deg": round(math.degrees(run.done.rotation_mrad / 1000), 1),
        **pose(robot),
    }


def pose(robot: RobotSession) -> dict[str, Any]:
    """Return where the robot believes to be, and whether its e-stop is latched."""
    x, y, heading = robot.belief.pose
    turned = round(math.degrees(blocks.wrap(heading)), 1)
    return {
        "pose": {"x_m": round(x, 3) + 0.0, "y_m": round(y, 3) + 0.0, "heading_deg": turned},  # no -0.0
        "emergency_stopped": robot.latched,
    }
