"""The steps of the SPEC's section 9, each held against runs."""

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.bytecode.costs import MEASURES, costs_from, counting, own_cost
from tests.bytecode.meaning import Meaning
from tests.generate import valid

from llmbytecode import Op, Program, assemble
from llmbytecode._isa import Chan
from llmbytecode.machine import Ended, Guards
from llmbytecode.program import decode
from llmos.manifest import load_manifest

CUBE = load_manifest().limits
LONGEST = 400  # steps of a run that are looked at
seeds = st.integers(0, 2**64 - 1)


class Whim:
    """A world in which anything is read and any move may end early."""

    def __init__(self, rng: Random) -> None:
        self.rng = rng

    def begin(self) -> None:
        """Nothing to note."""

    def sense(self, channel: int) -> int:
        """Return a small number or a far extreme."""
        return self.rng.choice([-(2**31), -1, 0, 1, 2, 65535, 2**31 - 1])

    def move(self, distance_mm: int, speed: int, guards: Guards) -> Ended:
        """End by itself or not."""
        return Ended(self.rng.choice([0, 0, 1, 5]), 0, 0, 0)

    turn = move

    def drive(self, left: int, right: int, ms: int, guards: Guards) -> Ended:
        """End by itself or not."""
        return self.move(left, right, guards)

    def wait(self, ms: int, guards: Guards) -> Ended:
        """End by itself or not."""
        return self.move(ms, 0, guards)


class Step:
    """A word that was executed, and the state before and after."""

    def __init__(self, run: Meaning) -> None:
        self.word, self.stack = run.pc, list(run.stack)
        self.op = Op(decode(run.program.words[run.pc])[0].code)  # type: ignore[index]
        self.guards = list(run.g)
        run.step()
        self.ended = bool(run.outcome)

    @property
    def leaves(self) -> bool:
        """Whether it ends the round, the loop, the procedure or the block that its word stands in."""
        return self.ended or self.op in (Op.ENDLOOP, Op.EXIT, Op.RET)


def steps_of(seed: int, program: Program) -> list[Step]:
    """Return the first steps of a run in a world that follows from the seed."""
    run, steps = Meaning(program, Whim(Random(seed))), []
    while not run.outcome and len(steps) < LONGEST:
        steps.append(Step(run))
    return steps


def loops_around(program: Program) -> list[int]:
    """Return in how many loop bodies each word stands."""
    depths, depth = [], 0
    for word in program.words:
        depths.append(depth)
        op = decode(word)[0].code  # type: ignore[index]
        depth += (op in (Op.LOOP, Op.LOOPR)) - (op == Op.ENDLOOP)
    return depths


@settings(max_examples=200)
@given(seeds)
def test_the_stack_has_its_shape(seed: int) -> None:
    """Section 9.2: from the top, the rounds of the loops around a word, then the word to return to."""
    program = valid(seed, CUBE)
    depths = loops_around(program)
    for step in steps_of(seed, program):
        stack, word = list(step.stack), step.word
        assert len(stack) <= 24
        while True:
            rounds = [stack.pop() for _ in range(depths[word])]
            assert all(left >= 1 for left in rounds)
            if not stack:
                break
            word = stack.pop() - 1
            assert decode(program.words[word])[0].code == Op.CALL  # type: ignore[index]


def stretch(steps: list[Step], start: int) -> list[Step]:
    """Return the steps from one on to where control leaves its round, loop, procedure or block."""
    depth = len(steps[start].stack)
    for at in range(start, len(steps)):
        if steps[at].ended or (steps[at].leaves and len(steps[at].stack) == depth):
            return steps[start : at + 1]
    return steps[start:]


@settings(max_examples=60)
@given(seeds)
def test_no_stretch_costs_more_than_its_first_word_says(seed: int) -> None:
    """Section 9.4: from each word on, what its loop body or part executes costs at most C(w)."""
    program = valid(seed, CUBE)
    totals = costs_from(program, CUBE)
    own = [own_cost(word, CUBE) for word in program.words]
    steps = steps_of(seed, program)
    for start in range(0, len(steps), 1 + len(steps) // 60):
        executed = stretch(steps, start)
        for measure in MEASURES:
            used = sum(own[step.word][measure] for step in executed)
            assert used <= totals[steps[start].word][measure], (start, measure)


@settings(max_examples=200)
@given(seeds)
def test_guards_that_count_are_armed(seed: int) -> None:
    """Section 9.5: each guard that counts at a word is armed on `front` with `<` when it is executed."""
    program = valid(seed, CUBE)
    counts = counting(program)
    for step in steps_of(seed, program):
        armed = {n for n, guard in enumerate(step.guards) if guard and guard[:2] == (Chan.FRONT, 0)}
        assert counts[step.word] is not None
        assert counts[step.word] <= armed


def test_the_deepest_stack_is_reached() -> None:
    """Section 9.2: four loops, and four times a call with four loops."""
    part = "LOOP 2\n" * 4 + "{inside}\n" + "ENDLOOP\n" * 4
    text = part.format(inside="CALL p1") + "END\n"
    for depth in range(1, 5):
        inside = f"CALL p{depth + 1}" if depth < 4 else "ADDI r1, 1"
        text += f"p{depth}: PROC\n{part.format(inside=inside)}RET\n"
    assert max(len(step.stack) for step in steps_of(0, assemble(text))) == 24
