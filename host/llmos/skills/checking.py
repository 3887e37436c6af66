"""A skill's tests, run: a physical skill's cases in arenas, a guide's tasks by an agent."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from ._cases import Case, cases, try_case
from ._skill import Skill
from .using import said


@dataclass(frozen=True)
class Check:
    """One test of a skill: a case, or a guide's task."""

    skill: Skill
    test: Any
    robot: str = "cube"

    @property
    def name(self) -> str:
        """What is done, in a line."""
        if not isinstance(self.test, Case):
            return said(self.skill, self.test.task)
        place = self.test.arena if ":" in self.test.arena else f"{self.test.arena}, seed {self.test.seed}"
        return f"{said(self.skill, self.test.values)} in {place}"


@dataclass(frozen=True)
class Checked:
    """What came of a test; `faults` is empty where it passed, `told` a few figures in words."""

    check: Check
    faults: tuple[str, ...]
    told: str

    @property
    def success(self) -> bool:
        """Whether it passed."""
        return not self.faults


def checks(skill: Skill, seeds: Iterable[int] | None = None, robot: str = "cube") -> list[Check]:
    """Return a skill's tests; seeds as for `cases`."""
    if skill.kind == "physical":
        return [Check(skill, case, robot) for case in cases(skill, seeds)]
    from llmos.agents import agent_of  # whose tools need the skills

    return [Check(skill, test, robot) for test in agent_of(skill.document).tests]


def run_check(check: Check) -> Checked:
    """Run one test. It can be sent to another process, and so can what comes back."""
    if isinstance(check.test, Case):
        tried = try_case(check.skill, check.test, check.robot)
        faults = (*tried.faults, *([f"refused: {tried.refused}"] if tried.refused else []))
        return Checked(check, faults, f"{tried.path_m:.2f} m, {tried.sim_s:.1f} s")
    from llmos.agents import agent_of
    from llmos.agents.trying import try_agent

    outcome = try_agent(agent_of(check.skill.document), check.test)
    calls = ", ".join(call.tool for call in outcome.run.calls)
    return Checked(check, outcome.problems, calls)
