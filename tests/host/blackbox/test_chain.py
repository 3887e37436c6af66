"""The chain: one byte that is not as it was written is found, and the record and the line are named."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from llmos.blackbox import NAME, Record, Recorder, read_record
from llmos.blackbox._chain import breaks, is_chained
from llmos.blackbox.check import State, check
from llmos.blackbox.index import INDEX, note, read_index
from llmos.blackbox.replay import replay
from llmos.report import Order
from llmos.state import runs_folder

from .conftest import chained

LINES = st.lists(
    st.dictionaries(st.text(max_size=5), st.text(max_size=9) | st.integers(), min_size=1), max_size=8
)
Change = Callable[[list[bytes]], None]


def run_record(name: str, *values: object) -> Path:
    """Record a run in the runs' folder, in which something outside said these values."""
    folder = runs_folder() / name
    folder.mkdir()
    with Recorder(Order("go", record=folder / NAME)) as box:
        for value in values:
            box.outside("test", lambda value=value: value)  # type: ignore[misc]
    return folder / NAME


@settings(max_examples=50)
@given(LINES, st.data())
def test_any_changed_byte_is_found(lines: list[dict[str, object]], data: st.DataObject) -> None:
    """In the line in which it is; an unchanged chain has no breaks."""
    raw = chained({"kind": "x", **line} for line in lines)
    assert breaks(raw) == []
    if raw:
        at = data.draw(st.integers(0, len(raw) - 1))
        byte = data.draw(st.integers(0, 255).filter(lambda new: new != raw[at]))
        found = breaks(raw[:at] + bytes([byte]) + raw[at + 1 :])
        assert found[0].line == raw[:at].count(b"\n") + 1


def places(raw: bytes) -> list[int]:
    """Return the places of a record of which each may matter in its own way, of a line of each kind.

    Its first byte, its kind, its middle, where the tag begins, the tag's first and last sign, and its end.
    """
    kinds, found, begin = set[bytes](), [0, len(raw) - 1], 0
    for line in raw.split(b"\n")[:-1]:
        kind = line.split(b'"', 4)[3]
        if kind not in kinds:
            kinds.add(kind)
            inside = (0, 10, len(line) // 2, -15, -11, -10, -3, -2, -1, 0)
            found += [begin + (len(line) + place if place < 0 else place) for place in inside]
            found.append(begin + len(line))
        begin += len(line) + 1
    return found


def test_a_byte_of_a_real_record_is_changed_and_its_line_is_named(drive: Record, tmp_path: Path) -> None:
    """At each kind of place, by a flipped bit, and by what means something in JSON or ends a line."""
    raw = drive.path.read_bytes()
    for at in places(raw):
        begin = raw.rfind(b"\n", 0, at) + 1
        line, kind = raw[:at].count(b"\n") + 1, raw[begin:].split(b'"', 4)[3].decode()
        for byte in {*b'\n"}0 '} - {raw[at]}:
            assert breaks(raw[:at] + bytes([byte]) + raw[at + 1 :])[0].line == line
        (tmp_path / NAME).write_bytes(raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :])
        checked = check(tmp_path / NAME)
        assert (checked.state, checked.broken[0].line) == (State.CHANGED, line)
        if at > begin + 24:  # behind the kind
            assert checked.said.startswith(f"line {line} ({kind})")


@settings(max_examples=60)
@given(place=st.floats(0, 1, exclude_max=True), byte=st.integers(1, 255))
@example(place=0.0, byte=1)
def test_any_byte_of_a_real_record_may_be_changed(drive: Record, place: float, byte: int) -> None:
    """And is found."""
    raw = bytearray(drive.path.read_bytes())
    at = int(place * len(raw))
    raw[at] ^= byte
    assert next(one.line for one in breaks(bytes(raw))) == drive.path.read_bytes()[:at].count(b"\n") + 1


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (lambda lines: lines.pop(7), 8),
        (lambda lines: lines.insert(7, lines[7]), 9),
        (lambda lines: lines.insert(7, b'{"kind":"now","ms":1}'), 8),
        (lambda lines: lines.insert(5, lines.pop(7)), 6),
        (lambda lines: lines.__setitem__(7, lines[7] + b" "), 8),
        (lambda lines: lines.__setitem__(7, lines[7][:-1]), 8),
        (lambda lines: lines.pop(0), 1),
    ],
    ids=["removed", "doubled", "added", "moved", "longer", "shorter", "beheaded"],
)
def test_a_line_that_is_not_in_its_place_is_found(
    change: Change, line: int, drive: Record, tmp_path: Path
) -> None:
    """And the place is named, by its number and the kind of what stands there."""
    lines = drive.path.read_bytes().splitlines()
    change(lines)
    (tmp_path / NAME).write_bytes(b"\n".join(lines) + b"\n")
    checked = check(tmp_path / NAME)
    assert (checked.state, checked.broken[0].line) == (State.CHANGED, line)


