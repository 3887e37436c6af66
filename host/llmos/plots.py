"""Plots as inline SVG: one row a driver along one axis, or curves; colours come from the page's style."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from llmos.figures import percentile
from llmos.world.draw import clipped, escaped

LABEL, PLOT, RIGHT, ROW, FOOT, CURVES = 190, 430, 70, 26, 40, 200  # pixels
MOST_DOTS = 150  # of one row
COLOURS = 8  # classes c0 to c7 of the style

Mark = Callable[["Axis", float], str]


@dataclass(frozen=True)
class Axis:
    """Values from low to high over the width of a plot."""

    low: float
    high: float
    log: bool = False

    def x(self, value: float) -> float:
        """Return a value's place in pixels; what lies outside is put on the edge."""
        low, high, at = (
            math.log10(v) if self.log else v for v in (self.low, self.high, max(value, self.low))
        )
        return LABEL + PLOT * min(1.0, (at - low) / (high - low))

    def ticks(self) -> list[float]:
        """Return some round values."""
        if self.log:
            first, last = round(math.log10(self.low)), round(math.log10(self.high))
            return [10.0**power for power in range(first, last + 1)]
        step = 10 ** math.floor(math.log10((self.high - self.low) / 2))
        step = next(step * times for times in (1, 2, 5, 10) if (self.high - self.low) / (step * times) <= 6)
        return [self.low + step * n for n in range(int((self.high - self.low) / step + 1e-9) + 1)]


def axis_for(values: Sequence[float], log: bool = False) -> Axis:
    """Return an axis from 0, or the power of ten below the least, that holds all values."""
    if log:
        some = [value for value in values if value > 0] or [1.0]
        low, high = math.floor(math.log10(min(some))), math.ceil(math.log10(max(some)))
        return Axis(10.0**low, 10.0 ** max(high, low + 1), True)
    return Axis(0.0, max([*values, 1e-9]) * 1.02)


def chart(title: str, unit: str, axis: Axis, rows: Mapping[str, Sequence[Mark]]) -> str:
    """Return a plot: a title, the rows with their marks, the axis with its unit."""
    height = ROW * len(rows) + FOOT
    width = LABEL + PLOT + RIGHT
    parts = [f'<svg class="plot" viewBox="0 0 {width} {height}" role="img" aria-label="{escaped(title)}">']
    for tick in axis.ticks():
        x = axis.x(tick)
        parts.append(f'<path class="grid" d="M{x:.1f} 0V{height - FOOT}"/>')
        parts.append(f'<text class="tick" x="{x:.1f}" y="{height - 24}" text-anchor="middle">{tick:g}</text>')
    middle = LABEL + PLOT / 2
    parts.append(
        f'<text class="tick" x="{middle}" y="{height - 6}" text-anchor="middle">{escaped(unit)}</text>'
    )
    for number, (name, marks) in enumerate(rows.items()):
        y = ROW * (number + 0.5)
        short = escaped(clipped(name, 28))
        parts.append(f'<text x="{LABEL - 10}" y="{y + 4}" text-anchor="end">{short}</text>')
        parts += [mark(axis, y) for mark in marks]
    return f"<figure><figcaption>{escaped(title)}</figcaption>{''.join(parts)}</svg></figure>"


def interval(low: float, value: float, high: float, text: str) -> Mark:
    """Return a value with its interval, and a text behind the plot."""

    def mark(axis: Axis, y: float) -> str:
        return (
            f'<path class="reach" d="M{axis.x(low):.1f} {y}H{axis.x(high):.1f}"/>'
            f'<circle class="value" cx="{axis.x(value):.1f}" cy="{y}" r="4.5"/>{_behind(y, text)}'
        )

    return mark


