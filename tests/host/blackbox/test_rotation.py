"""Rotation: each rule of records.md changes what becomes of old runs; some never leave."""

import os
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.own_rules import own_rules

from llmos.blackbox import NAME, Record, Recorder, find_record, read_record
from llmos.blackbox._file import PACKED
from llmos.blackbox.check import State, check
from llmos.blackbox.index import read_index
from llmos.blackbox.replay import replay
from llmos.blackbox.rotation import (
    DAY_S,
    Kept,
    Rotation,
    kept_runs,
    mark,
    pack,
    planned,
    rotate,
)
from llmos.errors import LlmosError
from llmos.inference import Request, open_kernel
from llmos.report import Order
from llmos.resources import system_volume
from llmos.state import runs_folder

RULES = Rotation(name="records", total_bytes=1000, keep_days=90, failure_days=365, pack_days=7)
RUNS = st.lists(
    st.builds(
        Kept,
        st.uuids().map(str),
        st.floats(0, 500),
        st.integers(1, 400),
        failed=st.booleans(),
        marked=st.booleans(),
        running=st.booleans(),
        packed=st.booleans(),
    ),
    max_size=12,
)


@settings(max_examples=100)
@given(RUNS)
def test_what_must_stay_stays_and_the_rest_fits(runs: list[Kept]) -> None:
    """A run in progress, one that is marked and the newest never leave; failures leave after the others."""
    acts = planned(runs, RULES)
    gone = {act.run for act in acts if act.what == "remove"}
    newest = min(runs, key=lambda run: run.age_days, default=None)
    assert not {run.name for run in runs if run.marked or run.running or run is newest} & gone
    assert not {run.name for run in runs if run.running or run.packed} & {
        act.run for act in acts if act.what == "pack"
    }
    free = [run for run in runs if run.name not in gone and not (run.marked or run.running or run is newest)]
    if sum(run.bytes for run in runs if run.name not in gone) > RULES.total_bytes:
        assert free == []
    for run in free:
        assert run.age_days <= (365 if run.failed else 90)
    crowded_out = {act.run for act in acts if act.reason.startswith("all runs")}
    for run in runs:
        if run.name in crowded_out:
            assert all(other.failed >= run.failed for other in free)
            assert all(other.age_days <= run.age_days for other in free if other.failed == run.failed)


def test_a_run_that_fits_and_is_new_is_left_alone() -> None:
    """Nothing is done without a reason."""
    assert planned([Kept("a", 6, 100), Kept("b", 1, 100, failed=True)], RULES) == []


# Real runs, and the rules as a person changes them


def make_run(name: str, age_days: float = 0.0, outcome: str = "") -> Path:
    """Record a run that ended so many days ago; `failed` by an error, else as it should."""
    folder = runs_folder() / name
    folder.mkdir()
    box = Recorder(Order("go", record=folder / NAME))
    error = LlmosError("it broke") if outcome == "failed" else None
    box.outside("test", lambda: "a text that is the same again and again " * 20)
    box.__exit__(type(error) if error else None, error, None)
    age(folder, age_days)
    return folder


def age(folder: Path, days: float) -> None:
    """Let a run have ended so many days ago."""
    then = time.time() - days * DAY_S
    os.utime(folder / NAME, (then, then))


def names() -> dict[str, bool]:
    """The runs that are there, and whether each is packed."""
    return {run.name: run.packed for run in kept_runs()}


@pytest.mark.parametrize(
    ("rule", "value", "left"),
    [
        ("keep_days", 20, {"new": False, "middle": True, "failed": True, "kept": True}),
        ("failure_days", 50, {"new": False, "middle": True, "old": True, "kept": True}),
        ("pack_days", 60, {"new": False, "middle": False, "failed": False, "old": False, "kept": True}),
        ("total_bytes", 1, {"new": False, "kept": True}),
        ("description", "mine", {"new": False, "middle": True, "failed": True, "old": True, "kept": True}),
    ],
)
def test_each_rule_changes_what_becomes_of_runs(
    rule: str, value: object, left: dict[str, bool], state_folder: Path
) -> None:
    """Of four old runs: one that failed, one that is marked; the last row changes no rule."""
    for name in ("new", "middle", "failed", "old", "kept"):
        make_run(name, outcome=name)
    for name, days in (("middle", 15), ("failed", 56), ("old", 55), ("kept", 100)):
        age(runs_folder() / name, days)
    mark(runs_folder() / "kept", kept=True)
    own_rules("records", **{rule: value})
    rotate()
    assert names() == left


