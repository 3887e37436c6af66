"""What a person sees of a mission: a line a cycle, a live map, the ending."""

import io
import math
import os
import shutil
import sys
from typing import Any, TextIO

from llmbytecode import Certificate
from llmos.kernel.mind import Mind, Step
from llmos.report import Report
from llmos.shown import used_lines
from llmos.terminal import redraws
from llmos.text import plain
from llmos.world.draw import live_map

MAP_WIDTH = 40  # columns
UP = "\x1b[{}A\x1b[J"


def cycle_line(step: Step) -> str:
    """Return one readable line about a cycle."""
    x, y, heading = step.pose
    where = f"({x:5.2f},{y:5.2f}) {math.degrees(heading) % 360:3.0f}°"
    what = f"{step.mode:11} {choice(step)}{proof(step)}{ending(step)}{sights(step)}"
    return plain(f"{step.cycle:3d} {step.ms / 1000:6.1f}s {where} {what}")


def choice(step: Step) -> str:
    """Return the decision, who made it and how long that took."""
    thought = step.thought
    if step.decision is None or thought is None:
        return "no legal answer" if thought else "looks around"
    why = f" {thought.why}" if thought.why else ""
    took = f" {thought.seconds * 1000:.0f} ms" if thought.calls else ""
    asks = f", planner begins: {thought.escalation}" if thought.escalation else ""
    return f"{step.decision.action!s:13} [{thought.brain}{why}{took}{asks}] “{step.decision.explanation}”"


def proof(step: Step) -> str:
    """Return the block's certificate: it cannot cost more than this."""
    return bounds(step.block.certificate) if step.block else ""


def bounds(proven: Certificate) -> str:
    """Return what a block can use at most."""
    turn = math.degrees(proven.rotation_mrad / 1000)
    return f" | ≤{proven.ms / 1000:.1f} s ≤{proven.path_mm} mm ≤{turn:.0f}° fuel ≤{proven.fuel}"


def ending(step: Step) -> str:
    """Return what came of it."""
    trouble = "; ".join(filter(None, (step.thought.note if step.thought else "", step.note)))
    note = f" ({trouble})" if trouble and trouble not in (step.acted.details if step.acted else "") else ""
    if step.acted is None:
        return note
    result = "" if step.acted.result == "success" else f"{step.acted.result}: "
    return f" → {result}{step.acted.details}{note}"


def sights(step: Step) -> str:
    """Return what the newest picture shows, or why there is none; labels are quoted, as they are data."""
    if step.seen is None:
        return ""
    if step.seen.problem:
        return f" | sees nothing: {step.seen.problem}"
    labels = sorted({f"“{one.label}”" for one in step.seen.objects if one.age_ms == 0})
    return f" | sees {', '.join(labels)}" if labels else ""


def shows_maps(out: TextIO) -> bool:
    """Tell whether an output is a terminal that can redraw and may have colours (no-color.org)."""
    return redraws(out) and not os.environ.get("NO_COLOR")


class Screen:
    """Prints a line a cycle and, where the terminal can show one, a map that is redrawn below them."""

    def __init__(self, out: TextIO | None = None, with_map: bool | None = None) -> None:
        self.out = out or sys.stdout or io.StringIO()  # there is no standard output where it was closed
        self.with_map = shows_maps(self.out) if with_map is None else with_map
        self._fits = shutil.get_terminal_size().lines - 2
        self._map_lines = 0

    def __call__(self, mind: Mind, step: Step) -> None:
        """Show one cycle."""
        text = UP.format(self._map_lines) if self._map_lines else ""
        text += cycle_line(step) + "\n"
        if self.with_map:
            picture = live_map(
                mind.belief.grid, mind.belief.pose, step.path, step.candidates, mind.goal.place_m, MAP_WIDTH
            )
            lines = picture.count("\n") + 1
            self._map_lines = lines if lines <= self._fits else 0  # what is taller cannot be redrawn in place
            text += picture + "\n" if self._map_lines else ""
        self.out.write(text)
        self.out.flush()


def program_text(report: Report) -> str:
    """Return a behaviour's program as it is shown before it runs: what was read, the text, who made it."""
    draft = report.draft
    if draft is None:
        return ""
    made = f"chosen: {draft.chosen}" if draft.chosen else f"written, {len(draft.attempts)} attempts"
    proven = bounds(draft.certificate) if draft.certificate else ""
    lines = [f"goal: {report.goal}", *draft.text.rstrip().split("\n")]
    lines.append(f"{made} [{report.order.kernel} {1000 * draft.seconds:.0f} ms]{proven}")
    return "\n".join(map(plain, lines))


def closing(report: Report) -> str:
    """Return the outcome in words."""
    result = report.summary()
    sent, shortest = result["blocks"], result["shortest_m"]
    way = f"drove {result['path_m']:.2f} m"
    if shortest is not None:
        way += f", shortest {shortest:.2f} m, SPL {result['spl']:.2f}"
    hits = "unknown" if result["collisions"] is None else result["collisions"]
    seen = "" if report.draft else f", {result['coverage']:.0%} of the free area seen"
    cycles = "" if report.draft else f"{result['cycles']} cycles, "
    lines = [
        f"{result['outcome']}: {result['reason']}",
        f"  {way}, {hits} collisions{seen}",
        f"  {cycles}{result['sim_s']:.1f} s of robot time in {result['wall_s']:.1f} s",
        f"  {sent['sent']} blocks of {sent['words']} words run, {sent['refused']} refused",
        *(f"  {line}" for line in (used_lines(report.run) if report.run else [])),
    ]
    if not report.draft:
        lines += [f"  goal: {report.goal}", *asked(report.order.kernel, result)]
    return "\n".join(map(plain, lines))


def asked(kernel: str, result: dict[str, Any]) -> list[str]:
    """Return who decided, and how the model did, in words."""
    model, spent = result["llm"], result["spent"]
    who = ", ".join(f"{count} {brain}" for brain, count in result["brains"].items()) or "none"
    lines = [
        f"  {kernel}: {result['decisions']} decisions ({who}); {model['valid']} of {model['calls']} answers "
        f"valid, median {model['p50_ms']:.0f} ms, 95 % within {model['p95_ms']:.0f} ms"
    ]
    if result["escalations"]:
        reasons = ", ".join(f"{reason} {count}x" for reason, count in result["escalations"].items())
        lines.append(
            f"  planner began: {reasons}; models in all: {spent['calls']} calls, {spent['tokens']} tokens"
        )
    return lines
