"""Missions on the virtual robot: every way in which one can end, and what the next frame hears of it."""

import json
from pathlib import Path

import pytest

from llmos.inference import InferenceError
from llmos.kernel.mind import Mind, Step
from llmos.link import LinkError
from llmos.mission import run_mission, settle
from llmos.report import Order, Report
from llmos.show import program_text

CELL = """
name = "cell"
description = "a closed cell in the middle"
size_m = [4.0, 4.0]
start = { x = -1.5, y = -1.5, heading_deg = 0.0 }
walls = [[-0.5, -0.5, 0.5, -0.5], [0.5, -0.5, 0.5, 0.5], [0.5, 0.5, -0.5, 0.5], [-0.5, 0.5, -0.5, -0.5]]
discs = []
[criteria]
goal_tolerance_m = 0.3
max_collisions = 0
min_coverage = 0.8
max_cycles = 40
"""


def drive(**order: object) -> tuple[Report, list[str]]:
    """Run a mission; return its report and the prompts that its kernel was given."""
    prompts: list[str] = []

    def watch(mind: Mind, step: Step) -> None:
        prompts.append(step.thought.prompt if step.thought else "")

    return run_mission(Order(**{"goal": "go", "kernel": "rule"} | order), watch), prompts  # type: ignore[arg-type]


def answers(path: Path, *texts: str) -> str:
    """Write answers for a replay, and return its kernel's name."""
    record = {"tokens_in": 1, "tokens_out": 1, "tokens_cached": 0, "seconds": 0.0, "tokens_forced": 0}
    path.write_text("".join(json.dumps({"text": text, **record}) + "\n" for text in texts))
    return f"replay:{path}"


def test_a_goal_in_a_closed_cell_is_unreachable(tmp_path: Path) -> None:
    """What no way leads to is said to be unreachable once everything else has been seen."""
    arena = tmp_path / "cell.toml"
    arena.write_text(CELL)
    report, _ = drive(goal="drive to 0.0, 0.0", arena=str(arena))
    assert (report.outcome, report.summary()["collisions"]) == ("unreachable", 0)
    assert report.coverage() > 0.95


def test_what_the_robot_believes_is_no_outcome_yet() -> None:
    """With slipping wheels it believes to have arrived; the judge knows better."""
    report, _ = drive(faults=("slip=0.3",))
    assert (report.outcome, report.summary()["collisions"]) == ("failed", 0)
    assert "believes" in report.reason


def test_a_run_with_more_collisions_than_the_arena_allows_has_failed() -> None:
    """The arena's criteria bound the collisions; the same run with one too many is no success."""
    report, _ = drive()
    assert report.outcome == "reached"
    assert report.truth is not None
    report.truth.samples[-1] = report.truth.samples[-1]._replace(collisions=1)
    settle(report)
    assert (report.outcome, report.reason) == ("failed", "1 collisions, at most 0 allowed")


def test_a_blind_robot_does_not_drive() -> None:
    """Without a valid front reading it stops, drives no farther, and ends as stuck, with its reason."""
    report, _ = drive(faults=("blind=front@9000",))
    assert report.outcome == "stuck"
    assert "no valid reading" in report.reason
    assert report.summary()["path_m"] < 0.2


def test_an_expired_deadline_lets_the_rule_decide() -> None:
    """A model that is too slow is replaced by the rule, cycle by cycle, and the record says so."""
    report, _ = drive(kernel="smollm2", deadline_s=0.001)
    asked = [step.thought for step in report.steps if step.thought]
    assert report.outcome == "reached"
    assert {(thought.brain, thought.note) for thought in asked} == {("rule", "deadline")}
    assert report.summary()["llm"]["valid"] == 0


def test_the_next_frame_hears_of_an_invalid_answer(tmp_path: Path) -> None:
    """An answer that is no legal decision stops the robot for that cycle and is told to the model."""
    kernel = answers(tmp_path / "answers.jsonl", '{"action":{"type":"FLY"}}', "gibberish")
    report, prompts = drive(kernel=kernel, max_cycles=3)
    assert "last: none invalid" in prompts[2]
    assert report.summary()["llm"]["valid"] == 0
    assert report.summary()["stops"][0]["result"] == "invalid"


@pytest.mark.parametrize("fault", ["cut@9000", "brownout@9000"])
def test_a_robot_that_is_lost_ends_the_run(fault: str) -> None:
    """A cable that is cut or a robot that reboots fails the run, in one line that says so."""
    report, _ = drive(faults=(fault,))
    assert report.outcome == "failed"
    assert report.reason.count("\n") == 0
    assert report.summary()["collisions"] == 0


def test_a_port_without_a_robot_is_refused(tmp_path: Path) -> None:
    """A port that does not exist is named."""
    with pytest.raises(LinkError, match="no_such_port"):
        drive(port=str(tmp_path / "no_such_port"))


def test_a_behaviour_is_chosen_shown_and_done() -> None:
    """Its program runs on the same robot; the report says what was read, and what was proved and used."""
    shown: list[str] = []
    order = Order(goal="blink red twice", kernel="random")
    report = run_mission(order, tell=lambda so_far: shown.append(program_text(so_far)))
    result = report.summary()
    assert (report.outcome, result["goal"]["kind"], result["collisions"]) == ("completed", "behaviour", 0)
    assert result["program"]["chosen"] == "blink times=2 red=255 green=0 blue=0 pause_ms=300"
    assert result["program"]["used"]["ms"] == 1200 <= result["program"]["certificate"]["ms"]
    assert "its likeness to the skill blink" in shown[0]
    assert "LOOP    times" in shown[0]
    assert report.picture().grid is None


def test_a_behaviour_that_hits_something_has_failed(tmp_path: Path) -> None:
    """Though its program came to its end: it backs into a wall, its rear sensor stuck."""
    kernel = answers(tmp_path / "answers.jsonl", "MOVE -2m, 45mm/s\nEND\n")
    report, _ = drive(goal="back up 2 m", kernel=kernel, faults=("stuck=rear@1000",))
    assert (report.outcome, report.ended) == ("failed", True)
    assert "collisions, at most 0 allowed" in report.reason


@pytest.mark.parametrize(
    ("text", "fault", "reason"),
    [
        ("FAIL 3\nEND\n", (), "failed with code 3 at line 1"),
        ("WAIT 20s\nEND\n", ("cut@6000",), ""),
    ],
)
def test_a_behaviour_that_does_not_end_well_has_failed(
    text: str, fault: tuple[str, ...], reason: str, tmp_path: Path
) -> None:
    """By its own word, or because the robot is lost."""
    report, _ = drive(goal="wait", kernel=answers(tmp_path / "answers.jsonl", text), faults=fault)
    assert report.outcome == "failed"
    assert report.reason
    assert reason in report.reason


def test_a_behaviour_without_an_accepted_program_moves_nothing(tmp_path: Path) -> None:
    """No robot is started for it, and the refusal is told."""
    far = "LOOP 20\nMOVE 1m, 40mm/s\nENDLOOP\nEND\n"
    report, _ = drive(goal="drive 20 m ahead", kernel=answers(tmp_path / "answers.jsonl", far, far, far))
    assert (report.outcome, report.truth, report.run) == ("failed", None, None)
    assert "no program was accepted; the last one: rule duration" in report.reason
    assert report.summary()["blocks"] == {"sent": 0, "words": 0, "refused": 3}


def test_the_rule_makes_no_programs() -> None:
    """It says who does."""
    with pytest.raises(InferenceError, match="ask smollm2"):
        drive(goal="avoid walls")
