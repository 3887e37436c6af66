"""What every test may use: a state folder of its own, and MicroPython in both word sizes."""

import os
import signal
from pathlib import Path

import pytest
from hypothesis import settings

from llmos.micropython import MicroPythonNotFound, find

# A slow machine is no failure. `make test` sees the same examples every time.
settings.register_profile("llmos", deadline=None, derandomize=True)
settings.load_profile("llmos")

# A shell ignores these for what it starts in the background, and our children would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.fixture(autouse=True)
def state_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep every test away from the user's own ~/.llmos."""
    monkeypatch.setenv("LLMOS_HOME", str(tmp_path / "llmos-home"))
    return tmp_path / "llmos-home"


@pytest.fixture(scope="session", params=[64, 32], ids=["micropython64", "micropython32"])
def micropython(request: pytest.FixtureRequest) -> Path:
    """MicroPython's unix port, once 64-bit and once 32-bit; skipped where there is none, unless required."""
    return _micropython(request.param)


@pytest.fixture(scope="session")
def micropython64() -> Path:
    """MicroPython's unix port, 64-bit."""
    return _micropython(64)


def _micropython(bits: int) -> Path:
    try:
        return find(bits)
    except MicroPythonNotFound as error:
        if bits == 64 and os.environ.get("LLMOS_REQUIRE_MICROPYTHON"):
            pytest.fail(str(error))
        pytest.skip(str(error))
