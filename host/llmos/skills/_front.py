"""What the front matter of a skill's file says."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from llmos.measures import COLOURS, Check, small_rooms
from llmos.sim import generate
from llmos.sim.arena import list_arenas
from llmos.volumes import FrontMatter

MOST_SEEDS = 100
Sentence = Annotated[str, Field(min_length=3, max_length=200)]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{1,39}$")]
Number = Annotated[int, Field(strict=True)]


class _Row(BaseModel):
    """A mapping in a list of the front matter; unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Example(_Row):
    """A wish that the skill fulfils, and the numbers to fill in; what it leaves open has its default."""

    wish: Sentence
    values: dict[str, Number] = {}


class Test(_Row):
    """Runs in an arena, and what each must measure; none may hit anything.

    Args:
        arena: its name, or a family of arenas made by rule (`wall`, `corridor`, `corner`, `block`, `maze` …),
            of which each seed makes its own.
        seeds: how many runs: of the family's first arenas, or with other noise in the same one.
        values: the skill's parameters; what is left out has its default.
        check: for measurements of `llmos.measures` the least and the greatest that is right.
        lights: the colours that the light shows, in order.
        code: with which the program must fail; 0 where it must complete.
    """

    __test__ = False  # pytest is not meant

    arena: str = "empty"
    seeds: Annotated[int, Field(ge=1, le=MOST_SEEDS, strict=True)] = 1
    values: dict[str, Number] = {}
    check: Check = {}
    lights: tuple[str, ...] | None = None
    code: Annotated[int, Field(ge=0, le=255, strict=True)] = 0

    @model_validator(mode="after")
    def _measures(self) -> "Test":
        if not self.check and self.lights is None and not self.code:
            raise ValueError("the test asks for nothing: give check, with a measurement and its bounds")
        unknown = [light for light in self.lights or () if light not in COLOURS.values()]
        if unknown:
            raise ValueError(f"lights: {unknown[0]!r} is none of {', '.join(COLOURS.values())}")
        if self.arena not in (*generate.MAKERS, *list_arenas(), *small_rooms()):
            known = ", ".join([*generate.MAKERS, *list_arenas(), *small_rooms()])
            raise ValueError(f"arena {self.arena!r} is none of {known}")
        return self


class Front(FrontMatter):
    """What every skill's file says; `version` is its author's, the program goes by the content's hash."""

    name: Name
    type: Literal["physical", "guide"]
    category: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_ -]{1,29}$")] = "other"
    description: Annotated[str, Field(min_length=10, max_length=300)]
    keywords: tuple[str, ...] = ()
    version: str = "1"

    @model_validator(mode="before")
    @classmethod
    def _written(cls, values: Any) -> Any:
        """A version such as 1 or 1.2 is no number."""
        return {**values, "version": str(values["version"])} if "version" in values else values


class Physical(Front):
    """A skill with a program."""

    type: Literal["physical"]
    examples: tuple[Example, ...] = ()
    tests: tuple[Test, ...] = ()


class Guide(Front):
    """A skill that is text which an agent follows; all its keys are an agent's: see `llmos.agents.Agent`."""

    type: Literal["guide"]
    tools: Annotated[tuple[str, ...], Field(min_length=1)]
