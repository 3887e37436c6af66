"""What may be wrong with a robot at a port, from the cable's end to its wheels: one finding, one remedy.

The checks go from cause to effect, and end where a finding makes the rest meaningless.
"""

import contextlib
import errno
import math
import os
import re
import stat
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import serial

from llmbytecode import Flag, Outcome, assemble
from llmbytecode._isa import MAJOR, MINOR, SPEC_HASH
from llmos.doctor import Check
from llmos.errors import LlmosError
from llmos.flashing.ports import VENDORS, find_ports, holders, is_pty
from llmos.flashing.probe import Board, probe
from llmos.flashing.rom import CHIP
from llmos.link import HashMismatch, Hello, LinkError, LinkTimeout, Robot, Telemetry, WallClock, open_port
from llmos.manifest import RANGE_CHANNELS, Manifest, ManifestError, load_manifest, manifest_hash
from llmos.resources import state_dir, system_volume
from llmos.runs import certified, ended, run_blocks
from llmos.shown import UNSEEN
from llmos.turned import share_turned

CONSOLE_BAUD = 115200  # of the chip's own messages
LISTEN_S = 0.4  # to what a board says by itself
STORY_S = 2.0  # and that much longer where it says something: a board that restarts, restarts again
# To find a bad cable: less than the 100 ms from one TELEMETRY to the next, as only an answer counts.
QUESTIONS, ANSWER_MS = 200, 60
LATE = 4  # answers that a busy machine may miss
TURN_DEG_S = 30
JITTER_MM = 80  # more than this is no noise
BASE_OFF, WHEEL_OFF = 0.05, 0.15  # of a turn: wrong measures, and a wheel that stands still or slips

UDEV_FILE = Path("/etc/udev/rules.d/60-llmos.rules")
UDEV_RULE = (
    "# Boards of robots, for whoever is logged in and for the group dialout. Written by `llmos doctor`.\n"
)
UDEV_RULE += "".join(
    f'SUBSYSTEM=="tty", ATTRS{{idVendor}}=="{vendor:04x}", MODE="0660", GROUP="dialout", TAG+="uaccess"\n'
    for vendor in VENDORS
)

_BANNER = re.compile(rb"ESP-ROM:([a-z0-9]+)-")
_RESET = re.compile(rb"rst:0x[0-9a-f]+ \((\w+)\)")
_PANIC = re.compile(rb"Guru Meditation Error: ([^\r\n]{1,80})")


class Examination(NamedTuple):
    """What to examine: a port, the robot that should be there, and what one may do to it."""

    port: str
    robot: str
    move: bool = False
    clear: bool = False


def examine_robot(what: Examination) -> Iterator[Check]:
    """Find what is wrong with a robot; the first check that fails and makes the rest meaningless is last.

    Raises:
        ManifestError: there is no such robot.
    """
    manifest = load_manifest(what.robot)
    for check in (_port, _permission, _free, _voice):
        found = check(what.port)
        yield found
        if not found.ok:
            return
    line = open_port(what.port)
    with Robot(line, WallClock(line), manifest_hash(manifest.limits)) as robot:
        try:
            answer = _answers(robot, what)
        except LinkTimeout:
            robot.close()  # the port is to be free for another language
            yield _stranger(what)
            return
        yield answer
        if answer.ok:
            yield from examine_body(robot, manifest, what)


def _good(name: str, found: str) -> Check:
    return Check(name, True, True, found, "")


def _bad(name: str, found: str, remedy: str) -> Check:
    return Check(name, False, True, found, remedy)


def _unknown(name: str, found: str, remedy: str) -> Check:
    return Check(name, False, False, found, remedy)


# The port.


