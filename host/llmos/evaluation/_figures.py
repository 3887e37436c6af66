"""The figures of many missions: summed up by kernel and arena, and compared where both did the same."""

import statistics
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from itertools import combinations
from typing import Any

from llmos.figures import percentile
from llmos.sim.generate import FAMILIES
from llmos.statistics import mean_between, sign_test, wilson

from ._jobs import Row
from ._kind import Tables

ALL = "all"


def mission_tables(rows: list[Row]) -> Tables:
    """Return the sums by kernel, variant and kind of arena, and the differences on the same missions."""
    return {"table": mission_table(rows), "pairs": pair_table(rows)}


def who(row: Row) -> tuple[str, str]:
    """Return who drove: kernel and variant."""
    return row["kernel"], row["variant"]


def drivers(rows: Iterable[Row]) -> list[tuple[str, str]]:
    """Return all who drove, in the rows' order."""
    return list(dict.fromkeys(who(row) for row in rows))


def label(driver: tuple[str, str]) -> str:
    """Return a driver's name for people."""
    kernel, variant = driver
    return kernel if variant == "plain" else f"{kernel}, {variant}"


def kind_of(arena: str) -> str:
    """Return the arenas that one is summed up with: a generated one's family, or itself."""
    family, _, rest = arena.partition(":")
    if family not in FAMILIES or not rest:
        return arena
    return f"{family}:*:explore" if rest.endswith(":explore") else f"{family}:*"


def mission_table(rows: Iterable[Row]) -> list[Row]:
    """Sum the missions up by driver and kind of arena, and by driver over all arenas."""
    rows = list(rows)
    kinds = list(dict.fromkeys(kind_of(row["arena"]) for row in rows))
    lines = []
    for driver in drivers(rows):
        mine = [row for row in rows if who(row) == driver]
        groups = [(kind, [row for row in mine if kind_of(row["arena"]) == kind]) for kind in kinds]
        lines += [_line(driver, kind, some) for kind, some in [*groups, (ALL, mine)] if some]
    return lines


def _line(driver: tuple[str, str], arenas: str, rows: list[Row]) -> Row:
    """Sum up missions of one driver.

    `per_s` are decisions by wall time, driving included; `p50_ms` and `p95_ms` the wall time that a decision
    waited for models, of those that asked one; `path90_m` and `path99_m` are means over the `seen90` and
    `seen99` missions that came to see so much; `path90_ref` is the geometric mean of the ways to 90 % by the
    reference's.
    """
    calls = sum(row["llm"]["calls"] for row in rows)
    good = sum(row["good"] for row in rows)
    low, high = wilson(good, len(rows))
    times = [time for row in rows for time in row["thought_ms"] if time > 0]
    ratios = [row["path90_ref"] for row in rows if row["path90_ref"]]
    wall_s = sum(row["wall_s"] for row in rows)
    return {
        "kernel": driver[0],
        "variant": driver[1],
        "arenas": arenas,
        "runs": len(rows),
        "success": good / len(rows),
        "success_low": round(low, 4),
        "success_high": round(high, 4),
        "collisions": sum(row["collisions"] or 0 for row in rows),
        "spl": _mean((row["spl"] for row in rows), 3),
        "coverage": _mean((row["coverage"] for row in rows), 3),
        "path_m": _mean((row["path_m"] for row in rows), 2),
        "seen90": sum(row["path90_m"] is not None for row in rows),
        "path90_m": _mean((row["path90_m"] for row in rows), 2),
        "seen99": sum(row["path99_m"] is not None for row in rows),
        "path99_m": _mean((row["path99_m"] for row in rows), 2),
        "path90_ref": round(statistics.geometric_mean(ratios), 3) if ratios else None,
        "cycles": _mean((row["cycles"] for row in rows), 1),
        "per_s": round(sum(row["decisions"] for row in rows) / wall_s, 2) if wall_s else None,
        "p50_ms": round(percentile(times, 50), 1),
        "p95_ms": round(percentile(times, 95), 1),
        "tokens_in": _sum(rows, lambda row: row["llm"]["tokens_in"]),
        "tokens_out": _sum(rows, lambda row: row["llm"]["tokens_out"]),
        "valid": sum(row["llm"]["valid"] for row in rows) / calls if calls else 1.0,
        "brains": counted(rows, "brains"),
        "escalations": counted(rows, "escalations"),
        "stand_ins": _sum(rows, lambda row: row["stand_ins"]),
        "deadlines": _sum(rows, lambda row: row["deadlines"]),
        "refused": _sum(rows, lambda row: row["blocks"]["refused"]),
        "guards": counted(rows, "guards"),
    }


def _mean(values: Iterable[float | None], digits: int) -> float | None:
    known = [value for value in values if value is not None]
    return round(statistics.mean(known), digits) if known else None


def _sum(rows: Sequence[Row], of: Callable[[Row], int]) -> int:
    return sum(of(row) for row in rows)


def counted(rows: Iterable[Row], key: str) -> dict[str, int]:
    """Return the sum of the rows' counts, the most frequent first."""
    total: Counter[str] = Counter()
    for row in rows:
        total.update(row[key])
    return dict(total.most_common())


def pair_table(rows: Sequence[Row]) -> list[Row]:
    """Compare each two drivers on the missions (arena and seed) that both drove.

    Differences are the first minus the second, with 95 % intervals by the bootstrap over arenas; `*_p` are
    sign tests over the missions in which the two differ.
    """
    found = {driver: {_mission(row): row for row in rows if who(row) == driver} for driver in drivers(rows)}
    lines = []
    for (one, mine), (other, theirs) in combinations(found.items(), 2):
        same = [mission for mission in mine if mission in theirs]
        if same:
            both = [(mission[0], mine[mission], theirs[mission]) for mission in same]
            lines.append(
                {"first": label(one), "second": label(other), "missions": len(same), **_compared(both)}
            )
    return lines


def _mission(row: Row) -> tuple[str, int]:
    return row["place"], row["seed"]


def _compared(both: list[tuple[str, Row, Row]]) -> dict[str, Any]:
    facts: dict[str, Any] = {}
    for name in ("good", "spl", "path_m"):
        differences = [
            (arena, mine[name] - theirs[name])
            for arena, mine, theirs in both
            if mine[name] is not None and theirs[name] is not None
        ]
        facts |= _difference("success" if name == "good" else name, differences)
    return facts


def _difference(name: str, differences: list[tuple[str, float]]) -> dict[str, Any]:
    groups: dict[str, list[float]] = {}
    for arena, value in differences:
        groups.setdefault(arena, []).append(value)
    mean, low, high = mean_between(list(groups.values())) if groups else (None, None, None)
    more, less = sum(d > 0 for _, d in differences), sum(d < 0 for _, d in differences)
    values = {"": mean, "_low": low, "_high": high, "_p": sign_test(more, less) if differences else None}
    return {f"d_{name}{end}": None if value is None else round(value, 4) for end, value in values.items()} | {
        f"{name}_more": more,
        f"{name}_less": less,
    }
