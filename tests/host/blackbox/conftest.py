"""Recorded runs on the virtual robot."""

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from llmos.blackbox import NAME, Record, read_record
from llmos.blackbox._chain import linked
from llmos.mission import run_mission
from llmos.report import Order

NEAR = "drive to -1.1, -1.5"  # in the arena `simple`: a look round, and one or two blocks


def record_of(folder: Path, **given: Any) -> Record:
    """Run a mission with a record, and read it; what is no field of an order goes to the run."""
    run = {name: given.pop(name) for name in ("kernel_open", "watch") if name in given}
    order = Order(**{"goal": NEAR, "kernel": "rule", "record": folder / NAME} | given)
    run_mission(order, **{name.removesuffix("_open"): value for name, value in run.items()})
    return read_record(folder / NAME)


def chained(lines: Iterable[dict[str, Any]]) -> bytes:
    """Return the file of a record's lines, their tags made anew."""
    tag, whole = "", b""
    for line in lines:
        fields = {name: value for name, value in line.items() if name != "#"}
        text, tag = linked(tag, json.dumps(fields, separators=(",", ":")).encode())
        whole += text + b"\n"
    return whole


@pytest.fixture(scope="session")
def drive(tmp_path_factory: pytest.TempPathFactory) -> Record:
    """A drive by the rule, with a candidate to choose among others."""
    return record_of(tmp_path_factory.mktemp("drive"), goal="drive", max_cycles=2)


@pytest.fixture(scope="session")
def two_brains(tmp_path_factory: pytest.TempPathFactory) -> Record:
    """An exploration by two brains, the planner set to work at once."""
    folder = tmp_path_factory.mktemp("dual")
    return record_of(folder, goal="explore", kernel="dual:random", think=True, max_cycles=2)


@pytest.fixture(scope="session")
def behaviour(tmp_path_factory: pytest.TempPathFactory) -> Record:
    """A behaviour."""
    return record_of(tmp_path_factory.mktemp("blink"), goal="blink red twice", kernel="random")


@pytest.fixture
def edited(drive: Record, tmp_path: Path) -> Callable[[str, Callable[[dict[str, Any]], object]], Record]:
    """Return the drive's record with its last line of a kind changed."""

    def edit(kind: str, change: Callable[[dict[str, Any]], object]) -> Record:
        lines = [json.loads(line) for line in drive.path.read_bytes().splitlines()]
        change(next(line for line in reversed(lines) if line["kind"] == kind))
        (tmp_path / NAME).write_bytes(chained(lines))
        return read_record(tmp_path / NAME)

    return edit
