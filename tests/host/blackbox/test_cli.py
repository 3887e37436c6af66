"""`llmos why` and `llmos replay`: what a user sees of a record."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from llmos.__main__ import main
from llmos.blackbox import NAME, Record

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
