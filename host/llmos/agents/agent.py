"""An agent: a markdown file that says what it is for, which tools it has, and its steps."""

import re
from collections.abc import Iterator
from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    ValidationInfo,
    field_validator,
    model_validator,
)

from llmos.errors import LlmosError
from llmos.text import plain
from llmos.volumes import Document, FrontMatter

FINISH = "finish"  # the one tool that every agent has: it ends its run with an answer
STRATEGIES = ("markdown", "hybrid", "simple", "compiled")
Strategy = Literal["markdown", "hybrid", "simple", "compiled"]
PATH = r"[a-z]\w*(?:\.(?:\w+|\*))*"  # of something known: `last.rows.*.step`; `*` is each item of a list
CONDITION = rf"^(?P<no>not )?(?P<path>{PATH})(?:\s*(?P<sign>[<>]=?|[=!]=)\s*(?P<value>\S.*))?$"
RESERVED = ("task", "agent", "project", "last", "last_error", "item")  # known without a step's `as`
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")]


class AgentError(LlmosError):
    """An agent that is not there, is written wrongly, or may not be called."""


class Step(BaseModel):
    """One step of a procedure: a tool with its arguments, or a group of steps.

    Args:
        tool: its name; of several the model takes one, the rule the one whose words fit the task best.
        arguments: values, or texts with `{task}`, `{last}`, `{last.front_cm}`; what the tool requires and is
            not given here is open: the model fills it under the tool's schema, or a rule does.
        saved: the name under which later steps find the result: `as: front`, then `{front.front_cm}`.
        when: the step is skipped unless this holds: `last.front_cm < 30`, `last_error`, `not found`.
        may_fail: go on to the next step where the tool fails; `last_error` then says why.
        times: how often it is gone through.
        each: the list that it is gone through for, `plan.steps`; then `{item}` is one of it.
        steps: a group, in place of a tool.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    tool: tuple[Name, ...] = ()
    arguments: dict[str, Any] = Field(default_factory=dict)
    saved: Annotated[str, Field(alias="as", pattern=r"^(?:[a-z]\w*)?$")] = ""
    when: Annotated[str, Field(max_length=100, pattern=f"^$|{CONDITION}")] = ""
    may_fail: bool = False
    times: Annotated[int, Field(ge=1, le=50)] = 1
    each: Annotated[str, Field(max_length=100, pattern=f"^(?:{PATH})?$")] = ""
    steps: tuple["Step", ...] = ()

    @field_validator("tool", mode="before")
    @classmethod
    def _listed(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value

    @field_validator("saved")
    @classmethod
    def _own(cls, name: str) -> str:
        if name in RESERVED:
            raise ValueError(f"{name} is known already: choose another name")
        return name

    @model_validator(mode="after")
    def _either(self) -> "Step":
        if bool(self.tool) == bool(self.steps):
            raise ValueError("a step has either a tool or steps")
        return self

    def tools(self) -> Iterator[str]:
        """Yield the tools that it names, those of its own steps too."""
        yield from self.tool
        for step in self.steps:
            yield from step.tools()


class AgentTest(BaseModel):
    """A run that the agent has to pass.

    Args:
        task: what it is asked.
        kernel: who answers, as `--kernel` takes it.
        arena: where the robot stands.
        project: in which it works.
        camera: whether the robot has one.
        seed: fixes every chance.
        files: what lies in the user volume before: path to text.
        status: how the run must end.
        answer: a regular expression that its answer must match somewhere.
        tools: tools that it must have used, in this order, others between them.
        wrote: paths in the user volume that must be there afterwards, each with a pattern.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    task: Annotated[str, Field(min_length=1, max_length=500)]
    kernel: str = "rule"
    arena: str = "empty"
    project: str = ""
    camera: bool = False
    seed: int = 0
    files: dict[str, str] = Field(default_factory=dict)
    status: str = "done"
    answer: str = ""
    tools: tuple[Name, ...] = ()
    wrote: dict[str, str] = Field(default_factory=dict)

    @field_validator("answer")
    @classmethod
    def _pattern(cls, value: str) -> str:
        try:
            re.compile(value)
        except re.error as error:
            raise ValueError(f"the pattern is wrong ({error})") from None
        return value


class Agent(FrontMatter):
    """An agent's front matter; its text is the document's.

    Args:
        name: the file's name without `.md`.
        type: orchestrator, specialist, or what a person calls it.
        category: what the tool registry's permissions go by.
        mode: the strategy that it wants; `auto` leaves it to the model's size.
        max_iterations: of its loop; the kernel's limit holds besides.
        tools: all that it may call.
        capabilities: what staffing a project looks for.
        triggers: words of tasks that it is for.
        writes: globs of the places where it may write, `tier:path`.
        steps: its procedure, for models that cannot choose by themselves.
        tests: runs that it has to pass.
    """

    name: Name
    type: str = "specialist"
    category: str = "general"
    mode: Literal["auto", "markdown", "hybrid", "simple", "compiled"] = "auto"
    description: Annotated[str, Field(min_length=1, max_length=500)]
    max_iterations: Annotated[int, Field(ge=1, le=1000)] = 15
    tools: tuple[Name, ...] = ()
    capabilities: tuple[str, ...] = ()
    triggers: tuple[str, ...] = ()
    version: str = "1"
    origin: Literal["created", "evolved", "copied", "shipped"] = "created"
    evolved_from: str = ""
    project: str = ""
    writes: tuple[str, ...] = ()
    steps: tuple[Step, ...] = ()
    tests: tuple[AgentTest, ...] = ()

    _document: Document | None = PrivateAttr(None)

    @field_validator("version", mode="before")
    @classmethod
    def _text_of_version(cls, value: Any) -> Any:
        return str(value) if isinstance(value, int | float) else value

    @field_validator("tools")
    @classmethod
    def _once(cls, tools: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(tools)) < len(tools) or FINISH in tools:
            raise ValueError(f"a tool is declared once, and {FINISH} not at all: every agent has it")
        return tools

    @field_validator("steps")
    @classmethod
    def _declared(cls, steps: tuple[Step, ...], info: ValidationInfo) -> tuple[Step, ...]:
        known = {*info.data.get("tools", ()), FINISH}
        for tool in (tool for step in steps for tool in step.tools()):
            if tool not in known and "tools" in info.data:
                raise ValueError(f"a step calls {tool}, which is not among the agent's tools: declare it")
        return steps

    @cached_property
    def text(self) -> str:
        """What its file says behind the front matter: the system prompt of its model."""
        return self._document.text if self._document else ""

    @property
    def digest(self) -> str:
        """Its file's version, as volumes tell it; `version` is its author's word."""
        return self._document.version if self._document else ""

    @property
    def document(self) -> Document | None:
        """The file that it was read from."""
        return self._document


def agent_of(document: Document) -> Agent:
    """Return the agent that a markdown file describes.

    Raises:
        DocumentError: its front matter is wrong; the message names line and key.
        AgentError: its name is not the file's.
    """
    agent = document.checked(Agent)
    if agent.name != document.path.stem:
        raise AgentError(
            f"{document.at('name')}: the agent calls itself {plain(agent.name)}, its file "
            f"{plain(document.path.stem)}: use one name"
        )
    agent._document = document
    return agent
