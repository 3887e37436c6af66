"""What a robot tells of itself and of the link at one moment: facts for machines, lines for people."""

import math
from collections import deque
from collections.abc import Sequence
from typing import Any, NamedTuple

from llmbytecode import Certificate, Flag, Mode, Program
from llmbytecode._isa import State
from llmos.link import Robot
from llmos.manifest import RANGE_CHANNELS, Manifest
from llmos.shown import UNSEEN
from llmos.terminal import Line
from llmos.text import plain

RATE_MS = 1000  # over which bytes are counted
BAR = 24  # characters
FULL, GOOD, BAD, ALARM = "█", "32", "1;31", "1;37;41"


class Block(NamedTuple):
    """A block with its name and the text of each of its words."""

    name: str
    program: Program
    certificate: Certificate
    container: bytes
    texts: Sequence[str]


class Instruments:
    """Reads a connected robot; keeps what a single telemetry frame does not tell."""

    def __init__(self, robot: Robot, manifest: Manifest, place: str) -> None:
        """Read a robot; `place` is where it is, for people."""
        self._robot, self._manifest, self._place = robot, manifest, place
        self._readings = [-1] * len(RANGE_CHANNELS)
        self._since = [0] * len(RANGE_CHANNELS)  # when each reading came first, in ms of the link's clock
        self._bytes: deque[tuple[int, int, int]] = deque()  # ms, sent, received

    def read(self, block: Block | None, rounds: int) -> dict[str, Any]:
        """Return everything that is known now; `block` is the one that runs or has run last, if any."""
        robot, manifest = self._robot, self._manifest
        now, seen = robot.clock.now(), robot.telemetry
        return {
            "ms": now,
            "robot": manifest.name,
            "place": self._place,
            "state": _name(State, seen.state),
            "mode": _name(Mode, seen.mode),
            "flags": [flag.name.lower() for flag in Flag if seen.flags & flag],
            "estop": robot.latched,
            "pose": {"x_mm": seen.x_mm, "y_mm": seen.y_mm, "heading_mrad": seen.heading_mrad},
            "ranges": self._ranges(now),
            "age_ms": seen.age,
            "battery_mv": seen.battery,
            "battery_min_mv": manifest.battery.min_mv,
            "block": block and _running(block, rounds, seen.pc, seen.fuel),
            "lease": {
                "ms": manifest.link.lease_ms,
                "run_out": bool(seen.flags & Flag.LEASE),
                "silent_ms": robot.silent_ms,
            },
            "link": self._link(now),
        }

    def _ranges(self, now: int) -> dict[str, dict[str, int | None]]:
        told: dict[str, dict[str, int | None]] = {}
        for number, name in enumerate(RANGE_CHANNELS):
            if name not in self._manifest.range.angles_deg:
                continue
            reading: int = getattr(self._robot.telemetry, name)
            if reading != self._readings[number]:
                self._readings[number], self._since[number] = reading, now
            told[name] = {"mm": None if reading == UNSEEN else reading, "same_ms": now - self._since[number]}
        return told

    def _link(self, now: int) -> dict[str, int]:
        stats, times = self._robot.stats, self._bytes
        times.append((now, stats.bytes_sent, stats.bytes_received))
        while len(times) > 2 and times[1][0] <= now - RATE_MS:
            times.popleft()
        then, sent, received = times[0]
        passed = max(now - then, 1)
        return {
            "round_trip_ms": self._robot.round_trip_ms,
            "retransmits": stats.retransmits,
            "refused": stats.refused,
            "sent_bytes_s": 1000 * (stats.bytes_sent - sent) // passed,
            "received_bytes_s": 1000 * (stats.bytes_received - received) // passed,
        }


def _name(names: Any, number: int) -> str:
    return str(names(number).name).lower() if number in iter(names) else str(number)


def _running(block: Block, rounds: int, word: int, fuel: int) -> dict[str, Any]:
    return {
        "name": block.name,
        "rounds": rounds,
        "word": word,
        "line": block.program.line(word) or None,
        "text": block.texts[word] if word < len(block.texts) else "",
        "fuel": fuel,
        "proven_fuel": block.certificate.fuel,
    }


