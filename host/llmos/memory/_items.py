"""What long-term memory holds: traces, experiences and facts, and where each has itself from."""

import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, ClassVar

ACTIVE, CONSOLIDATED, ARCHIVED = "active", "consolidated", "archived"
RUNNING, SUCCESS, FAILURE, CANCELLED = "running", "success", "failure", "cancelled"


@dataclass(frozen=True)
class Dependency:
    """What a trace needs of another.

    Args:
        trace: the other's id.
        file: what it made that is needed; empty where it is all of it.
        type: data, config or model.
    """

    trace: str
    file: str = ""
    type: str = "data"


@dataclass(frozen=True, kw_only=True)
class Item:
    """One memory.

    Args:
        id: its name, for good.
        kind: experience, fact, or a trace's kind.
        at: when, in seconds since 1970.
        project: whose it is; empty where it is nobody's.
        run: the recorded run that it is from, where there is one.
        lifecycle: active, consolidated or archived.
        forgotten: why a person wants it forgotten; empty where nobody does.
    """

    id: str = ""
    kind: str = ""
    at: float = 0.0
    project: str = ""
    run: str = ""
    lifecycle: str = ACTIVE
    forgotten: str = ""
    COLUMNS: ClassVar[tuple[str, ...]] = ("id", "kind", "at", "project", "run", "lifecycle", "forgotten")

    @property
    def text(self) -> str:
        """What is searched."""
        raise NotImplementedError

    @property
    def source(self) -> str:
        """Where it is from: who or what said it, in a few words."""
        raise NotImplementedError

    @property
    def when(self) -> str:
        """The time, of the machine's clock."""
        return time.strftime("%Y-%m-%d %H:%M", time.localtime(self.at))

    def own(self) -> dict[str, Any]:
        """Return the fields that only this class has."""
        return {one.name: getattr(self, one.name) for one in fields(self) if one.name not in Item.COLUMNS}

    def shown(self) -> dict[str, Any]:
        """Return all of it for a person or a JSON object."""
        return {**asdict(self), "text": self.text, "source": self.source, "when": self.when}


@dataclass(frozen=True, kw_only=True)
class Trace(Item):
    """Something that was done, or is being done, and what it is part of.

    Args:
        goal: what was to come of it.
        status: running, or how it ended.
        outcome: what came of it.
        duration_ms: from begin to end, by the wall clock.
        tools: the tools used.
        files: the files made.
        agent, agent_type, agent_path: who did it.
        skill, version: what was used, and in which version.
        parent, link, depth: the trace above, how it hangs there, and how deep.
        depends: what it needed of others.
        consolidated_at: when it was, in seconds since 1970; 0 before.
        data: whatever else is to be known of it.
    """

    goal: str = ""
    status: str = RUNNING
    outcome: str = ""
    duration_ms: float = 0.0
    tools: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    agent: str = ""
    agent_type: str = ""
    agent_path: str = ""
    skill: str = ""
    version: str = ""
    parent: str = ""
    link: str = ""
    depth: int = 0
    depends: tuple[Dependency, ...] = ()
    consolidated_at: float = 0.0
    data: Mapping[str, Any] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """What is searched."""
        return "; ".join(filter(None, (self.goal, self.outcome, self.skill.replace("_", " "))))

    @property
    def source(self) -> str:
        """Where it is from."""
        return _said(f"{self.kind} {self.status}", _by("run", self.run), _by("agent", self.agent))

    @property
    def success(self) -> bool:
        """Whether it came to what was wanted."""
        return self.status == SUCCESS


@dataclass(frozen=True, kw_only=True)
class Experience(Item):
    """What came of a goal, and what is to be learned from it.

    Args:
        primary_goal, final_outcome: what was wanted, and what came.
        components: the arena, the robot, the kernel, the skills and whatever else took part, by name.
        files: the files made.
        output_summary: what was seen or made.
        execution_ms: how long it took.
        learnings: what to do again, or not.
        success: whether it came to what was wanted; None where nobody can say.
        trace: the trace that it is of.
        measures: figures of it, by name, with their units in the names.
    """

    kind: str = "experience"
    primary_goal: str = ""
    final_outcome: str = ""
    components: Mapping[str, str] = field(default_factory=dict)
    files: tuple[str, ...] = ()
    output_summary: str = ""
    execution_ms: float = 0.0
    learnings: str = ""
    success: bool | None = None
    trace: str = ""
    measures: Mapping[str, float] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """What is searched."""
        parts = (self.primary_goal, self.final_outcome, self.output_summary, self.learnings)
        return "; ".join(filter(None, (*parts, " ".join(self.components.values()))))

    @property
    def source(self) -> str:
        """Where it is from."""
        return _said(_by("run", self.run), _by("trace", self.trace))


@dataclass(frozen=True, kw_only=True)
class Fact(Item):
    """What is believed, on whose word.

    Args:
        statement: the fact.
        said_by: who or what says so: a person, an agent, a run or a trace.
        confidence: how sure that is, from 0 to 1.
        traces: the traces that show it.
        key: what it is about; a newer fact of the same key takes the place of an older one.
        measures: the figures behind it.
    """

    kind: str = "fact"
    statement: str = ""
    said_by: str = ""
    confidence: float = 0.5
    traces: tuple[str, ...] = ()
    key: str = ""
    measures: Mapping[str, float] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """What is searched."""
        return self.statement

    @property
    def source(self) -> str:
        """Where it is from."""
        traces = f"{len(self.traces)} traces" if len(self.traces) > 1 else _by("trace", *self.traces)
        return _said(f"said by {self.said_by}", traces, _by("run", self.run))


def _by(what: str, name: str = "") -> str:
    return f"{what} {name}" if name else ""


def _said(*parts: str) -> str:
    return ", ".join(filter(None, parts))


CLASSES: Mapping[str, type[Item]] = {"experience": Experience, "fact": Fact}  # of every other kind: Trace


def class_of(kind: str) -> type[Item]:
    """Return the class that memories of a kind are of."""
    return CLASSES.get(kind, Trace)


def packed(item: Item) -> str:
    """Return an item's own fields as JSON."""
    return json.dumps(item.own(), default=vars, ensure_ascii=False, separators=(",", ":"))


def unpacked(columns: Mapping[str, Any], own: str) -> Item:
    """Return an item from its columns and its own fields."""
    values = json.loads(own)
    if "depends" in values:
        values["depends"] = tuple(Dependency(**one) for one in values["depends"])
    for name in ("tools", "files", "traces"):
        if name in values:
            values[name] = tuple(values[name])
    return class_of(columns["kind"])(**columns, **values)
