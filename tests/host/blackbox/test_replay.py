"""Any recorded run replays to the same steps; what is not the same is found where it is."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from llmos.blackbox import NAME, Record, RecordError, read_record
from llmos.blackbox._identity import our_files
from llmos.blackbox.replay import Outcome, changes, replay
from llmos.inference import Answer, InferenceError, Kernel, Request
from llmos.kernel import blocks, cycle
from llmos.kernel.mind import Mind, Step
from llmos.link import LockstepClock
from llmos.world import candidates

from .conftest import record_of

Edit = Callable[[str, Callable[[dict[str, Any]], object]], Record]


def same(record: Record, *, cut: str = "") -> Outcome:
    """Replay a record, and see that nothing differs."""
    found = replay(record)
    assert found.difference is None, found
    assert found.cut == cut
    assert found.counts["steps"] == len(list(record.all("step")))
    return found


@pytest.mark.parametrize(
    "order",
    [
        {
            "kernel": "random",
            "seed": 3,
            "shuffle": True,
            "show_map": True,
            "predict": True,
            "faults": ("blind=front@3000",),
            "max_cycles": 2,
        },
        {"faults": ("cut@6000",)},
        {"goal": "wait 20 s", "kernel": "random", "faults": ("cut@6000",)},
    ],
    ids=["blind", "cut", "behaviour-cut"],
)
def test_a_run_replays_to_the_same_steps(order: dict[str, Any], tmp_path: Path) -> None:
    """However it ended: every step and block, and the ending with its reason."""
    record = record_of(tmp_path, **order)
    assert same(record).counts["blocks"] == len(list(record.all("done")))


def test_a_whole_run_replays(drive: Record, behaviour: Record) -> None:
    """With all its answers; a behaviour's program is made again."""
    assert same(drive).counts == {"steps": 3, "blocks": 3, "answers": 2}
    assert same(behaviour).counts == {"steps": 0, "blocks": 1, "answers": 1}


def test_two_brains_replay_though_one_thinks_behind_the_other(two_brains: Record) -> None:
    """The planner's questions come from a thread of its own, in any order."""
    assert len(list(two_brains.all("ask"))) > len(list(two_brains.all("step")))
    same(two_brains)


def test_a_plan_arrives_where_it_was_recorded_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a wall clock nobody knows beforehand when; the clock is one in name alone here, to save its time."""
    monkeypatch.setattr(LockstepClock, "simulated", False)
    record = record_of(tmp_path, goal="drive", kernel="dual:random", think=True, max_cycles=2)
    assert len(list(record.all("outside"))) == 2
    same(record)


def test_a_missed_deadline_is_missed_again(smollm2: Kernel, tmp_path: Path) -> None:
    """And the rule stands in again."""
    record = record_of(tmp_path, kernel="smollm2", kernel_open=smollm2, deadline_s=0.001, max_cycles=1)
    assert {line.get("error") for line in record.all("answer")} == {"DeadlineExpired"}
    same(record)


def test_an_answer_that_is_no_decision_replays(tmp_path: Path) -> None:
    """With what the next frame hears of it."""
    (tmp_path / "said.jsonl").write_text('{"text":"gibberish"}\n')
    record = record_of(tmp_path, kernel=f"replay:{tmp_path / 'said.jsonl'}", max_cycles=2)
    assert "gibberish" in str(list(record.all("step"))[1])
    same(record)


class Hasty:
    """A kernel at which somebody presses Ctrl-C."""

    name = "rule"
    vision = False

    def __call__(self, request: Request) -> Answer:
        raise KeyboardInterrupt

    def close(self) -> None:
        """Nothing is held."""


def stopped(mind: Mind, step: Step) -> None:
    """Press Ctrl-C after the first step."""
    if step.cycle:
        raise KeyboardInterrupt


@pytest.mark.parametrize(
    "given", [{"kernel_open": Hasty()}, {"watch": stopped}], ids=["while thinking", "between two steps"]
)
def test_an_interrupted_run_replays_as_far_as_it_came(given: dict[str, Any], tmp_path: Path) -> None:
    """And ends there."""
    record = record_of(tmp_path, **given)
    ending = record.one("ending")
    assert ending is not None
    assert (ending["interrupted"], ending["outcome"]) == (True, "stopped")
    assert replay(record).difference is None


def test_a_killed_run_replays_as_far_as_its_record_goes(drive: Record, tmp_path: Path) -> None:
    """Wherever it was cut off."""
    lines = drive.path.read_bytes().splitlines(keepends=True)
    for count in range(4, len(lines), max(1, len(lines) // 8)):
        (tmp_path / NAME).write_bytes(b"".join(lines[:count]) + lines[count][:-7])
        record = read_record(tmp_path / NAME)
        found = replay(record)
        assert found.difference is None, (count, found)
        assert found.counts["steps"] == len(list(record.all("step")))


@pytest.mark.parametrize(
    ("module", "name", "value", "step", "field"),
    [
        (candidates, "SPACING_M", 0.9, 1, "candidates"),
        (blocks, "LOOK_RATE", 400, 0, "block"),
        (blocks, "TURN_RATE", 800, 1, "block"),
        (cycle, "thinking_ms", lambda mind, thought: 7, 1, "wait"),
    ],
)
def test_changed_code_is_found_where_it_first_tells(
    module: Any,
    name: str,
    value: object,
    step: int,
    field: str,
    drive: Record,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The step, and the first of its fields that was derived otherwise."""
    monkeypatch.setattr(module, name, value)
    found = replay(drive)
    assert found.difference is not None
    assert found.step == step
    assert found.difference.field.startswith(field)


