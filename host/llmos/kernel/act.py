"""From a program's text to what became of it: assembled, proven, sent, run."""

from dataclasses import dataclass

from llmbytecode import Certificate, Flag, Limits, LLMBytecodeError, assemble, verify, write_container
from llmbytecode import Outcome as End
from llmos.kernel.belief import Belief
from llmos.kernel.frame import StepResult
from llmos.link import BlockRefused, Body, Done

BLIND = "a range sensor gives no valid reading"
TRIPPED = {1: "guard g0: the way ahead is too short", 5: "reflex: an obstacle is too near"}


@dataclass(frozen=True)
class Block:
    """A program with its proof, ready to be sent."""

    text: str
    certificate: Certificate
    container: bytes
    words: int


@dataclass(frozen=True)
class Acted:
    """What became of a block."""

    result: StepResult
    details: str
    done: Done | None = None


def prove(text: str, limits: Limits) -> Block:
    """Assemble and verify a program.

    Raises:
        LLMBytecodeError: the text is no program, or the verifier refuses it.
    """
    program = assemble(text)
    certificate = verify(program, limits)
    return Block(text, certificate, write_container(program, limits), len(program.words))


def refused(error: LLMBytecodeError | BlockRefused) -> Acted:
    """Return the outcome of a block that host or robot refused."""
    return Acted("refused", str(error).splitlines()[0])


def run_block(robot: Body, belief: Belief, block: Block) -> Acted:
    """Run a proven block; every telemetry frame goes into the belief."""
    try:
        done = robot.run(block.container, belief.hear)
    except BlockRefused as error:
        return refused(error)
    return judge(done, bool(robot.telemetry.flags & Flag.STALE))


def judge(done: Done, blind: bool) -> Acted:
    """Return what a block's end means for the cycle; `blind` where a range sensor gives no valid reading."""
    moved = f"drove {done.path_mm / 1000:.2f} m"
    if done.outcome == End.COMPLETED:
        return Acted("success", moved, done)
    if done.outcome == End.FAILED:
        why = BLIND if blind else TRIPPED.get(done.trip, f"code {done.code}")
        return Acted("blocked", f"{moved}; {why}", done)
    return Acted("timeout", f"{moved}; ended by {End(done.outcome).name.lower()}", done)
