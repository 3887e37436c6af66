"""One page of HTML about a fit: its loss, and how often it chooses rightly, by step."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from llmos.disk import write_whole
from llmos.page_style import STYLE
from llmos.plots import curves
from llmos.world.draw import escaped

PAGE = "report.html"
NAMES = {
    "instinct": "decisions in one pass",
    "navigator": "full decisions",
    "programmer": "programs",
    "babyai": "subgoals",
}
NOTES = """
<p>Choice quality is how often the likeliest candidate is one of the best by the teacher, on arenas of
validation. Loss is the cross-entropy of a lesson. The fit keeps the adapter with the best log score (the
negative loss) of decisions in one pass, and ends where it stops getting better. These figures are PyTorch's;
what counts is what <code>llmos eval</code> measures with the quantized runtime.</p>
""".strip()
Line = Mapping[str, Any]


def page(title: str, lines: Sequence[Line]) -> str:
    """Return the page of a log's lines."""
    judged = [line for line in lines if "val_score" in line]
    best = max(judged, key=lambda line: float(line["val_score"]), default=None)
    said = f"<p>{escaped(told(lines[-1], best))}</p>" if lines else "<p>Nothing yet.</p>"
    losses = {"learning": series(lines, "loss")} | each(judged, "val_loss_")
    plots = [
        curves("Choice quality", ("step", "share right"), each(judged, "val_choice_")),
        curves("Loss", ("step", "loss"), {name: points for name, points in losses.items() if points}),
    ]
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escaped(title)}</title>'
        f"<style>{STYLE}</style><h1>{escaped(title)}</h1>{said}"
        f'<div class="plots">{"".join(plots)}</div>{NOTES}</html>\n'
    )


def told(last: Line, best: Line | None) -> str:
    """Say how far a fit is, and which step was the best."""
    far = f"Step {last['step']}, {last['tokens']} tokens, {last['seconds'] / 60:.0f} minutes."
    return far + (f" Best so far: step {best['step']}, log score {best['val_score']:.3f}." if best else "")


def each(lines: Sequence[Line], start: str) -> dict[str, list[tuple[float, float]]]:
    """Return the curves of all figures whose names start alike, by what is taught."""
    keys = dict.fromkeys(key for line in lines for key in line if key.startswith(start))
    return {NAMES.get(key.removeprefix(start), key.removeprefix(start)): series(lines, key) for key in keys}


def series(lines: Sequence[Line], key: str) -> list[tuple[float, float]]:
    """Return the points of a figure by step."""
    return [(float(line["step"]), float(line[key])) for line in lines if key in line]


def write_page(folder: Path, lines: Sequence[Line]) -> Path:
    """Write the page of a fit into its folder; raises OSError where it cannot."""
    path = folder / PAGE
    write_whole(path, page(f"llmos train fit: {folder.resolve().parent.name}", lines).encode())
    return path
