"""Writers of a volume, killed at random moments: nothing lost, nothing half-written, every repository sound.

    tools/campaign_volumes.py --kills 1000
    tools/campaign_volumes.py --kills 100 --seed 7

One process or two write, remove, edit by hand, propose, merge, roll back and sync; then SIGKILL ends them.
After each kill `git fsck --strict` looks at the volume and at its remote, all acknowledged changes must be
there, the one in flight wholly or not at all, and the next change must work.
"""

import argparse
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.volume_kills import Wrong, campaign


def main() -> None:
    """Kill `--kills` times; 1 where anything was wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    began, killed, done = time.monotonic(), Counter[str](), 0
    with tempfile.TemporaryDirectory() as folder:
        try:
            for said in campaign(Path(folder), options.kills, options.seed):
                for one in said.split(", ")[1::2]:
                    killed[one] += 1
                done += sum(int(one.split()[0]) for one in said.split(", ")[::2])
        except Wrong as error:
            sys.exit(f"seed {options.seed}: {error}")
    spent_s = time.monotonic() - began
    print(f"{options.kills} kills, {done} changes acknowledged before them, in {spent_s:.0f} s: nothing lost")
    print(f"writers killed: {', '.join(f'{count} {word}' for word, count in killed.most_common())}")


if __name__ == "__main__":
    main()
