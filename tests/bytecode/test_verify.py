"""Which twin verifies, and what it takes."""

import os
import subprocess
import sys
from array import array

import pytest
from tests.bytecode.twins import COMPILED, TWINS, Check

from llmbytecode import Op, Program, ProgramError, Refusal, assemble, compiled, verify
from llmos.manifest import load_manifest

CUBE = load_manifest().limits


def test_the_compiled_twin_serves_where_it_is() -> None:
    """Unless LLMOS_NO_EXTENSIONS forbids it."""
    assert compiled() is (COMPILED is not None and not os.environ.get("LLMOS_NO_EXTENSIONS"))


def test_extensions_can_be_forbidden() -> None:
    """LLMOS_NO_EXTENSIONS=1 makes the plain twin serve."""
    program = "import llmbytecode; print(llmbytecode.compiled())"
    environment = {**os.environ, "LLMOS_NO_EXTENSIONS": "1"}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True)
    assert done.stdout == "False\n"


@pytest.mark.parametrize("twin", TWINS)
def test_words_may_be_an_array(twin: Check) -> None:
    """Any sequence of integers will do."""
    words = assemble("LOOP 3\nADDI r1, 1\nENDLOOP\nEND").words
    assert twin(array("I", words), 0, 0, CUBE) == twin(words, 0, 0, CUBE) == twin(tuple(words), 0, 0, CUBE)


@pytest.mark.parametrize("twin", TWINS)
def test_limits_that_would_divide_by_zero_are_an_error(twin: Check) -> None:
    """They are the manifest's mistake, not the block's."""
    words = assemble("DRIVE r1, r2, 40mm/s, 1s\nEND").words
    with pytest.raises(ZeroDivisionError):
        twin(words, 0, 0, CUBE._replace(accel=0))


@pytest.mark.parametrize("twin", TWINS)
@pytest.mark.parametrize("number", [-1, 1 << 32, 1 << 80])
def test_numbers_that_no_block_can_hold_are_an_error(twin: Check, number: int) -> None:
    """They come from no container and no text; the ends of the range are no error."""
    end = int(Op.END)
    with pytest.raises(ProgramError, match=f"^word 1 is {number}; it must be an unsigned number of 32 bits$"):
        twin([end, number, end], 0, 0, CUBE)
    with pytest.raises(ProgramError, match=f"^autonomous_ms is {number}; "):
        twin([end], 0, number, CUBE)
    with pytest.raises(Refusal, match="rule opcode"):
        twin([end, (1 << 32) - 1], 0, 0, CUBE)
    with pytest.raises(Refusal, match="rule autonomy"):
        twin([end], 0, (1 << 32) - 1, CUBE)


def test_a_refusal_tells_the_source_line() -> None:
    """Of the word that broke the rule; of none where the rule is about the whole block."""
    with pytest.raises(Refusal, match="rule speed, word 1, line 4: ") as caught:
        verify(assemble("; a comment\nLDI r1, 1\n\nMOVE 10mm, 99mm/s\nEND"), CUBE)
    assert caught.value.line == 4
    with pytest.raises(Refusal, match="rule fuel, word 0: fuel is ") as caught:
        verify(assemble("LOOP 65535\nLOOP 65535\nENDLOOP\nENDLOOP\nEND"), CUBE)
    assert caught.value.line == 0


def test_longest_programs() -> None:
    """The longest program that a manifest allows is verified; one more word is refused."""
    limits = CUBE._replace(max_words=4096)
    words = [int(Op.TRIP)] * 4095 + [int(Op.END)]
    assert verify(Program(words), limits).fuel == 4096
    with pytest.raises(Refusal, match="rule length"):
        verify(Program([*words, int(Op.END)]), limits)
