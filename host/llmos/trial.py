"""A trial: blocks run on a fresh virtual robot in an arena, and everything that is known of it afterwards."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from llmbytecode import Program
from llmos.link.native import Choice
from llmos.link.robot import HEARTBEAT_MS, Robot
from llmos.manifest import load_manifest, manifest_hash
from llmos.micropython import find
from llmos.resources import firmware_dir
from llmos.runs import Run, certified, run_blocks
from llmos.scratch import scratch_folder
from llmos.sim.arena import Arena, load_arena
from llmos.sim.inline import InlineBoard
from llmos.sim.judge import Truth, between, nearest_m, read_truth
from llmos.sim.rig import Setting


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
    native: Choice = "auto",
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
        native: whether the robot is sent machine code: `auto` where it has computed long enough to pay.
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
    with scratch_folder() as folder:
        log = folder / "truth.jsonl"
        setting = Setting(place, manifest, firmware_dir(), find(bits), seed=seed, speed=speed, truth=str(log))
        with (
            InlineBoard(setting) as board,
            Robot(
                board.port, board, manifest_hash(manifest.limits), seed=seed, heartbeat_ms=heartbeat_ms
            ) as link,
        ):
            link.machine_code.choice = native
            link.connect()
            runs = run_blocks(link, blocks)
        truth = read_truth(log)
    trials, began = [], 0
    for run in runs:
        own = between(truth, began, run.ended_ms)
        near = int(1000 * nearest_m(own, place, manifest.radius_m))
        trials.append(Trial(**vars(run), truth=own, arena=place, nearest_mm=near))
        began = run.ended_ms
    return trials
