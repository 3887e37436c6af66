"""`llmos bytecode`: what it prints, its JSON and its exit codes, for good input and for any other."""

import io
import json
import re
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple, Protocol
from xml.etree import ElementTree

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.generate import valid

from llmbytecode import assemble, disassemble, read_container
from llmbytecode._isa import MEASURES
from llmbytecode.native import TARGETS, viper_source
from llmos.__main__ import main
from llmos.manifest import load_manifest
from llmos.resources import system_volume
from llmos.skills import load_skills

SQUARE = "LOOP 4\nMOVE 10cm, 40mm/s\nTURN 90deg, 30deg/s\nENDLOOP\nEND\n"
FILES = sorted((system_volume() / "skills").glob("*.md"))
SKILLS = [path for path in FILES if "```lasm" in path.read_text(encoding="utf-8")]


class Done(NamedTuple):
    """What a command left behind."""

    code: int
    out: bytes
    err: str

    @property
    def json(self) -> Any:
        """Its standard output as one JSON object."""
        return json.loads(self.out)


class Bytecode(Protocol):
    """Runs `llmos bytecode` with words and standard input."""

    def __call__(self, *words: str, stdin: bytes = b"") -> Done: ...


@pytest.fixture
def bytecode(capsysbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch) -> Bytecode:
    """The command, in this process."""

    def run(*words: str, stdin: bytes = b"") -> Done:
        monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(stdin)))
        with pytest.raises(SystemExit) as ended:
            main(["bytecode", *words])
        captured = capsysbinary.readouterr()
        return Done(int(ended.value.code or 0), captured.out, captured.err.decode())

    return run


@pytest.fixture
def square(tmp_path: Path) -> str:
    """A file of assembly."""
    path = tmp_path / "square.lasm"
    path.write_text(SQUARE)
    return str(path)


def test_assemble_writes_a_certified_container(bytecode: Bytecode, square: str) -> None:
    """Its name is the assembly's with .llmb, and it holds for the robot."""
    assert bytecode("assemble", square).code == 0
    written = Path(square).with_suffix(".llmb").read_bytes()
    assert read_container(written, load_manifest().limits).program == assemble(SQUARE)


def test_assemble_writes_to_standard_output(bytecode: Bytecode, square: str) -> None:
    """So that validate can read it from a pipe."""
    container = bytecode("assemble", square, "-o", "-").out
    assert bytecode("validate", "-", stdin=container).code == 0
    assert bytecode("assemble", "-", "--json", stdin=SQUARE.encode()).out == container


def test_disassemble_gives_assembly(bytecode: Bytecode, square: str) -> None:
    """Of a container and of assembly, in canonical form."""
    container = bytecode("assemble", square, "-o", "-").out
    text = bytecode("disassemble", "-", stdin=container).out
    assert assemble(text.decode()) == assemble(SQUARE)
    assert bytecode("disassemble", square).out == text
    assert bytecode("disassemble", square, "--json").json == {"ok": True, "assembly": text.decode()}


def test_explain_gives_plain_english(bytecode: Bytecode, square: str) -> None:
    """Of assembly and of a container, the same."""
    text = bytecode("explain", square).out.decode()
    assert text.splitlines()[1] == "2.   Drive 100 mm forward at 40 mm/s."
    container = bytecode("assemble", square, "-o", "-").out
    assert bytecode("explain", "-", stdin=container).out.decode() == text
    assert bytecode("explain", square, "--json").json == {"ok": True, "explanation": text}


def test_compile_writes_machine_code(bytecode: Bytecode, square: str) -> None:
    """For the robot's processor or for this machine's; or it shows the source."""
    assert bytecode("compile", square).code == 0
    code = Path(square).with_suffix(".mpy").read_bytes()
    assert (code[:2], code[2] >> 2) == (b"M\x06", TARGETS["xtensawin"])
    other = bytecode("compile", "-", "--target", "x64", stdin=SQUARE.encode()).out
    assert (other[:2], other[2] >> 2) == (b"M\x06", TARGETS["x64"])
    shown = bytecode("compile", square, "--source").out.decode()
    assert shown == viper_source(assemble(SQUARE), load_manifest().limits)


def test_validate_prints_the_certificate(bytecode: Bytecode, square: str) -> None:
    """As a table, and as JSON with every measure."""
    table = bytecode("validate", square)
    assert table.code == 0
    certificate, worst = table.out.decode().split("\n\n")
    assert [line.split()[0] for line in certificate.splitlines()] == list(MEASURES)
    assert worst.startswith("worst case, most of it from line 2, MOVE 10cm, 40mm/s ×4: ")
    verdict = bytecode("validate", square, "--json").json
    assert verdict["ok"] is True
    assert list(verdict["certificate"]) == list(MEASURES)
    assert (verdict["certificate"]["path_mm"], verdict["certificate"]["rotation_mrad"]) == (400, 6280)


