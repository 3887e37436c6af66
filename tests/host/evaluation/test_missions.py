"""Evaluations of missions: they go on where they were stopped, and their figures and their page hold."""

import csv
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from llmos.evaluation import (
    KINDS,
    EvaluationError,
    Journal,
    Missions,
    Row,
    mission_table,
    page,
    pair_table,
    run,
    write,
)
from llmos.evaluation._journal import key_of
from llmos.evaluation._missions import simplified
from llmos.sim.arena import Arena
from llmos.sim.explore import reference_m
from llmos.statistics import mean_between, sign_test, wilson

MISSIONS = KINDS["missions"]
PLAN = Missions(("simple", "clutter:0"), ("rule",), 1, ("plain",))
CLOCKED = ("wall_s", "decisions_per_s", "thought_ms", "spent")  # what the wall clock says


def silent(row: Row, done: int, count: int, before: int) -> None:
    """Show nothing."""


def timeless(row: Row) -> Row:
    """A row without what the wall clock says."""
    model = {key: value for key, value in row["llm"].items() if not key.endswith("_ms")}
    return {key: value for key, value in row.items() if key not in CLOCKED} | {"llm": model}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Row]]:
    """An evaluation that nothing has stopped."""
    folder = tmp_path_factory.mktemp("whole")
    return folder, run(MISSIONS, PLAN, 1, folder, silent)


