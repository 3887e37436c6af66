"""`llmos board`: a virtual robot behind a serial port."""

import contextlib
import json
import signal
import tempfile
from pathlib import Path
from typing import Any, NoReturn

import click

from llmos import micropython, resources
from llmos.cli import options
from llmos.cli.options import SEED, SPEED
from llmos.manifest import camera_of, load_manifest
from llmos.sim.arena import load_arena
from llmos.sim.board import Board, LockstepHost, SerialPort
from llmos.sim.camera import CameraServer, Photographer
from llmos.sim.esp32s3 import Esp32s3, fill, virtual_micropython
from llmos.sim.faults import FAULTS, ONE_WAY, parse_faults
from llmos.sim.flash import Flash
from llmos.sim.rfc2217 import Rfc2217Server
from llmos.sim.rig import Rig, Setting

_FAULTS = "; ".join(f"{name}{how}: {what}" for name, (how, what) in FAULTS.items())
_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
_FILE = click.Path(dir_okay=False, path_type=Path)


@click.command(epilog="Example: llmos board --arena maze --fault blind=front@20000")
@click.option("--arena", default="simple", show_default=True, help="An arena's name, or its .toml file.")
@click.option("--robot", default="cube", show_default=True, help="A robot's name, or its manifest.")
@click.option("--seed", default=0, show_default=True, type=SEED, help="Of noise and faults.")
@click.option("--speed", default=1.0, show_default=True, type=SPEED, help="1: wall clock.")
@click.option(
    "--fault", "faults", multiple=True, metavar="FAULT", callback=options.faults,
    help=f"May be given again. {_FAULTS}. {ONE_WAY}",
)  # fmt: skip
@click.option("--truth", type=click.Path(dir_okay=False), help="Log the robot's true way, as JSON lines.")
@click.option("--bits", type=click.Choice(["64", "32"]), default="64", show_default=True, help="Word size.")
@click.option(
    "--flash",
    type=_FILE,
    help="Its 8 MB flash, made blank where there is none.  [default: one flashed already]",
)
@click.option(
    "--image", type=_FILE, help="Write the MicroPython that a virtual board runs to a file, and end."
)
@click.option("--camera", is_flag=True, help="Serve its camera's pictures over HTTP, as an ESP32-CAM does.")
@click.option("--json", "as_json", is_flag=True, help="Print the ports as a JSON object.")
@click.option("--lockstep", is_flag=True, hidden=True, help="The clock channel is on stdin and stdout.")
@click.option("--firmware", type=_FOLDER, hidden=True)
def board(arena: str, robot: str, faults: tuple[str, ...], bits: str, as_json: bool, **rest: Any) -> None:
    """Start a virtual robot and print its serial port, for any tool to connect to; Ctrl-C ends it."""
    lockstep = rest["lockstep"]
    if not lockstep and not rest["speed"]:
        raise click.BadParameter("0 has no meaning without a clock channel", param_hint="--speed")
    manifest = load_manifest(robot)
    setting = Setting(
        arena=load_arena(arena, radius_m=manifest.radius_m),
        manifest=manifest,
        firmware=rest["firmware"] or resources.firmware_dir(),
        micropython=micropython.find(int(bits)),
        seed=rest["seed"],
        speed=rest["speed"],
        truth=rest["truth"],
        faults=parse_faults(faults),
    )
    if rest["image"]:
        rest["image"].write_bytes(virtual_micropython(setting.micropython))
        return
    handle_signals(lockstep)
    with contextlib.suppress(KeyboardInterrupt), contextlib.ExitStack() as stack:
        if lockstep:
            serve_lockstep(setting, rest["camera"], stack)
        else:
            serve(setting, rest["flash"], rest["camera"], as_json, stack)


def serve_camera(setting: Setting, rig: Rig, wanted: bool, stack: contextlib.ExitStack) -> dict[str, str]:
    """Serve a robot's camera where that is wanted, and return where it is, for a greeting.

    Raises:
        ManifestError: the robot has none.
    """
    if not wanted:
        return {}
    photographer = Photographer(camera_of(setting.manifest).lens, setting.seed)
    server = stack.enter_context(contextlib.closing(CameraServer(photographer, lambda: rig.moment)))
    return {"camera": server.url}


def serve_lockstep(setting: Setting, with_camera: bool, stack: contextlib.ExitStack) -> None:
    """Run a robot whose clock its host shares, until that ends."""
    port = stack.enter_context(contextlib.closing(SerialPort()))
    running = stack.enter_context(contextlib.closing(Board(setting, LockstepHost(0, 1, setting.speed), port)))
    camera = serve_camera(setting, running, with_camera, stack)
    click.echo(json.dumps({"pty": port.path} | camera))
    running.run()


def serve(
    setting: Setting, file: Path | None, with_camera: bool, as_json: bool, stack: contextlib.ExitStack
) -> None:
    """Run a chip until its user ends it."""
    place = file or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="llmos-flash-")), "flash.bin")
    flash = stack.enter_context(contextlib.closing(Flash(place)))
    if file is None:
        fill(flash, setting)
    port = stack.enter_context(contextlib.closing(SerialPort()))
    server = stack.enter_context(contextlib.closing(Rfc2217Server()))
    chip = stack.enter_context(contextlib.closing(Esp32s3(setting, flash, port, server)))
    ports = {"pty": port.path, "rfc2217": server.url} | serve_camera(setting, chip, with_camera, stack)
    if as_json:
        click.echo(json.dumps(ports))
    else:
        where = ", ".join(ports.values())
        click.echo(f"{setting.manifest.name} in {setting.arena.name}: {where} (Ctrl-C ends it)")
    chip.run()


def handle_signals(lockstep: bool) -> None:
    """Clean up before ending; in lockstep a Ctrl-C is the host's matter, which stops the robot first."""
    signal.signal(signal.SIGTERM, _end)
    signal.signal(signal.SIGHUP, _end)
    if lockstep:
        signal.signal(signal.SIGINT, signal.SIG_IGN)


def _end(signum: int, _frame: object) -> NoReturn:
    raise SystemExit(128 + signum)
