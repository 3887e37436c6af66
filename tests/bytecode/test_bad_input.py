"""Bytes and texts that nobody meant: each is a program or is refused in one line, on every way in."""

from collections.abc import Callable
from random import Random
from typing import TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.bytecode.twins import COMPILED, NEEDS_COMPILED, verdict
from tests.firmware.differential import CUBE, packed, wounded
from tests.generate import nearly_valid, noise, valid

from llmbytecode import (
    LLMBytecodeError,
    Program,
    Refusal,
    _verify_py,
    assemble,
    disassemble,
    read_container,
    verify,
)
from llmbytecode._isa import HEADER_FORMAT
from llmbytecode.account import account
from llmbytecode.container import HEADER_SIZE, seal
from llmbytecode.explain import explain
from llmbytecode.remedy import remedy

Result = TypeVar("Result")
seeds = st.integers(0, 2**64 - 1)
odd = st.sampled_from(["0", "9", "x", "-", ":", ",", ";", "\n", "\t", "é", "\0", "max", "1e9"])
change = st.tuples(st.sampled_from(["cut", "double", "move", "put"]), seeds, odd)


def tried(work: Callable[[], Result]) -> Result | None:
    """Return what comes of some work, None where it is refused, which must be told in one line."""
    try:
        return work()
    except LLMBytecodeError as error:
        told = str(error)
    assert told
    assert "\n" not in told
    assert len(told) < 500
    return None


def edited(text: str, changes: list[tuple[str, int, str]]) -> str:
    """Return a text with some pieces cut, doubled, moved, or put in."""
    for change, seed, odd in changes:
        rng = Random(seed)
        start = rng.randrange(len(text) + 1)
        end = min(len(text), start + rng.choice((1, 3, 10, 80)))
        piece, rest = text[start:end], text[:start] + text[end:]
        to = rng.randrange(len(rest) + 1)
        text = {
            "cut": rest,
            "double": text[:start] + piece + text[start:],
            "move": rest[:to] + piece + rest[to:],
            "put": text[:start] + odd + text[start:],
        }[change]
    return text


def check_program(program: Program) -> None:
    """Put a program through everything that takes programs."""
    assert assemble(disassemble(program)) == program
    assert explain(program)
    try:
        proved = verify(program, CUBE)
    except Refusal as refusal:
        repair = remedy(program, CUBE, refusal)
        proved = None
    else:
        repair = ""
    assert "\n" not in repair
    told = tried(lambda: account(program, CUBE))
    assert (told and told.total) == (proved and proved[:5])


@given(seeds, st.lists(change, min_size=1, max_size=4))
def test_texts_that_are_nearly_programs(seed: int, changes: list[tuple[str, int, str]]) -> None:
    """An edited program is a program or is refused."""
    text = edited(disassemble(valid(seed, CUBE)), changes)
    program = tried(lambda: assemble(text))
    if program:
        check_program(program)


@pytest.mark.parametrize(
    ("coding", "errors"), [("latin-1", "strict"), ("utf-8", "replace"), ("utf-8", "surrogateescape")]
)
@given(data=st.binary(max_size=300))
def test_bytes_as_text(coding: str, errors: str, data: bytes) -> None:
    """Any bytes, read as text, are a program or are refused."""
    program = tried(lambda: assemble(data.decode(coding, errors)))
    if program:
        check_program(program)


@settings(max_examples=200)
@given(seeds)
def test_any_words(seed: int) -> None:
    """Nearly valid blocks and noise are told, explained, accounted for, or refused with a remedy."""
    for program in (nearly_valid(seed, CUBE), noise(seed)):
        check_program(program)


@NEEDS_COMPILED
@settings(max_examples=300)
@given(st.binary(max_size=400), st.integers(0, 8), st.integers(0, 3), st.booleans())
def test_headers_that_are_sealed(data: bytes, words: int, constants: int, ours: bool) -> None:
    """With right counts and a right CRC-32 any bytes are words, which both verifiers judge alike."""
    assert COMPILED is not None
    size = HEADER_SIZE + 4 * (words + constants)
    made = bytearray(data[:size].ljust(size, b"\0"))
    made[:6] = b"LLMB\x01\x00"
    made[16:20] = bytes([words, 0, constants, 0])
    made[46:48] = b"\0\0"
    if ours:
        made[8:12] = packed(Program([1]), CUBE)[8:12]
    container = tried(lambda: read_container(seal(bytes(made))))
    assert (container is not None) == ours
    if container:
        program = container.program
        assert verdict(COMPILED, program, CUBE) == verdict(_verify_py.check, program, CUBE)
        check_program(program)


@given(seeds)
def test_containers_that_are_damaged_or_lie(seed: int) -> None:
    """They are refused, but for changes that leave a true container; what is read is what its words say."""
    data = wounded(packed(valid(seed, CUBE), CUBE), Random(seed))
    container = tried(lambda: read_container(data, CUBE))
    if container:
        assert container.certificate == verify(container.program, CUBE)
        assert packed(container.program, CUBE) == data


def test_the_header_is_where_these_tests_change_it() -> None:
    """Its counts, its hash and its reserved field."""
    assert HEADER_FORMAT == "<4sBBHIIHHIIIIHHHHBBHI"


@pytest.mark.parametrize(
    "text",
    [
        "a:\n" * 1000,
        "LOOP 2\n" * 5000 + "ENDLOOP\n" * 5000 + "END",
        "LOOP 2\n" + "EXIT\n" * 5000 + "ENDLOOP\nEND",
        ".const a0 1\n" + "".join(f".const a{n + 1} -a{n}\n" for n in range(20_000)) + "LDI r1, a20000\nEND",
        "".join(f"l{n}: JMP l{n + 1}\n" for n in range(5000)) + "l5000: END",
        "WAIT " + "9" * 2_000_000 + "s",
        "LDI r1, 0x" + "F" * 900,
        ";" * 1_000_000 + "\nEND",
        "\n" * 300_000 + "END",
        "\0" * 1_000_000,
    ],
    ids=["labels", "deep", "exits", "names", "jumps", "digits", "hexadecimal", "comment", "empty", "zeros"],
)
def test_long_texts(text: str) -> None:
    """Long lines, many names and deep loops are answered; a time that grew with the square would show."""
    program = tried(lambda: assemble(text))
    if program:
        check_program(program)
