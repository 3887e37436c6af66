"""`llmos monitor`: the robot live in the terminal."""

import os
import sys
from pathlib import Path
from typing import Any

import click

from llmbytecode import assemble
from llmbytecode.container import pack_container
from llmos.cli import options
from llmos.cli.bytecode._io import Input, certify, read_input
from llmos.cli.bytecode._worst import source_texts
from llmos.connection import in_session
from llmos.instruments import Block
from llmos.manifest import Manifest, load_manifest
from llmos.monitor import HEARTBEAT_MS, Monitor
from llmos.report import Order
from llmos.scratch import scratch_folder
from llmos.skills import read_shelf

EXAMPLE = """\b
Example:
  llmos monitor --run square
  llmos monitor --port /dev/ttyACM0
  llmos monitor --run wander --arena office --json | jq .pose
"""


@click.command(epilog=EXAMPLE)
@click.option("--port", help="The robot at this serial port or pyserial URL instead of the virtual one.")
@click.option("--run", "file", metavar="FILE|SKILL", help="Run this block again and again meanwhile.")
@click.option("--robot", default="cube", show_default=True, help="A robot's name, or its manifest.")
@click.option("--arena", default="simple", show_default=True, help="The virtual robot's.")
@click.option("--seed", default=0, show_default=True, type=options.SEED, help="Of noise and faults.")
@click.option("--fault", "faults", multiple=True, callback=options.faults, help="See `llmos board --help`.")
@click.option("--seconds", type=options.SECONDS, help="End by itself after so long.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a second.")
def monitor(file: str | None, seconds: float | None, as_json: bool, **order: Any) -> None:
    """Show a robot: pose, ranges, battery, block, fuel, lease, link, e-stop.

    The space bar is the e-stop; `c` releases it after a question, `r` runs the block again, `q` ends. However
    it ends, the robot stops. Where the output is no terminal, a line a second is printed.
    """
    wanted = Order(goal="", speed=1.0, **order)
    manifest = load_manifest(wanted.robot)
    block = read_block(file, manifest) if file else None
    place = wanted.port or f"the arena {wanted.arena}"
    with scratch_folder() as folder, in_session(wanted, manifest, folder / "truth", HEARTBEAT_MS) as robot:
        shown = Monitor(robot, manifest, place, block)
        shown.watch(as_json=as_json, seconds=seconds)
    if not as_json:
        click.echo(shown.ending, err=True)
    spare_output()


def read_block(file: str, manifest: Manifest) -> Block:
    """Return the block in a file, or of a skill with its default numbers.

    Raises:
        LlmosError: there is no such file.
        LLMBytecodeError: it is no program, or breaks a rule.
    """
    shelf = read_shelf()
    if file in shelf:
        text = shelf.find(file).filled({})
        given = Input(file, assemble(text, file), b"", text)
    else:
        given = read_input(file)
    certificate = certify(given, manifest.limits)
    container = given.container or pack_container(given.program, certificate, manifest.limits)
    return Block(Path(file).name, given.program, certificate, container, source_texts(given))


def spare_output() -> None:
    """See that Python's last flush finds an output, where its reader has gone."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
