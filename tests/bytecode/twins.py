"""The verifier's twins, as parameters of tests."""

import importlib
from collections.abc import Callable, Sequence

import pytest

from llmbytecode import Certificate, Limits, Program, Refusal, _verify_py

Check = Callable[[Sequence[int], int, int, Limits], Certificate]


def compiled_check() -> Check | None:
    """The Cython twin's entry, None where it is not compiled."""
    try:
        check: Check = importlib.import_module("llmbytecode._verify").check
    except ImportError:
        return None
    return check


COMPILED = compiled_check()
NEEDS_COMPILED = pytest.mark.skipif(COMPILED is None, reason="the Cython twin is not compiled")
TWINS = [
    pytest.param(_verify_py.check, id="plain"),
    pytest.param(COMPILED, id="compiled", marks=NEEDS_COMPILED),
]


def verdict(check: Check, program: Program, limits: Limits) -> Certificate | tuple[int, ...]:
    """Return a verifier's certificate, or its refusal as numbers."""
    try:
        return check(program.words, len(program.constants), program.autonomous_ms, limits)
    except Refusal as refusal:
        return (refusal.rule, refusal.word, refusal.value, refusal.limit)
