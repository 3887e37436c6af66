"""A session: what tools work with, whose permissions hold, and how much may still be used."""

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from copy import copy
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Literal, Protocol, Self

from llmos.blackbox import Box, Recorder
from llmos.brains.budget import Metered
from llmos.brains.opening import model_of
from llmos.inference import Kernel, Scheduler, open_kernel
from llmos.kernel.config import Config, load_config
from llmos.manifest import Manifest, load_manifest
from llmos.memory import Memory
from llmos.mission import Tell, Watch
from llmos.report import Order, Report
from llmos.tools.robot import RobotSession, parts_of
from llmos.tools.tool import ToolError
from llmos.volumes import Change, Volumes

PERSON = "person"  # who calls where no agent does
Priority = Literal["low", "normal", "high", "critical", "robot"]


class ChainError(ToolError):
    """An agent that may not be called: `limit` is `cycle` or the kernel's `agent_depth`."""

    def __init__(self, limit: Literal["cycle", "agent_depth"], message: str) -> None:
        super().__init__(message)
        self.limit = limit


class Caller(Protocol):
    """What a session needs to know of the agent that calls; see `llmos.agents.Agent`."""

    @property
    def name(self) -> str:
        """By which it is known."""

    @property
    def category(self) -> str:
        """What it is about, which the tools' registry goes by."""

    @property
    def tools(self) -> Sequence[str]:
        """The tools that it declares."""

    @property
    def writes(self) -> Sequence[str]:
        """Where it may write: patterns of `tier:path`."""


@dataclass
class Calls:
    """How often tools may still be called by an agent and all that it calls, or by a server's client."""

    most: int
    rule: str = "tool_calls"  # of the kernel's config, which says so
    made: int = 0
    of: dict[str, int] = field(default_factory=dict)  # of each tool

    def count(self, name: str, most: float = math.inf) -> None:
        """Take one call; at most so many are of one tool.

        Raises:
            ToolError: all have been made.
        """
        if self.made >= self.most:
            raise ToolError(
                f"{name}: all {self.most} calls of tools are used up (kernel/config.md, {self.rule})"
            )
        if self.of.get(name, 0) >= most:
            raise ToolError(
                f"{name}: it was called {most} times, which is the most (kernel/tool_registry.md)"
            )
        self.made += 1
        self.of[name] = self.of.get(name, 0) + 1


class Commons:
    """What a session shares with those of the agents below it; each part is opened when it is needed."""

    def __init__(self, order: Order, given: Mapping[str, Any]) -> None:
        self.order = order
        self._parts: dict[str, Any] = {name: part for name, part in given.items() if part is not None}
        self._stack = ExitStack()

    def part(self, name: str, opened: Callable[[ExitStack], Any]) -> Any:
        """Return a part, opened by `opened` where it is not there yet."""
        if name not in self._parts:
            self._parts[name] = opened(self._stack)
        return self._parts[name]

    def has(self, name: str) -> bool:
        """Whether a part is there already."""
        return name in self._parts

    def close(self) -> None:
        """Close what was opened here, the last first; what was given stays open."""
        self._stack.close()


