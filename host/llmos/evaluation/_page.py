"""One page of HTML about an evaluation of missions: no script, and nothing from elsewhere."""

from collections.abc import Callable, Sequence

from llmos.page_style import STYLE
from llmos.plots import Axis, Mark, axis_for, chart, dots, interval, legend, stacked
from llmos.world.draw import escaped

from ._drives import drives
from ._figures import ALL, counted, drivers, label, who
from ._jobs import Row
from ._kind import Tables

# Of the summary: heading, and how a value is written.
COLUMNS: dict[str, tuple[str, Callable[[Row], str]]] = {
    "kernel": ("kernel", lambda row: row["kernel"]),
    "variant": ("variant", lambda row: row["variant"]),
    "arenas": ("arenas", lambda row: row["arenas"]),
    "runs": ("runs", lambda row: str(row["runs"])),
    "success": ("success (95 %)", lambda row: (
        f"{row['success']:.1%} ({row['success_low']:.0%}–{row['success_high']:.0%})")),
    "collisions": ("collisions", lambda row: str(row["collisions"])),
    "spl": ("SPL", lambda row: written(row["spl"], 2)),
    "coverage": ("coverage", lambda row: f"{row['coverage']:.0%}"),
    "path_m": ("path, m", lambda row: written(row["path_m"], 1)),
    "path90": ("path to 90 %, m (runs)", lambda row: f"{written(row['path90_m'], 1)} ({row['seen90']})"),
    "path99": ("path to 99 %, m (runs)", lambda row: f"{written(row['path99_m'], 1)} ({row['seen99']})"),
    "path90_ref": ("path to 90 % / reference", lambda row: written(row["path90_ref"], 2)),
    "cycles": ("cycles", lambda row: written(row["cycles"], 1)),
    "per_s": ("decisions per s", lambda row: written(row["per_s"], 1)),
    "p50_ms": ("model p50, ms", lambda row: written(row["p50_ms"], 1)),
    "p95_ms": ("model p95, ms", lambda row: written(row["p95_ms"], 1)),
    "tokens": ("tokens in / out", lambda row: f"{row['tokens_in']} / {row['tokens_out']}"),
    "valid": ("valid", lambda row: f"{row['valid']:.1%}"),
    "stand_ins": ("stand-ins / deadlines", lambda row: f"{row['stand_ins']} / {row['deadlines']}"),
    "escalations": ("escalations", lambda row: str(sum(row["escalations"].values()))),
    "refused": ("refused blocks", lambda row: str(row["refused"])),
    "guards": ("guards tripped", lambda row: ", ".join(f"{k} {n}" for k, n in row["guards"].items()) or "0"),
}  # fmt: skip
NAMES = ("kernel", "variant", "arenas", "first", "second")  # columns of words, written from the left
NOTES = """
<p>Success is what the judge says who knows the truth: the goal reached within its tolerance, or the asked
share of the room seen, without a collision. Intervals of success are Wilson's, as if runs were independent.
SPL is success weighted by path length (Anderson et al. 2018). Coverage is the share of the visible free area
that the sensors have shown; the path to 90 and 99 % of it is a mean over the runs that came so far. The
reference is a good way of somebody who knows the map and sees 2 m all around; the ratio to it is a geometric
mean over exploring runs. Model milliseconds are the wall time that a decision waited for models, of
those that asked one; decisions per second count driving, too.</p>
""".strip()
PAIR_NOTES = """
<p>Each two compared on the missions (arena and seed) that both drove: the first minus the second, with 95 %
intervals by the bootstrap over arenas (4000 draws). In brackets: in how many missions the first had more and
in how many less, and the exact two-sided sign test of that. No correction for several comparisons.</p>
""".strip()


def page(title: str, rows: list[Row], tables: Tables) -> str:
    """Return the page."""
    parts = [
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"/>',
        '<meta name="viewport" content="width=device-width, initial-scale=1"/>',
        f"<title>{escaped(title)}</title><style>{STYLE}</style></head><body>",
        f"<h1>{escaped(title)}</h1>",
        f"<h2>Summary</h2>{summary(tables['table'])}{NOTES}",
        f'<h2>Figures</h2><div class="plots">{"".join(plots(rows, tables["table"]))}</div>',
        f"<h2>On the same missions</h2>{pairs(tables['pairs'])}{PAIR_NOTES}" if tables["pairs"] else "",
        f"<h2>Drives</h2>{drives(rows)}",
        "</body></html>\n",
    ]
    return "\n".join(parts)


