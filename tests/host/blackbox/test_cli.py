"""`llmos why` and `llmos replay`: what a user sees of a record."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from llmos.__main__ import main
from llmos.blackbox import NAME, Record, Recorder
from llmos.report import Order

Edit = Callable[[str, Callable[[dict[str, Any]], object]], Record]


@pytest.fixture
def llmos(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Run a command; return its exit code, what it printed, and its error."""

    def run(*words: object) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main([str(word) for word in words])
        printed = capsys.readouterr()
        return int(ended.value.code or 0), printed.out, printed.err

    return run


Llmos = Callable[..., tuple[int, str, str]]


def test_a_run_is_a_line_a_step(drive: Record, llmos: Llmos) -> None:
    """With who decided what, what came of it, and how the run ended."""
    code, out, _ = llmos("why", drive.path)
    lines = out.splitlines()
    assert code == 0
    assert "“drive” in simple, kernel rule" in lines[0]
    assert "(looks around)" in lines[1]
    assert "MOVE_TO c1" in lines[2]
    assert "[rule]" in lines[2]
    assert "→ drove" in lines[2]
    assert lines[-1] == "failed: the cycles were used up"


def test_a_step_is_explained_in_all_its_parts(drive: Record, llmos: Llmos) -> None:
    """From the frame to what the next frame was told."""
    _, out, _ = llmos("why", drive.path, 1)
    titles = [line for line in out.splitlines() if line.endswith(":") and not line.startswith(" ")]
    assert titles == [
        "what the frame said:",
        "candidates:",
        "who decided:",
        "prompt, as the model read it:",
        "decision:",
        "block:",
        "what came back:",
        "what the next frame was told:",
    ]
    for part in (
        "MODE navigating",
        "Drive 1",
        "proven: ≤",
        "completed at word",
        "nearest readings",
        "score 0.",
    ):
        assert part in out
    assert sum("?" * 10 in line for line in out.splitlines()) > 10  # the map


def test_the_probabilities_of_a_choice_are_drawn(two_brains: Record, llmos: Llmos) -> None:
    """One bar for each candidate, and the calibrated confidence."""
    thought = list(two_brains.all("step"))[1]["step"]["thought"]
    _, out, _ = llmos("why", two_brains.path, 1)
    assert (thought["brain"], len(thought["probabilities"])) == ("instinct", 4)
    for name, chance in thought["probabilities"].items():
        assert f"{name:4} {chance:6.3f} {'#' * round(30 * chance)}" in out
    assert f"calibrated with the scores: {thought['confidence']:.0%} sure of c" in out


def test_json_holds_the_record(drive: Record, llmos: Llmos) -> None:
    """Of the run, of a step, of a replay."""
    run = json.loads(llmos("why", drive.path, "--json")[1])
    assert [step["step"] for step in run["steps"]] == [0, 1, 2]
    step = json.loads(llmos("why", drive.path, 2, "--json")[1])
    assert step["step"]["cycle"] == 2
    assert len(step["asked"]) == 1
    assert len(step["telemetry"]["rows"]) > 10
    assert step["telemetry"]["rows"][0][0] > step["step"]["ms"]
    found = json.loads(llmos("replay", drive.path, "--json")[1])
    assert found == {
        "identical": True,
        "steps": 3,
        "blocks": 3,
        "answers": 2,
        "cut": "",
        "changed": [],
        "step": None,
        "difference": None,
    }


def test_a_behaviour_is_explained(behaviour: Record, llmos: Llmos) -> None:
    """What was asked, the program, its proof, what it means, and what came back."""
    _, out, _ = llmos("why", behaviour.path)
    for part in ("chosen: blink", "→ {", "program 1: accepted", "Repeat 2 times", "completed at word"):
        assert part in out


