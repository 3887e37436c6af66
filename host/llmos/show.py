"""What a person sees of a mission: a line a cycle, a live map, the ending."""

import io
import math
import os
import shutil
import sys
from typing import TextIO

from llmos.kernel.mind import Mind, Step
from llmos.report import Report
from llmos.text import plain
from llmos.world.draw import live_map

MAP_WIDTH = 40  # columns
UP = "\x1b[{}A\x1b[J"


def cycle_line(step: Step) -> str:
    """Return one readable line about a cycle."""
    x, y, heading = step.pose
    where = f"({x:5.2f},{y:5.2f}) {math.degrees(heading) % 360:3.0f}°"
    what = f"{step.mode:11} {choice(step)}{proof(step)}{ending(step)}"
    return plain(f"{step.cycle:3d} {step.ms / 1000:6.1f}s {where} {what}")


def choice(step: Step) -> str:
    """Return the decision, who made it and how long that took."""
    if step.decision is None:
        return "no legal answer" if step.answer else "looks around"
    took = f" {step.answer.seconds * 1000:.0f} ms" if step.answer else ""
    return f"{step.decision.action!s:13} [{step.brain}{took}] “{step.decision.explanation}”"


def proof(step: Step) -> str:
    """Return the block's certificate: it cannot cost more than this."""
    if step.block is None:
        return ""
    proven = step.block.certificate
    turn = math.degrees(proven.rotation_mrad / 1000)
    return f" | ≤{proven.ms / 1000:.1f} s ≤{proven.path_mm} mm ≤{turn:.0f}° fuel ≤{proven.fuel}"


def ending(step: Step) -> str:
    """Return what came of it."""
    note = (
        f" ({step.note})" if step.note and step.note not in (step.acted.details if step.acted else "") else ""
    )
    if step.acted is None:
        return note
    result = "" if step.acted.result == "success" else f"{step.acted.result}: "
    return f" → {result}{step.acted.details}{note}"


def shows_maps(out: TextIO) -> bool:
    """Tell whether an output is a terminal that can redraw and may have colours (no-color.org)."""
    return out.isatty() and os.environ.get("TERM", "dumb") != "dumb" and not os.environ.get("NO_COLOR")


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


def closing(report: Report) -> str:
    """Return the outcome in words."""
    result = report.summary()
    model, sent, shortest = result["llm"], result["blocks"], result["shortest_m"]
    way = f"drove {result['path_m']:.2f} m"
    if shortest is not None:
        way += f", shortest {shortest:.2f} m, SPL {result['spl']:.2f}"
    hits = "unknown" if result["collisions"] is None else result["collisions"]
    lines = [
        f"{result['outcome']}: {result['reason']}",
        f"  {way}, {hits} collisions, {result['coverage']:.0%} of the free area seen",
        f"  {result['cycles']} cycles, {result['sim_s']:.1f} s of robot time in {result['wall_s']:.1f} s",
        f"  {sent['sent']} blocks of {sent['words']} words run, {sent['refused']} refused",
        f"  {report.order.kernel}: {model['calls']} decisions, {model['valid']} valid, "
        f"median {model['p50_ms']:.0f} ms, 95 % within {model['p95_ms']:.0f} ms",
    ]
    return "\n".join(map(plain, lines))