def test_validate_tells_where_the_worst_case_comes_from(bytecode: Bytecode, square: str) -> None:
    """Line by line; what is left out is added up, and the columns give the certificate."""
    listing = bytecode("validate", square).out.decode().split("\n\n")[1].splitlines()
    rows = [line.split() for line in listing[2:]]
    assert rows[1][:6] == ["2", "MOVE", "10cm,", "40mm/s", "4", "17160"]
    assert [row[0] for row in rows] == ["1", "2", "3", "2", "executing"]
    assert rows[3][:3] == ["2", "other", "words"]
    every = bytecode("validate", square, "--all").out.decode().split("\n\n")[1].splitlines()
    assert [line.split()[0] for line in every[2:]] == ["1", "2", "3", "4", "5", "executing"]
    verdict = bytecode("validate", square, "--json").json
    for measure in ("fuel", "ms", "path_mm", "rotation_mrad", "reports"):
        parts = [row["cost"][measure] for row in verdict["account"]]
        assert sum(parts) == verdict["certificate"][measure]
    assert [row["line"] for row in verdict["account"]] == [1, 2, 3, 4, 5, None]
    assert [row["text"] for row in verdict["account"]][1] == "MOVE 10cm, 40mm/s"


def test_the_worst_case_of_a_container_is_told_by_words(bytecode: Bytecode, square: str) -> None:
    """Disassembled, since its source is not there."""
    container = bytecode("assemble", square, "-o", "-").out
    listing = bytecode("validate", "-", "--all", stdin=container).out.decode().split("\n\n")[1].splitlines()
    assert listing[1].split()[0] == "word"
    assert listing[3].split()[:5] == ["1", "MOVE", "100mm,", "40mm/s", "4"]


def test_different_worst_ways_are_told(bytecode: Bytecode) -> None:
    """Where one way through a branch lasts longer, and the other goes farther; not where they agree."""
    text = b"BEQ r0, r1, far\nWAIT 60s\nEND\nfar: MOVE 1m, 40mm/s\nEND"
    assert "its own worst way through the branches" in bytecode("validate", "-", stdin=text).out.decode()
    assert "its own worst way" not in bytecode("validate", "-", stdin=b"WAIT 60s\nEND").out.decode()


@pytest.mark.parametrize("whole", [[], ["--all"]])
@given(seed=st.integers(0, 2**64 - 1), size=st.integers(1, 200))
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_listing_fits(bytecode: Bytecode, whole: list[str], seed: int, size: int) -> None:
    """Into 110 columns, whatever the block is; and without --all into a screen."""
    text = disassemble(valid(seed, load_manifest().limits, size))
    lines = bytecode("validate", "-", *whole, stdin=text.encode()).out.decode().splitlines()
    assert all(len(line) <= 110 for line in lines)
    assert whole or len(lines) <= 50


def test_long_names_are_cut(bytecode: Bytecode) -> None:
    """They do not break the table."""
    name = "a" * 60
    text = f".const {name} 40mm/s\nMOVE 30cm, {name}\nEND".encode()
    lines = bytecode("validate", "-", stdin=text).out.decode().split("\n\n")[1].splitlines()
    assert all(len(line) <= 110 for line in lines)
    assert "MOVE 30cm, aaaaaaa" in lines[2]


def test_validate_names_the_broken_rule(bytecode: Bytecode) -> None:
    """With the word, the source line and what to do; the exit code is 1."""
    text = b"; too fast\nMOVE 10mm, 200mm/s\nEND"
    done = bytecode("validate", "-", "--json", stdin=text)
    assert done.code == 1
    assert done.json["ok"] is False
    (error,) = done.json["errors"]
    assert list(error) == ["rule", "word", "line", "message", "hint", "remedy"]
    assert error["remedy"] == "line 2: write MOVE 10mm, 47mm/s instead of MOVE 10mm, 200mm/s"
    assert (error["rule"], error["word"], error["line"], error["hint"]) == ("speed", 0, 2, "drive slower")
    told = bytecode("validate", "-", stdin=text)
    assert told.code == 1
    assert told.err.startswith("llmos: bytecode: rule speed, word 0, line 2: ")
    assert told.err.endswith(f"; {error['remedy']}\n")
    assert len(told.err.splitlines()) == 1