def test_a_difference_is_shown_with_its_place(edited: Edit, llmos: Llmos) -> None:
    """Both values, and a caret below where they part; exit code 1."""

    def change(line: dict[str, Any]) -> None:
        line["done"]["path_mm"] = 12_340

    code, out, _ = llmos("replay", edited("done", change).path)
    lines = out.splitlines()
    assert code == 1
    assert lines[-4].startswith("different: step 2, acted.")
    assert lines[-3].split() != lines[-2].split()
    at = lines[-1].index("^")
    assert lines[-3][:at].split()[1:] == lines[-2][:at].split()[1:]
    assert lines[-3][at] != lines[-2][at]


def test_what_changed_since_is_said_before(edited: Edit, llmos: Llmos) -> None:
    """And the replay goes on."""
    record = edited("setting", lambda line: line["arena"].update(noise_mm=1.0))
    code, out, _ = llmos("replay", record.path)
    assert (code, out.splitlines()[1]) == (0, "  changed since: arena simple")
    assert out.splitlines()[2].startswith("identical: 3 steps")


def test_text_of_the_record_commands_no_terminal(edited: Edit, llmos: Llmos) -> None:
    """Whatever was written into it."""
    bad = "\x1b[2Jhello\nfailed: \u202e"
    record = edited("ending", lambda line: line.update(reason=bad))
    _, out, _ = llmos("replay", record.path)
    assert "\x1b" not in out
    record = edited("end", lambda line: line.update(reason=bad))
    _, out, _ = llmos("why", record.path)
    assert not {"\x1b", "\u202e"} & set(out)


@pytest.mark.parametrize("command", ["why", "replay"])
@pytest.mark.parametrize(
    ("name", "message"),
    [("letter.txt", "line 1 is no beginning"), ("gone.jsonl", "No such file"), ("2027", "none in")],
)
def test_what_is_no_run_is_told_in_a_line(
    command: str, name: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, llmos: Llmos
) -> None:
    """With what to do."""
    (tmp_path / "letter.txt").write_text("Dear robot,\n")
    monkeypatch.setenv("LLMOS_HOME", str(tmp_path))
    code, _, err = llmos(command, name if name == "2027" else tmp_path / name)
    assert code == 1
    assert message in err
    assert len(err.splitlines()) == 1


def test_a_step_that_is_not_there_is_told(drive: Record, llmos: Llmos) -> None:
    """With those that are."""
    code, _, err = llmos("why", drive.path, 7)
    assert (code, "it has steps 0 to 2" in err) == (1, True)


def test_a_killed_run_is_explained_to_its_end(drive: Record, tmp_path: Path, llmos: Llmos) -> None:
    """The step that was under way, too."""
    lines = drive.path.read_bytes().splitlines(keepends=True)
    last = max(n for n, line in enumerate(lines) if line.startswith(b'{"kind":"ask"'))
    (tmp_path / NAME).write_bytes(b"".join(lines[: last + 1]))
    _, out, _ = llmos("why", tmp_path)
    assert "  2 (cut off before the step was done)" in out
    assert "the record ends here" in out
    assert "no answer: the run was cut off" in llmos("why", tmp_path, 2)[1]


def test_a_changed_record_is_explained_with_a_warning(drive: Record, tmp_path: Path, llmos: Llmos) -> None:
    """On the error's stream, so that what is printed stays what it is; of a whole one, none."""
    raw = drive.path.read_bytes()
    at = raw.index(b'"path_mm":') + 10
    (tmp_path / NAME).write_bytes(raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :])
    line = raw[:at].count(b"\n") + 1
    for command in ("why", "replay"):
        _, out, err = llmos(command, tmp_path)
        told = (
            f"llmos: {command}: record {tmp_path / NAME}: changed: line {line} (done): not what was written"
        )
        assert err.startswith(told)
        assert "not what was written" not in out
        assert llmos(command, drive.path)[2] == ""