def _port(port: str) -> Check:
    if "://" in port:
        return _good("port", port)
    path = Path(port)
    if not path.exists():
        others = ", ".join(found.path for found in find_ports())
        remedy = f"name one of {others}" if others else "plug the board in, with a cable that carries data"
        return _bad("port", f"there is no {port}", remedy)
    if not stat.S_ISCHR(path.stat().st_mode):
        return _bad("port", f"{port} is no serial port", "name one such as /dev/ttyACM0")
    known = {found.path: found for found in find_ports()}.get(port)
    return _good("port", f"{port}, {known.description or VENDORS[known.vendor]}" if known else port)


def _permission(port: str) -> Check:
    if "://" in port or os.access(port, os.R_OK | os.W_OK):
        return _good("permission", "may be read and written")
    remedy = (
        f"`sudo llmos doctor --write-udev` writes {UDEV_FILE}; or `sudo usermod -aG dialout $USER`, log in"
    )
    return _bad("permission", f"{port} may not be read and written by you", remedy)


def _free(port: str) -> Check:
    others = [] if "://" in port or is_pty(port) else holders(port)
    if others:
        return _bad("port free", f"in use by {' and '.join(others)}", "end that program, then run this again")
    try:
        open_port(port).close()
    except LinkError as error:
        reason, _, remedy = str(error).removeprefix(f"port {port}: ").partition("; ")
        who = f" by {' and '.join(holders(port))}" if "in use" in reason else ""
        return _bad("port free", reason + who, remedy)
    return _good("port free", "nobody else has it open")


def write_udev(path: Path = UDEV_FILE) -> None:
    """Write the udev rule that lets users open boards.

    Raises:
        LlmosError: it may not be written.
    """
    try:
        path.write_text(UDEV_RULE, encoding="utf-8")
    except OSError as error:
        reason = "only root may" if error.errno in (errno.EACCES, errno.EPERM) else error.strerror
        raise LlmosError(f"{path} cannot be written ({reason}): run this with sudo") from None


# The chip, by what it says itself.


def _voice(port: str) -> Check:
    said = _listen(port)
    chips = {match.decode() for match in _BANNER.findall(said)}
    lines = "connect it by a port with DTR and RTS, then " if is_pty(port) else ""
    flash = f"{lines}`llmos flash`"
    if chips - {CHIP.lower().replace("-", "")}:
        return _bad("chip", f"it is an {', '.join(sorted(chips)).upper()}", f"take a board with an {CHIP}")
    if b"waiting for download" in said:
        return _bad("chip", "it waits in its bootloader", "press its reset button, with BOOT released")
    if b"invalid header: 0xffffffff" in said:
        return _bad("flash", "it is blank", flash)
    if b"invalid header" in said or b"No bootable app" in said:
        return _bad("flash", "it holds no program for this chip", flash)
    if len(_BANNER.findall(said)) > 1:
        return _bad("boot", f"the chip starts again and again: {_cause(said)}", _against(said))
    return _good("boot", "the board is up" if not chips else "the board has just started")


def _listen(port: str) -> bytes:
    """Return what a board says by itself: nothing while LLMos waits, much while it restarts."""
    try:
        with serial.serial_for_url(port, CONSOLE_BAUD, timeout=0.05) as line:
            said, end = b"", time.monotonic() + LISTEN_S
            while time.monotonic() < end:
                data = line.read(4096)
                if data and not said:
                    end += STORY_S
                said += data
            return bytes(said)
    except (OSError, ValueError):  # `open_port` will say why
        return b""


def _cause(said: bytes) -> str:
    panic = _PANIC.findall(said)
    if panic:
        return str(panic[-1].decode(errors="replace"))
    resets = _RESET.findall(said)
    return str(resets[-1].decode()) if resets else "it does not say why"


def _against(said: bytes) -> str:
    if b"BROWN" in said or b"Brownout" in said:
        return "its supply is too weak: charge the battery, give the motors their own, take another cable"
    return "unplug the motors; if it goes on, write MicroPython anew: `llmos flash --erase --firmware FILE`"


# What runs on it.


