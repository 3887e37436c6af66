"""Print how often the cells of each kind of guess turn out occupied, for the tables of `world/foresight.py`.

Drives the rule through generated arenas, to the goal and to see it all: `tools/fit_foresight.py 1000 1010` is
for the seeds 1000 to 1009 of each family. Then says how good the tables are that hold now.
"""

import sys

from llmos.mission import run_mission
from llmos.report import Order
from llmos.sim.generate import FAMILIES
from llmos.world.foresight import FIRST_KIND, SOURCES, Foresight, pooled


def drive(arena: str) -> Foresight:
    """Return the guesses made in one mission."""
    report = run_mission(Order("explore" if arena.endswith("explore") else "go", arena=arena, kernel="rule"))
    return report.foresight or Foresight()


def main(first: int, end: int) -> None:
    """Drive, and print the tables."""
    arenas = [
        f"{family}:{seed}{task}"
        for seed in range(first, end)
        for family in FAMILIES
        for task in ("", ":explore")
    ]
    every = [drive(arena) for arena in arenas]
    cells, occupied = sum(one.cells for one in every), sum(one.occupied for one in every)
    print(f"{len(arenas)} missions, {cells.sum()} cells")
    for source, start in zip(SOURCES, FIRST_KIND, strict=False):
        part = slice(start, start + len(source.expected))
        shares = ", ".join(f"{o / max(1, n):.2f}" for o, n in zip(occupied[part], cells[part], strict=True))
        print(f"{source.name:9}{cells[part].sum():7} cells  occupied {shares}")
    result = pooled(one.summary() for one in every)
    for name, one in {"all": result, **result["sources"]}.items():
        print(f"{name:9}{one['cells']:7} cells  brier {one['brier']}  constant {one['base_brier']}")


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
