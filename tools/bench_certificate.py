"""How much of its certificate a block uses: generated blocks on the reference machine, in several worlds.

.venv/bin/python tools/bench_certificate.py [--programs 2000]
"""

import argparse
import statistics
import sys
from collections.abc import Iterator
from pathlib import Path
from random import Random

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.bytecode.test_laws import Adversary
from tests.generate import valid

from llmbytecode import EmptyRoom, Machine
from llmos.manifest import load_manifest

LIMITS = load_manifest().limits._replace(actuators=7)
MEASURES = ("fuel", "ms", "path_mm", "rotation_mrad", "reports")
WORLDS = 8  # hostile ones for each program, beside the empty room


def main() -> int:
    """Print a line for each measure; 1 where a run exceeds its certificate."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--programs", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0, help="of the first program")
    asked = parser.parse_args()
    ratios: dict[str, list[float]] = {name: [] for name in MEASURES}
    for seed in range(asked.seed, asked.seed + asked.programs):
        for name, ratio in worst_of(seed):
            ratios[name].append(ratio)
    print(
        f"{asked.programs} programs, seeds from {asked.seed}, {WORLDS + 1} runs each; the worst run's share"
    )
    print(f"{'measure':<16}{'programs':>9}{'median':>8}{'p95':>7}{'max':>7}")
    for name, shares in ratios.items():
        p95 = statistics.quantiles(shares, n=20)[-1]
        print(f"{name:<16}{len(shares):>9}{statistics.median(shares):>8.3f}{p95:>7.3f}{max(shares):>7.3f}")
    return 1 if max(map(max, ratios.values())) > 1 else 0


def worst_of(seed: int) -> Iterator[tuple[str, float]]:
    """Yield the share of each measure that a program's worst run used, where its certificate is not 0."""
    program = valid(seed, LIMITS)
    worlds = [EmptyRoom(LIMITS), *(Adversary(Random(seed + n), LIMITS) for n in range(WORLDS))]
    machines = [Machine(program, LIMITS, world) for world in worlds]
    for machine in machines:
        machine.run()
    most = map(max, *(used(machine) for machine in machines))
    for name, spent, proved in zip(MEASURES, most, machines[0].certificate, strict=False):
        if proved:
            yield name, spent / proved
        elif spent:
            raise AssertionError(f"seed {seed}: {name} {spent}, certified 0")


def used(machine: Machine) -> tuple[int, ...]:
    """Return what a run has used, in the order of the measures."""
    ms = machine.ms + -(-machine.fuel * LIMITS.instruction_us // 1000)
    return machine.fuel, ms, machine.path_mm, machine.rotation_mrad, len(machine.reports)


if __name__ == "__main__":
    sys.exit(main())