def test_records_are_listed_checked_and_kept(drive: Record, state_folder: Path, llmos: Llmos) -> None:
    """With bytes for each minute; a changed one is named, and makes the exit code 1."""
    for name in ("20260101-000000-a", "20260102-000000-b"):
        (state_folder / "runs" / name).mkdir(parents=True)
        (state_folder / "runs" / name / NAME).write_bytes(drive.path.read_bytes())
    code, out, _ = llmos("blackbox", "ls")
    rows = out.splitlines()
    assert code == 0
    assert rows[0].startswith("20260101-000000-a failed ")
    assert rows[-1].startswith("2 runs: ")
    assert "kB/min" in rows[0]
    assert json.loads(llmos("blackbox", "ls", "--json")[1])[1]["bytes_per_minute"] > 1000
    assert "is kept for good" in llmos("blackbox", "keep", "20260101")[1]
    assert llmos("blackbox", "ls")[1].splitlines()[0].endswith("kept")
    assert (state_folder / "runs" / "20260101-000000-a" / "keep").exists()
    assert "may leave" in llmos("blackbox", "keep", "20260101", "--off")[1]
    stranger = state_folder / "somebody's.txt"
    stranger.touch()
    assert "is no run's folder" in llmos("blackbox", "keep", stranger)[2]
    assert not (state_folder / "keep").exists()
    assert llmos("blackbox", "check")[:2] == (
        0,
        "".join(f"{name}: whole ({size(drive)})\n" for name in ("20260101-000000-a", "20260102-000000-b")),
    )
    path = state_folder / "runs" / "20260102-000000-b" / NAME
    path.write_bytes(path.read_bytes().replace(b'"kind":"think"', b'"kind":"thank"', 1))
    code, out, _ = llmos("blackbox", "check", "last")
    assert (code, out.startswith("20260102-000000-b: changed: line ")) == (1, True)
    assert json.loads(llmos("blackbox", "check", "--json")[1])["records"][1]["state"] == "changed"


def size(record: Record) -> str:
    """A record's size as a check tells it."""
    raw = record.path.read_bytes()
    ending = record.one("ending")
    assert ending is not None
    each = len(raw) / ending["sim_s"] * 60 / 1000
    return f"{len(raw.splitlines())} lines, {len(raw) / 1000:.1f} kB, {each:.1f} kB a minute"


def test_a_run_that_is_gone_is_missed(state_folder: Path, llmos: Llmos) -> None:
    """Unless a rule has removed it."""
    folders = [made(state_folder / "runs" / f"2026010{number}-000000-a") for number in range(3)]
    for folder in folders:
        with Recorder(Order("go", record=folder / NAME)):
            pass
    os.utime(folders[0] / NAME, (0, 0))
    assert "1 runs were changed" in llmos("blackbox", "prune")[1]
    assert llmos("blackbox", "check")[0] == 0
    shutil.rmtree(folders[1])
    code, out, _ = llmos("blackbox", "check")
    assert (code, out.splitlines()[1:]) == (1, ["20260101-000000-a: gone, and no rule removed it"])


def made(folder: Path) -> Path:
    """Make a folder and those above it."""
    folder.mkdir(parents=True)
    return folder


def test_pruning_says_first_what_it_would_do(drive: Record, state_folder: Path, llmos: Llmos) -> None:
    """And then does it."""
    for name, when in (("20250101-000000-a", 1.7e9), ("20260102-000000-b", 1.8e9)):
        path = made(state_folder / "runs" / name) / NAME
        path.write_bytes(drive.path.read_bytes())
        os.utime(path, (when, when))
    told = llmos("blackbox", "prune", "--dry-run")[1].splitlines()
    assert told[0].startswith("remove 20250101-000000-a: it failed and is older than 365 days")
    assert told[-1] == "1 runs would be changed"
    assert len(list((state_folder / "runs").glob("2*"))) == 2
    assert llmos("blackbox", "prune")[1].splitlines()[-1] == "1 runs were changed"
    assert [run.name for run in (state_folder / "runs").glob("2*")] == ["20260102-000000-b"]


def test_an_export_says_what_it_wrote(drive: Record, tmp_path: Path, llmos: Llmos) -> None:
    """Each file with its size."""
    code, out, _ = llmos("blackbox", "export", drive.path, "--to", "csv", "-o", tmp_path / "run.csv")
    assert (code, [line.split(":")[0] for line in out.splitlines()]) == (
        0,
        [str(tmp_path / "run.csv"), str(tmp_path / "run-telemetry.csv")],
    )