@pytest.mark.parametrize(
    "command",
    [
        ("run",),
        ("run", "--arena", "empty"),
        ("compile", "--source"),
        ("assemble", "-o", "-"),
    ],
    ids=lambda command: " ".join(command[:2]),
)
def test_every_command_names_the_remedy(bytecode: Bytecode, command: tuple[str, ...]) -> None:
    """A refusal reads the same whichever command gives it."""
    text = b"MOVE 10mm, 200mm/s\nEND"
    done = bytecode(*command, "-", stdin=text)
    assert (done.code, done.err) == (1, bytecode("validate", "-", stdin=text).err)


def test_every_mistake_in_a_text_is_told(bytecode: Bytecode) -> None:
    """One line each, file:line:column first."""
    done = bytecode("validate", "-", stdin=b"FOO\nEND 3\n")
    assert done.code == 1
    assert [line.split(" ")[0] for line in done.err.splitlines()] == ["<stdin>:1:1:", "<stdin>:2:5:"]
    errors = bytecode("validate", "-", "--json", stdin=b"FOO\nEND 3\n").json["errors"]
    assert [(error["rule"], error["line"]) for error in errors] == [("assembly", 1), ("assembly", 2)]


def test_run_shows_what_the_program_did(bytecode: Bytecode) -> None:
    """Registers, variables, reports, signals, and what was used of the certificate."""
    text = b"LDI r1, 7\nSETV v2, r1\nREPORT 5, r1\nLED 1, 2, 3\nMOVE 100mm, 40mm/s\nEND"
    done = bytecode("run", "-", "--json", stdin=text)
    result = done.json
    assert (done.code, result["outcome"]) == (0, "completed")
    assert (result["registers"][1], result["variables"][2]) == (7, 7)
    assert result["reports"] == [[5, 7]]
    assert result["signals"] == [["LED", 1, 2, 3]]
    assert result["used"]["path_mm"] == 100
    assert result["pose"] == {"x_mm": 100, "y_mm": 0, "heading_mrad": 0}
    assert "tag 5: 7" in bytecode("run", "-", stdin=text).out.decode()


def test_run_of_a_block_that_fails_exits_1(bytecode: Bytecode) -> None:
    """Its code is told."""
    done = bytecode("run", "-", stdin=b"FAIL 9")
    assert (done.code, done.out.decode().splitlines()[0]) == (1, "failed with code 9, mode idle")


@pytest.mark.parametrize("skill", SKILLS, ids=lambda path: path.stem)
def test_what_ships_is_valid_and_guarded(bytecode: Bytecode, skill: Path) -> None:
    """Every skill that ships is accepted for the reference robot, its forward moves guarded."""
    verdict = bytecode("validate", str(skill), "--json").json
    assert verdict["certificate"]["guarded"] == 1


BROKEN = {
    "nothing": (b"", "length"),
    "no UTF-8": (b"END\nLDI \xff", "assembly"),
    "binary": (bytes(range(256)), "assembly"),
    "NUL": (b"\0" * 5000, "assembly"),
    "magic alone": (b"LLMB", "container"),
    "magic and zeros": (b"LLMB" + bytes(5000), "container"),
    "too large": (b"END\n" * 400_000, "file"),
    "endless line": (b"a" * 1_000_000, "assembly"),
    "endless labels": (b"".join(b"a%d:\n" % n for n in range(100_000)), "length"),
    "the same label": (b"a:\n" * 300_000, "assembly"),
    "deep nesting": (b"LOOP 2\n" * 30_000 + b"ENDLOOP\n" * 30_000 + b"END", "length"),
    "too many words": (b"END\n" * 250_000, "assembly"),
    "a long number": (b"WAIT " + b"9" * 900 + b"ms", "assembly"),
}


@pytest.mark.parametrize("command", ["validate", "run", "disassemble", "assemble", "compile"])
@pytest.mark.parametrize("name", [name for name in BROKEN if len(BROKEN[name][0]) < 10_000])
def test_broken_input_gets_a_verdict(bytecode: Bytecode, name: str, command: str) -> None:
    """Whatever is read, the answer is a verdict, in JSON and in lines, and never a traceback."""
    data, rule = BROKEN[name]
    if (name, command) == ("nothing", "disassemble"):
        return  # no words are no text
    told = bytecode(command, "-", stdin=data)
    verdict = bytecode(command, "-", "--json", stdin=data)
    assert (told.code, verdict.code) == (1, 1)
    assert "Traceback" not in told.err
    assert "bug" not in told.err
    assert {error["rule"] for error in verdict.json["errors"]} == {rule}


