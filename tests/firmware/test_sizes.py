"""What the firmware takes on the ESP32-S3: every file compiles for it, and the sum has a bound."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_firmware_compiles_for_the_robot_within_its_bound() -> None:
    """The tool prints every file of the package with its size, and is content."""
    command = [sys.executable, "tools/firmware_size.py"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    rows = [line.split()[0] for line in done.stdout.splitlines()[1:-1]]
    package = ROOT / "firmware"
    assert rows == [str(path.relative_to(package)) for path in sorted(package.glob("llmvm/**/*.py"))]
    assert done.returncode == 0, done.stdout + done.stderr
