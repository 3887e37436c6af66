"""Kills `llmos flash` at every one of its steps, at a random moment within it, and has the next run complete.

    tools/campaign_flash.py                    every step once
    tools/campaign_flash.py --rounds 10        ten times; the moments differ

For each step a virtual board is taken as it was before: blank to write MicroPython, with MicroPython
alone to write the firmware, with a whole firmware to write another robot's manifest.
After the kill one run must complete, and the next one must write nothing. Stops, with 1, where that fails.
"""

import argparse
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from tests.host.flashing.boards import VirtualBoard, flash, image, kill_at  # noqa: E402

from llmos.resources import system_volume  # noqa: E402

LONGEST_S = 0.3  # about as long as the longest step takes
MICROPYTHON = ("write MicroPython", "start MicroPython")
END = ("restart the robot", "shake hands")


def main() -> int:
    """Run the campaign; 1 where a board does not come up after a kill."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    begin, kills = time.monotonic(), 0
    for number in range(options.rounds):
        moments = random.Random(options.seed + number)
        with tempfile.TemporaryDirectory() as folder:
            try:
                for step in survived(Path(folder), moments):
                    kills += 1
                    print(f"  {kills:4}  killed in: {step}", flush=True)
            except AssertionError as error:
                print(f"round {number}: after a kill the next run fails: {error}")
                return 1
    print(f"{kills} kills, each board complete after the next run; {time.monotonic() - begin:.0f} s")
    return 0


def survived(folder: Path, moments: random.Random) -> Iterator[str]:
    """Yield each step in which a run was killed; raises AssertionError where the next one fails."""
    cube = (system_volume() / "robots/cube.toml").read_text(encoding="utf-8")
    other = folder / "other.toml"
    other.write_text(cube.replace("stop_m = 0.06", "stop_m = 0.07"), encoding="utf-8")
    chip, firmware = folder / "flash.bin", ["--firmware", str(image(folder))]
    with VirtualBoard(chip) as board:  # MicroPython alone
        kill_at(MICROPYTHON[1], board.rfc2217, *firmware)
    bare = shutil.copy(chip, folder / "bare.bin")
    with VirtualBoard(chip) as board:
        flash(board.pty)
    whole = shutil.copy(chip, folder / "whole.bin")
    for before, words in ((None, firmware), (bare, []), (whole, ["--robot", str(other)])):
        for step in MICROPYTHON if before is None else pending(before, chip, words):
            chip.unlink()
            if before is not None:
                shutil.copy(before, chip)
            with VirtualBoard(chip) as board:
                port = board.rfc2217 if before is None else board.pty
                kill_at(step, port, *words, delay_s=moments.uniform(0, LONGEST_S))
                assert "the robot answers" in flash(port, *words)
                assert "nothing to write" in flash(port, *words)
            yield step


def pending(before: Path, chip: Path, words: list[str]) -> list[str]:
    """Return the steps that a flash of this board has."""
    shutil.copy(before, chip)
    with VirtualBoard(chip) as board:
        would = flash(board.pty, *words, "--dry-run").splitlines()
    return [*(line.removeprefix("would ") for line in would if line.startswith("would ")), *END]


if __name__ == "__main__":
    sys.exit(main())
