"""A trial: blocks run on a fresh virtual robot in an arena, and everything that is known of it afterwards."""

from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Literal

from llmbytecode import Certificate, Limits, Program, read_container, verify
from llmbytecode.container import pack_container
from llmos.link import Done, Event, Robot, Telemetry
from llmos.link.robot import HEARTBEAT_MS
from llmos.manifest import load_manifest
from llmos.mission import connected, scratch_folder
from llmos.report import Order
from llmos.sim.arena import Arena, load_arena
from llmos.sim.judge import Truth, between, nearest_m, read_truth

Native = Literal["auto", "always", "never"]


@dataclass(frozen=True)
class Run:
    """What a host knows of a block that has ended: what was proved, used and said on the way."""

    program: Program
    certificate: Certificate
    done: Done
    events: list[Event]
    telemetry: list[Telemetry]
    ended_ms: int  # of the robot's clock, which in an arena is the truth's

    @property
    def used(self) -> dict[str, int]:
        """What the block used of each measure of its certificate."""
        done = self.done
        amounts = (done.fuel, done.ms, done.path_mm, done.rotation_mrad, len(self.events))
        return dict(zip(Certificate._fields, amounts, strict=False))


@dataclass(frozen=True)
class Trial(Run):
    """A run in an arena, and where the robot really was meanwhile."""

    truth: Truth
    arena: Arena
    nearest_mm: int  # between body and obstacle, rounded down


def try_block(program: Program | bytes, **options: Any) -> Trial:
    """Run one block, a program or a container, on a fresh virtual robot, with the options of `try_blocks`."""
    return try_blocks([program], **options)[0]


def try_blocks(
    programs: Iterable[Program | bytes],
    *,
    arena: str = "empty",
    robot: str = "cube",
    seed: int = 0,
    bits: int = 64,
    native: Native = "auto",
    speed: float = 0.0,
    heartbeat_ms: int = HEARTBEAT_MS,
) -> list[Trial]:
    """Stream blocks to a fresh virtual robot; one that does not complete is the last.

    Args:
        programs: programs, or containers, which the robot is sent as they are.
        arena: an arena's name, or its .toml file.
        robot: a robot's name, or its manifest.
        seed: of the sensors' noise.
        bits: word size of the MicroPython that plays the robot, 64 or 32.
        native: whether the robot is sent machine code beside the blocks.
        speed: simulated over wall time, 0 for as fast as possible.
        heartbeat_ms: time between two heartbeats, each of which is answered by telemetry.

    Raises:
        LLMBytecodeError: a program is refused on the host, or a container is damaged.
        LlmosError: there is no such arena or robot, or no MicroPython.
        BlockRefused: the robot's verifier refuses a block.
        LinkError: the robot cannot be reached, or cannot run a block now.
    """
    manifest = load_manifest(robot)
    blocks = [certified(program, manifest.limits) for program in programs]
    place = load_arena(arena, radius_m=manifest.radius_m)
    order = Order(goal="", arena=arena, robot=robot, seed=seed, bits=bits, speed=speed)
    with scratch_folder() as folder:
        log = folder / "truth.jsonl"
        with connected(order, manifest, log, heartbeat_ms) as link:
            runs = run_blocks(link, blocks)
        truth = read_truth(log)
    trials, began = [], 0
    for run in runs:
        own = between(truth, began, run.ended_ms)
        near = int(1000 * nearest_m(own, place, manifest.radius_m))
        trials.append(Trial(**vars(run), truth=own, arena=place, nearest_mm=near))
        began = run.ended_ms
    return trials


Block = tuple[Program, Certificate, bytes]


def certified(program: Program | bytes, limits: Limits) -> Block:
    """Return a block with its certificate and container; of a container, what it claims.

    Raises:
        LLMBytecodeError: the program breaks a rule, or the container is damaged.
    """
    if isinstance(program, bytes):
        container = read_container(program)
        return container.program, container.certificate, program
    certificate = verify(program, limits)
    return program, certificate, pack_container(program, certificate, limits)


def run_blocks(robot: Robot, blocks: Sequence[Block]) -> list[Run]:
    """Stream blocks to a connected robot until one does not complete; raises as `Robot.stream` does."""
    telemetry: list[Telemetry] = []
    runs = []
    with closing(robot.stream([container for _, _, container in blocks], telemetry.append)) as ended:
        for done, (program, certificate, _) in zip(ended, blocks, strict=False):
            end = robot.ended_ms
            own = [one for one in telemetry if end - done.ms <= one.ms <= end]
            runs.append(Run(program, certificate, done, robot.events, own, end))
    return runs
