"""`llmos run`: give the robot a goal and watch it drive."""

import json
import re
import sys
from pathlib import Path
from typing import Any

import click

from llmos.blackbox import NAME, find_record
from llmos.brains.budget import Budget
from llmos.brains.rsa import PRESETS
from llmos.cli import options
from llmos.eyes.vlm import COLOUR
from llmos.memory.missions import remember_run
from llmos.mission import run_mission
from llmos.project import Phase, run_project, summary
from llmos.report import GOOD, Order, Report
from llmos.show import Screen, closing, program_text
from llmos.state import new_run_folder, writable
from llmos.text import plain
from llmos.world.draw import run_svg

EXAMPLE = """\b
Example:
  llmos run "drive to the far corner" --arena simple
  llmos run "explore" --arena exploration --kernel rule --json
  llmos run "follow the wall on your left" --arena office
  llmos run "find the red box" --arena playroom --camera
  llmos run "explore, then drive to 1, 1" --arena office --project yard
"""
A_FILE = click.Path(dir_okay=False, path_type=Path)


@click.command(epilog=EXAMPLE)
@click.argument("goal")
@click.option(
    "--arena", default="simple", show_default=True, help="An arena that ships, or a path to a .toml file."
)
@options.kernel(
    "dual",
    "Who decides: dual or dual:KERNEL, two brains; instinct or instinct:KERNEL, a model's word only; "
    "or a kernel alone: smollm2[:ADAPTER.gguf], gguf:PATH[+PROJECTOR], openai:URL, rule, random, replay:RUN.",
)
@click.option(
    "--robot", default="cube", show_default=True, help="A robot that ships, or a path to its manifest."
)
@click.option(
    "--seed",
    default=0,
    show_default=True,
    type=options.SEED,
    help="Fixes the sensors' noise and every other chance.",
)
@click.option(
    "--speed",
    default=0.0,
    type=options.SPEED,
    help="Pace: 1 is the wall clock's, 0 as fast as it goes.",
)
@options.deadline
@options.way("Take GOAL as a behaviour, and make its program so")
@click.option(
    "--max-cycles", type=click.IntRange(1), help="Stop after so many cycles (default: the arena's)."
)
@click.option(
    "--fault",
    "faults",
    multiple=True,
    callback=options.faults,
    help="Break something, for example cut@5000; see `llmos board --help`. With --port, only the line.",
)
@click.option(
    "--bits", type=click.Choice(["64", "32"]), default="64", help="MicroPython build that plays the robot."
)
@click.option(
    "--map/--no-map", "with_map", default=None, help="A live map below the lines (default: on a terminal)."
)
@click.option("--picture", type=A_FILE, help="Where to write the picture (SVG).")
@options.shuffle
@click.option(
    "--preset",
    type=click.Choice(list(PRESETS)),
    default="quick",
    show_default=True,
    help="How much the planner thinks.",
)
@click.option(
    "--boundary",
    type=A_FILE,
    help="A file that says who answers what, as volumes/system/kernel/boundary.md does.",
)
@click.option("--think", is_flag=True, help="Set the planner to work at once.")
@options.budget
@click.option("--predict", is_flag=True, help="Weigh unseen cells by what they probably hold.")
@click.option("--show-map", is_flag=True, help="Put a map in letters into the prompt, for larger models.")
@click.option("--camera", is_flag=True, help="Look where it goes, and find things.")
@click.option(
    "--eyes",
    default=COLOUR,
    show_default=True,
    help="With --camera: who looks, colour and shape or a model: gguf:MODEL.gguf+PROJECTOR.gguf, openai:URL.",
)
@click.option("--camera-url", help="With --port: the camera's stream, where the manifest names none.")
@click.option(
    "--port", help="Drive the robot at this serial port or pyserial URL instead of the virtual one."
)
@click.option("--clear", is_flag=True, help="Release a latched e-stop first; see that the way is free.")
@click.option("--transcript", type=A_FILE, help="Write down every byte on the wire, with its time.")
@click.option("--project", help="Take GOAL through the eight phases of this project, with a staff of agents.")
@click.option("--yes", is_flag=True, help="With --project: run a plan of little confidence, too.")
@options.as_json
@click.pass_context
def run(
    context: click.Context,
    /,
    as_json: bool,
    with_map: bool | None,
    picture: Path | None,
    project: str | None,
    yes: bool,
    bits: str,
    deadline: float,
    max_calls: int,
    max_tokens: int,
    max_seconds: float,
    **order: Any,
) -> None:
    """Drive towards GOAL, a sentence, on the virtual robot.

    A sentence with coordinates, or words such as "to the goal", names a place; "find the red box", with
    --camera, a thing; "explore" and the like, a room to see; what names a measure or resembles a skill that
    ships is a behaviour: its program is made as by `llmos write`, shown, and run. All else means the arena's
    own goal. The report says which it was.
    """
    for path in filter(None, (picture, order["transcript"])):
        writable(path)
    head, replayed, name = order["kernel"].partition("replay:")
    if replayed:  # before this run becomes the last one
        order["kernel"] = f"{head}replay:{find_record(name)}"
    folder = new_run_folder(re.sub(r"[^\w-]+", "-", Path(order["arena"]).stem))
    budget = Budget(max_calls, max_tokens, max_seconds)
    wanted = Order(bits=int(bits), deadline_s=deadline, budget=budget, record=folder / NAME, **order)
    screen = None if as_json else Screen(with_map=with_map)
    reports, good = alone(wanted, screen) if project is None else within(project, wanted, screen, yes)
    written = picture or folder / "run.svg"
    if reports:
        written.write_text(run_svg(reports[-1].picture()), encoding="utf-8")
    if reports and not as_json:
        click.echo(f"  picture: {written}\n  record: llmos why {folder.name}, llmos replay {folder.name}")
    context.exit(0 if good else 130 if any(report.interrupted for report in reports) else 1)


def alone(order: Order, screen: Screen | None) -> tuple[list[Report], bool]:
    """Carry out an order by itself, and tell of it; return its report, and whether all went well."""
    report = run_mission(order, screen, tell=tell) if screen else run_mission(order)
    click.echo(closing(report) if screen else json.dumps(report.summary()))
    if report.unrecorded:
        click.echo(f"llmos: run: the record is incomplete: {report.unrecorded}", err=True)
    trouble = remember_run(None, report, order.record.parent.name if order.record else "")
    if trouble:
        click.echo(f"llmos: run: it is not remembered: {trouble}", err=True)
    return [report], report.outcome in GOOD


def within(project: str, order: Order, screen: Screen | None, yes: bool) -> tuple[list[Report], bool]:
    """Carry out an order within a project; return its missions' reports, and whether all went well."""

    def agree(question: str) -> bool:
        asks = screen is not None and sys.stdin.isatty()
        return yes or (asks and click.confirm(question))

    if screen:
        work = run_project(order, project, agree, show, (screen, tell))
        click.echo(f"{work.outcome}: {plain(work.reason)}")
    else:
        work = run_project(order, project, agree)
        click.echo(json.dumps(summary(work)))
    return work.reports, work.outcome == "done"


def show(phase: Phase) -> None:
    """Show the newest line of a project's phase, or its name where it begins."""
    click.echo(f"  {phase.said[-1]}" if phase.said else f"{phase.number} {phase.name}")


def tell(report: Report) -> None:
    """Show a behaviour's program before it runs."""
    click.echo(program_text(report))
