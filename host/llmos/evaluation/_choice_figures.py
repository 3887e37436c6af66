"""The figures of choices among candidates: summed up by how scores are shown, by kernel and by way."""

import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from llmos.figures import percentile
from llmos.statistics import bootstrap, mean_between, ratio_between, wilson

from ._frames import SHOWS
from ._jobs import EvaluationError, Row
from ._kind import Tables

BINS = 10  # of confidence

Interval = tuple[float, float, float]  # a figure, and the ends of its 95 % interval


@dataclass(frozen=True)
class Figures:
    """What the choices of one kernel in one way come to; intervals are by the bootstrap over arenas.

    Args:
        show: how scores were shown.
        kernel: who was asked.
        way: how.
        groups: the frames of each arena, as `frame_row` gives them.
    """

    show: str
    kernel: str
    way: str
    groups: Sequence[Sequence[Row]]

    @property
    def frames(self) -> list[Row]:
        """All frames."""
        return [frame for group in self.groups for frame in group]

    @cached_property
    def best(self) -> Interval:
        """How often the best candidate was chosen."""
        return mean_between(self._each("right"))

    @property
    def wilson(self) -> tuple[float, float]:
        """The ends of its interval as if frames were independent."""
        return wilson(sum(frame["right"] for frame in self.frames), len(self.frames))

    @property
    def chance(self) -> float:
        """How often a blind choice is the best."""
        return float(statistics.mean(frame["chance"] for frame in self.frames))

    @cached_property
    def regret_m(self) -> Interval:
        """What a choice loses against the best, in the mean."""
        return mean_between(self._each("regret_m"))

    @cached_property
    def of_rule(self) -> Interval | None:
        """The regret over that of the rule's choice by its own scores; None where that is nothing."""
        found = ratio_between(self._each("regret_m"), self._each("rule_m"))
        return found if np.isfinite(found[0]) else None

    @cached_property
    def ece(self) -> Interval | None:
        """The expected calibration error (Naeini et al. 2015) in equal bins; None without confidences.

        Its interval is rather too high than too low: drawing again adds noise to each bin, and noise adds up.
        """
        parts = np.zeros((len(self.groups), BINS + 1))
        for part, group in zip(parts, self.groups, strict=True):
            for frame in group:
                sure = frame["confidence"]
                if sure is not None:
                    part[min(int(sure * BINS), BINS - 1)] += sure - frame["right"]
                    part[BINS] += 1
        if not parts[:, BINS].any():
            return None
        return bootstrap(
            parts, lambda sums: np.abs(sums[..., :BINS]).sum(-1) / np.maximum(1, sums[..., BINS])
        )

    @property
    def times_ms(self) -> list[list[float]]:
        """What each choice that asked a model took, by arena."""
        times = [[1000 * frame["seconds"] for frame in group if frame["calls"]] for group in self.groups]
        return [some for some in times if some]

    def _each(self, key: str) -> list[list[float]]:
        return [[float(frame[key]) for frame in group] for group in self.groups]


def figures(rows: Iterable[Row]) -> list[Figures]:
    """Return the figures of each show, kernel and way, in the rows' order; shows in theirs.

    Raises:
        EvaluationError: there is nothing to choose in all of them.
    """
    found: dict[tuple[str, str, str], dict[str, list[Row]]] = {}
    for row in rows:
        arenas = found.setdefault((row["show"], row["kernel"], row["way"]), {})
        arenas.setdefault(row["arena"], []).extend(row["frames"])
    made = [
        Figures(*key, [group for group in arenas.values() if group])
        for key, arenas in sorted(found.items(), key=lambda one: SHOWS.index(one[0][0]))
    ]
    if not any(one.groups for one in made):
        raise EvaluationError("no frame has something to choose: name more arenas, or more seeds")
    return [one for one in made if one.groups]


def tables(rows: list[Row]) -> Tables:
    """Return the sums by show, kernel and way; and the choices and regrets by family and kind of frame."""
    parts = {part: figures(some) for part, some in parted(rows).items()}
    return {
        "table": [line(one) for one in figures(rows)],
        "parts": [
            *by_part(parts, "best", lambda one: said(one.best, ".0%")),
            *by_part(parts, "of_rule", lambda one: said(one.of_rule, ".2f")),
        ],
    }


def parted(rows: list[Row]) -> dict[str, list[Row]]:
    """Return the rows of each family of arenas, and those of either kind of frame, where there are two."""
    families: dict[str, list[Row]] = {}
    kinds: dict[str, list[Row]] = {}
    for row in rows:
        for kind, goal in (("goal", True), ("explore", False)):
            frames = [frame for frame in row["frames"] if frame["goal"] is goal]
            if frames:
                families.setdefault(row["arena"].partition(":")[0], []).append({**row, "frames": frames})
                kinds.setdefault(kind, []).append({**row, "frames": frames})
    return {name: some for parts in (families, kinds) if len(parts) > 1 for name, some in parts.items()}


def by_part(parts: dict[str, list[Figures]], what: str, say: Callable[[Figures], str | None]) -> list[Row]:
    """Return a line for each show, kernel and way, with a figure of each part in words."""
    lines: dict[tuple[str, str, str], Row] = {}
    for part, some in parts.items():
        for one in some:
            head = {"figure": what, "show": one.show, "kernel": one.kernel, "way": one.way}
            lines.setdefault((one.show, one.kernel, one.way), head | dict.fromkeys(parts))[part] = say(one)
    return list(lines.values())


def line(one: Figures) -> Row:
    """Return figures as a line of the table; `best_95` is Wilson's interval, the others are over arenas."""
    times = [time for group in one.times_ms for time in group]
    return {
        "show": one.show,
        "kernel": one.kernel,
        "way": one.way,
        "arenas": len(one.groups),
        "frames": len(one.frames),
        "best": one.best[0],
        "best_95": span((0, *one.wilson), ".0%"),
        "by_arena_95": span(one.best, ".0%"),
        "chance": one.chance,
        **between("regret_m", one.regret_m),
        **between("of_rule", one.of_rule),
        **between("ece", one.ece),
        "p50_ms": round(percentile(times, 50), 1) if times else None,
        "p95_ms": round(percentile(times, 95), 1) if times else None,
        "calls": round(statistics.mean(frame["calls"] for frame in one.frames), 1),
        "tokens": round(statistics.mean(frame["tokens"] for frame in one.frames)),
    }


def between(name: str, found: Interval | None) -> Row:
    """Return a figure and its interval as two columns."""
    if found is None:
        return {name: None, f"{name}_95": None}
    return {name: round(found[0], 3), f"{name}_95": span(found, ".2f")}


def said(found: Interval | None, form: str) -> str | None:
    """Return a figure and its interval in words."""
    return None if found is None else f"{found[0]:{form}} {span(found, form)}"


def span(found: Interval, form: str) -> str:
    """Return an interval in words."""
    return f"{found[1]:{form}}–{found[2]:{form}}"
