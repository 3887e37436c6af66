"""The firmware's own checks, run by MicroPython in both word sizes."""

import os
import subprocess
from pathlib import Path

import pytest

from llmos.manifest import load_manifest, manifest_hash

ROOT = Path(__file__).parents[2]
CHECKS = sorted(path.stem for path in Path(__file__).parent.glob("check_*.py"))


@pytest.mark.parametrize("name", CHECKS)
def test_check(micropython: Path, name: str) -> None:
    """Every line that a check prints says ok, and it comes to its end."""
    program = f"tests/firmware/{name}.py"
    command = [micropython, "-X", "heapsize=4m", program]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    lines = done.stdout.splitlines()
    bad = [line for line in lines[:-1] if not line.startswith("ok ")]
    assert (bad, lines[-1:]) == ([], ["end 0"]), done.stdout[-2000:] + done.stderr[-2000:]


def test_world_has_the_cubes_limits() -> None:
    """The checks' small world is the reference robot's, with a tone besides."""
    limits = load_manifest("cube").limits
    source = (Path(__file__).parent / "world.py").read_text()
    names: dict[str, list[int]] = {}
    for line in source.splitlines():
        if line.startswith("LIMITS"):
            exec(line, names)
    assert names["LIMITS"] == list(limits._replace(actuators=7))
    assert manifest_hash(limits) != 0


def test_the_supervisor_fits_into_the_boards_memory(micropython: Path, tmp_path: Path) -> None:
    """With a heap of 200 KB the whole firmware loads and has a third of it left."""
    program = tmp_path / "memory.py"
    program.write_text(MEMORY.format(limits=list(load_manifest("cube").limits)))
    done = subprocess.run(
        [micropython, "-X", "heapsize=200k", program],
        cwd=ROOT / "firmware",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=os.environ | {"MICROPYPATH": f".frozen:{ROOT / 'firmware'}"},
    )
    assert done.stderr == ""
    assert int(done.stdout) > 200 * 1024 / 3


MEMORY = """
import gc
from llmvm.hal.arena import Arena
from llmvm.supervisor import Supervisor

class Ports:
    left = right = moving = 0
    mrad = None
    room = 4096

    def nonce(self):
        return 1

ports = Ports()
ports.drive = ports.serial = ports.imu = ports
supervisor = Supervisor(ports, {limits}, [0] * 6)
gc.collect()
print(gc.mem_free())
"""
