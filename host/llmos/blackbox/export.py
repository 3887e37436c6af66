"""A record for other programs: JSON lines, CSV tables, or an MCAP file that Foxglove and others show.

Where a topic's JSON has the form of one of Foxglove's message schemas (docs.foxglove.dev), it has its name.
"""

import base64
import csv
import json
import math
from collections.abc import Callable, Iterator
from datetime import datetime
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

from llmos.blackbox._columns import NEVER, unpacked
from llmos.blackbox._data import undata
from llmos.blackbox._file import MALFORMED, Line, Record, RecordError, malformed
from llmos.blackbox.why import brief, moments
from llmos.link import Telemetry
from llmos.manifest import RANGE_CHANNELS

NO_READING = 65535
UNITS = dict.fromkeys(RANGE_CHANNELS, "mm") | {"age": "ms", "battery": "mV"}  # those not in the names
FRAME = "world"  # of the poses: the robot's own reckoning
Object = dict[str, Any]


class Message(NamedTuple):
    """Something that happened: at which ms of the robot's clock, what, and its JSON."""

    ms: int
    topic: str
    value: Object


def timed(record: Record) -> Iterator[tuple[int, Line]]:
    """Return the lines, telemetry frame by frame in lines of its own, with the newest ms at each."""
    ms, before = 0, NEVER
    for line in record.lines:
        if line["kind"] == "heard":
            for frame in unpacked(before, line["count"], line["columns"]):
                ms, before = frame.ms, frame
                yield ms, {"kind": "telemetry", **telemetry(frame)}
        elif line["kind"] == "telemetry":
            frame = unpacked(NEVER, 1, line["columns"])[0]
            ms = max(ms, frame.ms)
            yield frame.ms, {"kind": "telemetry", **telemetry(frame)}
        else:
            ms = line["ms"] if line["kind"] == "now" else ms
            yield ms, line


def telemetry(frame: Telemetry) -> Object:
    """Return a frame of telemetry with the units in its names; a range that was not measured is None."""
    values = {name: None if value == NO_READING and name in RANGE_CHANNELS else value
              for name, value in frame._asdict().items()}  # fmt: skip
    return {f"{name}_{UNITS[name]}" if name in UNITS else name: value for name, value in values.items()}


def to_jsonl(record: Record, path: Path) -> list[Path]:
    """Write the record's lines, whole: long texts in place, a line for each frame of telemetry, no tags."""
    with path.open("w", encoding="utf-8") as file:
        for _, line in timed(record):
            file.write(json.dumps(line, separators=(",", ":")) + "\n")
    return [path]


def to_csv(record: Record, path: Path) -> list[Path]:
    """Write two tables: the steps to the path itself, the telemetry beside it."""
    beside = path.with_name(f"{path.stem}-telemetry{path.suffix or '.csv'}")
    rows = [line for _, line in timed(record) if line["kind"] == "telemetry"]
    _table(path, [_flat(brief(moment)) for moment in moments(record)])
    _table(beside, [{name: value for name, value in row.items() if name != "kind"} for row in rows])
    return [path, beside]


def _flat(step: Object) -> Object:
    """Return a step's fields with its pose in three of them."""
    x, y, heading = step.pop("pose") or (None, None, None)
    return {
        "step": step.pop("step"),
        "ms": step.pop("ms"),
        "x_m": x,
        "y_m": y,
        "heading_rad": heading,
        **step,
    }


def _table(path: Path, rows: list[Object]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]) if rows else ["step"])
        writer.writeheader()
        writer.writerows(rows)


def messages(record: Record) -> Iterator[Message]:
    """Return what a record tells, by topic."""
    for ms, line in timed(record):
        make = _TOPICS.get(line["kind"])
        yield from make(ms, line) if make else ()


def _telemetry(ms: int, line: Line) -> Iterator[Message]:
    frame = {name: value for name, value in line.items() if name != "kind"}
    yield Message(ms, "/telemetry", frame)
    yield Message(ms, "/ranges", {name: frame[f"{name}_mm"] for name in RANGE_CHANNELS})
    half = frame["heading_mrad"] / 2000
    pose = {
        "position": {"x": frame["x_mm"] / 1000, "y": frame["y_mm"] / 1000, "z": 0.0},
        "orientation": {"x": 0.0, "y": 0.0, "z": math.sin(half), "w": math.cos(half)},
    }
    yield Message(ms, "/pose", {"frame_id": FRAME, "pose": pose})


