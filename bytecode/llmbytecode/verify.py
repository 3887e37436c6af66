"""The verifier: the compiled twin where it is there, else the plain one."""

import contextlib
import importlib
import os
from collections.abc import Callable, Sequence
from typing import cast

from llmbytecode import _verify_py
from llmbytecode._isa import Certificate, Limits, Rule
from llmbytecode.errors import Refusal
from llmbytecode.program import Program

Check = Callable[[Sequence[int], int, int, Limits], Certificate]


def _load() -> Check:
    if not os.environ.get("LLMOS_NO_EXTENSIONS"):
        with contextlib.suppress(ImportError):
            return cast(Check, importlib.import_module("llmbytecode._verify").check)
    return _verify_py.check


_check = _load()


def compiled() -> bool:
    """Say whether the Cython twin verifies."""
    return _check is not _verify_py.check


def verify(program: Program, limits: Limits) -> Certificate:
    """Return what a program can cost a robot at worst.

    Raises:
        ProgramError: a word has more than 32 bits, or the autonomous time.
        Refusal: the program breaks a rule of the SPEC; the first one, at its first word.
    """
    try:
        return _check(program.words, len(program.constants), program.autonomous_ms, limits)
    except Refusal as refusal:
        if Rule.OPCODE <= refusal.rule <= Rule.SPEED:  # the rules that name a word
            refusal.line = program.line(refusal.word)
        raise


def refused_by(program: Program, limits: Limits) -> Refusal | None:
    """Return what refuses a program, None where it is accepted."""
    try:
        verify(program, limits)
    except Refusal as refusal:
        return refusal
    return None
