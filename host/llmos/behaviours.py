"""Behaviours: what a robot can be asked for in a sentence, and how an arena judges whether it was done.

The list ships in `volumes/system/behaviours/`. A behaviour is right when nothing was hit, the block
completed, the lights were those asked for, and every measurement of the drive lies within its bounds.
"""

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

from llmos.errors import LlmosError
from llmos.measures import Check, Drive, faults, place
from llmos.resources import system_volume
from llmos.skills import call_text, load_skills
from llmos.tables import read_table
from llmos.trial import Trial


class BehaviourError(LlmosError):
    """A list of behaviours that cannot be read, or a behaviour that is not in it."""


class Behaviour(BaseModel):
    """A wish, the arena to try it in, what is measured, and one way to do it: a skill's call or a program."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, Field(pattern=r"^\w+$")]
    wish: Annotated[str, Field(min_length=3, max_length=200)]
    arena: str = "empty"
    check: Check
    lights: tuple[str, ...] | None = None
    call: dict[str, str | int] | None = None
    program: str = ""

    @model_validator(mode="after")
    def _makes_sense(self) -> "Behaviour":
        if bool(self.call) == bool(self.program):
            raise ValueError("give either call or program, which show that it can be done")
        return self

    @property
    def place(self) -> str:
        """The arena, as a name or a path."""
        return place(self.arena)

    @property
    def reference(self) -> str:
        """A program that does it."""
        return call_text(self.call, load_skills()) if self.call else self.program

    def faults(self, trial: Trial, radius_m: float) -> list[str]:
        """Return, in words, what is wrong with a trial of a robot of this radius."""
        return faults(Drive(trial, radius_m), self.check, self.lights)


class _Behaviours(BaseModel):
    """The file."""

    model_config = ConfigDict(extra="forbid")

    behaviour: tuple[Behaviour, ...]


def _folder() -> Path:
    return system_volume() / "behaviours"


def load_behaviours(names: tuple[str, ...] = ()) -> list[Behaviour]:
    """Return the behaviours that ship, or those of them that are named.

    Raises:
        BehaviourError: the list cannot be read, or holds no such behaviour.
    """
    label = "the list of behaviours"
    found = read_table(_folder() / "behaviours.toml", _Behaviours, label, BehaviourError).behaviour
    known = {behaviour.name: behaviour for behaviour in found}
    for name in names:
        if name not in known:
            raise BehaviourError(f"behaviour {name!r}: unknown; name one of {', '.join(known)}")
    return [known[name] for name in names] if names else list(found)