def _step(ms: int, line: Line) -> Iterator[Message]:
    step = line["step"]
    yield Message(step["ms"], "/step", step)
    if step.get("decision"):
        yield Message(step["ms"], "/decision", step["decision"])


def _outside(ms: int, line: Line) -> Iterator[Message]:
    said = undata(line["value"])
    if line["name"] == "camera" and said[0]:
        picture = base64.b64encode(said[0]).decode()
        yield Message(ms, "/camera", {"frame_id": "camera", "format": "jpeg", "data": picture})


def _plain(topic: str) -> Callable[[int, Line], Iterator[Message]]:
    def tell(ms: int, line: Line) -> Iterator[Message]:
        yield Message(ms, topic, {name: value for name, value in line.items() if name != "kind"})

    return tell


_TOPICS: dict[str, Callable[[int, Line], Iterator[Message]]] = {
    "telemetry": _telemetry,
    "step": _step,
    "outside": _outside,
    **{kind: _plain(f"/{kind}") for kind in ("block", "done", "ask", "answer", "call", "called", "raised")},
    **{kind: _plain(f"/{kind}") for kind in ("setting", "program", "ending", "end")},
}
_FOXGLOVE = {"/pose": "foxglove.PoseInFrame", "/camera": "foxglove.CompressedImage"}


def to_mcap(record: Record, path: Path) -> list[Path]:
    """Write the record as an MCAP file, a topic for each kind of thing, on the wall clock's time.

    Raises:
        RecordError: the package `mcap` is not installed.
    """
    try:
        writing = import_module("mcap.writer")
    except ImportError:
        raise RecordError("MCAP needs the package mcap: pip install 'llmos[mcap]'") from None
    began_ns = int(datetime.fromisoformat(record.header["began"]).timestamp()) * 10**9
    told = [stamped(message, began_ns) for message in messages(record)]
    schemas: dict[str, Object] = {}
    for _, topic, value in told:
        schemas[topic] = both(schemas.get(topic, {}), schema_of(value))
    with path.open("wb") as file:
        writer = writing.Writer(file)
        writer.start(profile="", library="llmos")
        writer.add_metadata("run", {"name": record.name, "header": json.dumps(record.header)})
        channels = {}
        for topic, schema in schemas.items():
            name = _FOXGLOVE.get(topic, f"llmos.{topic[1:].title()}")
            number = writer.register_schema(name, "jsonschema", json.dumps(schema).encode())
            channels[topic] = writer.register_channel(topic, "json", number)
        for number, (at_ns, topic, value) in enumerate(told):
            writer.add_message(channels[topic], at_ns, json.dumps(value).encode(), at_ns, number)
        writer.finish()
    return [path]


def stamped(message: Message, began_ns: int) -> tuple[int, str, Object]:
    """Return a message with its moment in ns of the wall clock, in it, too, where Foxglove wants it."""
    ms, topic, value = message
    at = began_ns + ms * 10**6
    if topic in _FOXGLOVE:
        value = {"timestamp": {"sec": at // 10**9, "nsec": at % 10**9}, **value}
    return at, topic, value


def schema_of(value: Any) -> Object:
    """Return a JSON schema of a value: its type, and of an object its fields, none of which must be there."""
    if isinstance(value, dict):
        return {"type": ["object"], "properties": {name: schema_of(item) for name, item in value.items()}}
    kinds = {list: "array", bool: "boolean", int: "number", float: "number", str: "string"}
    return {"type": [kinds.get(type(value), "null")]}


def both(one: Object, other: Object) -> Object:
    """Return the schema of what one or the other allows."""
    found: Object = {"type": sorted({*one.get("type", ()), *other.get("type", ())})}
    fields, more = one.get("properties", {}), other.get("properties", {})
    if fields or more:
        found["properties"] = {name: both(fields.get(name, {}), more.get(name, {})) for name in fields | more}
    return found


FORMATS: dict[str, Callable[[Record, Path], list[Path]]] = {
    "jsonl": to_jsonl,
    "csv": to_csv,
    "mcap": to_mcap,
}


def export(record: Record, to: str, path: Path) -> list[Path]:
    """Write a record in a format, one of `FORMATS`; return the files.

    Raises:
        RecordError: a line is not as its kind has it, the file cannot be written, or a package is missing.
    """
    if path.exists() and path.samefile(record.path):
        raise RecordError(f"{path} is the record itself: name another file")
    try:
        return FORMATS[to](record, path)
    except OSError as error:
        raise RecordError(f"{path} cannot be written ({error.strerror}): name a file of yours") from None
    except MALFORMED as error:
        raise malformed(record, error) from error
