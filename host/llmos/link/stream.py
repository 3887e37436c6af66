"""Blocks that follow each other: each is uploaded and queued while the one before it runs."""

import struct
from collections import deque
from collections.abc import Callable, Generator, Iterable
from typing import TYPE_CHECKING

from llmbytecode._isa import HEADER_FORMAT, Fault, FrameType, Header, Outcome
from llmbytecode.container import HEADER_SIZE, block_hash
from llmos.link.errors import LinkTimeout, robot_fault
from llmos.link.messages import Done, Telemetry

if TYPE_CHECKING:
    from llmos.link.robot import Robot

ANSWER_MS = 1000  # for a first word about a block that the robot should hold
GRACE_MS = 5000  # beyond the certificate, for a DONE


def certified_ms(container: bytes) -> int:
    """Return the worst-case duration that a container's header states, in ms; 0 where it has no header."""
    if len(container) < HEADER_SIZE:
        return 0
    return Header._make(struct.unpack_from(HEADER_FORMAT, container)).ms


class Stream:
    """One stream of blocks, behind `Robot.stream` and `Robot.run`.

    The robot answers each RUN and each NEXT once, by DONE or FAULT. `_sent` are the blocks whose answer is
    due: the one that runs, and the one behind it.
    """

    def __init__(self, robot: "Robot") -> None:
        """Stream to a robot that has a session."""
        self._robot = robot
        self._sent: deque[bytes] = deque()
        self._was_held = False  # the robot was believed to hold the block sent last

    def run(
        self, containers: Iterable[bytes], on_telemetry: Callable[[Telemetry], None] | None
    ) -> Generator[Done]:
        """Send the blocks and yield their ends; see `Robot.stream`."""
        robot = self._robot
        if on_telemetry:
            robot._on_telemetry = on_telemetry
        robot._ended.clear()
        robot._fault = None
        try:
            yield from self._run(containers)
        except LinkTimeout:  # nobody is there who could be stopped; the lease does it
            raise
        except BaseException:
            if on_telemetry:
                robot._on_telemetry = None  # it may be what failed, and would again while the robot stops
            if self._sent:
                robot._halt()
            raise
        finally:
            if on_telemetry:
                robot._on_telemetry = None

    def _run(self, containers: Iterable[bytes]) -> Generator[Done]:
        for container in containers:
            if self._robot._fault:
                self._refused()
            self._send(container)
            if len(self._sent) == 2:
                done = self._end()
                yield done
                if done.outcome != Outcome.COMPLETED:
                    yield from self._rest()
                    return
        if self._sent:
            yield self._end()

    def _rest(self) -> Generator[Done]:
        """Wait for what becomes of the queued block behind one that has not completed."""
        if self._answered(GRACE_MS) and self._robot._ended:
            yield self._end()
        self._sent.clear()

    def _send(self, container: bytes) -> None:
        """Run the block, behind the one that runs where one does; upload it where the robot lacks it."""
        robot, block = self._robot, block_hash(container)
        self._was_held = block in robot._held
        if not self._was_held:
            robot._accepted(robot.upload(container))
        robot._used(block)
        if self._sent:
            robot._request(FrameType.NEXT, block_hash(self._sent[-1]), block)
        else:
            robot.machine_code.prepare(robot, container, block)
            robot._request(FrameType.RUN, block)
            if self._was_held:  # a refusal is to come before another block is sent
                robot._pump(ANSWER_MS, lambda: robot._told or robot._fault or robot._ended)
        self._sent.append(container)

    def _end(self) -> Done:
        """Wait for the end of the block that runs."""
        robot = self._robot
        limit = certified_ms(self._sent[0]) + GRACE_MS
        while not robot._ended:
            if not self._answered(limit):
                robot.stop()
                if not self._answered(GRACE_MS):
                    raise robot._timeout("DONE", limit + GRACE_MS)
            elif robot._fault and not robot._ended:
                self._refused()
        self._sent.popleft()
        done, robot.events, robot.ended_ms = robot._ended.popleft()
        robot.machine_code.executed[done.block] += done.fuel
        return done

    def _answered(self, ms: int) -> bool:
        robot = self._robot
        return robot._pump(ms, lambda: robot._ended or robot._fault)

    def _refused(self) -> None:
        """Send the last block again where the robot has forgotten it; else it is an error."""
        fault = self._robot._fault
        container = self._sent.pop()
        if fault is None or fault.code != Fault.UNKNOWN_BLOCK or not self._was_held:
            raise robot_fault(*(fault or (0, 0)))
        self._robot._held.clear()
        self._send(container)
