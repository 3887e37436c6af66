"""`llmos flash`: from a bare board to a robot."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from llmos.cli import options
from llmos.flashing.flash import Job, Outcome
from llmos.flashing.flash import flash as do_flash
from llmos.flashing.probe import Board
from llmos.manifest import Manifest, load_manifest

LEAST_KEY = 16  # characters, as the firmware wants them
_FILE = click.Path(dir_okay=False, path_type=Path)


class Teller:
    """Prints how a flash goes on: a progress bar on a terminal, else a line for each step."""

    def __init__(self, write: Callable[[str], None]) -> None:
        """Print lines with `write`."""
        self._write = write
        self._bar: Any = None

    def board(self, board: Board) -> None:
        """Print what was found."""
        self._write(_about(board))

    def stage(self, text: str, total: int) -> None:
        """Begin a bar."""
        self.end()
        if sys.stderr.isatty():
            self._bar = click.progressbar(length=total, label=text, file=sys.stderr, show_pos=False)
            self._bar.__enter__()

    def step(self, text: str) -> None:
        """Print a step where no bar shows it."""
        if self._bar is None:
            self._write(f"  {text}")

    def progress(self, count: int) -> None:
        """Move the bar."""
        if self._bar is not None:
            self._bar.update(count)

    def end(self) -> None:
        """End the bar."""
        if self._bar is not None:
            self._bar.__exit__(None, None, None)
            self._bar = None


@click.command(epilog="Example: llmos flash --robot cube --firmware ESP32_GENERIC_S3-v1.25.0.bin")
@click.option("--port", help="A device or a pyserial URL [default: the one board that is connected].")
@click.option("--robot", default="cube", show_default=True, help="A robot's name, or its manifest.")
@click.option("--firmware", type=_FILE, help="MicroPython's image, for a board that has none or an old one.")
@click.option(
    "--fetch", is_flag=True, help="Get the image by mpflash instead (pip install 'llmos[mpflash]')."
)
@click.option("--via", type=click.Choice(["mpremote", "ampy"]), default="mpremote", show_default=True)
@click.option(
    "--wifi-password", envvar="LLMOS_WIFI_PASSWORD", help="For a robot with [wifi] in its manifest."
)
@click.option("--pairing-key", envvar="LLMOS_PAIRING_KEY", help="The same; asked for on a terminal.")
@click.option(
    "--erase", is_flag=True, help="Erase the whole flash, your own files too, and write MicroPython."
)
@click.option("--overwrite", is_flag=True, help="Replace files of the same names that are not of LLMos.")
@click.option("--dry-run", is_flag=True, help="Say what would be done, and write nothing.")
@options.as_json
def flash(robot: str, wifi_password: str | None, pairing_key: str | None, as_json: bool, **rest: Any) -> None:
    """Bring a board to the newest firmware and the robot's manifest, and see that the robot answers.

    Writes only what is missing or differs, and verifies each file. Whatever interrupts it, run it again.
    """
    manifest = load_manifest(robot)
    secrets = _secrets(manifest, wifi_password, pairing_key)
    teller = Teller(lambda line: click.echo(line, err=as_json))
    try:
        outcome = do_flash(Job(manifest, secrets=secrets, **rest), teller)
    finally:
        teller.end()
    dry_run = rest["dry_run"]
    click.echo(json.dumps(_as_object(outcome, dry_run)) if as_json else _summary(outcome, dry_run))


def _secrets(manifest: Manifest, password: str | None, key: str | None) -> dict[str, str]:
    """What goes into secrets.json: nothing where the board's own is to stay."""
    given = {"wifi_password": password, "pairing_key": key}
    if manifest.wifi is None:
        if password or key:
            raise click.UsageError(f"robot {manifest.name} has no [wifi] in its manifest; give no secrets")
        return {}
    if not password and not key:
        return {}
    if sys.stdin.isatty():
        given = {name: text or _ask(name) for name, text in given.items()}
    missing = [name for name, text in given.items() if not text]
    if missing:
        name = missing[0]
        raise click.UsageError(f"give --{name.replace('_', '-')} or LLMOS_{name.upper()}, too")
    if len(str(given["pairing_key"])) < LEAST_KEY:
        raise click.UsageError(f"--pairing-key has fewer than {LEAST_KEY} characters; take a longer one")
    return {name: str(text) for name, text in given.items()}


def _ask(name: str) -> str:
    return str(click.prompt(name.replace("_", " "), hide_input=True))


def _about(board: Board) -> str:
    size = f", {board.flash_bytes / 2**20:g} MB of flash" if board.flash_bytes else ""
    mac = f", MAC {board.mac}" if board.mac else ""
    chip = " ".join(filter(None, [board.chip, board.revision]))
    return f"{board.port}: {chip}{size}{mac}; {board.runs} runs on it"


def _summary(outcome: Outcome, dry_run: bool) -> str:
    lines = []
    if dry_run:
        if outcome.wrote_micropython:
            lines.append(f"would write MicroPython {outcome.wrote_micropython}, then the robot's files")
        lines += [f"would {action}" for action in outcome.actions]
        return "\n".join(lines or ["nothing to do: all of it is there already"])
    if not outcome.changed:
        lines.append("nothing to write: all of it is there already")
    written = [action for action in outcome.actions if action.kind == "write"]
    if written:
        size = sum(len(action.data) for action in written)
        lines.append(f"{len(written)} files, {size} bytes, each compared by its SHA-256")
    if outcome.hello and outcome.telemetry:
        spec, battery = outcome.hello.spec_hash, outcome.telemetry.battery
        lines.append(f"the robot answers: SPEC 0x{spec:08x}, battery {battery} mV")
    return "\n".join(lines)


def _as_object(outcome: Outcome, dry_run: bool) -> dict[str, Any]:
    board, hello, telemetry = outcome.board, outcome.hello, outcome.telemetry
    return {
        "port": board.port,
        "chip": board.chip,
        "revision": board.revision or None,
        "flash_bytes": board.flash_bytes,
        "mac": board.mac or None,
        "dry_run": dry_run,
        "micropython": board.micropython,
        "wrote_micropython": outcome.wrote_micropython or None,
        "removed": [action.path for action in outcome.actions if action.kind == "remove"],
        "written": {action.path: len(action.data) for action in outcome.actions if action.kind == "write"},
        "spec": f"0x{hello.spec_hash:08x}" if hello else None,
        "battery_mv": telemetry.battery if telemetry else None,
    }
