"""What stands between a mind and the world: nothing, a recorder, or the player of a record."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from llmos.inference import Kernel
from llmos.link import Body

if TYPE_CHECKING:
    from llmos.kernel.goal import Goal
    from llmos.kernel.mind import Mind, Step
    from llmos.manifest import Manifest
    from llmos.report import Report
    from llmos.sim.arena import Arena
    from llmos.writing import Draft


class Box:
    """Lets all pass, and keeps nothing: the black box of a run that nobody records."""

    trouble = ""  # why the record is not whole
    plays = False  # whether a record takes the world's place: then nothing else may be changed

    def __enter__(self) -> Self:
        """Return the box."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the record."""

    def setting(self, arena: "Arena", manifest: "Manifest", goal: "Goal") -> None:
        """Take in where the run takes place, with which robot, and what for."""

    def kernel(self, kernel: Kernel) -> Kernel:
        """Return a kernel whose answers pass through the box; for each kernel that is opened, once."""
        return kernel

    @contextmanager
    def connected(self, connection: Callable[[], AbstractContextManager[Body]]) -> Iterator[Body]:
        """Connect to a robot whose telemetry passes through the box."""
        with connection() as body:
            yield body

    def outside(self, name: str, function: Callable[[], Any]) -> Any:
        """Return what a function says of the world: None, bytes, or what JSON has.

        For whatever is neither a kernel nor the robot; on the mind's own thread only.
        """
        return function()

    def driven_by(self, mind: "Mind") -> None:
        """Take in who drives."""

    def program(self, draft: "Draft") -> None:
        """Take in a behaviour's program."""

    def step(self, step: "Step") -> None:
        """Take in a step that is done."""

    def calling(self, name: str, arguments: Mapping[str, Any], by: str) -> None:
        """Take in that a tool is called, with which arguments, and by whom; a person has no name."""

    def called(self, name: str, success: bool, said: Any) -> None:
        """Take in what came of the call; calls within a call come before it."""

    def ending(self, report: "Report") -> None:
        """Take in how it ended, as the mind has it: before the judge has spoken."""

    def end(self, report: "Report") -> None:
        """Take in how it ended, as the judge has it."""