def test_a_whole_record_is_whole(drive: Record) -> None:
    """And no line of it is told to be broken when it is read."""
    assert check(drive.path).state == State.WHOLE
    assert drive.broken == []
    assert "#" not in drive.header
    assert check(drive.path).bytes_per_minute > 1000


def test_a_run_that_was_killed_is_told_from_one_whose_end_was_removed(tmp_path: Path) -> None:
    """By the index of the runs, which has what was closed."""
    path = run_record("20260101-000000-a", *range(5))
    raw = path.read_bytes()
    lines = raw.splitlines(keepends=True)
    assert check(path).state == State.WHOLE
    for count in (1, len(lines) - 1):
        path.write_bytes(b"".join(lines[:count]))
        checked = check(path)
        assert checked.state == State.CUT
        assert (
            checked.said == f"line {count + 1}: the end is missing, {count} of {len(lines)} lines are there"
        )
    path.write_bytes(raw[:-1])
    assert check(path).state == State.CUT
    elsewhere = tmp_path / NAME  # the index knows nothing of it
    for rest in (b"".join(lines[:-1]), b"".join(lines[:-1]) + lines[-1][:20], raw[:-1]):
        elsewhere.write_bytes(rest)
        assert check(elsewhere).state == State.KILLED


def test_a_run_in_progress_is_told_and_then_killed() -> None:
    """While its program has the file, and when that is gone without an end."""
    folder = runs_folder() / "20260101-000000-a"
    folder.mkdir()
    box = Recorder(Order("go", record=folder / NAME))
    box.outside("test", lambda: 1)
    assert check(folder / NAME).state == State.RUNNING
    os.close(box._writer._file.fileno())
    assert check(folder / NAME).state == State.KILLED


def test_a_record_made_anew_is_found_by_the_index() -> None:
    """Though its lines fit each other."""
    path = run_record("20260101-000000-a", "yes")
    lines = [json.loads(line) for line in path.read_bytes().splitlines()]
    next(line for line in lines if line["kind"] == "outside")["value"] = "no"
    path.write_bytes(chained(lines))
    checked = check(path)
    assert (checked.state, checked.broken) == (State.FORGED, ())


def test_the_index_is_chained_too() -> None:
    """A line of it that is changed is named; one that a kill has torn is written over."""
    for number in range(3):
        run_record(f"2026010{number}-000000-a")
    path = runs_folder() / INDEX
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"kind":"run","ru')
    assert read_index().broken == []
    note("gone", "20260101-000000-a", reason="old")
    index = read_index()
    assert (index.broken, index.gone, len(index.sealed)) == ([], {"20260101-000000-a": "old"}, 2)
    path.write_bytes(path.read_bytes().replace(b"20260101", b"20260109", 1))
    assert [one.line for one in read_index().broken] == [2]


def test_older_records_are_read_still(drive: Record, tmp_path: Path) -> None:
    """They replay, and are said to have no chain."""
    lines = [json.loads(line) for line in drive.path.read_bytes().splitlines()]
    for line in lines:
        line.pop("#")
    lines[0]["version"] = 1
    (tmp_path / NAME).write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert not is_chained((tmp_path / NAME).read_bytes())
    assert check(tmp_path / NAME).state == State.UNCHAINED
    record = read_record(tmp_path / NAME)
    assert record.broken == []
    assert replay(record).difference is None


def test_a_changed_record_is_read_with_its_breaks(drive: Record, tmp_path: Path) -> None:
    """A number that is another makes no JSON wrong."""
    shutil.copy(drive.path, tmp_path / NAME)
    raw = drive.path.read_bytes()
    at = raw.index(b'"path_mm":') + 10
    (tmp_path / NAME).write_bytes(raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :])
    assert [one.kind for one in read_record(tmp_path / NAME).broken] == ["done"]
