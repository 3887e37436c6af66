"""A session: what tools work with, whose permissions hold, and how much may still be used."""

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Protocol, Self

from llmos.blackbox import Box
from llmos.brains.opening import model_of
from llmos.inference import Kernel, open_kernel
from llmos.kernel.config import Config, load_config
from llmos.manifest import Manifest, load_manifest
from llmos.report import Order
from llmos.tools.robot import RobotSession, parts_of
from llmos.tools.tool import ToolError

if TYPE_CHECKING:
    from llmos.memory import Memory
    from llmos.volumes import Volumes


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
    """How often tools may still be called by an agent and all that it calls."""

    most: int
    made: int = 0
    of: dict[str, int] = field(default_factory=dict)  # of each tool

    def count(self, name: str, most: int) -> None:
        """Take one call.

        Raises:
            ToolError: all have been made.
        """
        if self.made >= self.most:
            raise ToolError(
                f"{name}: all {self.most} calls of tools are used up (kernel/config.md, tool_calls)"
            )
        if self.of.get(name, 0) >= most:
            raise ToolError(
                f"{name}: it was called {most} times, which is the most (kernel/tool_registry.md)"
            )
        self.made += 1
        self.of[name] = self.of.get(name, 0) + 1


class Commons:
    """What a session shares with those of the agents below it; each part is opened when it is needed."""

    def __init__(self, order: Order, box: Box, given: Mapping[str, Any]) -> None:
        self.order, self.box = order, box
        self._parts: dict[str, Any] = {name: part for name, part in given.items() if part is not None}
        self._stack = ExitStack()

    def part(self, name: str, opened: Callable[[ExitStack], Any]) -> Any:
        """Return a part, opened by `opened` where it is not there yet."""
        if name not in self._parts:
            self._parts[name] = opened(self._stack)
        return self._parts[name]

    def close(self) -> None:
        """Close what was opened here; what was given stays open."""
        self._stack.close()
        self._parts.clear()


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
    """

    def __init__(
        self,
        order: Order | None = None,
        *,
        volumes: "Volumes | None" = None,
        memory: "Memory | None" = None,
        kernel: Kernel | None = None,
        robot: RobotSession | None = None,
        box: Box | None = None,
        project: str = "",
        agent: Caller | None = None,
        trace: str = "",
        run: str = "",
        may_reset: bool = False,
        config: Config | None = None,
    ) -> None:
        given = {"volumes": volumes, "memory": memory, "kernel": kernel, "robot": robot}
        self._commons = Commons(order or Order(goal=""), box or Box(), given)
        self.project, self.agent, self.trace, self.run, self.may_reset = project, agent, trace, run, may_reset
        self.config = config or load_config()
        self.calls = Calls(self.config.tool_calls)
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
            ToolError: the agent is in the chain of those that call already, or the chain is too long.
        """
        path = " → ".join([*self.chain, agent.name])
        if agent.name in self.chain:
            raise ToolError(f"{path}: agents call each other in a circle; let {self.chain[-1]} do it itself")
        if len(self.chain) >= self.config.agent_depth:
            raise ToolError(
                f"{path}: that is deeper than {self.config.agent_depth} agents (kernel/config.md)"
            )
        lower = object.__new__(type(self))
        lower.__dict__ |= self.__dict__
        lower.agent, lower.trace, lower.chain = agent, trace or self.trace, (*self.chain, agent.name)
        return lower

    @property
    def order(self) -> Order:
        """Where, and with which robot."""
        return self._commons.order

    @property
    def box(self) -> Box:
        """What all that comes from outside passes through."""
        return self._commons.box

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
    def volumes(self) -> "Volumes":
        """The markdown."""

        def opened(stack: ExitStack) -> "Volumes":
            from llmos.volumes import Volumes

            return Volumes()

        found: Volumes = self._commons.part("volumes", opened)
        return found

    @property
    def memory(self) -> "Memory":
        """What is remembered."""

        def opened(stack: ExitStack) -> "Memory":
            from llmos.memory import Memory

            return stack.enter_context(Memory())

        found: Memory = self._commons.part("memory", opened)
        return found

    @property
    def kernel(self) -> Kernel:
        """Who is asked."""

        def opened(stack: ExitStack) -> Kernel:
            kernel = open_kernel(model_of(self.order.kernel))
            stack.callback(kernel.close)
            return self.box.kernel(kernel)

        found: Kernel = self._commons.part("kernel", opened)
        return found

    @property
    def robot(self) -> RobotSession:
        """The robot, connected by the first who needs it."""

        def opened(stack: ExitStack) -> RobotSession:
            return stack.enter_context(RobotSession(self.order, lambda: self.kernel, self.box))

        found: RobotSession = self._commons.part("robot", opened)
        return found
