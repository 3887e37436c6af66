"""A mission: one sentence, one robot, cycles until it ends, and what came of it."""

import math
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from llmos.errors import LlmosError
from llmos.inference import Kernel, open_kernel
from llmos.kernel import blocks
from llmos.kernel.belief import Belief
from llmos.kernel.blocks import Pace
from llmos.kernel.cycle import cycle, look
from llmos.kernel.goal import Goal, read_goal
from llmos.kernel.mind import Mind, Settings, Step
from llmos.link import Robot, VirtualBoard
from llmos.manifest import Manifest, load_manifest, manifest_hash
from llmos.sim import judge
from llmos.sim.arena import Arena, load_arena
from llmos.world.draw import RunRecord
from llmos.world.grid import Grid

REASONS = {
    "reached": "the goal is reached",
    "covered": "everything that can be reached has been seen",
    "unreachable": "no way leads to the goal, and nothing is left to explore",
    "stuck": "the robot got nowhere for many cycles",
    "failed": "the cycles were used up",
    "stopped": "stopped from outside",
}
GOOD = ("reached", "covered")


@dataclass(frozen=True)
class Order:
    """What a user asks for."""

    goal: str
    arena: str = "simple"
    kernel: str = "smollm2"
    robot: str = "cube"
    seed: int = 0
    speed: float = 0.0  # 0: as fast as the machine can; 1: the wall clock's pace
    deadline_s: float = 10.0
    max_cycles: int | None = None
    faults: tuple[str, ...] = ()
    bits: int = 64
    transcript: Path | None = None


@dataclass
class Report:
    """What came of a mission."""

    order: Order
    arena: Arena
    goal: Goal
    outcome: str = "failed"
    reason: str = ""
    steps: list[Step] = field(default_factory=list)
    belief: Belief | None = None
    truth: judge.Truth | None = None
    sim_s: float = 0.0
    wall_s: float = 0.0

    def summary(self) -> dict[str, Any]:
        """Return the mission's result as the command line's --json prints it."""
        shortest = judge.shortest_m(self.arena, self.radius_m) if self.goal.place_m else None
        driven = self.truth.path_m if self.truth else 0.0
        return {
            "outcome": self.outcome,
            "reason": self.reason,
            "arena": self.arena.name,
            "kernel": self.order.kernel,
            "seed": self.order.seed,
            "cycles": len(self.steps),
            "collisions": self.truth.collisions if self.truth else 0,
            "path_m": round(driven, 3),
            "shortest_m": None if shortest is None else round(shortest, 3),
            "spl": None if shortest is None else spl(self.outcome == "reached", shortest, driven),
            "coverage": round(self.coverage(), 4),
            "sim_s": round(self.sim_s, 3),
            "wall_s": round(self.wall_s, 3),
            "blocks": self.blocks(),
            "llm": self.model(),
            "stops": self.stops(),
        }

    @property
    def radius_m(self) -> float:
        """The robot's footprint."""
        return self.belief.manifest.radius_m if self.belief else load_manifest(self.order.robot).radius_m

    def coverage(self) -> float:
        """Return the share of the visible free area that the robot has seen, by the judge."""
        return judge.coverage(self.arena, self.radius_m, self.belief.grid) if self.belief else 0.0

    def blocks(self) -> dict[str, int]:
        """Count the blocks that were run, their words, and the refusals."""
        sent = [step for step in self.steps if step.block and step.acted and step.acted.done]
        lost = [step for step in self.steps if step.acted and step.acted.result == "refused"]
        return {
            "sent": len(sent),
            "words": sum(step.block.words for step in sent if step.block),
            "refused": len(lost),
        }

    def model(self) -> dict[str, Any]:
        """Sum up the model's calls; times are measured, in ms of the wall clock."""
        asked = [step for step in self.steps if step.answer]
        times = sorted(step.answer.seconds * 1000 for step in asked if step.answer)
        return {
            "calls": len(asked),
            "valid": sum(
                step.decision is not None and not step.note.startswith("deadline") for step in asked
            ),
            "p50_ms": round(statistics.median(times), 1) if times else 0.0,
            "p95_ms": round(times[math.ceil(0.95 * len(times)) - 1], 1) if times else 0.0,
            "tokens_in": sum(step.answer.tokens_in for step in asked if step.answer),
            "tokens_out": sum(step.answer.tokens_out for step in asked if step.answer),
        }

    def stops(self) -> list[dict[str, Any]]:
        """List what stopped the robot before it had done what it meant to."""
        return [
            {"cycle": step.cycle, "ms": step.ms, "result": step.acted.result, "why": step.acted.details}
            for step in self.steps
            if stopped(step) and step.acted
        ]

    def picture(self) -> RunRecord:
        """Return what the picture of the run shows."""
        belief, arena = self.belief, self.arena
        start = (arena.start.x, arena.start.y, math.radians(arena.start.heading_deg))
        return RunRecord(
            title=f"{self.goal.text} — {arena.name}, {self.order.kernel}, seed {self.order.seed}",
            outcome=f"{self.outcome}: {self.reason}",
            size_m=arena.size_m,
            walls=arena.walls,
            discs=arena.discs,
            start=start,
            goal=self.goal.place_m,
            tolerance_m=arena.criteria.goal_tolerance_m,
            radius_m=self.radius_m,
            grid=belief.grid if belief else Grid(arena.size_m),
            planned=[step.path for step in self.steps if step.path],
            believed=belief.trail if belief else [],
            truth=self.truth.way if self.truth else [],
            candidates=[candidate for step in self.steps for candidate in step.candidates],
            stops=[
                (step.pose[:2], step.acted.details) for step in self.steps if stopped(step) and step.acted
            ],
            end=belief.pose if belief else None,
        )