@pytest.mark.parametrize("name", [name for name in BROKEN if len(BROKEN[name][0]) >= 10_000])
def test_large_broken_input_gets_a_verdict(bytecode: Bytecode, name: str) -> None:
    """So does what is too large to be looked at closely."""
    data, rule = BROKEN[name]
    verdict = bytecode("validate", "-", "--json", stdin=data)
    assert verdict.code == 1
    assert {error["rule"] for error in verdict.json["errors"]} == {rule}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(max_size=300))
def test_random_bytes_get_a_verdict(bytecode: Bytecode, data: bytes) -> None:
    """Random bytes are refused or accepted, and nothing else."""
    for given_bytes in (data, b"LLMB\x01\x00" + data):
        verdict = bytecode("validate", "-", "--json", stdin=given_bytes)
        assert verdict.json["ok"] is (verdict.code == 0)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["validate", "/nowhere.lasm"], "cannot be read: No such file or directory"),
        (["validate", "/"], "cannot be read: Is a directory"),
        (["assemble", "-", "-o", "/nowhere/x.llmb"], "cannot be written: No such file or directory"),
        (["validate", "-", "--robot", "nobody"], "robot 'nobody'"),
    ],
)
def test_what_cannot_be_read_or_written_is_told(bytecode: Bytecode, words: list[str], said: str) -> None:
    """In one line that says what to do."""
    done = bytecode(*words, stdin=b"END")
    assert (done.code, len(done.err.splitlines())) == (1, 1)
    assert said in done.err


def test_wrong_usage_exits_2(bytecode: Bytecode) -> None:
    """As every command does."""
    assert bytecode("validate").code == 2
    assert bytecode("frobnicate").code == 2


@pytest.mark.parametrize(
    "words", [[], ["assemble"], ["disassemble"], ["explain"], ["validate"], ["compile"], ["run"]]
)
def test_help_has_an_example(bytecode: Bytecode, words: list[str]) -> None:
    """Every command shows one."""
    assert "Example: llmos bytecode" in bytecode(*words, "--help").out.decode()


def test_run_in_an_arena_shows_what_was_used_beside_what_was_proved(bytecode: Bytecode, square: str) -> None:
    """On the virtual robot, with where it really went; and as JSON."""
    done = bytecode("run", square, "--arena", "empty")
    lines = done.out.decode().splitlines()
    assert (done.code, lines[0]) == (0, f"{square}: completed, mode idle, 0 collisions")
    assert [line.split()[0] for line in lines[2:7]] == ["fuel", "ms", "path_mm", "rotation_mrad", "reports"]
    assert any("·" in line for line in lines)
    (run,) = bytecode("run", square, "--arena", "empty", "--native", "always", "--json").json["runs"]
    assert all(used <= run["certificate"][name] for name, used in run["used"].items())
    assert (run["outcome"], run["collisions"]) == ("completed", 0)
    assert abs(run["pose"]["heading_mrad"] - 6283) <= 20


def test_run_says_what_was_done_when_and_draws_it(bytecode: Bytecode, tmp_path: Path) -> None:
    """A line for each act, with its line in the source, and a picture of the way."""
    picture = tmp_path / "way.svg"
    words = ["run", "-", "--arena", "empty", "--trace", "--json", "--picture", str(picture)]
    text = "; a comment\nLED 0, 255, 0\nWAIT 1s\nLOOP 2\nMOVE 5cm, 40mm/s\nENDLOOP\nFAIL 2"
    done = bytecode(*words, stdin=text.encode())
    (run,) = done.json["runs"]
    assert (done.code, run["ended"], run["line"]) == (1, "failed with code 2 at line 7", 7)
    acts = [(act["line"], act["text"]) for act in run["trace"]]
    move = (5, "MOVE 5cm, 40mm/s")
    assert acts == [(2, "LED 0, 255, 0"), (3, "WAIT 1s"), move, move, (7, "FAIL 2")]
    assert all(act["sure"] for act in run["trace"])
    assert run["trace"][1]["took_ms"] == pytest.approx(1000, abs=60)
    assert ElementTree.fromstring(picture.read_text()).tag.endswith("svg")
    told = bytecode("run", "-", "--arena", "empty", "--trace", stdin=text.encode()).out.decode()
    assert re.search(r"^ +[\d.]+ +0 +0 +0° +2000 +line 3 +WAIT 1s  [\d.]+ s$", told, re.M)


