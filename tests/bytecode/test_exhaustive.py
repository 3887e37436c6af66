"""The certificate against every run of every small program, in every world."""

from itertools import product

import pytest
from tests.exhaustive import (
    ALPHABETS,
    LIMITS,
    Explorer,
    Skeleton,
    Tally,
    compare,
    examine,
    is_tight,
    programs,
    skeletons,
    survey,
)

from llmbytecode import Program, Refusal, assemble, verify
from llmbytecode.program import BY_NAME, encode

SURVEYED = {  # up to so many slots: how many programs there are, how many runs, how many programs are tight
    "control": (5, Tally(4393, 16489, 4293, 4309, 4383, 1265)),
    "loops": (6, Tally(1829, 49691, 1601, 1631, 1801, 1277)),
    "calls": (6, Tally(4959, 50444, 3950, 4581, 4897, 2216)),
    "acts": (4, Tally(1119, 26041, 1119, 1119, 1119, 714)),
    "guards": (5, Tally(11219, 36834, 10813, 11079, 11213, 2458)),
    "trips": (4, Tally(1358, 3072, 404, 1006, 1211, 241)),
}


@pytest.mark.parametrize("name", ALPHABETS)
def test_no_run_of_any_small_program_exceeds_its_certificate(name: str) -> None:
    """24,877 programs and 182,571 runs: none exceeds its certificate, and the tight ones reach it.

    No forward move begins unguarded where the certificate says so, and both verifiers agree.
    """
    slots, expected = SURVEYED[name]
    tally = Tally()
    for size in range(1, slots + 1):
        for names in skeletons(size, ALPHABETS[name]):
            tally = tally.plus(survey(names))
    assert tally == expected


ONE_WORD = ("MOVE", "BARE", "JMP", "LOOP", "EXIT", "PROC", "CALL", "RET", "END")
AIMED = (("BEQ", "c"), ("JMP", "i"), ("ENDLOOP", "i"), ("EXIT", "i"), ("CALL", "i"))


def words_of(slots: int) -> set[tuple[int, ...]]:
    """Each sequence of so many words that the verifier accepts, of all sequences of the words above."""
    base = {"a": 1, "b": 0, "c": 0, "i": 2}
    words = [encode(BY_NAME[name], base) for name in ("MOVE", "LOOP", "PROC", "RET", "END")]
    for distance in range(1, max(slots, 2)):
        words += [encode(BY_NAME[name], base | {field: distance}) for name, field in AIMED]
    return {some for some in product(words, repeat=slots) if accepted(some)}


def accepted(words: tuple[int, ...]) -> bool:
    """Say whether the verifier accepts a block."""
    try:
        verify(Program(list(words)), LIMITS)
    except Refusal:
        return False
    return True


def bare(program: Program) -> tuple[int, ...]:
    """A skeleton's words, with each move and each condition made the same."""
    ops = {
        int(BY_NAME[name].code): int(BY_NAME["BEQ"].code) | 1 << 8 for name in ("BEQ", "BNE", "BLT", "BGE")
    }
    move = encode(BY_NAME["MOVE"], {"a": 1, "i": 2})
    return tuple(
        move
        if word & 0xFF == move & 0xFF
        else ops[word & 0xFF] | word & 0xFF000000
        if word & 0xFF in ops
        else word
        for word in program.words
    )


@pytest.mark.parametrize("slots", [1, 2, 3, 4])
def test_skeletons_are_all_that_the_verifier_accepts(slots: int) -> None:
    """Of all sequences of up to 4 words, with all distances within them, exactly the skeletons are valid."""
    made = [bare(program) for names in skeletons(slots, ONE_WORD) for program in programs(names)]
    assert len(set(made)) == len(made)
    assert set(made) == words_of(slots)


