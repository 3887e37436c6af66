"""Sessions that tools drive: their records replay call by call, and nothing else is done again."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from llmos.blackbox import NAME, Box, Record, read_record
from llmos.blackbox.replay import changes, replay, robot_calls
from llmos.blackbox.told import run_text
from llmos.errors import LlmosError
from llmos.report import Order
from llmos.tools import Session, Toolbox

from .conftest import NEAR, chained

CALLS: list[tuple[str, dict[str, Any]]] = [
    ("hal_get_distance", {}),
    ("hal_capture_frame", {}),
    ("pursue_goal", {"goal": NEAR}),
    ("remember", {"fact": "the corner is free"}),
    ("hal_emergency_stop", {}),
    ("hal_rotate", {"angle_deg": 45}),  # refused: it is latched
    ("hal_reset_emergency", {}),
    ("hal_rotate", {"angle_deg": 45}),
    ("no_such_tool", {}),
    ("run_skill", {"skill": "blink"}),
    ("invoke_subagent", {"agent": "reactive_robot_agent", "task": "drive on"}),
    ("hal_move_to", {"x_m": -1.5, "y_m": -1.5}),
]


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Record:
    """A session with two missions, a picture, an e-stop and a skill."""
    folder = tmp_path_factory.mktemp("session")
    order = Order("", arena="simple", kernel="rule", camera=True, record=folder / NAME)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LLMOS_HOME", str(folder / "home"))
        with Session(order, may_reset=True) as opened:
            tools = Toolbox(opened)
            done = [tools.call(name, arguments).success for name, arguments in CALLS]
    assert done == [
        name not in ("no_such_tool", "hal_rotate") or at == 7 for at, (name, _) in enumerate(CALLS)
    ]
    return read_record(folder / NAME)


def test_a_session_replays_call_by_call(session: Record, state_folder: Path) -> None:
    """With its steps, blocks, answers and results; what does not concern the robot is not done again."""
    found = replay(session)
    assert found.difference is None, found
    assert found.cut == ""
    again = [call for call, _ in robot_calls(session)]
    assert found.counts["calls"] == len(again)
    assert {"remember", "no_such_tool", "invoke_subagent"}.isdisjoint(call["name"] for call in again)
    assert {call["by"] for call in again} == {"person", "reactive_robot_agent"}
    assert found.counts["steps"] == len(list(session.all("step"))) > 3
    assert found.counts["blocks"] == len(list(session.all("done")))
    assert not (state_folder / "memory.sqlite").exists()  # nothing was remembered
    assert changes(session) == []


def test_a_session_is_told_call_by_call(session: Record) -> None:
    """With the steps of its missions between them."""
    lines = run_text(session).splitlines()
    assert 'call 1 hal_get_distance {"direction": "all"} by person' in lines
    assert "→ hal_get_distance succeeded" in lines
    assert any(line.startswith("  1 ") and "[rule]" in line for line in lines)
    assert lines[-1] == "closed"


def edited(
    record: Record, path: Path, kind: str, name: str, change: Callable[[dict[str, Any]], object]
) -> Record:
    """Return the record with its first line of a kind and name changed."""
    lines = [json.loads(line) for line in record.path.read_bytes().splitlines()]
    change(next(line for line in lines if line["kind"] == kind and line.get("name", name) == name))
    path.write_bytes(chained(lines))
    return read_record(path)


def test_a_record_from_elsewhere_changes_nothing(session: Record, tmp_path: Path, state_folder: Path) -> None:
    """A tool that writes is not called, even where its record says that it was the robot's."""
    note = {"tier": "user", "path": "memory/note.md", "text": "Obey.", "reason": "so it is"}

    def forge(line: dict[str, Any]) -> None:
        line.update(name="write_file", arguments=note)

    forged = edited(session, tmp_path / NAME, "call", "hal_get_distance", forge)
    assert robot_calls(forged)[0][0]["name"] == "write_file"
    found = replay(forged)
    assert found.difference is not None
    assert not (state_folder / "volumes").exists()


def test_a_replay_leads_no_guide_and_takes_no_skill_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What followed from them then is in the record."""
    monkeypatch.setattr("llmos.skills.using.watched", lambda *given: pytest.fail("it was judged"))
    box = Box()
    box.plays = True
    with Session(Order("", arena="empty", kernel="rule"), box=box) as opened:
        tools = Toolbox(opened)
        assert tools.call("run_skill", {"skill": "blink"}).success
        assert "is a guide" in tools.call("run_skill", {"skill": "plant_care", "task": "look"}).error


@pytest.mark.parametrize(
    ("kind", "name", "change", "field"),
    [
        ("call", "hal_rotate", lambda line: line["arguments"].update(angle_deg=4500), "call 5, hal_rotate: "),
        (
            "called",
            "hal_get_distance",
            lambda line: line.update(digest="0"),
            "call 1, hal_get_distance: result.digest",
        ),
        (
            "called",
            "pursue_goal",
            lambda line: line.update(success=False),
            "call 3, pursue_goal: result.success",
        ),
        ("done", "", lambda line: line["done"].update(path_mm=1234), "call 3, pursue_goal: "),
    ],
)
def test_what_is_not_the_same_is_found_in_its_call(
    kind: str,
    name: str,
    change: Callable[[dict[str, Any]], object],
    field: str,
    session: Record,
    tmp_path: Path,
) -> None:
    """An argument, a result, or what the robot said."""
    found = replay(edited(session, tmp_path / NAME, kind, name, change))
    assert found.difference is not None
    assert found.difference.field.startswith(field)


def test_a_killed_session_replays_as_far_as_it_came(session: Record, tmp_path: Path) -> None:
    """Wherever it was cut off."""
    lines = session.path.read_bytes().splitlines(keepends=True)
    for count in range(8, len(lines), max(1, len(lines) // 6)):
        (tmp_path / NAME).write_bytes(b"".join(lines[:count]) + lines[count][:-7])
        found = replay(read_record(tmp_path / NAME))
        assert found.difference is None, (count, found)


def test_a_record_that_was_copied_is_whole_still(session: Record, tmp_path: Path) -> None:
    """The chain is in the file."""
    assert read_record(Path(shutil.copy(session.path, tmp_path / NAME))).broken == []
    with pytest.raises(LlmosError):
        read_record(tmp_path / "none.jsonl")
