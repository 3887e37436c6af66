"""Translating: a taught model is asked for a program with nothing but the wish."""

from llmos.kernel.prompt import system_prompt
from llmos.manifest import load_manifest
from llmos.writing import question, translate_program

ROBOT = load_manifest()
GOOD = "MOVE 40cm, 40mm/s\nEND\n"
FAR = "LOOP 20\nMOVE 1m, 40mm/s\nENDLOOP\nEND\n"


def test_the_model_reads_a_short_prompt_and_the_wish(scripted) -> None:
    """No examples; the grammar holds the answer."""
    kernel = scripted(GOOD)
    draft = translate_program("Go 40 cm\nahead.", kernel, ROBOT)
    assert (draft.accepted, draft.text, draft.wish) == (True, GOOD, "Go 40 cm ahead.")
    (request,) = kernel.asked
    assert (request.system, request.user) == (system_prompt("programmer"), "go 40 cm ahead")
    assert request.turns == ()
    assert request.grammar
    assert request.temperature == 0


def test_a_refused_program_is_drawn_anew(scripted) -> None:
    """With another seed, and some chance; the model was never taught to mend."""
    kernel = scripted(FAR, FAR, GOOD)
    draft = translate_program("go far", kernel, ROBOT, attempts=3, seed=4)
    assert draft.accepted
    assert [request.seed for request in kernel.asked] == [4, 5, 6]
    assert {request.user for request in kernel.asked} == {"go far"}
    assert [request.temperature > 0 for request in kernel.asked] == [False, True, True]
    assert not translate_program("go far", scripted(FAR), ROBOT, attempts=1).accepted


def test_the_same_wish_is_the_same_question() -> None:
    """Whatever its capitals, spaces and last sign."""
    assert {question(wish) for wish in ("Turn  left!", "turn left", "TURN LEFT. ", "turn left?")} == {
        "turn left"
    }