LOOSE = {
    "branches on the same reading": (
        "SENSE r1, front\nBEQ r1, r0, a\nMOVE 10mm, 40mm/s\na: BNE r1, r0, b\nMOVE 20mm, 40mm/s\nb: END",
        30,
        20,
    ),
    "a branch on a constant": ("BEQ r0, r0, a\nMOVE 10mm, 40mm/s\na: END", 10, 0),
    "a number of rounds that is constant": (
        "LDI r1, 1\nLOOPR r1, max 3\nMOVE 10mm, 40mm/s\nENDLOOP\nEND",
        30,
        10,
    ),
    "a loop that is left": ("LOOP 5\nMOVE 10mm, 40mm/s\nEXIT\nENDLOOP\nEND", 50, 10),
    "the longest way through a body leaves the loop": (
        "LOOP 5\nSENSE r1, front\nBEQ r1, r0, a\nMOVE 10mm, 40mm/s\nEXIT\na: MOVE 2mm, 40mm/s\nENDLOOP\nEND",
        50,
        18,
    ),
    "a block that ends in a loop": ("LOOP 5\nMOVE 10mm, 40mm/s\nEND\nENDLOOP\nMOVE 7mm, 40mm/s\nEND", 57, 10),
    "a block that ends in a procedure": ("CALL p\nMOVE 10mm, 40mm/s\nEND\np: PROC\nEND", 10, 0),
    "a guard that cannot have tripped": (
        "TURN 90deg, 500mrad/s\nTRIP r1\nBEQ r1, r0, a\nMOVE 10mm, 40mm/s\na: END",
        10,
        0,
    ),
}


@pytest.mark.parametrize("what", LOOSE)
def test_where_the_certificate_is_not_reached(what: str) -> None:
    """The rules know no values and no order of events: here no run drives as far as is certified."""
    text, certified, driven = LOOSE[what]
    explorer = Explorer(assemble(text), LIMITS)
    worst = explorer.explore()
    assert explorer.machine.certificate.path_mm == certified
    assert worst.measures.path_mm == driven
    assert compare(explorer.machine.certificate, worst, LIMITS)[:2] == ("", False)


def test_guarded_is_careful() -> None:
    """A guard that a loop arms anew does not count in its body, though it is always armed there."""
    text = "GUARD g0, front < 100mm\nLOOP 2\nMOVE 10mm, 40mm/s\nGUARD g0, front < 100mm\nENDLOOP\nEND"
    explorer = Explorer(assemble(text), LIMITS)
    assert not explorer.explore().unguarded
    assert not explorer.machine.certificate.guarded


TIGHT: Skeleton = ("MOVE", "TURN", "LOOP", "BRANCH", "REPORT", "ENDLOOP", "GUARD", "WAIT", "END")


@pytest.mark.parametrize("field", ["fuel", "ms", "path_mm", "rotation_mrad", "reports"])
def test_one_unit_too_little_is_found(field: str) -> None:
    """A certificate that says one unit less in any measure is exceeded, one that says more is not reached."""
    assert is_tight(TIGHT)
    explorer = Explorer(next(programs(TIGHT)), LIMITS)
    worst, right = explorer.explore(), explorer.machine.certificate
    assert compare(right, worst, LIMITS)[:2] == ("", True)
    less = right._replace(**{field: getattr(right, field) - 1})
    assert compare(less, worst, LIMITS)[0].startswith(f"{field}: a run takes")
    more = right._replace(**{field: getattr(right, field) + 1})
    assert compare(more, worst, LIMITS)[:2] == ("", False)


def test_a_false_promise_of_guards_is_found() -> None:
    """So is a certificate that calls an unguarded move guarded."""
    explorer = Explorer(next(programs(("MOVE", "END"))), LIMITS)
    worst = explorer.explore()
    lie = explorer.machine.certificate._replace(guarded=1)
    assert compare(lie, worst, LIMITS)[0].startswith("guarded: ")


def test_a_skeleton_that_is_not_reached_is_told() -> None:
    """An examination fails where a program is meant to be tight and falls short of its certificate."""
    loose = assemble(LOOSE["a branch on a constant"][0])
    with pytest.raises(AssertionError, match="not reached"):
        examine(("BRANCH", "MOVE", "END"), loose)
