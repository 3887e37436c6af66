"""What a model is told is true: the table is of this robot, each example is accepted, runs, and fits."""

import re

import pytest
from tests.bytecode.test_grammar import CUBE, SPARE, accepts

from llmbytecode import Outcome, assemble, verify
from llmbytecode.grammar import instructions
from llmos.inference._session import CONTEXT_TOKENS
from llmos.trial import try_blocks
from llmos.writing import WishError, clean_wish, writer_prompt
from llmos.writing._prompt import _UNTOLD, LONGEST_TOLD, LONGEST_WISH, complaint, examples, nearest
from llmos.writing._writer import EXAMPLES, FEWER, MAX_TOKENS


@pytest.mark.parametrize("example", examples(), ids=lambda example: example[0])
def test_every_example_is_a_program_of_the_grammar(example: tuple[str, str]) -> None:
    """The robot takes it, and a model can write it."""
    assert verify(assemble(example[1]), CUBE)
    assert accepts(CUBE, example[1])


def test_every_example_runs() -> None:
    """One after the other, on the virtual robot."""
    trials = try_blocks([assemble(program) for _, program in examples()])
    assert [trial.done.outcome for trial in trials] == [Outcome.COMPLETED] * len(examples())
    assert trials[-1].truth.collisions == 0


def test_the_table_tells_of_the_robots_instructions() -> None:
    """One line for each that is told, as the grammar wants it written; none that the robot lacks."""
    for limits in (CUBE, SPARE):
        lines = re.findall(r"^([A-Z]{2,})\b(.*?): ", writer_prompt(limits), re.MULTILINE)
        wanted = [row.name for row in instructions(limits) if row.name not in _UNTOLD]
        assert [name for name, _ in lines] == wanted
    told = {
        name: f"{name}{rest}"
        for name, rest in re.findall(r"^([A-Z]{2,})\b(.*?): ", writer_prompt(CUBE), re.M)
    }
    for row in instructions(CUBE):
        if row.name in told and row.category != "control":
            assert accepts(CUBE, f"{told[row.name]}\nEND\n"), told[row.name]


def test_no_place_is_left_open() -> None:
    """Every placeholder is filled in."""
    assert not re.search(r"[{}]", writer_prompt(CUBE))


def test_the_nearest_example_stands_last() -> None:
    """It shares the most words with the wish."""
    assert nearest("Blink GREEN three times!", 4)[-1][0] == "blink red five times"
    assert len(nearest("zzz", 4)) == 4


def test_prompt_and_answer_fit_the_context(smollm2) -> None:
    """With the longest wish, program, refusal and examples, for SmolLM2's tokenizer."""
    session, system = smollm2._session, writer_prompt(CUBE)
    wish = ("drive a square of 30 cm and blink " * 9)[:LONGEST_WISH]
    longest = sorted(examples(), key=lambda example: len(session.tokens(example[1])))
    first = session.prompt(system, wish, longest[-EXAMPLES:])
    program = "GUARD g0, front_left < 1234mm\n" * 100
    while len(session.tokens(program)) > MAX_TOKENS:
        program = program[:-1]
    refusal = complaint("rule duration, word 12, line 13: ms is 917083; " * 9)
    assert len(refusal) > LONGEST_TOLD
    again = session.prompt(system, refusal, [*longest[-FEWER:], (wish, program)])
    assert max(len(first), len(again)) + MAX_TOKENS <= CONTEXT_TOKENS


@pytest.mark.parametrize(
    ("wish", "cleaned"),
    [
        ("go", "go"),
        ("  go \n\n  on\t", "go on"),
        ("go\x1b[2Jon\x00", "go [2Jon"),
        ("\u202eog", "og"),
        ("x" * LONGEST_WISH, "x" * LONGEST_WISH),
    ],
)
def test_a_wish_is_one_clean_line(wish: str, cleaned: str) -> None:
    """Neither lines nor marks that a terminal obeys."""
    assert clean_wish(wish) == cleaned


@pytest.mark.parametrize(
    ("wish", "said"), [("", "empty"), ("\n\x00", "empty"), ("x" * 201, "201 characters")]
)
def test_what_is_no_wish_is_refused(wish: str, said: str) -> None:
    """In one line that says what to do."""
    with pytest.raises(WishError, match=said):
        clean_wish(wish)
