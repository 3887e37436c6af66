"""One connected robot for several calls and several missions in turn, with one belief of where it is."""

import math
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from llmbytecode import Program, assemble
from llmbytecode._isa import State
from llmos.blackbox import Box
from llmos.camera import PictureSource
from llmos.connection import in_session
from llmos.eyes import Eyes, Seen
from llmos.eyes.vlm import open_kernel_that_sees
from llmos.inference import Kernel
from llmos.kernel.blocks import Pace, wrap
from llmos.kernel.goal import Goal
from llmos.kernel.seeing import observe
from llmos.link import AroundBody, Body, Done, LinkError, Robot, Telemetry
from llmos.manifest import Manifest, load_manifest
from llmos.mission import Means, Tell, Watch, carry_on, first_belief, make_eyes, sees_by_model, settle, take
from llmos.report import Order, Report
from llmos.runs import Run, certified, run_blocks
from llmos.scratch import scratch_folder
from llmos.sim import judge
from llmos.sim.arena import Arena, Start, load_arena
from llmos.tools.tool import ToolError

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


class Mission(NamedTuple):
    """A mission that was carried out, and when, in ms of the robot's clock."""

    report: Report
    began_ms: int
    ended_ms: int


class RobotSession:
    """A connected robot.

    Args:
        order: which one, and where; its goal is not read.
        kernel: gives who decides in a mission, asked for when one begins.
        box: what the robot says passes through.
        watch: called after every cycle of a mission.
        tell: called with a mission's report so far before a behaviour's program is run.
    """

    def __init__(
        self,
        order: Order,
        kernel: Callable[[], Kernel],
        box: Box,
        watch: Watch = lambda mind, step: None,
        tell: Tell = lambda report: None,
    ) -> None:
        self.order, self.box, self.watch, self.tell = order, box, watch, tell
        self.missions: list[Mission] = []
        self.manifest = load_manifest(order.robot)
        self.arena = load_arena(order.arena, radius_m=self.manifest.radius_m)
        self.pace = Pace.of(self.manifest.limits)
        self.belief = first_belief(self.arena, self.manifest)
        self.pictures = PictureSource()
        self._kernel = kernel
        self._sight: Kernel | None = None
        self._stack = ExitStack()
        self._lock = threading.RLock()
        self._leaving, self._stopping = threading.Event(), threading.Event()
        self._waiting: list[int] = []  # threads that want it stopped
        self._eyes: Eyes | None = None
        self.body: Body
        self._robot: Robot
        self.truth: Path

    def __enter__(self) -> Self:
        """Connect; between calls a robot on the wall clock gets its heartbeats."""
        with self._stack as stack:
            self.truth = stack.enter_context(scratch_folder()) / "truth.jsonl"
            self.box.setting(self.arena, self.manifest, Goal("", None, "the tools that are called"))
            self.body = stack.enter_context(self.box.connected(self._connected))
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the robot and leave it."""
        self._stack.close()

    @contextmanager
    def _connected(self) -> Iterator[Body]:
        link = in_session(self.order, self.manifest, self.truth, pictures=self.pictures)
        with link as self._robot, self._kept():
            yield Stoppable(self._robot, self._stopping)

    @contextmanager
    def _kept(self) -> Iterator[None]:
        """Keep the line to a robot on the wall clock alive."""
        if self._robot.clock.simulated:
            yield
            return
        keeper = threading.Thread(target=self._keep, daemon=True)
        keeper.start()
        try:
            yield
        finally:
            self._leaving.set()
            keeper.join()

    def _keep(self) -> None:
        """Send heartbeats while nobody else has the robot."""
        with suppress(LinkError):  # which the next call meets, too
            while not self._leaving.wait(0.001):
                with self._lock:
                    self._robot.wait(KEEP_MS)

    @contextmanager
    def _held(self) -> Iterator[None]:
        """Have the robot to oneself; a stop that came before counts only while somebody waits for it."""
        with self._lock:
            if not self._waiting:
                self._stopping.clear()
            yield

    def run(self, program: str | Program) -> Run:
        """Prove a program, send it, and return what came of it.

        Raises:
            LLMBytecodeError: it is none, or breaks a rule.
            LinkError: the robot refuses it, or does not answer.
            ToolError: it was stopped from outside.
        """
        ready = assemble(program) if isinstance(program, str) else program
        block = certified(ready, self.manifest.limits)
        with self._held():
            try:
                (run,) = run_blocks(self.body, [block])
                for reading in run.telemetry:
                    self.belief.hear(reading)
            finally:
                self.look()
        return run

    def see(self, wanted: str = "") -> Seen:
        """Take a picture from where the robot stands, and return what it shows.

        Args:
            wanted: the label of a thing that is looked for; empty for all that there is.

        Raises:
            ManifestError: the robot has no camera.
            CameraError: something is wanted, and no picture comes.
        """
        with self._held():
            goal = Goal(wanted, None, "a tool", label=wanted)
            self._eyes = self._eyes or make_eyes(self.order, goal, self.belief, self._means())
            if self._eyes is None:
                raise ToolError("the camera is off: start with --camera")
            self._eyes.wanted = wanted
            return observe(self.body, self.belief, self._eyes, lambda seen: bool(seen.frame) and not wanted)

    @property
    def picture(self) -> bytes:
        """The newest picture that was looked at, a JPEG; empty before the first."""
        return self._eyes.picture if self._eyes else b""

    def pursue(self, goal: str) -> Report:
        """Carry out a mission as `go` does, and return its report with the judge's last word.

        Raises:
            LlmosError: the sentence names no goal for this robot, or a kernel cannot be had.
        """
        self.go(goal)
        return self.verdicts()[-1]

    def verdicts(self) -> list[Report]:
        """Return the reports of all missions, in the arena with the judge's last word."""
        for report, began_ms, ended_ms in self.missions:
            if report.truth is None and not self.order.port:
                report.truth = self.judged(began_ms, ended_ms)
                settle(report)
        return [mission.report for mission in self.missions]

    def judged(self, began_ms: int, ended_ms: int | None = None) -> judge.Truth | None:
        """Return what truly happened between two moments of the robot's clock; None where nobody knows.

        It is for reports and statistics; whoever decides must not see it.
        """
        end = self.body.clock.now() if ended_ms is None else ended_ms
        if self.order.port or not self.truth.is_file():  # a real robot, or a played one
            return None
        return judge.between(judge.read_truth(self.truth), began_ms, end)

    def go(self, goal: str) -> Report:
        """Carry out a mission from where the robot stands, and return what it believes to have come of it.

        Args:
            goal: a sentence.

        Raises:
            LlmosError: the sentence names no goal for this robot, or a kernel cannot be had.
        """
        began = time.monotonic()
        with self._held():
            self.look()
            began_ms = self.body.clock.now()
            report = take(replace(self.order, goal=goal), self._here(), self.manifest, self.box)
            carry_on(report, self._means(), self.body, self.belief, self.watch, self.tell)
            self.look()
            ended_ms = self.body.clock.now()
            report.sim_s = (ended_ms - began_ms) / 1000
        report.wall_s = time.monotonic() - began
        self.missions.append(Mission(report, began_ms, ended_ms))
        return report

    def _here(self) -> Arena:
        """Return the arena as if the robot's way began where it believes to be."""
        x, y, heading = self.belief.pose
        start = Start(x=x, y=y, heading_deg=math.degrees(wrap(heading)))
        return self.arena.model_copy(update={"start": start})

    def _means(self) -> Means:
        if self._sight is None and sees_by_model(self.order):
            sight = self._stack.enter_context(closing(open_kernel_that_sees(self.order.eyes)))
            self._sight = self.box.kernel(sight)
        return Means(self.manifest, self._kernel(), self.box, self.pictures, self._sight)

    @property
    def latched(self) -> bool:
        """Whether the robot's e-stop is latched."""
        return self.body.telemetry.state == State.LATCHED

    def stop(self) -> None:
        """Ramp the robot down to standstill; what runs on another thread ends by it."""
        self._waiting.append(threading.get_ident())
        self._stopping.set()
        with self._lock:
            self._waiting.pop()
            self._order("stop", lambda: self._robot.stop())

    def halt(self) -> None:
        """Have what drives the robot on another thread end, without waiting for that."""
        self._stopping.set()

    def estop(self) -> None:
        """Stop the robot at once and latch it; what runs on another thread ends by it."""
        if not self._lock.acquire(blocking=False):
            self._robot.shout_estop()  # with the next bytes of the thread that has it
            self._lock.acquire()
        try:
            self._order("estop", lambda: self._robot.estop())
        finally:
            self._lock.release()

    def clear(self) -> None:
        """Release the e-stop."""
        with self._lock:
            self._order("clear", lambda: self._robot.clear())

    def _order(self, name: str, function: Callable[[], None]) -> None:
        self.box.outside(name, function)
        self.look()

    def look(self) -> None:
        """Take in what the robot says now."""
        with self._lock:
            self.belief.hear(self.body.telemetry)


class Stoppable(AroundBody):
    """A robot whose streams end by an error once `stopping` is set; the stream's end stops the robot."""

    def __init__(self, robot: Body, stopping: threading.Event) -> None:
        super().__init__(robot)
        self._stopping = stopping

    def stream(
        self, containers: Iterable[bytes], on_telemetry: Callable[[Telemetry], None] | None = None
    ) -> Generator[Done]:
        """Run blocks; see `Robot.stream`."""

        def hear(reading: Telemetry) -> None:
            if on_telemetry:
                on_telemetry(reading)
            if self._stopping.is_set():
                raise ToolError("stopped from outside while it moved")

        return super().stream(containers, hear)