class Session:
    """What tools work with.

    Args:
        order: the arena, robot, seed, port and kernel; its goal is not read.
        volumes: the markdown; opened where it is needed and not given. So are memory and kernel.
        memory: what is remembered.
        kernel: who is asked.
        robot: a robot that is connected already.
        box: what all that comes from outside passes through.
        project: whose files and memories come first.
        agent: whose permissions apply; None where a person calls.
        trace: id of the memory's trace that the calls belong to.
        run: name of the run, for what is written.
        may_reset: whether a person has said that a latched e-stop may be released.
        config: the kernel's limits; read where they are not given.
        calls: what may be called in all; a person's calls are counted only where it is given.
        screen: what is called after every cycle of a mission, and with a report before a program is run.
    """

    def __init__(
        self,
        order: Order | None = None,
        *,
        volumes: Volumes | None = None,
        memory: Memory | None = None,
        kernel: Kernel | None = None,
        robot: RobotSession | None = None,
        box: Box | None = None,
        project: str = "",
        agent: Caller | None = None,
        trace: str = "",
        run: str = "",
        may_reset: bool = False,
        config: Config | None = None,
        calls: Calls | None = None,
        screen: tuple[Watch, Tell] | None = None,
    ) -> None:
        given: dict[str, Any] = {
            "volumes": volumes,
            "memory": memory,
            "kernel": kernel,
            "robot": robot,
            "box": box,
        }
        given["screen"] = screen
        self._commons = Commons(order or Order(goal=""), given)
        self.project, self.agent, self.trace, self.run, self.may_reset = project, agent, trace, run, may_reset
        self.config = config or load_config()
        self.calls, self.counted = calls or Calls(self.config.tool_calls), calls is not None
        self.chain: tuple[str, ...] = (agent.name,) if agent else ()
        self.deadline = math.inf  # moment of the monotonic clock by which the agents must be done

    def __enter__(self) -> Self:
        """Return the session."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close what the session has opened: a robot stops first."""
        self._commons.close()

    def below(self, agent: Caller, trace: str = "") -> "Session":
        """Return the session of an agent that this one calls: the same means, its own permissions.

        Raises:
            ChainError: the agent is in the chain of those that call already, or the chain is too long.
        """
        path, most = " > ".join([*self.chain, agent.name]), self.config.agent_depth
        if agent.name in self.chain:
            raise ChainError(
                "cycle", f"{path}: agents call each other in a circle; let {self.chain[-1]} do it itself"
            )
        if len(self.chain) >= most:
            raise ChainError(
                "agent_depth", f"{path}: that is deeper than {most} agents (kernel/config.md, agent_depth)"
            )
        lower = copy(self)
        lower.agent, lower.trace, lower.chain = agent, trace or self.trace, (*self.chain, agent.name)
        return lower

    @property
    def order(self) -> Order:
        """Where, and with which robot."""
        return self._commons.order

    @property
    def box(self) -> Box:
        """What all that comes from outside passes through; it records where the order says so."""

        def opened(stack: ExitStack) -> Box:
            return stack.enter_context(Recorder(self.order) if self.order.record else Box())

        found: Box = self._commons.part("box", opened)
        return found

    @property
    def caller(self) -> str:
        """Who calls: the agent's name, or `person`."""
        return self.agent.name if self.agent else PERSON

    def change(self, reason: str) -> Change:
        """Return what a write to the volumes says of itself."""
        agent = self.agent.name if self.agent else ""
        return Change(self.caller, reason, run=self.run, agent=agent, project=self.project)

    @property
    def mode(self) -> Literal["simulation", "physical"]:
        """On which robot this session works."""
        return "physical" if self.order.port else "simulation"

    @property
    def manifest(self) -> Manifest:
        """The robot's."""
        found: Manifest = self._commons.part("manifest", lambda stack: load_manifest(self.order.robot))
        return found

    @property
    def parts(self) -> tuple[str, ...]:
        """What the robot has, by the names that tools require."""
        return parts_of(self.manifest, self.order)

    @property
    def volumes(self) -> Volumes:
        """The markdown."""

        found: Volumes = self._commons.part("volumes", lambda stack: Volumes())
        return found

    @property
    def memory(self) -> Memory:
        """What is remembered."""

        def opened(stack: ExitStack) -> Memory:
            return stack.enter_context(Memory())

        found: Memory = self._commons.part("memory", opened)
        return found

    @property
    def kernel(self) -> Kernel:
        """Who is asked: the one model, shared with the agents above and below and with the robot's loop."""
        return self._client(self.caller, "normal")

    def _client(self, name: str, priority: Priority) -> Kernel:
        scheduler: Scheduler = self._commons.part("scheduler", self._scheduler)

        def opened(stack: ExitStack) -> Kernel:
            return self.box.kernel(scheduler.client(name, priority))  # what expires while it waits, too

        found: Kernel = self._commons.part(f"client {name}", opened)
        return found

    def _scheduler(self, stack: ExitStack) -> Scheduler:
        def opened(stack: ExitStack) -> Kernel:
            kernel = open_kernel(model_of(self.order.kernel))
            stack.callback(kernel.close)
            return kernel

        metered = Metered(self._commons.part("kernel", opened), self.order.budget)
        return stack.enter_context(Scheduler(metered))

    @property
    def standing(self) -> tuple[float, float] | None:
        """Where the robot believes to stand, in m; None while none is connected."""
        return self.robot.belief.pose[:2] if self._commons.has("robot") else None

    @property
    def robot(self) -> RobotSession:
        """The robot, connected by the first who needs it."""

        def opened(stack: ExitStack) -> RobotSession:
            screen = self._commons.part("screen", lambda stack: ())
            robot = RobotSession(self.order, lambda: self._client("robot", "robot"), self.box, *screen)
            return stack.enter_context(robot)

        found: RobotSession = self._commons.part("robot", opened)
        return found

    def verdicts(self) -> list[Report]:
        """Return the reports of all missions so far, in the arena with the judge's last word."""
        return self.robot.verdicts() if self._commons.has("robot") else []