def _answers(robot: Robot, what: Examination) -> Check:
    """Return whether the firmware is this version's with this robot's manifest.

    Raises:
        LinkTimeout: no firmware answers.
    """
    try:
        hello = robot.connect()
    except HashMismatch as error:
        return _other(error.hello, what)
    return _good("firmware", f"LLMBytecode {hello.major}.{hello.minor}, manifest {what.robot}")


def _other(hello: Hello, what: Examination) -> Check:
    flash = f"`llmos flash --port {what.port} --robot {what.robot}`"
    if hello.spec_hash != SPEC_HASH:
        theirs, ours = (hello.major, hello.minor), (MAJOR, MINOR)
        found = "it speaks LLMBytecode {}.{}, this host {}.{}".format(*theirs, *ours)
        found += f" (SPEC 0x{hello.spec_hash:08x}, 0x{SPEC_HASH:08x})"
        return _bad("firmware", found, "update LLMos on this host" if theirs > ours else flash)
    named = _named(hello.manifest_hash)
    if named:
        return _bad("manifest", f"the robot's is {named}, not {what.robot}", f"--robot {named}, or {flash}")
    found = f"the robot's 0x{hello.manifest_hash:08x} is not {what.robot}'s, and none that is known here"
    return _bad("manifest", found, flash)


def _named(code: int) -> str:
    """Return the robot with a manifest of this hash, as --robot takes it; empty where none is known."""
    shipped = {path.stem: path for path in (system_volume() / "robots").glob("*.toml")}
    own = {str(path): path for path in (state_dir() / "robots").glob("*.toml")}
    for name, path in sorted((shipped | own).items()):
        with contextlib.suppress(ManifestError):
            if manifest_hash(load_manifest(str(path)).limits) == code:
                return name
    return ""


def _stranger(what: Examination) -> Check:
    """Say what is there where no firmware of ours answers; it is started again if there is one."""
    flash = f"`llmos flash --port {what.port} --robot {what.robot}`"
    try:
        board = probe(what.port)
    except LlmosError:
        remedy = "see that it has power, and that this is its port; press reset; then `llmos flash`"
        return _bad("firmware", "nothing answers: no LLMos, no MicroPython, no bootloader", remedy)
    return _described(board, flash)


def _described(board: Board, flash: str) -> Check:
    if board.chip and CHIP not in board.chip and not board.virtual:
        return _bad("chip", f"it is an {board.chip}", f"take a board with an {CHIP}")
    if board.micropython is None:
        return _bad("firmware", f"{board.runs} runs on it, no MicroPython", flash)
    if not board.recent:
        return _bad(
            "firmware", f"MicroPython {board.micropython} is too old", f"{flash} with --firmware FILE"
        )
    if board.spec_hash is None:
        return _bad("firmware", f"MicroPython {board.micropython} without LLMos", flash)
    if board.spec_hash != SPEC_HASH:
        return _bad("firmware", f"it holds {board.runs}, which is not this host's version", flash)
    return _bad("firmware", "LLMos was not running: the board was at its REPL", "it runs again; try again")


# The body.


def examine_body(robot: Robot, manifest: Manifest, what: Examination) -> Iterator[Check]:
    """Find what is wrong with a connected robot."""
    yield _cable(robot)
    yield _battery(robot.telemetry, manifest)
    yield _eyes(robot.telemetry, manifest)
    if robot.latched and what.clear:
        robot.clear()
    yield _estop(robot)
    if robot.latched:
        return
    if what.move:
        yield from _turned(robot, manifest)
    else:
        note = "not tried: sensors that never change and motors that do not turn show only in a turn"
        yield _unknown("turn", note, "give --move where the robot has 20 cm of free floor all around")


def _cable(robot: Robot) -> Check:
    refused = robot.stats.refused
    answered = sum(robot.ask(ANSWER_MS) for _ in range(QUESTIONS))
    refused = robot.stats.refused - refused
    found = f"{QUESTIONS} questions, {answered} answered, {refused} damaged frames"
    if answered < QUESTIONS - LATE or refused:
        remedy = "take a shorter cable without a hub, away from the motors' wires; see that plugs sit firmly"
        return _bad("cable", found, remedy)
    return _good("cable", f"{found}, round trip {robot.round_trip_ms} ms")


