"""The verifier's twins, as parameters of tests."""

from collections.abc import Callable, Sequence

import pytest

from llmbytecode import Certificate, Limits, _verify_py

Check = Callable[[Sequence[int], int, int, Limits], Certificate]

try:
    from llmbytecode import _verify
except ImportError:
    _verify = None

TWINS = [
    pytest.param(_verify_py.check, id="plain"),
    pytest.param(
        getattr(_verify, "check", None),
        id="compiled",
        marks=pytest.mark.skipif(_verify is None, reason="the Cython twin is not compiled"),
    ),
]