def stopped(step: Step) -> bool:
    """Tell whether a step ended before it had done what it meant to."""
    return step.acted is not None and step.acted.result != "success"


def spl(reached: bool, shortest_m: float, driven_m: float) -> float:
    """Return success weighted by path length (Anderson et al. 2018, arXiv 1807.06757)."""
    return round(shortest_m / max(shortest_m, driven_m), 4) if reached else 0.0


@contextmanager
def virtual_robot(order: Order, manifest: Manifest, truth: Path) -> Iterator[Robot]:
    """Start a virtual robot for an order and connect to it; nothing of it is left behind."""
    with ExitStack() as stack:
        board = stack.enter_context(
            VirtualBoard(
                arena=order.arena,
                robot=order.robot,
                seed=order.seed,
                speed=order.speed,
                faults=order.faults,
                truth_path=truth,
                bits=order.bits,
            )
        )
        transcript = stack.enter_context(order.transcript.open("wb")) if order.transcript else None
        code = manifest_hash(manifest.limits)
        robot = Robot(board.port, board.clock, code, seed=order.seed, transcript=transcript)
        stack.callback(robot.close)
        robot.connect()
        yield robot


def make_mind(
    order: Order, arena: Arena, manifest: Manifest, goal: Goal, robot: Robot, kernel: Kernel
) -> Mind:
    """Return a fresh mind for an order."""
    start = (arena.start.x, arena.start.y, math.radians(arena.start.heading_deg))
    settings = Settings(
        tolerance_m=arena.criteria.goal_tolerance_m,
        max_cycles=order.max_cycles or arena.criteria.max_cycles,
        deadline_s=order.deadline_s,
        seed=order.seed,
    )
    return Mind(
        robot=robot,
        belief=Belief(manifest, start, arena.size_m),
        goal=goal,
        kernel=kernel,
        rule=open_kernel("rule"),
        settings=settings,
        pace=Pace.of(manifest.limits),
    )


def run_mission(
    order: Order, watch: Callable[[Mind, Step], None] = lambda mind, step: None, kernel: Kernel | None = None
) -> Report:
    """Carry out an order on the virtual robot.

    Args:
        order: what is asked for.
        watch: called after every cycle.
        kernel: an open kernel to use (and leave open) in place of the order's own.

    Raises:
        LlmosError: it could not begin: no such arena, kernel, robot, MicroPython.
    """
    arena, manifest = load_arena(order.arena), load_manifest(order.robot)
    place = (arena.goal.x, arena.goal.y) if arena.goal else None
    report = Report(order, arena, read_goal(order.goal, place, arena.size_m))
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="llmos-") as folder, ExitStack() as stack:
        truth = Path(folder) / "truth.jsonl"
        mine = kernel or open_kernel(order.kernel)
        if kernel is None:
            stack.callback(mine.close)
        try:
            with virtual_robot(order, manifest, truth) as robot:
                mind = make_mind(order, arena, manifest, report.goal, robot, mine)
                report.belief = mind.belief
                drive(mind, report, watch)
        except KeyboardInterrupt:
            report.outcome, report.reason = "stopped", "Ctrl-C; the robot was stopped first"
        report.truth = judge.read_truth(truth)
    report.wall_s = time.monotonic() - began
    settle(report)
    return report


def drive(mind: Mind, report: Report, watch: Callable[[Mind, Step], None]) -> None:
    """Look around once, then run cycles until one of them ends the run."""
    first = Step(0, mind.robot.clock.now(), mind.belief.pose)
    ending = None
    try:
        look(mind, first, blocks.LOOK)
        report.steps.append(first)
        watch(mind, first)
        while ending is None:
            step, ending = cycle(mind)
            if ending is None:
                report.steps.append(step)
                watch(mind, step)
        report.outcome = "covered" if ending == "explored" else ending
        report.reason = REASONS[report.outcome]
    except LlmosError as error:
        report.outcome, report.reason = "failed", str(error)
    finally:
        report.sim_s = mind.robot.clock.now() / 1000


def settle(report: Report) -> None:
    """Let the judge have the last word on an exploration: covered is what the arena's criteria say."""
    least = report.arena.criteria.min_coverage
    if report.goal.place_m is not None or report.outcome not in ("covered", "failed", "stuck"):
        return
    seen = report.coverage()
    if seen >= least and report.reason in REASONS.values():
        report.outcome, report.reason = "covered", f"{seen:.0%} of the free area seen, {least:.0%} asked for"
    elif report.outcome == "covered":
        report.outcome, report.reason = (
            "failed",
            f"only {seen:.0%} of the free area seen, {least:.0%} asked for",
        )
