"""Examines every small program in every world, and prints how its certificates compare with the worst runs.

    .venv/bin/python tools/exhaustive.py                       # about a million programs
    .venv/bin/python tools/exhaustive.py --slots 8 --only loops

It ends with an error at the first program that exceeds its certificate, or that does not reach one that is
meant to be tight.
"""

import argparse
import os
import sys
import time
from collections.abc import Iterator
from multiprocessing import Pool
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.exhaustive import ALPHABETS, Skeleton, Tally, count, skeletons, survey

SLOTS = {"control": 6, "loops": 8, "calls": 8, "acts": 5, "guards": 6, "trips": 6}
EVERY_S = 5.0  # between two lines of progress


def main() -> None:
    """Survey the sets that are asked for, and print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--slots", type=int, help="the largest skeletons (default: for each set its own size)"
    )
    parser.add_argument("--only", choices=list(ALPHABETS), help="one set instead of all")
    parser.add_argument(
        "--jobs", type=int, default=os.cpu_count(), help="processes (default: one for each core)"
    )
    asked = parser.parse_args()
    sizes = {name: asked.slots or SLOTS[name] for name in ALPHABETS if asked.only in (None, name)}
    total = sum(count(size, ALPHABETS[name]) for name, most in sizes.items() for size in range(1, most + 1))
    print(f"{total:,} programs in {len(sizes)} sets")
    start, everything = time.monotonic(), Tally()
    with Pool(asked.jobs) as pool:
        for name, most in sizes.items():
            tally = Tally()
            shown = time.monotonic()
            for found in pool.imap_unordered(survey, up_to(most, name), chunksize=50):
                tally = tally.plus(found)
                if time.monotonic() - shown > EVERY_S:
                    shown = time.monotonic()
                    print(
                        f"  {everything.programs + tally.programs:,} of {total:,}",
                        file=sys.stderr,
                        flush=True,
                    )
            print(line(f"{name}, up to {most} slots", tally), flush=True)
            everything = everything.plus(tally)
    print(line("all", everything))
    print(f"no run exceeds its certificate; {time.monotonic() - start:.0f} s with {asked.jobs} processes")


def up_to(most: int, name: str) -> Iterator[Skeleton]:
    """Yield the skeletons of a set, the small ones first."""
    for size in range(1, most + 1):
        yield from skeletons(size, ALPHABETS[name])


def line(name: str, tally: Tally) -> str:
    """Return a set's line."""
    others, reached = tally.programs - tally.tight, tally.reached - tally.tight
    return (
        f"{name:<24}{tally.programs:>10,} programs {tally.runs:>14,} runs;"
        f"{tally.tight:>10,} tight, all reached;{reached:>8,} of{others:>8,} others reached"
    )


if __name__ == "__main__":
    main()
