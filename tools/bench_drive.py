"""The whole system: one kernel cycle without the model, and simulated against wall time."""

import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

from benchlib import Row, print_table

from llmos import mission
from llmos.kernel.cycle import cycle
from llmos.report import Order

ARENAS = ("simple", "exploration", "office", "survey")
BUDGET_MS = 5.0
PACE = 50.0


class Stopwatch:
    """Sums the wall time that calls of some functions take."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def around(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return the function with its time taken."""

        def timed(*args: Any, **kwargs: Any) -> Any:
            start = time.perf_counter()
            try:
                return function(*args, **kwargs)
            finally:
                self.seconds += time.perf_counter() - start

        return timed


def own_times(arena: str) -> tuple[list[float], mission.Report]:
    """Drive an arena by rule; return the ms that each cycle itself took, without driving and thinking."""
    times: list[float] = []

    def timed_cycle(mind: mission.Mind) -> Any:
        away = Stopwatch()
        robot = mind.robot
        for name in ("run", "wait", "think"):
            setattr(robot, name, away.around(getattr(type(robot), name).__get__(robot)))
        start = time.perf_counter()
        result = cycle(mind)
        times.append(1000 * (time.perf_counter() - start - away.seconds))
        return result

    mission.cycle = timed_cycle  # type: ignore[assignment]
    try:
        return times, mission.run_mission(Order(goal="go", arena=arena, kernel="rule"))
    finally:
        mission.cycle = cycle


def run() -> list[Row]:
    """Drive each arena by rule, and sum up."""
    driven = {arena: own_times(arena) for arena in ARENAS}
    cycles = [ms for times, _ in driven.values() for ms in times]
    small = [ms for arena in ("simple", "exploration") for ms in driven[arena][0]]
    rows = [
        Row(
            "cycle without the model, 50x50",
            statistics.median(small),
            "budget",
            BUDGET_MS,
            note=f"{len(small)} cycles",
        ),
        Row(
            "the same, all arenas",
            statistics.median(cycles),
            "budget",
            BUDGET_MS,
            note=f"worst {max(cycles):.1f} ms",
        ),
    ]
    for arena, (_, report) in driven.items():
        rows.append(
            Row(f"{arena} by rule", report.wall_s, "robot time", report.sim_s, "s", PACE, "start-up included")
        )
    return rows


if __name__ == "__main__":
    sys.exit(0 if print_table("The whole system", run()) else 1)
