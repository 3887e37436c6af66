"""One connected robot for several calls and several missions in turn, with one belief of where it is."""

import math
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from llmbytecode import assemble
from llmbytecode._isa import State
from llmos.blackbox import Box
from llmos.camera import PictureSource
from llmos.connection import in_session
from llmos.inference import Kernel
from llmos.kernel.belief import Belief
from llmos.kernel.blocks import Pace
from llmos.kernel.goal import Goal
from llmos.link import Body, Robot
from llmos.manifest import Manifest, load_manifest
from llmos.report import Order
from llmos.runs import Run, certified, run_blocks
from llmos.scratch import scratch_folder
from llmos.sim.arena import load_arena

KEEP_MS = 50  # of wall time between two looks whether somebody wants the robot


def parts_of(manifest: Manifest, order: Order) -> tuple[str, ...]:
    """Return what a robot has, by the names that tools require."""
    there = {
        "drive": True,
        "range": bool(manifest.range.angles_deg),
        "led": manifest.led is not None,
        "tone": manifest.tone_pin is not None,
        "camera": order.camera and manifest.camera is not None,
    }
    return tuple(name for name, has in there.items() if has)


class RobotSession:
    """A connected robot.

    Args:
        order: which one, and where; its goal is not read.
        kernel: gives who decides in a mission, asked for when one begins.
        box: what the robot says passes through.
    """

    def __init__(self, order: Order, kernel: Callable[[], Kernel], box: Box) -> None:
        self.order, self.box = order, box
        self.manifest = load_manifest(order.robot)
        self.arena = load_arena(order.arena, radius_m=self.manifest.radius_m)
        self.pace = Pace.of(self.manifest.limits)
        start = self.arena.start
        self.belief = Belief(
            self.manifest, (start.x, start.y, math.radians(start.heading_deg)), self.arena.size_m
        )
        self.pictures = PictureSource()
        self._kernel = kernel
        self._stack = ExitStack()
        self._lock = threading.RLock()
        self._leaving = threading.Event()
        self.body: Body
        self._robot: Robot
        self.truth: Path

    def __enter__(self) -> Self:
        """Connect; between calls a robot on the wall clock gets its heartbeats."""
        with self._stack as stack:
            self.truth = stack.enter_context(scratch_folder()) / "truth.jsonl"
            self.box.setting(self.arena, self.manifest, Goal("", None, "the tools that are called"))
            self.body = stack.enter_context(self.box.connected(self._connected))
            if not self.body.clock.simulated:
                keeper = threading.Thread(target=self._keep, daemon=True)
                keeper.start()
                stack.callback(keeper.join)
                stack.callback(self._leaving.set)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the robot and leave it."""
        self._stack.close()

    @contextmanager
    def _connected(self) -> Iterator[Robot]:
        with in_session(self.order, self.manifest, self.truth, pictures=self.pictures) as self._robot:
            yield self._robot

    def _keep(self) -> None:
        """Send heartbeats while nobody else has the robot."""
        while not self._leaving.wait(0.001):
            with self._lock:
                self._robot.wait(KEEP_MS)

    def run(self, program: str) -> Run:
        """Prove a program, send it, and return what came of it.

        Raises:
            LLMBytecodeError: it is none, or breaks a rule.
            LinkError: the robot refuses it, or does not answer.
        """
        block = certified(assemble(program), self.manifest.limits)
        with self._lock:
            (run,) = run_blocks(self.body, [block])
            for reading in run.telemetry:
                self.belief.hear(reading)
            self.look()
        return run

    @property
    def latched(self) -> bool:
        """Whether the robot's e-stop is latched."""
        return self.body.telemetry.state == State.LATCHED

    def stop(self) -> None:
        """Ramp the robot down to standstill."""
        self._order("stop", self._robot.stop)

    def estop(self) -> None:
        """Stop the robot at once and latch it; a block that runs meanwhile ends by it."""
        if self._lock.acquire(blocking=False):
            try:
                self._order("estop", self._robot.estop)
            finally:
                self._lock.release()
        else:
            self._robot.shout_estop()

    def clear(self) -> None:
        """Release the e-stop."""
        self._order("clear", self._robot.clear)

    def _order(self, name: str, function: Callable[[], None]) -> None:
        with self._lock:
            self.box.outside(name, function)
            self.look()

    def look(self) -> None:
        """Take in what the robot says now."""
        with self._lock:
            self.belief.hear(self.body.telemetry)
