"""`llmos doctor`: one screen about this machine, or about the robot at a port."""

import json
from collections.abc import Iterator
from typing import Any

import click

from llmos.doctor import Check, examine, healthy

EXAMPLE = """\b
Example:
  llmos doctor --json | jq .ok
  llmos doctor --port /dev/ttyACM0 --move
"""


@click.command(epilog=EXAMPLE)
@click.option("--port", help="Examine the robot at this serial port or pyserial URL instead.")
@click.option("--robot", default="cube", show_default=True, help="Which robot should be there.")
@click.option("--move", is_flag=True, help="Also turn it once on the spot: give it 20 cm all around.")
@click.option("--clear", is_flag=True, help="Release a latched e-stop first; see that the way is free.")
@click.option("--write-udev", is_flag=True, help="Write the udev rule that lets users open boards.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_context
def doctor(
    ctx: click.Context, /, port: str | None, as_json: bool, write_udev: bool, **permitted: Any
) -> None:
    """Say what is installed, what is missing, and what to do about it.

    With --port, say what is wrong with the robot there, from its cable to its wheels, and what to do. Exits 0
    when all is there that the virtual robot needs with `--kernel rule`, or when the robot is fit to drive;
    else 1.
    """
    if write_udev:
        install_udev()
        return
    done = []
    for check in of_robot(port, **permitted) if port else examine():
        done.append(check)
        if not as_json:
            click.echo(_line(check))
    ok = healthy(done)
    if as_json:
        click.echo(json.dumps({"ok": ok, "checks": [check._asdict() for check in done]}, indent=2))
    else:
        click.echo("\nready to drive" if ok else "\nnot ready: do what stands beside each FAIL")
    ctx.exit(0 if ok else 1)


def of_robot(port: str, **permitted: Any) -> Iterator[Check]:
    """Examine the robot at a port."""
    from llmos import care  # late: what asks a board needs esptool and mpremote

    return care.examine_robot(care.Examination(port, **permitted))


def install_udev() -> None:
    """Write the udev rule and say what makes it work."""
    from llmos import care

    click.echo(care.UDEV_RULE, nl=False)
    care.write_udev()
    click.echo(f"written: {care.UDEV_FILE}")
    click.echo("now `sudo udevadm control --reload`, and plug the board in again")


def _line(check: Check) -> str:
    mark = "ok" if check.ok else "FAIL" if check.required else "-"
    remedy = f"\n{'':24}-> {check.remedy}" if check.remedy else ""
    return f"  {mark:<4}  {check.name:<16}{check.found}{remedy}"