def _battery(seen: Telemetry, manifest: Manifest) -> Check:
    found = f"{seen.battery / 1000:.2f} V"
    if seen.flags & Flag.BATTERY:
        least = f"no block starts below {manifest.battery.min_mv / 1000:.2f} V"
        return _bad("battery", f"{found}; {least}", "charge it; if it is full, see battery.divider")
    return _good("battery", found)


def _eyes(seen: Telemetry, manifest: Manifest) -> Check:
    known = [name for name in RANGE_CHANNELS if name in manifest.range.angles_deg]
    blind = [name for name in known if getattr(seen, name) == UNSEEN]
    if blind:
        remedy = f"see its plug and its pins in range.pins ({manifest.range.driver})"
        return _bad("sensors", f"no reading from {', '.join(blind)}", remedy)
    return _good("sensors", f"{len(known)} ranges, the oldest {seen.age} ms old")


def _estop(robot: Robot) -> Check:
    if robot.latched:
        return _bad("e-stop", "it is latched", "see that its way is free, then run this again with --clear")
    return _good("e-stop", "released")


# A whole turn on the spot.


def _turned(robot: Robot, manifest: Manifest) -> Iterator[Check]:
    rate = min(TURN_DEG_S, int(math.degrees(manifest.limits.top_rate / 1000)))
    program = assemble(f"TURN 360deg, {rate}deg/s\nWAIT 300ms\nEND", "doctor")
    try:
        run = run_blocks(robot, [certified(program, manifest.limits)])[0]
    except LinkError as error:
        yield _bad("motors", "the robot does not turn", str(error))
        return
    if run.done.outcome != Outcome.COMPLETED:
        yield _bad("motors", ended(run), "clear the floor around it, then run this again")
        return
    yield from judged(run.telemetry, manifest)


def judged(seen: Sequence[Telemetry], manifest: Manifest) -> Iterator[Check]:
    """Judge a whole turn by what the robot saw meanwhile."""
    angles = manifest.range.angles_deg
    ranges = {name: [getattr(one, name) for one in seen] for name in angles}
    still = [name for name, readings in ranges.items() if len(set(readings)) == 1]
    empty = [name for name in still if ranges[name][0] >= int(1000 * manifest.range.max_m)]
    moved = [name for name, readings in ranges.items() if max(readings) - min(readings) > JITTER_MM]
    if len(empty) == len(ranges):
        found = "nothing is in sight, so a turn cannot be seen"
        yield _unknown("motors", found, "put the robot within a metre of a wall, then run this again")
    elif not moved:
        found = "the steps of a whole turn were counted, but nothing that the robot sees has changed"
        yield _bad("motors", found, "see the motors' supply, both drivers' plugs, and that the wheels hold")
    else:
        stuck = [name for name in still if name not in empty]
        if stuck:
            remedy = "see its plug, and that nothing sticks to its window; then replace it"
            yield _bad("sensors", f"{', '.join(stuck)} never changed in a whole turn", remedy)
        else:
            yield _good("turn", f"{len(moved)} of {len(ranges)} sensors saw other things in a whole turn")
        headings = [math.degrees(one.heading_mrad / 1000) for one in seen]
        share = share_turned(headings, [ranges[name] for name in moved], [angles[name] for name in moved])
        yield _wheels(share)


def _wheels(share: float) -> Check:
    found = f"told 360°, it has turned about {360 * share:.0f}°"
    if abs(share - 1) > WHEEL_OFF:
        remedy = "see that both wheels turn and hold, and the supply and plugs of both drivers"
        return _bad("motors", found, remedy)
    if abs(share - 1) > BASE_OFF:
        return _unknown("motors", found, "measure its wheels: `llmos calibrate`")
    return _good("motors", found)
