"""The connection to the robot that an order names, the virtual one or another; it always ends in a stop."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path

from llmos.camera import PictureSource
from llmos.link import Clock, LinkError, Port, Robot, VirtualBoard, WallClock, open_port
from llmos.link.robot import HEARTBEAT_MS
from llmos.manifest import Manifest, ManifestError, camera_of, manifest_hash
from llmos.report import Order
from llmos.sim.cable import Cable
from llmos.sim.faults import line_faults


@contextmanager
def opened(
    order: Order, manifest: Manifest, truth: Path, pictures: PictureSource
) -> Iterator[tuple[Port, Clock]]:
    """Open the order's serial port, or start a virtual robot and open its own; and its camera."""
    if order.port:
        faults = line_faults(order.faults)
        port = open_port(
            order.port, through=lambda line: Cable(line, faults, order.seed) if order.faults else line
        )
        try:
            with pictures.stream(stream_of(order, manifest)) if order.camera else nullcontext():
                yield port, WallClock(port)
        finally:
            port.close()
        return
    board = VirtualBoard(
        arena=order.arena,
        robot=order.robot,
        seed=order.seed,
        speed=order.speed,
        faults=order.faults,
        truth_path=truth,
        bits=order.bits,
        camera=order.camera,
    )
    with board, pictures.still(f"{board.camera_url}/capture") if order.camera else nullcontext():
        yield board.port, board.clock


def stream_of(order: Order, manifest: Manifest) -> str:
    """Return where the camera of a robot at a serial port sends its pictures.

    Raises:
        ManifestError: nobody says.
    """
    url = order.camera_url or camera_of(manifest).url
    if not url:
        raise ManifestError(
            f"robot {manifest.name!r}: where is its camera? Give --camera-url, or url in [camera]"
        )
    return url


@contextmanager
def connected(
    order: Order,
    manifest: Manifest,
    truth: Path,
    heartbeat_ms: int = HEARTBEAT_MS,
    pictures: PictureSource | None = None,
) -> Iterator[Robot]:
    """Connect to the order's robot to drive it; however this ends, the robot is stopped first.

    Raises:
        LinkError: it cannot be reached, or its e-stop is latched and the order does not release it.
    """
    with in_session(order, manifest, truth, heartbeat_ms, pictures) as robot:
        release(robot, order.clear)
        yield robot


@contextmanager
def in_session(
    order: Order,
    manifest: Manifest,
    truth: Path,
    heartbeat_ms: int = HEARTBEAT_MS,
    pictures: PictureSource | None = None,
) -> Iterator[Robot]:
    """Connect to the order's robot, latched or not; it is stopped in the end, and nothing is left behind."""
    with ExitStack() as stack:
        port, clock = stack.enter_context(opened(order, manifest, truth, pictures or PictureSource()))
        transcript = stack.enter_context(order.transcript.open("wb")) if order.transcript else None
        code = manifest_hash(manifest.limits)
        seed = None if order.port else order.seed
        robot = Robot(port, clock, code, seed=seed, transcript=transcript, heartbeat_ms=heartbeat_ms)
        stack.enter_context(robot)
        robot.connect()
        yield robot


def release(robot: Robot, wanted: bool) -> None:
    """Release a latched e-stop where that is wanted.

    Raises:
        LinkError: it is latched, and nobody has said that it may be released.
    """
    if robot.latched and not wanted:
        raise LinkError(
            "the robot's e-stop is latched: see that its way is free, then run again with --clear"
        )
    if robot.latched:
        robot.clear()
