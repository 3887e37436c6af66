"""sdist -> wheel -> clean environment: what arrives, with a compiler and without one."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def build(folder: Path, *options: str, **environment: str) -> str:
    """Run tools/wheel.py and return its output, or fail with it."""
    command = [sys.executable, ROOT / "tools" / "wheel.py", folder, *options]
    both = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    done = subprocess.run(command, env={**os.environ, **environment}, text=True, **both)
    assert done.returncode == 0, done.stdout[-3000:]
    return done.stdout


@pytest.mark.slow
def test_wheel_carries_firmware_volume_and_extensions(tmp_path: Path) -> None:
    """A wheel made from the sdist has the firmware, the system volume and both compiled twins."""
    output = build(tmp_path)
    assert "compiled: llmbytecode._verify llmos.planning._astar" in output


@pytest.mark.slow
def test_wheel_without_a_compiler_serves_the_plain_twins(tmp_path: Path) -> None:
    """Without a compiler the installation succeeds, and the doctor says that the twins serve."""
    output = build(tmp_path, "--expect-twins", CC="/bin/false", CXX="/bin/false")
    assert "the plain-Python twins serve" in output
