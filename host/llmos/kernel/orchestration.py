"""How a project's goal goes through its phases: `volumes/system/kernel/orchestration.md`."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from llmos.kernel.config import Share
from llmos.kernel.prompt import Rules, read_rules

Capability = Annotated[str, Field(pattern=r"^\w+$")]
Capabilities = Annotated[tuple[Capability, ...], Field(min_length=1, max_length=9)]
PHASES = ("understand", "recall", "plan", "staff", "do", "check", "record", "consolidate")


class Certainty(BaseModel):
    """How sure a goal of each kind is read rightly."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    place: Share
    exploration: Share
    object: Share
    behaviour: Share


class Orchestration(Rules):
    """The rules; see the file for what each means."""

    recalled: Annotated[int, Field(ge=0, le=50)]
    prior: Annotated[float, Field(gt=0, le=100)]
    certainty: Certainty
    steps: Annotated[int, Field(ge=1, le=50)]
    checked: Literal["each_step", "end"]
    least_agents: Annotated[int, Field(ge=1, le=20)]
    copy_at: Share
    evolve_at: Share
    planner: Capabilities
    checker: Capabilities
    recorder: Capabilities
    place: Capabilities
    exploration: Capabilities
    object: Capabilities
    behaviour: Capabilities

    @model_validator(mode="after")
    def _in_order(self) -> "Orchestration":
        if self.evolve_at > self.copy_at:
            raise ValueError(f"evolve_at {self.evolve_at} is above copy_at {self.copy_at}: lower it")
        return self

    def needs(self, role: str) -> tuple[str, ...]:
        """Return the capabilities that a role needs: planner, checker, recorder, or a kind of goal."""
        needed: tuple[str, ...] = getattr(self, role)
        return needed


def load_orchestration() -> Orchestration:
    """Return the rules.

    Raises:
        DocumentError: the file is wrong.
    """
    return read_rules("orchestration", Orchestration)
