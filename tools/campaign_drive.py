"""Random moves, joins and halts on the robot's stepper drive and on the simulated one.

    tools/campaign_drive.py --count 4000 --top 1024
    tools/campaign_drive.py --count 1000 --seed 50000 --bits 32

The robot's drive runs on the fake board, and is judged by the coils on its pins. Prints how far the two
differ: in steps at any millisecond, and in time at the end. Exits with 1 where a scenario as the firmware
drives is more than two steps apart, or at rest more than a tick late.
"""

import argparse
import sys
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.drives import compare, drive, scenario

from llmos.manifest import load_manifest
from llmos.micropython import find

BATCH = 100


def main() -> None:
    """Compare `--count` scenarios from seed `--seed` on."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--top", type=int, default=0, help="steps/s; 0 takes several")
    parser.add_argument("--bits", type=int, default=64, choices=(32, 64))
    options = parser.parse_args()
    found = []
    for first in range(options.seed, options.seed + options.count, BATCH):
        last = min(first + BATCH, options.seed + options.count)
        scenarios = [scenario(seed, options.top) for seed in range(first, last)]
        driven = drive(find(options.bits), scenarios)
        found += [compare(one, steps) for one, steps in zip(scenarios, driven, strict=True)]
    for harsh in (False, True):
        some = [d for d in found if d.harsh == harsh]
        counts = dict(sorted(Counter(d.steps for d in some).items()))
        print(
            "braked harshly, then replaced:" if harsh else "as the firmware drives:", len(some), "scenarios"
        )
        print("  by their greatest difference in steps:", counts)
        if some:
            print("  farthest apart:", max(some))
            print("  latest:", max(some, key=lambda d: d.late_ms))
    tick_ms = load_manifest("cube").budget.tick_ms
    sys.exit(any(not d.harsh and (d.steps > 2 or d.late_ms > tick_ms) for d in found))


if __name__ == "__main__":
    main()