def written(value: float | None, digits: int) -> str:
    """Return a number with its digits; a dash for none."""
    return "–" if value is None else f"{value:.{digits}f}"


def summary(table: Sequence[Row]) -> str:
    """Return the table of sums; those over all arenas stand out."""
    lines = [
        ("all" if row["arenas"] == ALL else "part", {key: say(row) for key, (_, say) in COLUMNS.items()})
        for row in table
    ]
    return grid({key: heading for key, (heading, _) in COLUMNS.items()}, lines)


def grid(head: dict[str, str], lines: Sequence[tuple[str, dict[str, str]]]) -> str:
    """Return a table of HTML; each line has a class and its cells."""

    def cell(tag: str, key: str, text: str) -> str:
        return f'<{tag} class="{"name" if key in NAMES else "value"}">{escaped(text)}</{tag}>'

    top = "".join(cell("th", key, text) for key, text in head.items())
    rows = "".join(
        f'<tr class="{kind}">{"".join(cell("td", key, cells[key]) for key in head)}</tr>'
        for kind, cells in lines
    )
    return f'<div class="scroll"><table><thead><tr>{top}</tr></thead><tbody>{rows}</tbody></table></div>'


def pairs(table: Sequence[Row]) -> str:
    """Return the comparisons."""
    head = {"first": "first", "second": "second", "missions": "missions", "success": "success, points",
            "spl": "SPL", "path_m": "path, m"}  # fmt: skip
    lines = []
    for row in table:
        cells = {key: str(row[key]) for key in ("first", "second", "missions")}
        for key, times in (("success", 100), ("spl", 1), ("path_m", 1)):
            digits = 1 if times > 1 else 2
            if row[f"d_{key}"] is None:
                cells[key] = "–"
                continue
            mean, low, high = (times * row[f"d_{key}{end}"] for end in ("", "_low", "_high"))
            signs = f"[{row[f'{key}_more']}:{row[f'{key}_less']}, p {row[f'd_{key}_p']:.3f}]"
            cells[key] = f"{mean:+.{digits}f} ({low:+.{digits}f} to {high:+.{digits}f}) {signs}"
        lines.append(("part", cells))
    return grid(head, lines)


def plots(rows: Sequence[Row], table: Sequence[Row]) -> list[str]:
    """Return the plots, without those that have nothing to show."""
    mine = {driver: [row for row in rows if who(row) == driver] for driver in drivers(rows)}
    sums = [row for row in table if row["arenas"] == ALL]
    drawn = [
        chart("Success, with its 95 % interval", "share of missions", Axis(0, 1), {
            label(who(row)): [
                interval(row["success_low"], row["success"], row["success_high"], f"{row['success']:.1%}")
            ] for row in sums
        })
    ]  # fmt: skip
    for key, title, unit, log in (
        (
            "spl",
            "SPL of each mission: median, quartiles",
            "shortest way / way driven, 0 where it failed",
            False,
        ),
        ("path90_m", "Path to 90 % coverage: median, quartiles", "m", False),
        ("path99_m", "Path to 99 % coverage: median, quartiles", "m", False),
        ("path90_ref", "Path to 90 % coverage over the reference's", "ratio, exploring only", False),
        ("thought_ms", "What a decision waited for models", "ms", True),
    ):
        found = {label(driver): values(some, key) for driver, some in mine.items()}
        every = [value for some in found.values() for value in some]
        if every:
            axis = Axis(0, 1) if key == "spl" else axis_for(every, log)
            marks: dict[str, list[Mark]] = {name: [dots(some)] for name, some in found.items()}
            drawn.append(chart(title, unit, axis, marks))
    for key, title in (
        ("brains", "Decisions by brain"), ("escalations", "Escalations by reason"),
        ("guards", "Guards tripped"),
    ):  # fmt: skip
        names = list(counted(rows, key))
        if names:
            parts = {label(driver): counted(some, key) for driver, some in mine.items()}
            axis = axis_for([sum(part.values()) for part in parts.values()])
            bars: dict[str, list[Mark]] = {name: [stacked(part, names)] for name, part in parts.items()}
            drawn.append(chart(title, "count", axis, bars).replace("</figure>", legend(names) + "</figure>"))
    return drawn


def values(rows: Sequence[Row], key: str) -> list[float]:
    """Return a figure of all rows, those of no decision by a model and those of no value left out."""
    if key == "thought_ms":
        return [time for row in rows for time in row[key] if time > 0]
    return [row[key] for row in rows if row[key] is not None]
