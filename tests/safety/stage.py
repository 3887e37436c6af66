"""A stage: the board in this process, the host in one of its own, which may be killed at any moment."""

import contextlib
import json
import os
import signal
import tempfile
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from llmbytecode import assemble, write_container
from llmos import micropython
from llmos.link import LinkError, Robot, open_port
from llmos.link.clock import LockstepClock
from llmos.manifest import load_manifest, manifest_hash
from llmos.resources import firmware_dir
from llmos.sim.arena import Arena, Start, clearance
from llmos.sim.board import Board, LockstepHost, SerialPort, Setting
from llmos.sim.child import HEAP_KB
from llmos.sim.faults import Faults
from llmos.sim.judge import Truth, read_truth

CUBE = load_manifest("cube").model_copy(update={"tone_pin": 42})  # every instruction
LIMITS = CUBE.limits
ACCEL = CUBE.drive.accel_steps_s2
MM = 1000 / CUBE.drive.steps_per_m  # per half-step


class StageError(Exception):
    """The host of a scene failed in a way that is not part of the scene."""


class Mortal(LockstepClock):
    """A clock that kills its process, with no word to anybody, at a given moment."""

    dies_ms: int | None = None

    def wait(self, until_ms: int) -> None:
        """Wait, but not beyond the end."""
        super().wait(until_ms if self.dies_ms is None else min(until_ms, self.dies_ms))
        if self.dies_ms is not None and self.now() >= self.dies_ms:
            os.kill(os.getpid(), signal.SIGKILL)


@dataclass
class Host:
    """The host's side of a scene: a robot, and a notebook that outlives it."""

    robot: Robot
    clock: Mortal
    notebook: int

    def note(self, **fields: Any) -> None:
        """Write a line with the time."""
        os.write(self.notebook, json.dumps({"ms": self.clock.now(), **fields}).encode() + b"\n")


@dataclass
class Scene:
    """What is played: where, on what, with which faults; `hook(board)` may prepare the board."""

    arena: Arena
    script: Callable[[Host], None]
    seed: int = 0
    faults: Faults = field(default_factory=Faults)
    firmware: Path = field(default_factory=firmware_dir)
    bits: int = 64
    host: type[LockstepHost] = LockstepHost
    hook: Callable[[Board], None] = lambda board: None
    heap_kb: int = HEAP_KB


@dataclass
class Played:
    """What came of it: the truth, the host's notes, when bytes last reached the robot, how the host ended."""

    truth: Truth
    notes: list[dict[str, Any]]
    heard_ms: int
    status: int
    stderr: str


def play(scene: Scene) -> Played:
    """Play a scene to its end.

    Raises:
        StageError: the host's script raised something that is no LinkError.
        FirmwareDied: the robot's program ended.
    """
    with tempfile.TemporaryDirectory(prefix="llmos-safety-") as name:
        folder = Path(name)
        port = SerialPort()
        (from_host, to_board), (from_board, to_host) = os.pipe(), os.pipe()
        child = os.fork()  # before the firmware starts, whose pipes it must not hold
        if not child:
            for descriptor in (from_host, to_host):
                os.close(descriptor)
            _act(scene, folder, port.path, to_board, from_board)
        for descriptor in (to_board, from_board):
            os.close(descriptor)
        try:
            heard_ms, stderr = _keep_board(scene, folder, port, scene.host(from_host, to_host, 0.0))
        except BaseException:
            os.kill(child, signal.SIGKILL)
            raise
        finally:
            for descriptor in (from_host, to_host):
                os.close(descriptor)
            port.close()
            _, status = os.waitpid(child, 0)
        notes = [json.loads(line) for line in (folder / "notes").read_text().splitlines()]
        broken = [one["broken"] for one in notes if "broken" in one]
        if broken:
            raise StageError(f"seed {scene.seed}: {broken[0]}")
        return Played(read_truth(folder / "truth"), notes, heard_ms, status, stderr)


def _keep_board(scene: Scene, folder: Path, port: SerialPort, host: LockstepHost) -> tuple[int, str]:
    """Run the board until the host has gone; return when the robot was last sent bytes, and its stderr."""
    setting = Setting(
        arena=scene.arena,
        manifest=CUBE,
        firmware=scene.firmware,
        micropython=micropython.find(scene.bits),
        seed=scene.seed,
        speed=0.0,
        truth=str(folder / "truth"),
        faults=scene.faults,
        heap_kb=scene.heap_kb,
    )
    heard = [0]
    with contextlib.closing(Board(setting, host, port)) as board:
        arrived = board.to_robot.arrived

        def noted(now_ms: int) -> bytes:
            data = arrived(now_ms)
            if data:
                heard[0] = now_ms
            return data

        board.to_robot.arrived = noted
        scene.hook(board)
        board.run()
        return heard[0], (board.firmware.home / "stderr").read_text()


def _act(scene: Scene, folder: Path, path: str, to_board: int, from_board: int) -> None:
    """Be the host; never returns."""
    notebook = os.open(folder / "notes", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    status = 0
    try:
        port = open_port(path)
        clock = Mortal(port, to_board, from_board, lambda: "the board has ended")
        robot = Robot(port, clock, manifest_hash(LIMITS), seed=scene.seed)
        scene.script(Host(robot, clock, notebook))
    except LinkError as error:
        os.write(notebook, json.dumps({"ms": clock.now(), "link": str(error)}).encode() + b"\n")
    except BaseException:
        status = 1
        os.write(notebook, json.dumps({"broken": traceback.format_exc()}).encode() + b"\n")
    finally:
        os._exit(status)


def block(text: str) -> bytes:
    """Return the container of a program."""
    return write_container(assemble(text), LIMITS)


def random_arena(random: Random) -> Arena:
    """Return a room of 2 to 6 m with some walls and discs, and a start that has 20 cm around it."""
    width, height = random.uniform(2, 6), random.uniform(2, 6)

    def spot(margin: float = 0.0) -> tuple[float, float]:
        x, y = width / 2 - margin, height / 2 - margin
        return random.uniform(-x, x), random.uniform(-y, y)

    walls = tuple((*spot(), *spot()) for _ in range(random.randrange(4)))
    discs = tuple((*spot(), random.uniform(0.05, 0.3)) for _ in range(random.randrange(6)))
    while True:
        x, y = spot(0.2)
        start = Start(x=x, y=y, heading_deg=random.uniform(-180, 180))
        noise = random.choice((0.0, 5.0, 15.0))
        arena = Arena(
            name="random", size_m=(width, height), start=start, walls=walls, discs=discs, noise_mm=noise
        )
        if clearance(arena, x, y) > 0.2:
            return arena
        discs = discs[1:]


def percentile(values: list[float], share: float) -> float:
    """The value below which this share of them lies."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