def test_run_of_a_block_that_hits_something_is_no_success(bytecode: Bytecode, tmp_path: Path) -> None:
    """Though it completed: a thin post stands between the robot's beams until it is too near to stop."""
    arena = tmp_path / "post.toml"
    room = "size_m = [2.0, 2.0]\nstart = { x = 0.0, y = 0.0 }\ndiscs = [[0.5, 0.04, 0.005]]\n"
    arena.write_text('name = "post"\n' + room)
    text = b"MOVE 60cm, 47mm/s\nEND"
    done = bytecode("run", "-", "--arena", str(arena), "--json", stdin=text)
    (run,) = done.json["runs"]
    assert (done.code, run["outcome"], run["collisions"], run["nearest_mm"]) == (1, "completed", 1, 0)


def test_blocks_run_one_after_the_other(bytecode: Bytecode, square: str, tmp_path: Path) -> None:
    """Up to the first that does not complete; the next ones are not run, and that is no success."""
    stops = tmp_path / "stops.lasm"
    stops.write_text("MOVE 10cm, 40mm/s\nFAIL 1")
    done = bytecode("run", str(stops), square, "--arena", "empty", "--json")
    assert (done.code, [run["file"] for run in done.json["runs"]]) == (1, [str(stops)])
    moves = tmp_path / "moves.lasm"
    moves.write_text("MOVE 10cm, 40mm/s\nEND")
    done = bytecode("run", str(moves), str(moves), "--arena", "empty", "--json")
    assert [round(run["pose"]["x_mm"], -1) for run in done.json["runs"]] == [100, 200]
    assert done.code == 0


def test_a_refused_block_is_not_run_in_an_arena(bytecode: Bytecode) -> None:
    """The host's verifier says no, as it does without an arena."""
    text = b"MOVE 10mm, 200mm/s\nEND"
    told = bytecode("run", "-", "--arena", "empty", stdin=text)
    assert (told.code, told.err) == (1, bytecode("validate", "-", stdin=text).err)
    assert bytecode("run", "-", "--arena", "nowhere", stdin=b"END").err.startswith("llmos: bytecode: arena")


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["a", "b"],
        ["a", "--trace"],
        ["a", "--clear"],
        ["a", "--picture", "x.svg"],
        ["a", "--arena", "empty", "--port", "x"],
        ["a", "--port", "x", "--picture", "x.svg"],
    ],
)
def test_options_without_a_meaning_are_wrong_usage(bytecode: Bytecode, words: list[str]) -> None:
    """What needs a robot or an arena says so."""
    assert bytecode("run", *words).code == 2


def test_run_on_another_port_takes_the_same_path(bytecode: Bytecode) -> None:
    """On the wall clock; where the robot really is, nobody knows."""
    command = [sys.executable, "-m", "llmos", "board", "--arena", "empty", "--json"]
    text = b"LED 0, 0, 255\nWAIT 300ms\nREPORT 4, r0\nEND"
    with subprocess.Popen(command, stdout=subprocess.PIPE, process_group=0) as board:
        assert board.stdout
        port = json.loads(board.stdout.readline())["pty"]
        try:
            done = bytecode("run", "-", "--port", port, "--trace", "--json", stdin=text)
        finally:
            board.send_signal(signal.SIGINT)
    (run,) = done.json["runs"]
    assert (done.code, run["reports"], run["pose"], run["collisions"]) == (0, [[4, 0]], None, None)
    assert [act["line"] for act in run["trace"]] == [1, 2, 3, 4]


def test_a_skill_is_read_as_its_program(bytecode: Bytecode, tmp_path: Path) -> None:
    """By its content, from a file or from a pipe; what is refused is told by the line of the file."""
    skill = next(path for path in SKILLS if path.stem == "square")
    alone = tmp_path / "square.lasm"
    alone.write_text(load_skills()["square"].block)
    verdict = bytecode("validate", str(skill), "--json").json
    assert verdict["certificate"] == bytecode("validate", str(alone), "--json").json["certificate"]
    source = skill.read_text()
    assert bytecode("explain", "-", stdin=source.encode()).out == bytecode("explain", str(skill)).out
    lines = source.split("\n")
    for row in verdict["account"][:-1]:
        assert row["text"].split(":")[-1].strip().split()[0] in lines[row["line"] - 1]
    wrong = bytecode("validate", "-", "--json", stdin=source.replace("```lasm", "```").encode()).json
    assert wrong["errors"][0]["rule"] == "file"
    assert "there is no program" in wrong["errors"][0]["message"]
