"""What a taught kernel has to show, each figure beside what is asked of it and beside the untaught one's.

All on arenas that it was not taught on; `office` is a family that it was never shown. Composed of the other
kinds of evaluation, which tell more.
"""

import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from llmos.babyai import FAMILIES
from llmos.brains.opening import INSTINCT
from llmos.figures import percentile
from llmos.inference import untaught
from llmos.inference._adapter import adapter_of
from llmos.statistics import ratio_between, wilson

from ._babyai import BABYAI, Episode, Episodes
from ._babyai import tables as babyai_tables
from ._choice_figures import Figures, Interval, figures
from ._choices import CHOICES, NOBODY, Choices, Chosen
from ._figures import ALL, mission_table, pair_table
from ._frames import SHOWS
from ._jobs import EvaluationError, Row
from ._kind import Kind, Plan, Tables
from ._missions import MISSIONS, Mission, Missions, arenas_of
from ._writing import WRITING, Programs, Wanted, program_table

OF = {Chosen: CHOICES, Mission: MISSIONS, Wanted: WRITING, Episode: BABYAI}  # a task's kind
KEY = "evaluation"  # of a row: its kind's name


@dataclass(frozen=True)
class Amounts:
    """How much of each kind."""

    choices: str  # arenas
    frames: int  # of each
    drives: str  # arenas
    behaviours: tuple[str, ...]  # none: all
    episodes: int  # of each family of BabyAI


WHOLE = Amounts("office:60@0,office:30@0:explore", 10, "office:100@0", (), 50)
QUICK = Amounts("office:3@0,office:1@0:explore", 4, "office:1@0", ("light_red", "turn_left_90"), 1)
WAYS = ("translate", "choose")  # to a program; the first one counts


@dataclass(frozen=True)
class Taught:
    """What to evaluate: some plans of other kinds."""

    plans: tuple[Plan, ...]

    def tasks(self) -> Iterator[Any]:
        """Return the tasks of all."""
        for one in self.plans:
            yield from one.tasks()


def plan(*, kernels: str, quick: bool) -> Taught:
    """Return the plans for a taught kernel and the same one untaught.

    Raises:
        AdapterError: the kernel is none that can be taught.
        EvaluationError: nothing has taught it yet.
    """
    bare = untaught(kernels)
    if adapter_of(kernels) is None:
        raise EvaluationError(
            f"kernel {kernels!r} has no adapter here: make one (llmos train), or name another"
        )
    return plans(kernels, bare, QUICK if quick else WHOLE)


def plans(kernel: str, bare: str, how: Amounts) -> Taught:
    """Return the plans for a kernel, taught and untaught."""
    both = (kernel, bare)
    ways = ("score", "least", "alone")
    return Taught(
        (
            Choices(arenas_of(how.choices), both, ways, SHOWS, frames=how.frames),
            Missions(arenas_of(how.drives), ("rule", f"{INSTINCT}:{kernel}"), 1, ("shuffle",)),
            Programs(both, WAYS, how.behaviours),
            Episodes((*both, "rule", "random"), ("all",), FAMILIES, 8, how.episodes, 10.0),
        )
    )


def one_of(task: Any) -> Row:
    """Carry out a task by its kind."""
    kind = OF[type(task)]
    return {KEY: kind.name, **kind.one(task)}


def line(row: Row) -> str:
    """Return a task's line of progress."""
    return next(kind for kind in OF.values() if kind.name == row[KEY]).line(row)


def tables(rows: list[Row]) -> Tables:
    """Return a line for each figure."""
    mine = {kind.name: [row for row in rows if row[KEY] == kind.name] for kind in OF.values()}
    return {
        "table": [
            *choice_lines(figures(mine["choices"])),
            *drive_lines(mine["missions"]),
            *program_lines(mine["writing"]),
            *babyai_lines(mine["babyai"]),
            figure("all again from scratch, another seed", "the same intervals", None, "by llmos train"),
        ]
    }


def figure(
    what: str,
    asked: str,
    found: Interval | None,
    beside: str = "",
    met: Callable[[float], bool] | None = None,
    form: str = ".1%",
) -> Row:
    """Return a line of the table: a figure with its interval; `met` says whether it is what is asked."""
    measured, interval, verdict = "–", "–", "–"
    if found is not None:
        value, low, high = found
        measured, interval = f"{value:{form}}", f"{low:{form}} to {high:{form}}"
        verdict = "–" if met is None else "yes" if met(value) else "no"
    return {
        "what": what, "asked": asked, "measured": measured, "95 %": interval, "met": verdict, "beside": beside
    }  # fmt: skip


