"""A run's record, one byte changed, removed or added at each place: all are found, and their lines named.

    tools/campaign_blackbox.py
    tools/campaign_blackbox.py --every 10 --seed 7

The record is a real run's on the virtual robot. The last line's end is the one byte whose loss leaves what a
killed run leaves, too: it shows in the index of the runs.
"""

import argparse
import random
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from llmos.blackbox import NAME
from llmos.blackbox._chain import breaks
from llmos.mission import run_mission
from llmos.report import Order


def main() -> None:
    """Try `--every`th byte; 1 where a change is not found, or another line is named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / NAME
        run_mission(Order("drive", kernel="rule", record=path))
        raw = path.read_bytes()
    began, found, chance = time.monotonic(), Counter[str](), random.Random(options.seed)
    if breaks(raw):
        sys.exit("the unchanged record is told to be changed")
    for at in range(0, len(raw), options.every):
        other = (raw[at] + chance.randrange(1, 256)) % 256
        for what, now in (("changed", bytes([other])), ("removed", b""), ("added", bytes([other, raw[at]]))):
            line = raw[:at].count(b"\n") + 1
            named = [one.line for one in breaks(raw[:at] + now + raw[at + 1 :])][:1]
            if named == [line]:
                found[what] += 1
            elif (what, at) != ("removed", len(raw) - 1):
                sys.exit(f"byte {at} {what} in line {line} (seed {options.seed}): named {named or 'none'}")
    spent_s = time.monotonic() - began
    told = ", ".join(f"{count} {what}" for what, count in found.items())
    print(f"a record of {len(raw)} bytes, {told}: each found, its line named, in {spent_s:.0f} s")


if __name__ == "__main__":
    main()
