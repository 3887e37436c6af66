"""What is asked of a robot, and what came of it."""

import math
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from llmos import figures
from llmos.brains.budget import USUAL_BUDGET, Budget
from llmos.eyes import Eyes
from llmos.eyes.vlm import COLOUR
from llmos.inference import Answer
from llmos.kernel.belief import Belief
from llmos.kernel.goal import Goal
from llmos.kernel.mind import Step
from llmos.manifest import load_manifest
from llmos.runs import Run
from llmos.sim import judge
from llmos.sim.arena import Arena
from llmos.world.draw import RunRecord
from llmos.world.foresight import Foresight
from llmos.world.grid import Grid
from llmos.writing import Draft

REASONS = {
    "reached": "the goal is reached",
    "completed": "the program ran to its end",
    "covered": "everything that can be reached has been seen",
    "unreachable": "no way leads to the goal, and nothing is left to explore",
    "stuck": "the robot got nowhere for many cycles",
    "failed": "the cycles were used up",
    "stopped": "stopped from outside",
}
GOOD = ("reached", "covered", "completed")


@dataclass(frozen=True)
class Order:
    """What a user asks for."""

    goal: str
    arena: str = "simple"
    kernel: str = "dual"
    robot: str = "cube"
    seed: int = 0
    speed: float = 0.0  # 0: as fast as the machine can; 1: the wall clock's pace
    deadline_s: float = 10.0
    max_cycles: int | None = None
    way: str | None = None  # how a program is made, for any goal; None: as suits the kernel, for a behaviour
    preset: str = "quick"  # how much the planner thinks
    boundary: Path | None = None  # who answers what, of two brains; else as it ships
    think: bool = False  # ask the planner at the start
    budget: Budget = USUAL_BUDGET  # of all models together
    shuffle: bool = False
    predict: bool = False
    show_map: bool = False
    clear: bool = False  # release a latched e-stop before driving
    camera: bool = False  # the robot looks where it goes
    eyes: str = COLOUR  # who looks at the pictures: the classical detector, or a kernel that sees
    camera_url: str | None = None  # the stream of a robot at a serial port, where its manifest names none
    port: str | None = None  # a real robot's serial port, on the wall clock; else the virtual one
    faults: tuple[str, ...] = ()
    bits: int = 64
    transcript: Path | None = None
    record: Path | None = None  # where to write the record of the run

    @property
    def setting(self) -> dict[str, Any]:
        """Where something was done, as memory keeps it; no arena on a real robot, as no run there repeats."""
        return {"arena": "" if self.port else self.arena, "seed": self.seed, "robot": self.robot}


