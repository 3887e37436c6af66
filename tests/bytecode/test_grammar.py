"""The grammar for models: whatever it lets through is a program."""

from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.bytecode.gbnf import Sampler

import llmbytecode
from llmbytecode import Program, Refusal, Rule, assemble, verify
from llmos.manifest import load_manifest

GRAMMAR = Path(llmbytecode.__file__).with_name("lasm.gbnf")
SAMPLER = Sampler(GRAMMAR)
FORM = set(range(Rule.OPCODE, Rule.CALL + 1))


@given(st.integers(0, 2**64 - 1))
def test_what_it_lets_through_assembles(seed: int) -> None:
    """Every text is a program, and breaks no rule of form: only limits of the robot can still refuse it."""
    assert broken_rule(assemble(SAMPLER(Random(seed)))) not in FORM


def broken_rule(program: Program) -> Rule:
    """Return the rule that a program breaks for the reference robot, were its memory large."""
    try:
        verify(program, load_manifest().limits._replace(max_words=4096))
    except Refusal as refusal:
        return refusal.rule
    return Rule.OK


def test_llama_cpp_reads_it() -> None:
    """llama.cpp takes the grammar."""
    llama_cpp = pytest.importorskip("llama_cpp")
    llama_cpp.LlamaGrammar.from_string(GRAMMAR.read_text(encoding="utf-8"), verbose=False)
