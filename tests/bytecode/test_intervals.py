"""What is claimed of the registers holds whenever a word is reached."""

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.generate import computing, valid

from llmbytecode import EmptyRoom, Machine, Outcome, Program, assemble
from llmbytecode._intervals import Code, intervals
from llmos.manifest import load_manifest

LIMITS = load_manifest("cube").limits._replace(actuators=7)
MOST = 3000  # steps of a run


def holds(program: Program) -> bool:
    """Run a block and say whether every register was always where it is claimed to be."""
    known = intervals(Code(program))
    machine = Machine(program, LIMITS, EmptyRoom(LIMITS))
    while machine.outcome is Outcome.RUNNING and machine.fuel < MOST:
        claimed = known[machine.pc]
        if any(not a.lo <= value <= a.hi for a, value in zip(claimed, machine.registers, strict=True)):
            return False
        machine.step()
    return True


@settings(max_examples=150)
@given(st.integers(0, 2**32))
def test_claims_hold(seed: int) -> None:
    """On loops that compute, and on blocks of every kind."""
    assert holds(computing(seed, LIMITS))
    assert holds(valid(seed, LIMITS, 24))


def before_end(text: str, register: int) -> tuple[int, int]:
    """Return what is known of a register before the last word of a program."""
    return tuple(intervals(Code(assemble(text)))[-1][register])


def test_a_register_that_is_added_to_has_the_loops_bound() -> None:
    """Counters and sums in nested loops, and what they are added to."""
    text = "LDI r1, 5\nLOOP 10\nLOOP 3\nADDI r2, 2\nADD r1, r1, r2\nENDLOOP\nADDI r3, -1\nENDLOOP\nEND"
    assert before_end(text, 2) == (2, 60)
    assert before_end(text, 3) == (-10, -1)
    low, high = before_end(text, 1)
    assert low == 7
    assert 5 + sum(range(2, 61, 2)) <= high < 5 + 30 * 70


def test_a_register_that_is_clamped_has_the_clamps_bound() -> None:
    """Widening is taken back."""
    text = "LDI r2, 100\nLOOP 9\nSENSE r3, x\nADD r1, r1, r3\nMIN r1, r1, r2\nMAX r1, r1, r0\nENDLOOP\nEND"
    assert before_end(text, 1) == (0, 100)
