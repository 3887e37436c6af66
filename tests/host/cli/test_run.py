"""`llmos run` and `llmos eval`: a real robot process, a real kernel, what a user sees and gets."""

import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from llmos.blackbox import NAME, read_record
from llmos.show import shows_maps

LLMOS = [sys.executable, "-m", "llmos"]
KEYS = [
    *("outcome", "reason", "arena", "kernel", "note", "seed", "cycles", "collisions", "path_m"),
    *("shortest_m", "spl", "coverage", "sim_s", "wall_s", "blocks", "llm", "spent", "decisions"),
    *("decisions_per_s", "thought_ms", "brains", "escalations", "stand_ins", "deadlines", "guards"),
    *("path90_m", "path99_m", "stops", "goal", "eyes", "program", "foresight"),
]


def llmos(*words: str, home: Path) -> subprocess.CompletedProcess[str]:
    """Run the command line in a state folder of its own."""
    return subprocess.run(
        [*LLMOS, *words], capture_output=True, text=True, timeout=120, check=False,
        env={**os.environ, "LLMOS_HOME": str(home)},
    )  # fmt: skip


def processes_of(folder: Path) -> list[str]:
    """Return the command lines of the processes that name a folder or work below it."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            line, where = (entry / "cmdline").read_text().replace("\0", " "), os.readlink(entry / "cwd")
        except OSError:
            continue
        if str(folder) in line or str(folder) in where:
            found.append(line)
    return found


def test_a_drive_is_told_line_by_line_and_drawn(tmp_path: Path) -> None:
    """A run prints a line a cycle and the outcome, leaves a picture, and exits 0."""
    ended = llmos("run", "drive to the far corner", "--kernel", "rule", home=tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert "reached: the goal is reached" in ended.stdout
    assert "MOVE_TO" in ended.stdout
    assert next(tmp_path.glob("runs/*/run.svg")).read_text().startswith("<svg")


def test_json_is_one_object_with_every_key(tmp_path: Path) -> None:
    """--json prints one object, with the documented keys in their order."""
    ended = llmos("run", "drive to the far corner", "--kernel", "rule", "--json", home=tmp_path)
    result = json.loads(ended.stdout)
    assert list(result) == KEYS
    assert (result["outcome"], result["collisions"], result["blocks"]["refused"]) == ("reached", 0, 0)
    assert 0.5 < result["spl"] <= 1.0


def test_the_model_itself_drives(tmp_path: Path) -> None:
    """The real SmolLM2 answers every cycle with a legal decision, and the robot arrives."""
    ended = llmos(
        "run", "drive to the far corner", "--kernel", "smollm2", "--deadline", "60", "--json", home=tmp_path
    )
    result = json.loads(ended.stdout)
    assert (result["outcome"], result["collisions"]) == ("reached", 0)
    assert result["llm"]["valid"] == result["llm"]["calls"] > 0


def test_a_robot_whose_adapter_is_missing_drives_untaught_and_says_so(tmp_path: Path) -> None:
    """The note is on standard error, in the result and in the record."""
    kernel = f"dual:smollm2:{tmp_path / 'mine.gguf'}"
    ended = llmos("run", "go", "--kernel", kernel, "--max-cycles", "1", "--json", home=tmp_path)
    result = json.loads(ended.stdout)
    assert (result["cycles"], result["kernel"]) == (2, kernel)
    assert result["note"].startswith(f"adapter {tmp_path / 'mine.gguf'}: No such file")
    assert ended.stderr == f"llmos: run: the untaught model stands in: {result['note']}\n"
    (kept,) = read_record(next(tmp_path.glob(f"runs/*/{NAME}"))).all("kernel")
    assert (kept["name"], kept["note"]) == ("smollm2:none", result["note"])


def test_the_same_seed_gives_the_same_transcript(tmp_path: Path) -> None:
    """Two runs of one seed put the same bytes on the wire at the same times; another seed does not."""
    wires = []
    for name, seed in (("a", "3"), ("b", "3"), ("c", "4")):
        wire = tmp_path / name
        ended = llmos(
            "run", "drive", "--kernel", "rule", "--seed", seed, "--transcript", str(wire), home=tmp_path
        )
        assert ended.returncode == 0, ended.stderr
        wires.append(wire.read_bytes())
    assert len(wires[0]) > 10_000
    assert wires[0] == wires[1] != wires[2]


def test_a_recorded_run_is_replayed_to_the_byte(tmp_path: Path) -> None:
    """The recorded answers of a random kernel drive the same way again; the record of that replays."""
    first, second = tmp_path / "first", tmp_path / "second"
    llmos("run", "go", "--kernel", "random", "--transcript", str(first), home=tmp_path)
    llmos("run", "go", "--kernel", "replay:last", "--transcript", str(second), home=tmp_path)
    assert len(first.read_bytes()) > 10_000
    assert first.read_bytes() == second.read_bytes()
    replayed = llmos("replay", "last", home=tmp_path)
    assert (replayed.returncode, "identical: " in replayed.stdout) == (0, True), replayed.stderr


@pytest.mark.parametrize(("words", "part", "code"), [
    (["run", ""], "goal is empty", 1),
    (["run", "go to 9, 9"], "outside the room", 1),
    (["run", "go", "--arena", "nowhere"], "nowhere", 1),
    (["run", "go", "--robot", "nobody"], "nobody", 1),
    (["run", "go", "--kernel", "oracle"], "oracle", 1),
    (["run", "go", "--kernel", "smollm2:"], "write it as smollm2[:none|ADAPTER.gguf]", 1),
    (["run", "go", "--kernel", "rule", "--no-adapter"], "only smollm2 can be taught", 2),
    (["run", "go", "--kernel", "gguf:/no/such.gguf"], "such.gguf", 1),
    (["run", "go", "--kernel", "replay:/no/such.jsonl"], "such.jsonl", 1),
    (["run", "go", "--kernel", "openai:http://[::1"], "no http address", 1),
    (["run", "go", "--kernel", "openai:http://127.0.0.1:99999"], "no http address", 1),
    (["run", "go", "--kernel", "rule", "--transcript", "/dev/full"], "No space left", 1),
    (["run", "go", "--fault", "earthquake"], "earthquake", 2),
    (["run", "go", "--fault", "cut@noon"], "'noon' is no whole number", 2),
    (["run", "go", "--fault", "slip/host=0.1"], "have a direction, /robot or /host", 2),
    (["run", "explore", "--kernel", "rule", "--port", "x", "--fault", "slip=1"], "a real robot cannot", 1),
    (["run", "go", "--seed", "-1"], "--seed", 2),
    (["run", "go", "--deadline", "nan"], "--deadline", 2),
    (["run", "go", "--speed", "nan"], "--speed", 2),
    (["run", "go", "--speed", "1e-9"], "--speed", 2),
    (["board", "--speed", "1e-9"], "--speed", 2),
    (["run", "go", "--kernel", "rule", "--picture", "/no/such/folder/run.svg"], "/no/such/folder", 1),
    (["run"], "Missing argument", 2),
    (["run", "go", "--speed", "-1"], "--speed", 2),
    (["eval", "--arenas", "nowhere", "--kernels", "rule"], "nowhere", 1),
])  # fmt: skip
def test_what_cannot_begin_is_refused_in_one_line(
    words: list[str], part: str, code: int, tmp_path: Path
) -> None:
    """A bad word ends with its name, a remedy and the right exit code, never a traceback."""
    ended = llmos(*words, home=tmp_path)
    assert ended.returncode == code
    assert part in ended.stderr
    assert "Traceback" not in ended.stderr
    if code == 1:
        assert len(ended.stderr.strip().splitlines()) == 1


def test_a_state_folder_that_cannot_be_is_told_before_the_drive(tmp_path: Path) -> None:
    """Not after it, when there is a picture to keep."""
    (tmp_path / "home").write_text("a file")
    ended = llmos("run", "drive", "--kernel", "rule", home=tmp_path / "home")
    assert (ended.returncode, ended.stdout) == (1, "")
    assert "set LLMOS_HOME" in ended.stderr


def test_a_picture_without_room_costs_no_result(tmp_path: Path) -> None:
    """What came of the run is printed all the same."""
    words = ("run", "drive", "--kernel", "rule", "--json", "--picture", "/dev/full")
    ended = llmos(*words, home=tmp_path)
    assert (ended.returncode, json.loads(ended.stdout)["outcome"]) == (1, "reached")
    assert len(ended.stderr.splitlines()) == 1


@pytest.mark.parametrize("words", [["--json"], []])
def test_a_closed_output_is_no_reason_to_fail(words: list[str], tmp_path: Path) -> None:
    """Nobody listens, and the robot drives as before."""
    line = f'"{sys.executable}" -m llmos run drive --kernel rule {" ".join(words)} >&-'
    ended = subprocess.run(
        ["sh", "-c", line], capture_output=True, text=True, timeout=60, check=False,
        env={**os.environ, "LLMOS_HOME": str(tmp_path)},
    )  # fmt: skip
    assert (ended.returncode, ended.stderr) == (0, "")


@pytest.mark.parametrize(("terminal", "variables", "shown"), [
    (True, {"TERM": "xterm"}, True),
    (True, {"TERM": "dumb"}, False),
    (True, {"TERM": "xterm", "NO_COLOR": "1"}, False),
    (False, {"TERM": "xterm"}, False),
])  # fmt: skip
def test_the_map_is_shown_where_a_terminal_can(
    terminal: bool, variables: dict[str, str], shown: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pipe, a dumb terminal and one without colours get the lines alone."""
    monkeypatch.setattr("os.environ", variables)
    out = io.StringIO()
    out.isatty = lambda: terminal  # type: ignore[method-assign]
    assert shows_maps(out) == shown