def choice_lines(found: Sequence[Figures]) -> list[Row]:
    """Return the lines about choices among candidates; the model's word alone is meant."""
    taught, bare = dict.fromkeys(one.kernel for one in found if one.way == "alone")
    of = {(one.show, one.way, one.kernel): one for one in found}

    def beside(show: str, say: Callable[[Figures], str]) -> str:
        rows = {
            "rule": of["shown", "score", NOBODY],
            "arithmetic": of[show, "least", NOBODY],
            "untaught": of[show, "alone", bare],
        }
        return ", ".join(f"{name} {say(one)}" for name, one in rows.items())

    lines = []
    for show, least in (("hidden", 0.85), ("wrong", 0.8), ("shown", None)):
        one = of[show, "alone", taught]
        others = f"{beside(show, lambda other: f'{other.best[0]:.1%}')}, chance {one.chance:.1%}"
        what, asked = f"best choice, scores {show}", f"≥ {least:.0%}" if least else ""
        lines.append(figure(what, asked, one.best, others, at_least(least)))
    for show in ("hidden", "shown"):
        one = of[show, "alone", taught]
        others = beside(show, lambda other: f"{other.of_rule[0]:.2f}" if other.of_rule else "–")
        what = f"regret by the rule's, scores {show}"
        lines.append(figure(what, "≤ 0.5", one.of_rule, others, at_most(0.5), ".2f"))
    for show in ("hidden", "shown"):
        one, other = of[show, "alone", taught], of[show, "alone", bare]
        others = f"untaught {other.ece[0]:.3f}" if other.ece else ""
        lines.append(figure(f"calibration error, {show}", "≤ 0.05", one.ece, others, at_most(0.05), ".3f"))
    return [*lines, latency(of["hidden", "alone", taught], of["hidden", "alone", bare])]


def at_least(bound: float | None) -> Callable[[float], bool] | None:
    """Return the test of what is asked for; None where nothing is."""
    return None if bound is None else lambda value: value >= bound


def at_most(bound: float) -> Callable[[float], bool]:
    """Return the test of what is asked for."""
    return lambda value: value <= bound


def latency(taught: Figures, bare: Figures) -> Row:
    """Return the line about the time of one pass: the ratio of the arenas' medians."""
    medians = [[[statistics.median(group)] for group in one.times_ms] for one in (taught, bare)]
    times = [percentile([time for group in one.times_ms for time in group], 50) for one in (taught, bare)]
    others = f"{times[0]:.0f} ms and {times[1]:.0f} ms"
    found = ratio_between(*medians) if len(medians[0]) == len(medians[1]) > 0 else None
    return figure("instinct's time by the untaught's", "≤ 1.1", found, others, at_most(1.1), ".2f")


def drive_lines(rows: list[Row]) -> list[Row]:
    """Return the lines about drives by the instinct alone and by the rule in the family that was held out."""
    mine = [row for row in rows if row["kernel"] != "rule"]
    table = {row["kernel"]: row for row in mission_table(rows) if row["arenas"] == ALL}
    rule, alone = table["rule"], table[mine[0]["kernel"]]
    (pair,) = pair_table([*mine, *(row for row in rows if row["kernel"] == "rule")])
    ends = (alone["success"], alone["success_low"], alone["success_high"])
    more = pair["d_spl"], pair["d_spl_low"], pair["d_spl_high"]
    hits = (alone["collisions"],) * 3
    return [
        figure("drives alone, success", "≥ 98%", ends, f"rule {rule['success']:.1%}", at_least(0.98)),
        figure("drives alone, collisions", "0", hits, f"rule {rule['collisions']}", at_most(0), "d"),
        figure(
            "drives alone, SPL less the rule's", "≥ 0", None if None in more else more,
            f"{alone['spl']} and {rule['spl']}", at_least(0.0), "+.3f",
        ),
    ]  # fmt: skip


def program_lines(rows: list[Row]) -> list[Row]:
    """Return the line about behaviours in English: the share of right outcomes."""
    table = {(row["kernel"], row["way"]): row for row in program_table(rows) if row["way"] in WAYS}
    taught = next(iter(table))[0]
    one = table.pop((taught, WAYS[0]))
    found = (one["right_share"], *wilson(one["right"], one["programs"]))
    others = ", ".join(
        f"{'taught' if kernel == taught else 'untaught'} {way} {row['right_share']:.1%}"
        for (kernel, way), row in table.items()
    )
    return [figure(f"behaviours right, {WAYS[0]}", "≥ 70%", found, others, at_least(0.7))]


def babyai_lines(rows: list[Row]) -> list[Row]:
    """Return the line about BabyAI: success with chosen subgoals, all that can be done to choose from."""
    one, *others = babyai_tables(rows)["table"]
    found = (one["success"], *wilson(round(one["success"] * one["episodes"]), one["episodes"]))
    said = [f"{row['player']} {row['success']:.1%}" for row in others]
    return [figure("BabyAI, success", "", found, ", ".join(said))]


TAUGHT = Kind(
    name="taught",
    help="Set each figure that a taught kernel has to show beside what is asked of it, and beside the rule, "
    "chance and the kernel untaught: choices, drives, programs and BabyAI in turn.",
    options={"kernels": "smollm2", "quick": False},
    plan=plan,
    one=one_of,
    line=line,
    tables=tables,
    good=lambda rows: all(row["met"] != "no" for row in tables(rows)["table"]),
)