def test_a_stopped_evaluation_goes_on_to_the_same_result(
    finished: tuple[Path, list[Row]], tmp_path: Path
) -> None:
    """Killed in the middle of the second row's line, then started again: only the second is run again."""
    first, second = (finished[0] / "runs.jsonl").read_text().splitlines(keepends=True)
    (tmp_path / "runs.jsonl").write_text(first + second[: len(second) // 2])
    told: list[tuple[str, int, int, int]] = []
    rows = run(MISSIONS, PLAN, 1, tmp_path, lambda row, *counts: told.append((row["place"], *counts)))
    assert told == [("clutter:0", 2, 2, 1)]
    assert [timeless(row) for row in rows] == [timeless(row) for row in finished[1]]
    lines = (tmp_path / "runs.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == rows


def test_what_is_finished_is_not_done_again(finished: tuple[Path, list[Row]]) -> None:
    """A second call returns the same rows at once, and runs nothing."""

    def never(row: Row, done: int, count: int, before: int) -> None:
        raise AssertionError(row)

    assert run(MISSIONS, PLAN, 1, finished[0], never) == finished[1]


def test_rows_of_other_sources_do_not_count(finished: tuple[Path, list[Row]], tmp_path: Path) -> None:
    """They are kept apart; and two evaluations do not write to one folder."""
    journal = Journal(tmp_path, "old")
    journal.add(dict(finished[1][0]))
    with pytest.raises(EvaluationError, match=r"another evaluation is writing to"):
        Journal(tmp_path, "new")
    journal.close()
    journal = Journal(tmp_path, "new")
    assert journal.rows == {}
    journal.close()
    assert (tmp_path / "runs.jsonl").read_text() == ""
    assert json.loads((tmp_path / "runs.old.jsonl").read_text())["code"] == "old"


def test_each_setting_tells_tasks_apart(tmp_path: Path) -> None:
    """What a task says, and the files that it names, as they are now."""
    room = tmp_path / "room.toml"
    room.write_text("one")
    plans = [Missions((arena,), (kernel,), 1, (variant,), deadline)
             for arena in ("simple", str(room)) for kernel in ("rule", "random")
             for variant in ("plain", "map") for deadline in (9.0, 10.0)]  # fmt: skip
    before = [key_of(task) for plan in plans for task in plan.tasks()]
    assert len(set(before)) == 16
    room.write_text("another")
    after = [key_of(task) for plan in plans for task in plan.tasks()]
    assert (after[:8], set(after[8:]) & set(before)) == (before[:8], set())


def test_a_folder_that_cannot_be_is_told(tmp_path: Path) -> None:
    """In a sentence that says what to do."""
    (tmp_path / "file").write_text("")
    with pytest.raises(EvaluationError, match=r"cannot be used .*name another --out"):
        Journal(tmp_path / "file", "code")


def test_figures_of_a_mission(finished: tuple[Path, list[Row]]) -> None:
    """Who decided, what was seen when, which way was driven."""
    for row in finished[1]:
        assert row["good"]
        assert row["brains"] == {"rule": row["decisions"]}
        assert len(row["thought_ms"]) == row["decisions"] == row["cycles"] - 1
        assert row["path90_m"] is None or row["path90_m"] <= (row["path99_m"] or math.inf)
        assert (row["path90_m"] is None) <= (row["coverage"] < 0.9)
        assert row["path90_m"] is None or row["path90_m"] <= row["path_m"]
        ends = row["way"][0], row["way"][-1]
        assert math.dist(*ends) / 100 <= row["path_m"] + 0.02
    assert finished[1][1]["path90_m"] is not None


def more(rows: list[Row]) -> list[Row]:
    """The rows, and as many of another driver who was worse, in two seeds."""
    told = {"kernel": "model <b>", "variant": "map", "outcome": "failed", "good": False, "spl": 0.0}
    counts = {"brains": {"instinct": 3, "planner": 1}, "escalations": {"stuck": 2}, "guards": {"reflex": 1}}
    worse = [{**row, **told, **counts, "path_m": row["path_m"] + 1, "collisions": 1} for row in rows]
    return [{**row, "seed": seed} for row in [*rows, *worse] for seed in (0, 1)]


def test_everything_is_written(finished: tuple[Path, list[Row]], tmp_path: Path) -> None:
    """Tables as JSON and CSV, each run as a row, and one page."""
    rows = more(finished[1])
    facts = write(MISSIONS, rows, {"seeds": 2}, tmp_path)
    assert json.loads((tmp_path / "table.json").read_text()).items() <= facts.items()
    with (tmp_path / "runs.csv").open() as file:
        found = list(csv.DictReader(file))
    assert [(row["place"], row["seed"], row["llm.valid"]) for row in found] == [
        (row["place"], str(row["seed"]), str(row["llm"]["valid"])) for row in rows
    ]
    assert {path.name for path in tmp_path.iterdir()} == {
        "table.json", "table.csv", "pairs.csv", "runs.csv", "report.html"
    }  # fmt: skip


def drawn(text: str) -> Iterator[ElementTree.Element]:
    """The elements of a page; it is well-formed XML, too."""
    return ElementTree.fromstring(text.removeprefix("<!DOCTYPE html>")).iter()


def test_the_page_holds_each_run_and_needs_nothing_else(finished: tuple[Path, list[Row]]) -> None:
    """Every drive as a picture of its own with its room; no script, nothing fetched, no foreign markup."""
    rows = more(finished[1])
    text = page("title <i>", rows, MISSIONS.tables(rows))
    elements = list(drawn(text))
    drives = [one for one in elements if one.get("class", "").startswith("drive")]
    titles = [one[0].text or "" for one in drives]
    for row in rows:
        assert (
            sum(f"{row['arena']}, {row['kernel']}" in t and f"seed {row['seed']}:" in t for t in titles) == 1
        )
    rooms = {one.get("id") for one in elements if one.get("id")}
    assert {one.get("href", "")[1:] for one in elements if one.tag == "use"} == rooms
    assert len(rooms) == 2
    assert sum("bad" in (one.get("class") or "") for one in drives) == len(rows) // 2
    assert not {one.tag for one in elements} & {"script", "link", "img", "b", "i "}
    assert "http" not in text
    assert "title &lt;i&gt;" in text


def test_a_large_page_stays_small(finished: tuple[Path, list[Row]]) -> None:
    """A hundred arenas by four kernels by two seeds: below 10 MB, with the arenas of failures."""
    rows = [
        {**row, "kernel": kernel, "arena": f"clutter:{n}", "place": f"clutter:{n}", "seed": seed,
         "good": n != 99, "way": row["way"] * 10}
        for kernel in ("rule", "random", "smollm2", "dual") for n in range(100)
        for seed in range(2)
        for row in finished[1][:1]
    ]  # fmt: skip
    text = page("many", rows, {"table": mission_table(rows), "pairs": []})
    assert len(text) < 10e6
    assert "clutter:99, dual, seed 0: " in text


def test_sums_and_comparisons(finished: tuple[Path, list[Row]]) -> None:
    """By driver and kind of arena, then by driver; differences on the same missions."""
    rows = more(finished[1])
    table = {(row["kernel"], row["arenas"]): row for row in mission_table(rows)}
    assert list(table) == [
        (kernel, arenas) for kernel in ("rule", "model <b>") for arenas in ("simple", "clutter:*", "all")
    ]  # fmt: skip
    good, bad = table["rule", "all"], table["model <b>", "all"]
    assert (good["runs"], good["success"], good["collisions"]) == (4, 1.0, 0)
    assert (bad["success"], bad["collisions"], bad["brains"]) == (0.0, 4, {"instinct": 12, "planner": 4})
    assert (bad["success_low"], round(bad["success_high"], 3)) == (0.0, 0.49)
    (pair,) = pair_table(rows)
    assert (pair["first"], pair["second"], pair["missions"]) == ("rule", "model <b>, map", 4)
    assert (pair["d_success"], pair["success_more"], pair["success_less"]) == (1.0, 4, 0)
    assert (pair["d_path_m"], pair["d_path_m_low"], pair["d_path_m_high"]) == (-1.0, -1.0, -1.0)
    assert pair["d_success_p"] == 0.125


def test_statistics() -> None:
    """Against published values and by law."""
    assert [round(end, 4) for end in wilson(81, 263)] == [0.2553, 0.3662]  # Newcombe 1998, table I
    assert [round(end, 4) for end in wilson(0, 20)] == [0.0, 0.1611]
    assert wilson(0, 0) == (0.0, 1.0)
    assert (sign_test(0, 0), sign_test(5, 0), sign_test(3, 3)) == (1.0, 0.0625, 1.0)
    assert mean_between([[2.0, 2.0], [2.0]]) == (2.0, 2.0, 2.0)
    mean, low, high = mean_between([[0.0], [1.0]] * 50)
    assert (mean, low < 0.45, high > 0.55) == (0.5, True, True)


def test_a_way_is_simplified_within_its_bound() -> None:
    """Ends stay, and every point lies near a leg of what is kept."""
    way = [(math.cos(k / 30), math.sin(k / 30)) for k in range(100)]
    kept = simplified(way, 0.02)
    assert (kept[0], kept[-1]) == (way[0], way[-1])
    assert len(kept) < 20
    assert (simplified([], 0.02), simplified(way[:1], 0.02)) == ([], way[:1])


def test_the_reference_of_exploring() -> None:
    """Nothing where one look shows enough; more for more; at least to where the hidden room can be seen."""
    small: dict[str, Any] = {"name": "small", "size_m": (2, 2), "start": {"x": 0, "y": 0}}
    assert reference_m(Arena.model_validate(small), 0.075, 0.9) == 0.0
    rooms = {"name": "rooms", "size_m": (4, 2), "start": {"x": -1.5, "y": 0.5},
             "walls": ((0.0, -0.5, 0.0, 1.0),)}  # fmt: skip
    some, most = (reference_m(Arena.model_validate(rooms), 0.075, share) for share in (0.7, 0.95))
    assert some is not None
    assert most is not None
    assert 0.5 < some < most < 4
