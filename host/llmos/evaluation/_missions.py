"""Arenas by kernels by variants by seeds: every mission run, every figure counted."""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any

from llmos import figures
from llmos.brains.opening import model_of
from llmos.errors import LlmosError
from llmos.mission import run_mission
from llmos.report import GOOD, Order, Report
from llmos.sim import generate
from llmos.sim.arena import list_arenas, load_arena

from ._figures import mission_tables
from ._jobs import EvaluationError, Row, kept_open
from ._kind import Kind, names
from ._page import page

GOAL = "go where the arena says"
VARIANTS: dict[str, dict[str, Any]] = {
    "plain": {},
    "shuffle": {"shuffle": True},
    "predict": {"predict": True},
    "map": {"show_map": True},
}
MANY = re.compile(
    rf"(?:generated|(?P<family>{'|'.join(generate.FAMILIES)})(?=.*@)):"
    r"(?P<count>[1-9]\d{0,4})(?:@(?P<first>0|[1-9]\d{0,16}))?(?P<explore>:explore)?"
)
WAY_M = 0.02  # how far a kept way may be off the true one


@dataclass(frozen=True)
class Mission:
    """One mission of an evaluation: an order, and the name of the switches in it."""

    order: Order
    variant: str


@dataclass(frozen=True)
class Missions:
    """What to evaluate; every combination is one mission."""

    arenas: tuple[str, ...]
    kernels: tuple[str, ...]
    seeds: int
    variants: tuple[str, ...] = ("plain",)
    deadline_s: float = 10.0

    def tasks(self) -> Iterator[Mission]:
        """Return each mission, kernels outermost so that a model is loaded once."""
        for kernel, variant, arena, seed in product(
            self.kernels, self.variants, self.arenas, range(self.seeds)
        ):
            switches = {name: on for part in variant.split("+") for name, on in VARIANTS[part].items()}
            order = Order(
                goal=GOAL, arena=arena, kernel=kernel, seed=seed, deadline_s=self.deadline_s, **switches
            )  # fmt: skip
            yield Mission(order, variant)


def plan(*, arenas: str, kernels: str, variants: str, seeds: int, deadline: float) -> Missions:
    """Return the missions that the options ask for; raises as `arenas_of` and `variants_of` do."""
    return Missions(arenas_of(arenas), names(kernels), seeds, variants_of(variants), deadline)


def arenas_of(text: str) -> tuple[str, ...]:
    """Return the arenas that a comma-separated list names.

    `all` stands for each that ships with a task, `generated:100` for a hundred of the families in turn from
    seed 0, `generated:100@5000` for such from seed 5000, `office:100@5000` for such of one family (without
    the seed it is a single one, of seed 100); with `:explore` behind it for exploring them.

    Raises:
        ArenaError: one of them is wrong; said before the first mission.
        EvaluationError: one of them sets no task.
    """
    arenas = [name for part in names(text) for name in _arenas(part)]
    for name in arenas:
        if not load_arena(name).task:
            raise EvaluationError(
                f"arena {name!r} sets no task: give it a goal or criteria.min_coverage, or name another"
            )
    return tuple(dict.fromkeys(arenas))


def _arenas(part: str) -> list[str]:
    many = MANY.fullmatch(part)
    if many:
        families = [many["family"]] if many["family"] else list(generate.FAMILIES)
        return generate.names(int(many["count"]), int(many["first"] or 0), bool(many["explore"]), families)
    family, counts, _ = part.partition("@")
    if family.startswith("generated") or (counts and family.partition(":")[0] in generate.FAMILIES):
        raise EvaluationError(
            f"arenas {part!r}: write generated:100, generated:100@5000, office:100@5000, "
            "or :explore behind one of them"
        )
    return [name for name in list_arenas() if load_arena(name).task] if part == "all" else [part]


