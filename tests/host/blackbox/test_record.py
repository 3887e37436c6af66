"""The record's file: what is written is read again, and what is damaged is told in a line."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmos.blackbox import NAME, Box, Recorder, RecordError, find_record, read_record
from llmos.blackbox._columns import NEVER, packed, unpacked
from llmos.blackbox._data import data, first_difference, undata
from llmos.errors import LlmosError
from llmos.link import Telemetry
from llmos.report import Order

NUMBERS = st.integers(-(2**40), 2**40)
FRAMES = st.lists(st.builds(Telemetry, *[NUMBERS] * len(Telemetry._fields)), min_size=1, max_size=6)
TEXTS = st.text(max_size=200)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXTS | st.binary(max_size=100),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text("abc", min_size=1), inner, max_size=4)
    ),
    max_leaves=12,
)


def recorded(folder: Path, *values: object) -> Path:
    """Write a record in which something outside said these values."""
    with Recorder(Order("go", record=folder / NAME)) as box:
        for value in values:
            box.outside("test", lambda value=value: value)  # type: ignore[misc]
    return folder / NAME


@settings(max_examples=15, deadline=None)
@given(NUMBERS.map(lambda number: NEVER._replace(ms=number)), FRAMES)
def test_telemetry_comes_back_from_its_columns(before: Telemetry, frames: list[Telemetry]) -> None:
    """Frame by frame."""
    assert unpacked(before, len(frames), json.loads(json.dumps(packed(before, frames)))) == frames


@settings(max_examples=15, deadline=None)
@given(values=st.lists(VALUES, max_size=3))
def test_what_is_written_is_read_again(
    values: list[object], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Long texts, bytes, strange signs and halves of characters included."""
    path = recorded(tmp_path_factory.mktemp("run"), *values, "\ud800" * 90)
    said = [undata(line["value"]) for line in read_record(path).all("outside")]
    assert said == [*values, "\ud800" * 90]


def test_a_long_text_stands_once_in_the_file(tmp_path: Path) -> None:
    """However often it comes."""
    path = recorded(tmp_path, "so long a text " * 10, ["so long a text " * 10] * 3)
    assert path.read_text().count("so long a text " * 10) == 1


def test_the_first_line_stands_first(tmp_path: Path) -> None:
    """However long the texts in it are."""
    with Recorder(Order("go " * 100, record=tmp_path / NAME)):
        pass
    assert read_record(tmp_path / NAME).header["order"]["goal"] == "go " * 100


def test_every_kind_of_value_has_a_form() -> None:
    """Numbers of numpy, tuples with names, sets; what has none is refused by its type."""
    assert data({1: np.float32(0.5), "a": (np.arange(2), {3, 1})}) == {"1": 0.5, "a": [[0, 1], [1, 3]]}
    with pytest.raises(TypeError, match="a object cannot be recorded"):
        data([object()])


@pytest.mark.parametrize(
    ("recorded", "now", "field"),
    [
        ({"a": [1, 2]}, {"a": [1, 3]}, "a[1]"),
        ({"a": [1]}, {"a": [1, 3]}, "a[1]"),
        ({"a": {"b": 1.0}}, {"a": {}}, "a.b"),
        ({"seconds": 1.0, "b": 1}, {"seconds": 2.0, "b": 1}, None),
        ({"a": float("nan")}, {"a": float("nan")}, None),
        ({"a": 1}, {"a": True}, "a"),
    ],
)
def test_the_first_difference_is_named(recorded: object, now: object, field: str | None) -> None:
    """By its way; what took how long is none."""
    found = first_difference(recorded, now)
    assert (found and found.field) == field


def test_a_run_is_found_by_the_beginning_of_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Or as the last, or by its path; where several begin so, or none, they are named."""
    monkeypatch.setenv("LLMOS_HOME", str(tmp_path))
    names = ["20260101-000000-a", "20260102-000000-a", "20260102-000000-a-1"]
    for name in names:
        (tmp_path / "runs" / name).mkdir(parents=True)
        (tmp_path / "runs" / name / NAME).touch()
    (tmp_path / "runs" / "20260103-000000-a").mkdir()  # of a version without records
    assert find_record("20260101").parent.name == names[0]
    assert find_record("20260102-000000-a").parent.name == names[1]
    assert find_record("last").parent.name == names[2]
    assert find_record(str(tmp_path / "runs" / names[1])) == tmp_path / "runs" / names[1] / NAME
    with pytest.raises(LlmosError, match="2 begin so"):
        find_record("20260102")
    with pytest.raises(LlmosError, match="'2027': none in"):
        find_record("2027")


def test_a_torn_last_line_is_left_out(tmp_path: Path) -> None:
    """Wherever it is torn; all before it is kept."""
    path = recorded(tmp_path, 1, 2, 3)
    whole = path.read_bytes()
    begin = whole.rindex(b"\n", 0, -1) + 1
    for end in range(begin, len(whole) - 1):
        path.write_bytes(whole[:end])
        record = read_record(path)
        assert [line["value"] for line in record.all("outside")] == [1, 2, 3]
        assert (record.one("end"), record.broken) == (None, [])
        assert record.torn == (end > begin)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "line 1 is no beginning"),
        (b"Dear robot,\n", "line 1 is no beginning"),
        (b'{"text":"{}"}\n', "line 1 is no beginning"),
        (b"\x00\xff" * 100, "line 1 is no beginning"),
        (b'{"kind":"run","version":1}\n{"kind":\n{"kind":"now","ms":1}\n', "line 2 is damaged"),
        (b'{"kind":"run","version":1}\n\xff\n\n', "line 2 is damaged"),
        (b"[" * 100_000 + b"\n\n", "line 1 is no beginning"),
        (b'{"kind":"run","version":3,"llmos":"9.9"}\n', "version is 3.*read it with LLMos 9.9"),
    ],
)
def test_what_is_no_record_is_refused_in_a_line(content: bytes, message: str, tmp_path: Path) -> None:
    """Foreign, damaged, or newer than we are."""
    (tmp_path / NAME).write_bytes(content)
    with pytest.raises(RecordError, match=message):
        read_record(tmp_path / NAME)


def test_a_full_disk_is_told_and_ends_nothing() -> None:
    """What passes through the box passes on."""
    with Recorder(Order("go", record=Path("/dev/full"))) as box:
        assert box.outside("test", lambda: 7) == 7
    assert box.trouble == "No space left on device"


def test_a_box_of_nobody_keeps_nothing() -> None:
    """And lets all pass."""
    with Box() as box:
        assert box.outside("test", lambda: 7) == 7
    assert box.trouble == ""
