"""What is said of blocks that a robot has run: facts for --json, and text for people."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from llmbytecode import Mode, Outcome
from llmos.manifest import Manifest
from llmos.runs import Run, cut_by, ended, place
from llmos.sim.judge import Sample
from llmos.trace import Act, trace
from llmos.trial import Trial
from llmos.world.draw import RunRecord
from llmos.world.sketch import sketch

UNSEEN = 65535  # a range channel without a valid reading


class Shown(NamedTuple):
    """A run with its file's name and the text of each of its words; `acts` where a trace is wanted."""

    name: str
    texts: Sequence[str]
    run: Run
    acts: list[Act] | None = None

    @property
    def truth(self) -> list[Sample]:
        """Where the robot really was; empty where nobody knows."""
        return self.run.truth.samples if isinstance(self.run, Trial) else []

    @property
    def collisions(self) -> int:
        """How often something was hit, as far as anybody knows."""
        return self.run.truth.collisions if isinstance(self.run, Trial) else 0

    @property
    def good(self) -> bool:
        """Whether the block completed and nothing was hit."""
        return self.run.done.outcome == Outcome.COMPLETED and not self.collisions


def shown(name: str, texts: Sequence[str], run: Run, traced: bool) -> Shown:
    """Return a run as it is shown."""
    return Shown(name, texts, run, trace(run) if traced else None)


def facts(one: Shown) -> dict[str, Any]:
    """Return a run for --json; pose, collisions and nearest_mm are null where nobody knows the true place."""
    run = one.run
    found = {
        "file": one.name,
        "outcome": Outcome(run.done.outcome).name.lower(),
        "code": run.done.code,
        "ended": ended(one.run),
        "word": run.done.pc,
        "line": run.program.line(run.done.pc) or None,
        "trip": run.done.trip,
        "used": run.used,
        "certificate": run.certificate._asdict(),
        "reports": [list(event) for event in run.events],
        "pose": pose(one.truth[-1]) if one.truth else None,
        "collisions": one.collisions if one.truth else None,
        "nearest_mm": run.nearest_mm if isinstance(run, Trial) else None,
    }
    return found if one.acts is None else found | {"trace": [act_facts(one, act) for act in one.acts]}


def pose(sample: Sample) -> dict[str, int]:
    """Return a true pose in the arena's frame."""
    x, y, heading = (round(1000 * number) for number in (sample.x, sample.y, sample.heading))
    return {"x_mm": x, "y_mm": y, "heading_mrad": heading}


def act_facts(one: Shown, act: Act) -> dict[str, Any]:
    """Return a line of the trace for --json."""
    seen = act.seen
    return {
        "ms": act.ms,
        "took_ms": act.took_ms,
        "word": act.word,
        "line": one.run.program.line(act.word) or None,
        "text": one.texts[act.word],
        "believed": {"x_mm": seen.x_mm, "y_mm": seen.y_mm, "heading_mrad": seen.heading_mrad},
        "front_mm": None if seen.front == UNSEEN else seen.front,
        "trip": act.trip,
        "report": act.report,
        "sure": act.sure,
    }


def text(one: Shown) -> str:
    """Return a run for people."""
    run = one.run
    mode = f", mode {Mode(run.telemetry[-1].mode).name.lower()}" if run.telemetry else ""
    hits = f", {one.collisions} collisions" if one.truth else ""
    lines = [f"{one.name}: {ended(one.run)}{mode}{hits}"]
    if one.acts is not None:
        lines += ["", *trace_lines(one, one.acts), ""]
    lines += used_lines(run)
    lines += [f"report         tag {event.tag}: {event.value}" for event in run.events]
    if one.truth:
        at = pose(one.truth[-1])
        heading = math.degrees(one.truth[-1].heading)
        lines.append(
            f"pose           {at['x_mm']} mm east, {at['y_mm']} mm north, {heading:.1f}° in the arena"
        )
    return "\n".join(lines)


def used_lines(run: Run) -> list[str]:
    """Return a table of what was used beside what was proved."""
    lines = [f"{'':<14} {'used':>8} {'proven':>8}"]
    for name, used in run.used.items():
        most = getattr(run.certificate, name)
        lines.append(f"{name:<14} {used:>8} {most:>8} {f'{used / most:6.0%}' if most else '':>6}".rstrip())
    return lines


def trace_lines(one: Shown, acts: Sequence[Act]) -> list[str]:
    """Return a trace, a line for each act; the pose is what the robot believed."""
    lines = [f"{'s':>8} {'x mm':>6} {'y mm':>6} {'turn':>6} {'front':>6}  {'':8} what"]
    for act in acts:
        seen, sure = act.seen, " " if act.sure else "?"
        front = "-" if seen.front == UNSEEN else str(seen.front)
        angle = f"{math.degrees(seen.heading_mrad / 1000):.0f}°"
        note = f"  {act.took_ms / 1000:.3f} s" if act.took_ms else ""
        note += f", ended by {cut_by(act.trip)}" if act.trip else ""
        note += "" if act.report is None else f"  = {act.report}"
        lines.append(
            f"{act.ms / 1000:8.3f} {seen.x_mm:>6} {seen.y_mm:>6} {angle:>6} {front:>6} {sure}"
            f"{place(one.run, act.word):8} {one.texts[act.word]}{note}"
        )
    return lines


def record(runs: Sequence[Shown], manifest: Manifest, seed: int) -> RunRecord | None:
    """Return what the picture of a drive shows, None where its true way is not known."""
    trials = [one.run for one in runs if isinstance(one.run, Trial)]
    if not trials:
        return None
    arena, samples = trials[0].arena, [sample for one in runs for sample in one.truth]
    last, end = runs[-1], samples[-1]
    names = ", ".join(one.name for one in runs)
    seconds = sum(one.run.done.ms for one in runs) / 1000
    hits = sum(one.collisions for one in runs)
    return RunRecord(
        title=f"{names} — {arena.name}, seed {seed}",
        outcome=f"{ended(last.run)}; {seconds:.1f} s, {hits} collisions",
        size_m=arena.size_m,
        walls=arena.walls,
        discs=arena.rounds,
        start=(arena.start.x, arena.start.y, math.radians(arena.start.heading_deg)),
        goal=None,
        tolerance_m=arena.criteria.goal_tolerance_m,
        radius_m=manifest.radius_m,
        grid=None,
        truth=[(sample.x, sample.y) for sample in samples],
        stops=[] if last.good else [((end.x, end.y), ended(last.run))],
        end=(end.x, end.y, end.heading),
    )


def whole_text(runs: Sequence[Shown], picture: RunRecord | None) -> str:
    """Return all runs for people, and a sketch of the way."""
    parts = [text(one) for one in runs]
    return "\n\n".join(parts + ([sketch(picture)] if picture else []))