def variants_of(text: str) -> tuple[str, ...]:
    """Return the variants that a comma-separated list names, each one or several joined by `+`.

    Raises:
        EvaluationError: one of them is unknown.
    """
    found = names(text)
    for part in (part for variant in found for part in variant.split("+")):
        if part not in VARIANTS:
            raise EvaluationError(
                f"variant {part!r}: unknown; name {', '.join(VARIANTS)}, or two as shuffle+map"
            )
    return found


def one_mission(mission: Mission) -> Row:
    """Run one mission and return its figures; one that could not begin ends the evaluation."""
    order = mission.order
    try:
        kernel = None if order.kernel.startswith("replay:") else kept_open(model_of(order.kernel))
        report = run_mission(order, kernel=kernel)
    except LlmosError as error:
        raise EvaluationError(f"{order.kernel} in {order.arena}, seed {order.seed}: {error}") from None
    if report.interrupted:
        raise KeyboardInterrupt
    return row_of(report, mission)


def row_of(report: Report, mission: Mission) -> Row:
    """Return a mission's figures; `way` is the true way in whole centimetres, simplified."""
    summary = report.summary()
    path90 = figures.ratio(summary["path90_m"], report.arena, report.radius_m)
    way = simplified(report.truth.way if report.truth else [], WAY_M)
    return {
        "variant": mission.variant,
        "place": mission.order.arena,
        **summary,
        "good": report.outcome in GOOD,
        "path90_ref": path90,
        "way": [[round(100 * x), round(100 * y)] for x, y in way],
    }


def simplified(way: list[tuple[float, float]], off_m: float) -> list[tuple[float, float]]:
    """Return a polyline without the points that it passes within `off_m` anyway (Douglas & Peucker 1973)."""
    kept, todo = {0, len(way) - 1}, [(0, len(way) - 1)]
    while todo:
        first, last = todo.pop()
        if last - first < 2:
            continue
        offs = [(_off(way[at], way[first], way[last]), at) for at in range(first + 1, last)]
        worst, at = max(offs)
        if worst > off_m:
            kept.add(at)
            todo += [(first, at), (at, last)]
    return [way[at] for at in sorted(kept) if way]


def _off(point: tuple[float, float], a: tuple[float, float], b: tuple[float, float]) -> float:
    ex, ey = b[0] - a[0], b[1] - a[1]
    square = ex * ex + ey * ey
    along = ((point[0] - a[0]) * ex + (point[1] - a[1]) * ey) / square if square else 0.0
    along = min(1.0, max(0.0, along))
    return math.dist(point, (a[0] + along * ex, a[1] + along * ey))


def line(row: Row) -> str:
    """Return one mission's line of progress."""
    who = row["kernel"] if row["variant"] == "plain" else f"{row['kernel']} {row['variant']}"
    return (
        f"{who:14} {row['arena']:16} seed {row['seed']}: {row['outcome']:11} "
        f"{row['cycles']:3d} cycles {row['path_m']:6.2f} m {row['collisions']} collisions, "
        f"{row['sim_s']:.0f} s in {row['wall_s']:.1f} s"
    )


MISSIONS = Kind(
    name="missions",
    help="Run every arena with every kernel, variant and seed.",
    options={"arenas": "all", "kernels": "rule,random", "variants": "plain", "seeds": 5, "deadline": 10.0},
    plan=plan,
    one=one_mission,
    line=line,
    tables=mission_tables,
    columns={
        "table": (
            "kernel", "variant", "arenas", "runs", "success", "collisions", "spl", "coverage", "path_m",
            "path90_m", "path90_ref", "cycles", "per_s", "p50_ms", "p95_ms", "tokens_in", "tokens_out",
            "brains", "escalations", "refused", "guards", "valid",
        ),
        "pairs": (
            "first", "second", "missions", "d_success", "d_success_low", "d_success_high", "d_success_p",
            "d_spl", "d_spl_low", "d_spl_high", "d_spl_p", "d_path_m",
        ),
    },
    shares=("success", "success_low", "success_high", "coverage", "valid"),
    page=page,
    good=lambda rows: all(row["good"] and row["collisions"] == 0 for row in rows),
)  # fmt: skip
