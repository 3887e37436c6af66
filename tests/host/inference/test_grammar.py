"""A grammar holds every kernel that can be held, token by token; the others say so or are asked without."""

import re

import pytest

from llmbytecode import assemble
from llmbytecode.grammar import closed, grammar
from llmos.inference import InferenceError, Request, open_kernel
from llmos.inference._constraint import best_constraint
from llmos.manifest import load_manifest

COLOURS = 'root ::= ("red" | "blue") " " [1-3]{2} "\\n"\n'
LEGAL = re.compile(r"(red|blue) [1-3]{2}\n")


def request(**changes) -> Request:
    """A question that the grammar answers."""
    fields = {"system": "Say a colour.", "user": "The sky?", "grammar": COLOURS, "deadline_s": 300.0}
    return Request(**{**fields, **changes})


def test_chance_draws_each_text_of_a_grammar() -> None:
    """The seed fixes which."""
    pytest.importorskip("llguidance")
    kernel = open_kernel("random")
    texts = {kernel(request(seed=seed)).text for seed in range(120)}
    assert len(texts) == 18
    assert all(LEGAL.fullmatch(text) for text in texts)
    assert kernel(request(seed=5)).text == kernel(request(seed=5)).text


@pytest.mark.parametrize("seed", range(3))
def test_smollm2_keeps_to_a_grammar(smollm2, seed: int) -> None:
    """What leaves no choice costs no choice."""
    answer = smollm2(request(seed=seed, temperature=1.5))
    assert LEGAL.fullmatch(answer.text)
    assert answer.tokens_forced > 0
    assert not answer.cut


def test_without_llguidance_smollm2_keeps_to_it_too(smollm2, monkeypatch) -> None:
    """By llama.cpp's own grammars."""
    monkeypatch.setattr("llmos.inference._constraint.find_spec", lambda _name: None)
    monkeypatch.setattr(smollm2, "_constrain", best_constraint(smollm2._session))
    assert LEGAL.fullmatch(smollm2(request()).text)
    with pytest.raises(InferenceError, match="the grammar cannot be followed"):
        smollm2(request(grammar="root ::= ("))
    program = smollm2(request(user="Drive 20 cm.", grammar=grammar(load_manifest().limits), max_tokens=40))
    assert assemble(closed(program.text) if program.cut else program.text).words


def test_an_answer_that_reaches_the_limit_is_cut(smollm2) -> None:
    """It is no error: the beginning may be worth something."""
    for kernel in (smollm2, open_kernel("random")):
        answer = kernel(request(grammar='root ::= [a-z]{400} "\\n"\n', max_tokens=8))
        assert answer.cut
        assert re.fullmatch("[a-z]{8,}", answer.text)


def test_a_broken_grammar_is_one_line(smollm2) -> None:
    """With the reason."""
    for kernel in (smollm2, open_kernel("random")):
        for broken in ("root ::= (", "nonsense", 'root ::= other "a"\n'):
            with pytest.raises(InferenceError, match="the grammar cannot be followed") as caught:
                kernel(request(grammar=broken))
            assert "\n" not in str(caught.value)


def test_a_request_takes_one_constraint() -> None:
    """Two could contradict each other."""
    with pytest.raises(InferenceError, match="two of schema, grammar and choices"):
        request(schema={"type": "object"})


def test_the_rule_writes_nothing() -> None:
    """It says who does."""
    with pytest.raises(InferenceError, match="kernel rule only decides"):
        open_kernel("rule")(request())


def test_earlier_turns_are_part_of_the_prompt(smollm2) -> None:
    """And are found again in the context's memory."""
    short = smollm2(request(user="B"))
    turns = (("A" * 50, "red 11\n"),)
    long = smollm2(request(user="B", turns=turns))
    assert long.tokens_in > short.tokens_in + 5
    assert smollm2(request(user="C", turns=turns)).tokens_cached > short.tokens_in