@dataclass
class Report:
    """What came of a mission."""

    order: Order
    arena: Arena
    goal: Goal
    outcome: str = "failed"
    ended: bool = False  # by the kernel itself, not by an error or from outside
    interrupted: bool = False  # by Ctrl-C or another signal
    reason: str = ""
    steps: list[Step] = field(default_factory=list)
    belief: Belief | None = None
    foresight: Foresight | None = None
    eyes: Eyes | None = None
    draft: Draft | None = None  # a behaviour's program,
    run: Run | None = None  # and what came of it
    spent: Budget | None = None  # by all models, the planner's and the eyes' included
    truth: judge.Truth | None = None
    sim_s: float = 0.0
    wall_s: float = 0.0
    note: str = ""  # why another kernel stood in for the order's
    unrecorded: str = ""  # why the record of the run is not whole

    def summary(self) -> dict[str, Any]:
        """Return the mission's result as the command line's --json prints it."""
        shortest = self.shortest_m()
        driven = self.driven_m()
        return {
            "outcome": self.outcome,
            "reason": self.reason,
            "arena": self.arena.name,
            "kernel": self.order.kernel,
            "note": self.note,
            "seed": self.order.seed,
            "cycles": len(self.steps),
            "collisions": self.truth.collisions if self.truth else None,
            "path_m": round(driven, 3),
            "shortest_m": None if shortest is None else round(shortest, 3),
            "spl": None if shortest is None else spl(self.outcome == "reached", shortest, driven),
            "coverage": round(self.coverage(), 4),
            "sim_s": round(self.sim_s, 3),
            "wall_s": round(self.wall_s, 3),
            "blocks": self.blocks(),
            "llm": self.model(),
            "spent": asdict(self.spent) if self.spent else None,
            **figures.decisions(self.steps, self.wall_s),
            "guards": figures.guards(self.steps),
            **figures.coverage_paths(self.arena, self.radius_m, self.belief, self.truth),
            "stops": self.stops(),
            "goal": {"kind": self.goal.kind, "source": self.goal.source, "label": self.goal.label or None},
            "eyes": self.seen(),
            "program": self.program(),
            "foresight": self.foresight.summary() if self.foresight else None,
        }

    def shortest_m(self) -> float | None:
        """Return the length of the shortest way to the goal, by the true map; None where there is none."""
        if self.goal.label:
            return judge.shortest_to_m(self.arena, self.radius_m, self.goal.label)
        return judge.shortest_m(self.arena, self.radius_m) if self.goal.place_m else None

    def seen(self) -> dict[str, Any] | None:
        """Return what the eyes have seen: pictures, and the things that are believed; None without eyes."""
        if self.eyes is None or self.belief is None:
            return None
        believed = [one for one in self.belief.objects if one.confirmed]
        things = [{"id": one.id, "label": one.label, "at_m": list(one.pos_m)} for one in believed]
        return {"pictures": self.eyes.count, "detector": self.eyes.detector.name, "objects": things}

    @property
    def radius_m(self) -> float:
        """The robot's footprint."""
        return self.belief.manifest.radius_m if self.belief else load_manifest(self.order.robot).radius_m

    def driven_m(self) -> float:
        """Return the way driven: the true one, or where nobody knows it the sum of what the robot says."""
        if self.truth:
            return self.truth.path_m
        done = [step.acted.done for step in self.steps if step.acted and step.acted.done]
        return sum(one.path_mm for one in [*done, *([self.run.done] if self.run else [])]) / 1000

    def coverage(self) -> float:
        """Return the share of the visible free area that the robot has seen, by the judge."""
        return judge.coverage(self.arena, self.radius_m, self.belief.grid) if self.belief else 0.0

    def program(self) -> dict[str, Any] | None:
        """Return a behaviour's program, proved and used; None where no behaviour was asked for."""
        if self.draft is None:
            return None
        return {
            "text": self.draft.text,
            "chosen": self.draft.chosen or None,
            "certificate": self.draft.certificate._asdict() if self.draft.certificate else None,
            "used": self.run.used if self.run else None,
        }

    def blocks(self) -> dict[str, int]:
        """Count the blocks that were run, their words, and the refusals."""
        if self.draft:
            words = len(self.run.program.words) if self.run else 0
            refused = sum(bool(attempt.refusal) for attempt in self.draft.attempts)
            return {"sent": int(bool(self.run)), "words": words, "refused": refused}
        sent = [step for step in self.steps if step.block and step.acted and step.acted.done]
        lost = [step for step in self.steps if step.acted and step.acted.result == "refused"]
        return {
            "sent": len(sent),
            "words": sum(step.block.words for step in sent if step.block),
            "refused": len(lost),
        }

    def model(self) -> dict[str, Any]:
        """Sum up the model's calls; times are measured, in ms of the wall clock."""
        return figures.model(self.answers())

    def answers(self) -> list[tuple[Answer, bool]]:
        """Return the model's answers, each with whether it could be used."""
        if self.draft:
            return [(attempt.answer, not attempt.refusal) for attempt in self.draft.attempts]
        return [
            (answer, step.decision is not None and not step.thought.stand_in)
            for step in self.steps
            if step.thought
            for answer in step.thought.calls
        ]

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
            discs=arena.rounds,
            start=start,
            goal=self.goal.place_m,
            tolerance_m=arena.criteria.goal_tolerance_m,
            radius_m=self.radius_m,
            grid=belief.grid if belief else None if self.draft else Grid(arena.size_m),
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
    longest = max(shortest_m, driven_m)  # 0 where it stood at the goal to begin with
    return round(shortest_m / longest if longest else 1.0, 4) if reached else 0.0
