"""Where the worst case comes from: the shares add up to the certificate, and stand where they belong."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.cases import Case, cases
from tests.generate import valid

from llmbytecode import Machine, Outcome, Program, Refusal, assemble, verify
from llmbytecode.account import Account, Measures, account, attribute
from llmbytecode.machine import Ended, Guards
from llmos.manifest import load_manifest

CUBE = load_manifest().limits
SQUARE = "LOOP 4\nMOVE 300mm, 40mm/s\nTURN 90deg, 500mrad/s\nWAIT 200ms\nENDLOOP\nEND"


def certified(program: Program) -> Measures:
    """The certificate's first five measures."""
    return Measures(*verify(program, CUBE)[: len(Measures._fields)])


def runs(told: Account, measure: str) -> list[int]:
    """How often each word runs on a measure's worst path."""
    return [getattr(share.runs, measure) for share in told.shares]


@given(st.integers(0, 2**64 - 1), st.integers(1, 120))
def test_the_shares_add_up_to_the_certificate(seed: int, size: int) -> None:
    """In every measure, for every block; a word that runs costs its runs."""
    program = valid(seed, CUBE, size)
    told = account(program, CUBE)
    assert told.total == certified(program)
    assert len(told.shares) == len(program.words)
    for share in told.shares:
        assert share.cost.fuel == share.runs.fuel
        assert all(cost == 0 for n, cost in zip(share.runs, share.cost, strict=True) if n == 0)


@pytest.mark.parametrize("case", [case for case in cases("ok") if not case.sections.get("limits")], ids=str)
def test_the_shares_add_up_in_the_vectors(case: Case) -> None:
    """For the blocks that were written by hand too."""
    assert account(case.program, CUBE).total == certified(case.program)


def test_a_square_by_its_words() -> None:
    """Four sides, four turns and four waits, each with its ramps and one poll."""
    told = account(assemble(SQUARE), CUBE)
    assert runs(told, "ms") == [1, 4, 4, 4, 4, 1]
    assert [share.line for share in told.shares] == [1, 2, 3, 4, 5, 6]
    assert [share.cost.path_mm for share in told.shares] == [0, 1200, 0, 0, 0, 0]
    assert [share.cost.rotation_mrad for share in told.shares] == [0, 0, 6280, 0, 0, 0]
    side = 1000 * 300 // 40 + -(-1000 * 40 // 23) + 50
    assert told.shares[1].cost.ms == 4 * side
    assert told.shares[3].cost.ms == 4 * (200 + 50)
    assert told.executing_ms == 1  # 18 words of 50 µs


def test_each_measure_takes_its_own_way() -> None:
    """Where one way lasts longer and the other goes farther, each is blamed for its own."""
    told = account(assemble("BEQ r0, r1, far\nWAIT 60s\nEND\nfar: MOVE 1m, 40mm/s\nEND"), CUBE)
    assert (runs(told, "ms"), runs(told, "path_mm")) == ([1, 1, 1, 0, 0], [1, 0, 0, 1, 1])
    assert told.total == (3, told.shares[1].cost.ms + 1, 1000, 0, 0)


def test_ways_that_cost_the_same_stay_together() -> None:
    """A measure that does not care takes the way that lasts longer, so that the paths agree."""
    told = account(assemble("BEQ r0, r1, late\nEND\nlate: WAIT 1s\nEND"), CUBE)
    assert runs(told, "reports") == runs(told, "ms") == [1, 0, 1, 1]


def test_a_procedure_runs_as_often_as_it_is_called() -> None:
    """Through loops and other procedures."""
    text = "LOOP 3\nCALL p\nENDLOOP\nCALL q\nEND\np: PROC\nCALL q\nRET\nq: PROC\nWAIT 10ms\nRET"
    assert runs(account(assemble(text), CUBE), "ms")[-3:] == [4, 4, 4]


def test_what_is_not_reached_costs_nothing() -> None:
    """Neither behind a jump nor in a procedure that nothing calls."""
    told = account(assemble("JMP on\nWAIT 9s\non: END\nPROC\nWAIT 9s\nRET"), CUBE)
    assert runs(told, "ms") == [1, 0, 1, 0, 0, 0]


def test_a_refused_block_has_no_account() -> None:
    """What is beyond a limit can be attributed, without saturation; what breaks a rule of form cannot."""
    endless = assemble("LOOP 65535\nLOOP 65535\nWAIT 65s\nENDLOOP\nENDLOOP\nEND")
    with pytest.raises(Refusal, match="rule fuel"):
        account(endless, CUBE)
    assert attribute(endless, CUBE).shares[2].cost.ms == 65535 * 65535 * 65050
    with pytest.raises(Refusal, match="rule speed"):
        attribute(assemble("MOVE 1m, 99mm/s\nEND"), CUBE)


class Slow:
    """A world in which every move and wait takes what the SPEC allows it at most."""

    def begin(self) -> None:
        """Nothing to do."""

    def sense(self, _channel: int) -> int:
        """Everything reads the same."""
        return 1000

    def move(self, distance_mm: int, speed: int, _guards: Guards) -> Ended:
        """As section 5.3 has it."""
        ms = -(-1000 * abs(distance_mm) // speed) + -(-1000 * speed // CUBE.accel) + CUBE.tick_ms
        return Ended(0, ms, abs(distance_mm), 0)

    def turn(self, angle_mrad: int, rate: int, _guards: Guards) -> Ended:
        """As section 5.3 has it."""
        ms = -(-1000 * abs(angle_mrad) // rate) + -(-1000 * rate // CUBE.turn_accel) + CUBE.tick_ms
        return Ended(0, ms, 0, abs(angle_mrad))

    def drive(self, _left: int, _right: int, ms: int, _guards: Guards) -> Ended:
        """Nothing here drives."""
        return Ended(0, ms, 0, 0)

    def wait(self, ms: int, _guards: Guards) -> Ended:
        """With the whole poll behind it."""
        return Ended(0, ms + CUBE.tick_ms, 0, 0)


@pytest.mark.parametrize("text", [SQUARE, SQUARE.replace("LOOP 4", "LDI r1, 3\nLOOPR r1, max 3")])
def test_a_run_without_branches_uses_what_the_account_says(text: str) -> None:
    """Word for word, where every move takes its longest."""
    program = assemble(text)
    told, machine = account(program, CUBE), Machine(program, CUBE, Slow())
    seen = [0] * len(program.words)
    while machine.outcome is Outcome.RUNNING:
        seen[machine.pc] += 1
        machine.step()
    assert seen == runs(told, "fuel") == runs(told, "ms")
    assert machine.ms == told.total.ms - told.executing_ms