def test_a_changed_system_prompt_is_found(drive: Record, monkeypatch: pytest.MonkeyPatch) -> None:
    """Though nothing derived before it differs."""
    monkeypatch.setattr("llmos.brains.solo.system_prompt", lambda: "Think twice.")
    found = replay(drive)
    assert found.step == 1
    assert found.difference is not None
    assert found.difference.field == "prompt.system"
    assert found.difference.now == "Think twice."


def test_a_changed_answer_is_found(edited: Edit) -> None:
    """In the step that was decided by it."""

    def change(line: dict[str, Any]) -> None:
        line["answer"]["text"] = "nonsense"

    found = replay(edited("answer", change))
    assert found.step == 2
    assert found.difference is not None
    assert (found.difference.field, found.difference.now) == ("thought.text", "nonsense")


def test_changed_telemetry_is_found(edited: Edit) -> None:
    """What came back otherwise is derived otherwise."""

    def change(line: dict[str, Any]) -> None:
        line["done"]["path_mm"] += 1000

    found = replay(edited("done", change))
    assert found.difference is not None
    assert found.difference.field.startswith("acted.details")


@pytest.mark.parametrize(
    ("kind", "field", "value"),
    [("ending", "outcome", "reached"), ("ending", "reason", "luck"), ("setting", "goal", {"kind": "tea"})],
)
def test_a_changed_end_or_goal_is_found(kind: str, field: str, value: object, edited: Edit) -> None:
    """They are derived, too."""
    found = replay(edited(kind, lambda line: line.update({field: value})))
    assert found.difference is not None
    assert found.difference.field.startswith(field if kind == "setting" else f"ending.{field}")


def test_the_model_asked_again_gives_the_same_answers(drive: Record, edited: Edit) -> None:
    """Another one is caught at its first answer that differs."""
    assert replay(drive, ask=True).difference is None

    def change(line: dict[str, Any]) -> None:
        line["order"]["kernel"] = "random"

    found = replay(edited("run", change), ask=True)
    assert found.step == 1
    assert found.difference is not None
    assert found.difference.field == "answer.text"


def test_a_file_that_nobody_may_read_stops_no_run(
    state_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No mind reads it either."""
    skills = state_folder / "volumes" / "user" / "skills"
    skills.mkdir(parents=True)
    for name in ("locked.md", "open.md"):
        (skills / name).touch()
    opened = Path.open

    def guarded(path: Path, *given: Any, **more: Any) -> Any:
        if path.name == "locked.md":  # whoever runs this may be root, whom no mode keeps out
            raise PermissionError(13, "Permission denied", str(path))
        return opened(path, *given, **more)

    monkeypatch.setattr(Path, "open", guarded)
    assert [name for name in our_files() if name.startswith("user/")] == ["user/skills/open.md"]


def test_what_changed_since_is_named(drive: Record, edited: Edit) -> None:
    """Code, SPEC, prompts, robot, arena and model, each by its name; of the same run, nothing."""
    assert changes(drive) == []

    def header(line: dict[str, Any]) -> None:
        line |= {"code": "0", "spec": "0x0", "llmos": "0.0"}
        line["files"]["kernel/navigator.md"] = "0"
        line["files"]["kernel/gone.md"] = "0"

    names = " ".join(changes(edited("run", header)))
    assert all(part in names for part in ("the code", "spec 0x0, now 0x", "llmos 0.0, now"))
    assert all(part in names for part in ("kernel/navigator.md", "kernel/gone.md"))
    assert changes(edited("setting", lambda line: line["arena"].update(noise_mm=1.0))) == ["arena simple"]
    assert changes(edited("setting", lambda line: line["manifest"].update(stop_m=1.0))) == ["robot cube"]
    model = [{"name": "m.gguf", "bytes": 1, "digest": "0"}]
    assert changes(edited("kernel", lambda line: line.update(files=model))) == ["the model m.gguf"]


@pytest.mark.parametrize("kind", ["heard", "done", "setting", "answer", "step"])
def test_a_line_that_is_not_as_its_kind_has_it_is_told(kind: str, edited: Edit) -> None:
    """In a line, never by a traceback; of a step, as a difference."""

    def strip(line: dict[str, Any]) -> None:
        for name in list(line):
            if name not in ("kind", "key"):
                line[name] = {} if kind == "step" else None

    record = edited(kind, strip)
    if kind == "step":
        assert replay(record).difference is not None
        return
    with pytest.raises(RecordError, match="made by another version"):
        replay(record)


def test_a_run_that_could_not_begin_has_its_record(tmp_path: Path) -> None:
    """With the reason; a replay has nothing to compare."""
    with pytest.raises(InferenceError):
        record_of(tmp_path, kernel="gguf:/no/such.gguf")
    record = read_record(tmp_path / NAME)
    end = record.one("end")
    assert end is not None
    assert "such.gguf" in end["reason"]
    assert replay(record).counts["steps"] == 0
