"""Random moves, joins and halts on the robot's stepper drive and on the simulated one (make campaigns).

Prints how far they differ: in steps at any millisecond, and in time at the end.
"""

import argparse
import sys
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.drives import compare, drive, scenario

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
    print(
        "scenarios by their greatest difference in steps:",
        dict(sorted(Counter(d.steps for d in found).items())),
    )
    print("most:", max(found))
    print("latest:", max(found, key=lambda d: d.late_ms))


if __name__ == "__main__":
    main()
