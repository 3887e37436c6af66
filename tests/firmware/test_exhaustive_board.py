"""The robot's verifier on every small program that test_exhaustive.py runs in all worlds."""

import json
import subprocess
from pathlib import Path

from tests.exhaustive import ALPHABETS, LIMITS, programs, skeletons

from llmbytecode import verify
from llmbytecode.container import manifest_hash, pack_container

ROOT = Path(__file__).parents[2]
SLOTS = 4


def test_robot_certifies_every_small_program_as_its_host(micropython: Path) -> None:
    """3,876 programs of up to 4 slots: all ten numbers of each certificate are the host's."""
    every = [
        program
        for alphabet in ALPHABETS.values()
        for size in range(1, SLOTS + 1)
        for names in skeletons(size, alphabet)
        for program in programs(names)
    ]
    assert len(every) == 3876
    certificates = [verify(program, LIMITS) for program in every]
    containers = [pack_container(*pair, LIMITS).hex() for pair in zip(every, certificates, strict=True)]
    done = subprocess.run(
        [micropython, "-X", "heapsize=4m", "tests/firmware/certify_blocks.py"],
        input="\n".join([json.dumps([list(LIMITS), manifest_hash(LIMITS)]), *containers]),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.stderr == ""
    assert [json.loads(line) for line in done.stdout.splitlines()] == [list(one) for one in certificates]