def one_line(told: dict[str, Any]) -> str:
    """Return the facts on one line, for a log."""
    pose, link = told["pose"], told["link"]
    front = told["ranges"].get("front", {}).get("mm")
    words = [
        f"{told['ms'] / 1000:7.1f} s  {_state(told):28}",
        f"({pose['x_mm'] / 1000:.2f}, {pose['y_mm'] / 1000:.2f}) m {_degrees(pose):.0f}°",
        f"front {'-' if front is None else front} mm  {told['battery_mv'] / 1000:.2f} V",
        f"link {link['round_trip_ms']} ms, {link['refused']} refused",
    ]
    if _silent(told["lease"]):  # the rest is then what was known before
        words.append(f"SILENT for {told['lease']['silent_ms'] / 1000:.1f} s")
    return plain("  ".join(words))


def page(told: dict[str, Any]) -> list[Line]:
    """Return the facts as lines of less than 80 characters, the most important ones first."""
    pose, age = told["pose"], told["age_ms"]
    title = f"{told['robot']} at {told['place']}"
    way = f"x {pose['x_mm'] / 1000:.3f} m   y {pose['y_mm'] / 1000:.3f} m   heading {_degrees(pose):.1f}°"
    oldest = "no reading" if age == UNSEEN else f"the oldest reading is {age} ms old"
    return [
        Line(plain(f"{title[:54]:54} {told['ms'] / 1000:8.1f} s"), "1"),
        _estop(told),
        Line(f"state     {_state(told)}"),
        Line(f"pose      {way}"),
        Line(f"ranges    {oldest}", BAD if "stale" in told["flags"] else ""),
        *(_range(name, one) for name, one in told["ranges"].items()),
        _battery(told),
        *_block(told["block"]),
        _lease(told["lease"]),
        *_link(told["link"]),
    ]


def _state(told: dict[str, Any]) -> str:
    flags = [flag for flag in told["flags"] if flag not in ("lease", "stale", "battery")]
    return ", ".join([told["state"], *([told["mode"]] if told["mode"] != "idle" else []), *flags])


def _degrees(pose: dict[str, int]) -> float:
    return math.degrees(pose["heading_mrad"] / 1000)


def _estop(told: dict[str, Any]) -> Line:
    if told["estop"]:
        return Line("e-stop    LATCHED: the motors are held still until it is cleared          ", ALARM)
    return Line("e-stop    released", GOOD)


def _range(name: str, one: dict[str, int | None]) -> Line:
    reading, same = one["mm"], (one["same_ms"] or 0) / 1000
    shown = f"{name.replace('_', ' '):12} "
    if reading is None:
        return Line(f"  {shown}    no reading for {same:.1f} s", BAD)
    bar = FULL * min(round(BAR * reading / 2000), BAR)
    return Line(f"  {shown}{reading:6} mm  {bar:{BAR}}  same for {same:.1f} s")


def _battery(told: dict[str, Any]) -> Line:
    volts = f"{told['battery_mv'] / 1000:.2f} V"
    low = told["battery_mv"] < told["battery_min_mv"]
    least = f"no block starts below {told['battery_min_mv'] / 1000:.2f} V"
    return Line(f"battery   {volts}{f', LOW: {least}' if low else ''}", BAD if low else "")


def _block(block: dict[str, Any] | None) -> list[Line]:
    if block is None:
        return [Line("block     none"), Line("fuel      -")]
    where = f"line {block['line']}" if block["line"] else f"word {block['word']}"
    name = plain(f"{block['name']}, round {block['rounds'] + 1}, {where}: {block['text']}")
    return [
        Line(f"block     {name[:69]}"),
        Line(f"fuel      {block['fuel']} of {block['proven_fuel']} proven"),
    ]


def _lease(lease: dict[str, Any]) -> Line:
    silent = f"; no frame from the robot for {lease['silent_ms'] / 1000:.1f} s"
    text = f"lease     {lease['ms']} ms, {'RUN OUT' if lease['run_out'] else 'renewed'}"
    late = _silent(lease)
    return Line(text + (silent if late else ""), BAD if late or lease["run_out"] else "")


def _silent(lease: dict[str, Any]) -> bool:
    return bool(lease["silent_ms"] > lease["ms"])


def _link(link: dict[str, int]) -> list[Line]:
    sent, received = link["sent_bytes_s"] / 1000, link["received_bytes_s"] / 1000
    return [
        Line(
            f"link      round trip {link['round_trip_ms']} ms   {sent:.1f} kB/s out, {received:.1f} kB/s in"
        ),
        Line(f"          {link['retransmits']} frames sent again, {link['refused']} refused as damaged"),
    ]
