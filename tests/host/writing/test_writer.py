"""The loop of writing: every attempt is judged by the verifier, whose word the next one hears."""

import pytest
from tests.bytecode.test_grammar import CUBE, accepts

from llmos.inference import open_kernel
from llmos.manifest import load_manifest
from llmos.writing import write_program
from llmos.writing._writer import EXAMPLES

ROBOT = load_manifest()
GOOD = "MOVE 40cm, 40mm/s\nEND\n"
FAR = "LOOP 20\nMOVE 1m, 40mm/s\nENDLOOP\nEND\n"


def test_an_accepted_program_ends_the_loop(scripted) -> None:
    """With its certificate; the kernel was asked once, under this robot's grammar."""
    kernel = scripted(GOOD)
    draft = write_program("go 40 cm\nahead", kernel, ROBOT)
    assert (draft.accepted, draft.text, len(draft.attempts)) == (True, GOOD, 1)
    assert draft.certificate is not None
    assert draft.certificate.path_mm == 400
    request = kernel.asked[0]
    assert (request.user, request.temperature) == ("go 40 cm ahead", 0.0)
    assert request.grammar
    assert len(request.turns) == EXAMPLES


def test_a_refusal_is_told_and_the_program_written_again(scripted) -> None:
    """The next request holds the refused program, the rule, and the smallest change that would pass."""
    kernel = scripted(FAR, GOOD)
    draft = write_program("go far", kernel, ROBOT)
    assert draft.accepted
    assert [attempt.well_formed for attempt in draft.attempts] == [True, True]
    second = kernel.asked[1]
    assert second.turns[-1] == ("go far", FAR)
    assert "rule duration" in second.user
    assert "line 1: write LOOP 4 instead of LOOP 20" in second.user
    assert (second.temperature > 0, second.seed) == (True, 1)


def test_the_attempts_are_bounded(scripted) -> None:
    """Then there is no program, but all that was tried."""
    draft = write_program("go far", scripted(FAR, FAR, FAR, GOOD), ROBOT, attempts=3)
    assert (draft.accepted, draft.program, draft.certificate) == (False, None, None)
    assert [attempt.text for attempt in draft.attempts] == [FAR] * 3
    assert draft.seconds == pytest.approx(1.5)


def test_a_program_that_was_cut_off_is_closed(scripted) -> None:
    """Its torn line is left out."""
    draft = write_program("go", scripted("LOOP 4\nMOVE 10cm, 40mm/s\nTURN 9", cut=True), ROBOT)
    assert draft.text == "LOOP 4\nMOVE 10cm, 40mm/s\nENDLOOP\nEND\n"
    assert draft.accepted


@pytest.mark.parametrize(
    "text", ["", "I drive forward!", "MOVE 40cm, 400mm/s\nEND\n", "\x00\n", "MOVE", "é\n" * 9999]
)
def test_what_is_no_program_is_an_attempt_like_any_other(scripted, text: str) -> None:
    """A server without grammars may say anything."""
    draft = write_program("go", scripted(text, GOOD), ROBOT)
    assert draft.accepted
    assert draft.attempts[0].refusal
    assert "\n" not in draft.attempts[0].refusal


def test_a_program_in_a_fence_is_found(scripted) -> None:
    """As chat models write where no grammar holds them."""
    assert write_program("go", scripted(f"Sure!\n```lasm\n{GOOD}```\nDone."), ROBOT).text == GOOD


def test_chance_writes_programs_too() -> None:
    """What the grammar alone gives: form always, sense never."""
    kernel = open_kernel("random")
    for seed in range(10):
        for attempt in write_program("go", kernel, ROBOT, seed=seed).attempts:
            assert attempt.well_formed
            assert accepts(CUBE, attempt.text)


def test_smollm2_writes_a_program(smollm2) -> None:
    """Well-formed whatever it is asked, and of the grammar; where an example is near, what was asked."""
    draft = write_program("go 40 cm forward", smollm2, ROBOT)
    assert "MOVE 40cm" in draft.text
    odd = write_program("¿?", smollm2, ROBOT, attempts=1, max_tokens=60)
    for attempt in (*draft.attempts, *odd.attempts):
        assert attempt.well_formed
        assert accepts(CUBE, attempt.text)
