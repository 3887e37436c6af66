"""What tools/gen.py writes is what is committed: the SPEC stays the only source."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_generated_files_are_up_to_date() -> None:
    """Generating again would change nothing."""
    done = subprocess.run([sys.executable, ROOT / "tools/gen.py", "--check"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