def dots(values: Sequence[float], digits: int = 2) -> Mark:
    """Return values as dots, a few of many, with their quartiles as a line and their median."""

    def mark(axis: Axis, y: float) -> str:
        if not values:
            return _behind(y, "–")
        some = sorted(values)[:: max(1, math.ceil(len(values) / MOST_DOTS))]
        places = ((axis.x(value), y + 6 * math.sin(7.3 * n)) for n, value in enumerate(some))
        drawn = "".join(f"M{x:.1f} {at:.1f}h0" for x, at in places)
        low, median, high = (percentile(values, share) for share in (25, 50, 75))
        return (
            f'<path class="dots" d="{drawn}"/>'
            f'<path class="reach" d="M{axis.x(low):.1f} {y}H{axis.x(high):.1f}"/>'
            f'<circle class="value" cx="{axis.x(median):.1f}" cy="{y}" r="4.5"/>'
            f"{_behind(y, f'{median:.{digits}f}')}"
        )

    return mark


def stacked(parts: Mapping[str, float], names: Sequence[str]) -> Mark:
    """Return parts one behind the other, coloured by their place among the names."""

    def mark(axis: Axis, y: float) -> str:
        at, drawn = 0.0, []
        for name, part in parts.items():
            x, colour = axis.x(at), names.index(name) % COLOURS
            title = f"<title>{escaped(name)}: {part:g}</title>"
            width = axis.x(at + part) - x
            drawn.append(
                f'<rect class="c{colour}" x="{x:.1f}" y="{y - 8}" width="{width:.1f}" height="16">'
                f"{title}</rect>"
            )
            at += part
        return "".join(drawn) + _behind(y, f"{at:g}")

    return mark


def legend(names: Sequence[str]) -> str:
    """Return what the colours of `stacked` mean."""
    items = (f'<li><i class="c{n % COLOURS}"></i>{escaped(name)}</li>' for n, name in enumerate(names))
    return f'<ul class="legend">{"".join(items)}</ul>' if names else ""


def curves(title: str, units: tuple[str, str], lines: Mapping[str, Sequence[tuple[float, float]]]) -> str:
    """Return a plot of curves: title, the units across and up, the points of each curve by its name."""
    across = axis_for([x for points in lines.values() for x, _ in points])
    up = axis_for([y for points in lines.values() for _, y in points])
    width, height = LABEL + PLOT + RIGHT, CURVES + FOOT

    def y_of(value: float) -> float:
        return CURVES * (1 - min(1.0, value / up.high))

    parts = [f'<svg class="plot" viewBox="0 0 {width} {height}" role="img" aria-label="{escaped(title)}">']
    for tick in across.ticks():
        x = across.x(tick)
        parts.append(f'<text class="tick" x="{x:.1f}" y="{height - 24}" text-anchor="middle">{tick:g}</text>')
    for tick in up.ticks():
        y = y_of(tick)
        parts.append(f'<path class="grid" d="M{LABEL} {y:.1f}H{LABEL + PLOT}"/>')
        parts.append(f'<text class="tick" x="{LABEL - 8}" y="{y + 4:.1f}" text-anchor="end">{tick:g}</text>')
    for number, points in enumerate(lines.values()):
        drawn = "".join(
            f"{'L' if n else 'M'}{across.x(x):.1f} {y_of(y):.1f}" for n, (x, y) in enumerate(points)
        )
        dot = "h0" if len(points) == 1 else ""
        parts.append(f'<path class="curve s{number % COLOURS}" d="{drawn}{dot}"/>')
    parts.append(
        f'<text class="tick" x="{LABEL + PLOT / 2}" y="{height - 6}" text-anchor="middle">'
        f"{escaped(units[0])}</text>"
        f'<text class="tick" x="0" y="{CURVES / 2}">{escaped(units[1])}</text>'
    )
    drawing = f"{''.join(parts)}</svg>"
    return f"<figure><figcaption>{escaped(title)}</figcaption>{drawing}{legend(list(lines))}</figure>"


def _behind(y: float, text: str) -> str:
    x = LABEL + PLOT + RIGHT
    return f'<text class="behind" x="{x}" y="{y + 4}" text-anchor="end">{escaped(text)}</text>'
