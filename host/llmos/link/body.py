"""What whoever drives needs of a robot: a connected one has it, and so has the record of a drive."""

from collections.abc import Callable, Generator, Iterable
from contextlib import closing
from typing import Protocol, TypeVar

from llmos.link.messages import Done, Event, Telemetry

_Result = TypeVar("_Result")


class Timepiece(Protocol):
    """Tells a robot's time."""

    @property
    def simulated(self) -> bool:
        """Whether the time stands still while the host computes."""

    def now(self) -> int:
        """Return the time in ms since the clock began."""


class Body(Protocol):
    """The part of `llmos.link.Robot` that a mind acts and senses through; see there."""

    @property
    def clock(self) -> Timepiece:
        """The robot's time."""

    @property
    def telemetry(self) -> Telemetry:
        """The newest telemetry."""

    @property
    def events(self) -> list[Event]:
        """Reports of the block that has ended last."""

    @property
    def ended_ms(self) -> int:
        """When it did."""

    def run(self, container: bytes, on_telemetry: Callable[[Telemetry], None] | None = None) -> Done:
        """Run a block, and return how it ended."""

    def stream(
        self, containers: Iterable[bytes], on_telemetry: Callable[[Telemetry], None] | None = None
    ) -> Generator[Done]:
        """Run blocks without a stop between them, and yield how each ended."""

    def wait(self, ms: int) -> None:
        """Let time pass."""

    def think(self, function: Callable[[], _Result]) -> _Result:
        """Return `function()`, with the robot held meanwhile."""


class AroundBody:
    """What a body around another has of it: a base for those that record, stop or bound what it does."""

    def __init__(self, body: Body) -> None:
        self._body = body
        self.clock: Timepiece = body.clock

    @property
    def telemetry(self) -> Telemetry:
        """The newest telemetry."""
        return self._body.telemetry

    @property
    def events(self) -> list[Event]:
        """Reports of the block that has ended last."""
        return self._body.events

    @property
    def ended_ms(self) -> int:
        """When it did."""
        return self._body.ended_ms

    def run(self, container: bytes, on_telemetry: Callable[[Telemetry], None] | None = None) -> Done:
        """Run a block; see `Robot.run`."""
        with closing(self.stream([container], on_telemetry)) as ended:
            return next(ended)

    def stream(
        self, containers: Iterable[bytes], on_telemetry: Callable[[Telemetry], None] | None = None
    ) -> Generator[Done]:
        """Run blocks; see `Robot.stream`."""
        return self._body.stream(containers, on_telemetry)

    def wait(self, ms: int) -> None:
        """Let time pass."""
        self._body.wait(ms)

    def think(self, function: Callable[[], _Result]) -> _Result:
        """Return `function()`, with the robot held meanwhile."""
        return self._body.think(function)
