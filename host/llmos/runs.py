"""Runs: blocks that a connected robot has run, and how each ended."""

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass

from llmbytecode import Certificate, Limits, Outcome, Program, read_container, verify
from llmbytecode.container import pack_container
from llmos.link import Body, Done, Event, Telemetry

REFLEX = 5  # TRIP's answer
ENDS = {
    Outcome.COMPLETED: "completed",
    Outcome.FAILED: "failed with code {code} at {place}",
    Outcome.STOPPED: "stopped by the host at {place}",
    Outcome.LEASE: "stopped at {place}: no valid frame arrived within the lease",
    Outcome.ESTOP: "stopped at {place}: the e-stop was latched",
    Outcome.FAULT: "stopped at {place}: the robot found a fault in itself",
}


@dataclass(frozen=True)
class Run:
    """What a host knows of a block that has ended: what was proved, used and said on the way."""

    program: Program
    certificate: Certificate
    done: Done
    events: list[Event]
    telemetry: list[Telemetry]
    ended_ms: int  # of the robot's clock, which in an arena is the truth's

    @property
    def used(self) -> dict[str, int]:
        """What the block used of each measure of its certificate."""
        done = self.done
        amounts = (done.fuel, done.ms, done.path_mm, done.rotation_mrad, len(self.events))
        return dict(zip(Certificate._fields, amounts, strict=False))


Block = tuple[Program, Certificate, bytes]


def certified(program: Program | bytes, limits: Limits) -> Block:
    """Return a block with its certificate and container; of a container, what it claims.

    Raises:
        LLMBytecodeError: the program breaks a rule, or the container is damaged.
    """
    if isinstance(program, bytes):
        container = read_container(program)
        return container.program, container.certificate, program
    certificate = verify(program, limits)
    return program, certificate, pack_container(program, certificate, limits)


def run_blocks(robot: Body, blocks: Sequence[Block]) -> list[Run]:
    """Stream blocks to a connected robot until one does not complete; raises as `Robot.stream` does."""
    telemetry: list[Telemetry] = []
    runs = []
    with closing(robot.stream([container for _, _, container in blocks], telemetry.append)) as ended:
        for done, (program, certificate, _) in zip(ended, blocks, strict=False):
            end = robot.ended_ms
            own = [one for one in telemetry if end - done.ms <= one.ms <= end]
            runs.append(Run(program, certificate, done, robot.events, own, end))
    return runs


def ended(run: Run) -> str:
    """Say how a block ended."""
    done = run.done
    return ENDS[Outcome(done.outcome)].format(code=done.code, place=place(run, done.pc)) + cut_short(run)


def cut_short(run: Run) -> str:
    """Say what ended a block's last move or wait early; empty where nothing did."""
    return f"; {cut_by(run.done.trip)} had ended its last move or wait" if run.done.trip else ""


def cut_by(trip: int) -> str:
    """Return the name of what ends a move early, by TRIP's number."""
    return "the reflex" if trip == REFLEX else f"guard g{trip - 1}"


def place(run: Run, word: int) -> str:
    """Return a word's place in its source."""
    line = run.program.line(word)
    return f"line {line}" if line else f"word {word}"