def test_a_micropython_that_cannot_run_is_named(tmp_path: Path) -> None:
    """A MicroPython that dies at once is reported, and nothing hangs."""
    ended = subprocess.run(
        [*LLMOS, "run", "go", "--kernel", "rule"], capture_output=True, text=True, timeout=60, check=False,
        env={**os.environ, "LLMOS_HOME": str(tmp_path), "LLMOS_MICROPYTHON": "/bin/false"},
    )  # fmt: skip
    assert ended.returncode == 1
    assert "Traceback" not in ended.stderr
    assert len(ended.stderr.strip().splitlines()) == 1


def test_a_cut_cable_ends_the_run_with_a_reason(tmp_path: Path) -> None:
    """When the link is gone, the run fails with a sentence about it."""
    ended = llmos("run", "drive", "--kernel", "rule", "--fault", "cut@9000", "--json", home=tmp_path)
    result = json.loads(ended.stdout)
    assert ended.returncode == 1
    assert (result["outcome"], result["collisions"]) == ("failed", 0)
    assert result["reason"]


def test_ctrl_c_stops_the_robot_and_leaves_nothing_behind(tmp_path: Path) -> None:
    """Ctrl-C in mid-drive ends as `stopped` with exit code 130, and no process of the run is left."""
    run = subprocess.Popen(
        [*LLMOS, "run", "explore", "--arena", "office", "--kernel", "rule", "--speed", "20", "--json"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
        env={**os.environ, "LLMOS_HOME": str(tmp_path), "TMPDIR": str(tmp_path)},
    )  # fmt: skip
    end = time.monotonic() + 60
    while len(processes_of(tmp_path)) < 2 and time.monotonic() < end:
        time.sleep(0.1)  # until board and robot have started
    with pytest.raises(subprocess.TimeoutExpired):
        run.wait(2)
    assert len(processes_of(tmp_path)) >= 2
    os.killpg(run.pid, signal.SIGINT)
    out, err = run.communicate(timeout=30)
    assert run.returncode == 130, err
    assert json.loads(out)["outcome"] == "stopped"
    assert processes_of(tmp_path) == []


def test_eval_prints_a_table_and_its_sums(tmp_path: Path) -> None:
    """The evaluation has a line per kernel and arena and one over all of them; the rows are in its folder."""
    ended = llmos(
        "eval",
        "--arenas",
        "simple",
        "--kernels",
        "rule",
        "--seeds",
        "2",
        "--jobs",
        "2",
        "--json",
        home=tmp_path,
    )
    result = json.loads(ended.stdout)
    assert [(row["arenas"], row["runs"], row["success"], row["collisions"]) for row in result["table"]] == [
        ("simple", 2, 1.0, 0), ("all", 2, 1.0, 0),
    ]  # fmt: skip
    assert result["runs"] == len((Path(result["folder"]) / "runs.jsonl").read_text().splitlines()) == 2


def test_a_folder_of_the_same_name_is_not_taken_for_the_package(tmp_path: Path) -> None:
    """Who has cloned LLMos into `llmos` may work beside it."""
    (tmp_path / "llmos").mkdir()
    ended = subprocess.run(
        [sys.executable, "-P", "-m", "llmos", "run", "go", "--kernel", "rule"],
        capture_output=True, text=True, timeout=60, check=False, cwd=tmp_path,
        env={**os.environ, "LLMOS_HOME": str(tmp_path / "home")},
    )  # fmt: skip
    assert (ended.returncode, ended.stderr) == (0, "")
