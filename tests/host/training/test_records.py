"""One's own runs teach what the true map would: the map at the end stands in for it."""

import gzip
import json
from contextlib import closing, nullcontext
from pathlib import Path
from random import Random

import numpy as np
import pytest

from llmos.blackbox import NAME, Recorder, read_record
from llmos.blackbox.why import moments
from llmos.inference import open_kernel
from llmos.manifest import load_manifest
from llmos.mission import Means, carry_out, take
from llmos.report import Order
from llmos.sim.arena import load_arena
from llmos.teacher import Practice, Teacher
from llmos.training.examples import Example
from llmos.training.records import examples, grid_of, judged, learn, teacher_of
from llmos.world.grid import UNKNOWN

ARENA = "maze:3"


@pytest.fixture(name="run", scope="module")
def _run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run with a practice robot that reached its goal."""
    folder = tmp_path_factory.mktemp("runs") / "there"
    folder.mkdir()
    order, manifest = Order("drive to the goal", ARENA, "rule", record=folder / NAME), load_manifest("cube")
    with Recorder(order) as box, closing(open_kernel("rule")) as kernel:
        arena = load_arena(ARENA)
        report = take(order, arena, manifest, box)
        means = Means(manifest, box.kernel(kernel), box)
        carry_out(report, means, lambda: nullcontext(Practice(arena, manifest)))
        box.end(report)
    assert report.outcome == "reached"
    return folder


def changed(run: Path, folder: Path, old: str, new: str) -> Path:
    """Copy a run with something changed in its record."""
    folder.mkdir(parents=True)
    text = (run / NAME).read_text()
    assert old in text
    (folder / NAME).write_text(text.replace(old, new))
    return folder


def test_the_map_at_the_end_tells_as_the_true_one_does(run: Path) -> None:
    """What it calls best is at most a little worse by the true map than what that calls best."""
    record, manifest, arena = read_record(run / NAME), load_manifest("cube"), load_arena(ARENA)
    steps = [moment for moment in moments(record) if moment.states is not None]
    mine, true = teacher_of(steps, arena.size_m, manifest), Teacher(arena, manifest)
    pairs = [(judged(moment, mine), judged(moment, true)) for moment in steps]
    both = [(one, other) for one, other in pairs if one and other]
    lost = [other.lost[min(one.lost, key=lambda name: one.lost[name])] for one, other in both]
    assert len(both) >= 5
    assert max(lost) < 0.25


def test_a_map_is_the_frames_again(run: Path) -> None:
    """What is unknown in it is unknown to the teacher, too."""
    (*_, last) = (moment for moment in moments(read_record(run / NAME)) if moment.states is not None)
    assert last.states is not None
    grid = grid_of(last.states, 0.1)
    assert np.array_equal(grid.measured() == UNKNOWN, last.states == 0)


def test_runs_that_cannot_be_used_are_told_each_in_a_line(run: Path, tmp_path: Path) -> None:
    """Those of another SPEC, that missed their goals, or that are damaged; the others are learnt from."""
    runs = tmp_path / "runs"
    spec = json.loads((run / NAME).read_text().splitlines()[0])["spec"]
    changed(run, runs / "a", spec, "0x00000001")
    changed(run, runs / "b", '"outcome":"reached"', '"outcome":"stuck"')
    (runs / "c").mkdir()
    (runs / "c" / NAME).write_bytes((run / NAME).read_bytes()[:5000] + b"\nnothing\n")
    (runs / "d").mkdir()
    (runs / "d" / f"{NAME}.gz").write_bytes(gzip.compress((run / NAME).read_bytes()))
    (tmp_path / "work" / "data").mkdir(parents=True)
    said: list[str] = []
    count = learn(tmp_path / "work", [runs, run], 0, said.append)
    assert [line.rpartition("/a/")[2] for line in said if "SPEC" in line] == [
        f"{NAME}: made with SPEC 0x00000001, and this is {spec}; left out"
    ]
    assert [line for line in said if "did not reach its goal (stuck); left out" in line] == [said[1]]
    assert "is damaged" in said[2]
    files = sorted((tmp_path / "work" / "data").iterdir())
    assert [path.name for path in files] == ["run-d.jsonl", "run-there.jsonl"]
    found = [Example.model_validate_json(line) for path in files for line in path.read_text().splitlines()]
    assert len(found) == count > 10
    assert {(one.source, one.split) for one in found} == {("run:d", "train"), ("run:there", "val")}
    assert len(said) == 5


def test_disguises_follow_from_the_seed(run: Path) -> None:
    """The same runs and seed give the same examples."""
    record = read_record(run / NAME)
    assert list(examples(record, Random(1))) == list(examples(record, Random(1)))
    assert list(examples(record, Random(1))) != list(examples(record, Random(2)))