def test_what_left_stays_in_the_index_with_the_reason(state_folder: Path) -> None:
    """And is not missed."""
    make_run("new")
    make_run("old", 91)
    acts = rotate()
    assert [(act.run, act.what) for act in acts] == [("old", "remove")]
    index = read_index()
    assert index.gone == {"old": "it is older than 90 days"}
    assert (list(index.sealed), index.broken) == (["new"], [])


def test_a_run_that_begins_lets_old_ones_leave(state_folder: Path) -> None:
    """By itself; and it stays itself, however little room there is."""
    own_rules("records", total_bytes=1)
    make_run("old", 3)
    make_run("newest")
    assert names() == {"newest": False}


def test_a_wrong_rule_is_refused_by_its_name(state_folder: Path) -> None:
    """Before a run begins."""
    own_rules("records", keep_days=-1)
    with pytest.raises(LlmosError, match=r"records.md:6: key keep_days: .* not -1"):
        make_run("new")
    assert not list(runs_folder().glob("*/record*"))


def test_a_run_in_progress_is_never_touched() -> None:
    """However old it is."""
    folder = runs_folder() / "running"
    folder.mkdir()
    with Recorder(Order("go", record=folder / NAME)):
        os.utime(folder / NAME, (0, 0))
        make_run("new")
        rotate(RULES.model_copy(update={"total_bytes": 0}))
        assert set(names()) == {"running", "new"}


def test_a_packed_record_reads_as_before(drive: Record, tmp_path: Path, state_folder: Path) -> None:
    """It is smaller, whole, as old as it was, and replays; `replay:RUN` gives its answers."""
    folder = runs_folder() / "20260101-000000-simple"
    folder.mkdir()
    (folder / NAME).write_bytes(drive.path.read_bytes())
    os.utime(folder / NAME, (1e9, 1e9))
    pack(folder)
    path = find_record("20260101")
    assert (path, path.stat().st_mtime, (folder / NAME).exists()) == (folder / PACKED, 1e9, False)
    assert path.stat().st_size < len(drive.path.read_bytes()) / 3
    assert check(path).state == State.WHOLE
    record = read_record(path)
    assert (record.name, record.lines) == ("20260101-000000-simple", drive.lines)
    assert replay(record).difference is None
    answer = next(drive.all("answer"))["answer"]
    assert open_kernel("replay:20260101")(Request("", "")).text == answer["text"]


def test_a_changed_byte_of_a_packed_record_is_found(tmp_path: Path) -> None:
    """Wherever it is: what can be unpacked fails its checksum, or says another thing."""
    folder = make_run("20260101-000000-a")
    pack(folder)
    whole = (folder / PACKED).read_bytes()
    unseen = []
    for at in [*range(10), *range(10, len(whole), 9), len(whole) - 1]:
        (folder / PACKED).write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        try:
            found = check(folder / PACKED)
        except LlmosError:
            continue
        if found.state == State.WHOLE:
            unseen.append(at)
    assert set(unseen) <= set(
        range(2, 10)
    )  # gzip's own time, level and system, which are no part of the record


def test_a_rest_of_a_removal_goes_the_next_time() -> None:
    """As a kill in its middle leaves it."""
    make_run("new")
    rest = runs_folder() / ".gone-old"
    rest.mkdir()
    (rest / "run.svg").touch()
    assert set(names()) == {"new"}
    rotate()
    assert not rest.exists()


def test_the_rules_that_ship_are_told_to_people() -> None:
    """Each with a comment, and a text behind them."""
    text = (system_volume() / "kernel" / "records.md").read_text()
    for rule in ("total_bytes", "keep_days", "failure_days", "pack_days"):
        assert any(line.startswith(rule) and "#" in line for line in text.splitlines())


def test_an_empty_record_and_a_foreign_one_are_told(state_folder: Path) -> None:
    """A run that was killed before its first line, and a file of another kind; neither ends a check."""
    for name, raw in (("20260101-000000-a", b""), ("20260102-000000-a", b"Dear robot,\n")):
        (runs_folder() / name).mkdir()
        (runs_folder() / name / NAME).write_bytes(raw)
    assert [check(runs_folder() / run.name / NAME).state for run in kept_runs()] == [
        State.KILLED,
        State.CHANGED,
    ]
