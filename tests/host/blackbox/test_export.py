"""Export: what other programs read is what the record says."""

import base64
import csv
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from llmos.blackbox import NAME, Record, Recorder, RecordError, read_record
from llmos.blackbox.export import export
from llmos.report import Order


def frames_of(record: Record) -> int:
    """How many frames of telemetry a record has: those heard, and those asked for."""
    return sum(line.get("count", 1) for line in record.all("heard", "telemetry"))


def test_json_lines_are_whole(drive: Record, tmp_path: Path) -> None:
    """Long texts stand in place, frames in lines of their own with units, and no tag is left."""
    (path,) = export(drive, "jsonl", tmp_path / "run.jsonl")
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    frames = [line for line in lines if line["kind"] == "telemetry"]
    assert len(frames) == frames_of(drive)
    assert {"ms", "x_mm", "front_mm", "age_ms", "battery_mV"} <= set(frames[0])
    others = [line for line in lines if line["kind"] != "telemetry"]
    assert others == [line for line in drive.lines if line["kind"] not in ("heard", "telemetry")]


def test_tables_have_a_row_a_step_and_a_row_a_frame(drive: Record, tmp_path: Path) -> None:
    """With the same numbers."""
    steps, telemetry = export(drive, "csv", tmp_path / "run.csv")
    assert telemetry.name == "run-telemetry.csv"
    rows = list(csv.DictReader(steps.open()))
    assert [row["step"] for row in rows] == ["0", "1", "2"]
    pose = list(drive.all("step"))[2]["step"]["pose"]
    assert [float(rows[2][name]) for name in ("x_m", "y_m", "heading_rad")] == pose
    assert len(list(csv.DictReader(telemetry.open()))) == frames_of(drive)


def mcap_messages(path: Path) -> list[tuple[str, str, int, Any]]:
    """Read a file by mcap's own reader, checksums and schemas included: topic, schema, ns, value."""
    reading = pytest.importorskip("mcap.reader")
    found, valid = [], {}
    with path.open("rb") as file:
        for schema, channel, message in reading.make_reader(file, validate_crcs=True).iter_messages():
            value = json.loads(message.data)
            if schema.id not in valid:
                valid[schema.id] = jsonschema.Draft202012Validator(json.loads(schema.data))
            assert valid[schema.id].is_valid(value)
            found.append((channel.topic, schema.name, message.log_time, value))
    return found


def test_mcap_is_read_by_its_own_reader(drive: Record, tmp_path: Path) -> None:
    """All topics, each message by its schema, in the order of the robot's time."""
    (path,) = export(drive, "mcap", tmp_path / "run.mcap")
    found = mcap_messages(path)
    of = {topic: [one for one in found if one[0] == topic] for topic, *_ in found}
    assert len(of["/telemetry"]) == len(of["/pose"]) == len(of["/ranges"]) == frames_of(drive)
    assert [one[3] for one in of["/step"]] == [line["step"] for line in drive.all("step")]
    assert len(of["/block"]) == len(list(drive.all("block")))
    assert len(of["/decision"]) == 2
    _, schema, at, pose = of["/pose"][-1]
    assert (schema, pose["timestamp"]) == ("foxglove.PoseInFrame", {"sec": at // 10**9, "nsec": at % 10**9})
    frame = of["/telemetry"][-1][3]
    assert pose["pose"]["position"]["x"] == frame["x_mm"] / 1000
    seconds = (of["/telemetry"][-1][2] - of["/telemetry"][0][2]) / 1e9
    assert seconds == (frame["ms"] - of["/telemetry"][0][3]["ms"]) / 1000


def test_pictures_come_with_them(tmp_path: Path) -> None:
    """Byte for byte."""
    jpeg = b"\xff\xd8 a picture \xff\xd9" * 20
    with Recorder(Order("go", record=tmp_path / NAME)) as box:
        box.outside("camera", lambda: (jpeg, 0, ""))
        box.outside("camera", lambda: (None, 0, "no camera"))
    (path,) = export(read_record(tmp_path / NAME), "mcap", tmp_path / "run.mcap")
    pictures = [(schema, value) for topic, schema, _, value in mcap_messages(path) if topic == "/camera"]
    ((schema, value),) = pictures
    assert (schema, value["format"]) == ("foxglove.CompressedImage", "jpeg")
    assert base64.b64decode(value["data"]) == jpeg


@pytest.mark.parametrize("to", ["jsonl", "csv", "mcap"])
def test_a_file_that_cannot_be_written_is_told(to: str, drive: Record) -> None:
    """In a line."""
    with pytest.raises(RecordError, match="is the record itself"):
        export(drive, to, drive.path)
    with pytest.raises(RecordError, match="/no/such/run cannot be written"):
        export(drive, to, Path("/no/such/run"))
