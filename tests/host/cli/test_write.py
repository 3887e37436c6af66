"""`llmos write`: what a user sees, what a machine reads, and how it ends."""

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from llmbytecode import assemble
from llmbytecode.grammar import grammar
from llmos.cli.bytecode.grammar import grammar_command
from llmos.cli.write import write
from llmos.manifest import load_manifest

GOOD = "LED 0, 0, 255\nMOVE 10cm, 40mm/s\nEND\n"
FAR = "MOVE 5m, 40mm/s\nMOVE 5m, 40mm/s\nEND\n"


@pytest.fixture
def ask(tmp_path: Path):
    """Run the command with a kernel that answers with these texts."""

    def run(*texts: str, more: tuple[str, ...] = (), wish: str = "go ahead") -> Result:
        answers = tmp_path / "answers.jsonl"
        answers.write_text("".join(json.dumps({"text": text, "tokens_out": 9}) + "\n" for text in texts))
        return CliRunner().invoke(write, [wish, "--kernel", f"replay:{answers}", *more])

    return run


def test_an_accepted_program_is_shown_with_its_certificate(ask, tmp_path: Path) -> None:
    """The refused one before it too, with the reason; -o writes what was accepted."""
    target = tmp_path / "out.lasm"
    done = ask(FAR, GOOD, more=("-o", str(target)))
    assert done.exit_code == 0, done.output
    assert "attempt 1, refused: rule duration" in done.output
    assert f"; go ahead\n{GOOD}" in done.output
    assert "path_mm             100 of 5000" in done.output
    assert "2 attempts, accepted, 18 tokens" in done.output
    assert assemble(target.read_text()).words == assemble(GOOD).words


def test_no_accepted_program_is_a_failure(ask) -> None:
    """After as many attempts as are allowed."""
    done = ask(FAR, FAR, GOOD, more=("--attempts", "2"))
    assert done.exit_code == 1
    assert "2 attempts, none accepted" in done.output
    assert "attempt 2, refused" in done.output


def test_run_prints_what_was_used_beside_the_certificate(ask) -> None:
    """On the virtual robot."""
    done = ask(GOOD, more=("--run",))
    assert done.exit_code == 0, done.output
    assert "empty: completed" in done.output
    assert re.search(r"^path_mm +(99|100) +100 +\d+%$", done.output, re.MULTILINE)


def test_json_is_one_object(ask) -> None:
    """With each attempt and the run."""
    done = ask(FAR, GOOD, more=("--run", "--json"))
    found = json.loads(done.output)
    assert (found["ok"], found["text"], len(found["attempts"])) == (True, GOOD, 2)
    assert found["attempts"][0]["refusal"].startswith("rule duration")
    assert found["attempts"][0]["well_formed"]
    assert 95 < found["run"]["used"]["path_mm"] <= found["certificate"]["path_mm"] == 100


def test_a_run_that_does_not_complete_is_a_failure(ask) -> None:
    """The program was accepted all the same."""
    done = ask("FAIL 3\n", more=("--run", "--json"))
    assert done.exit_code == 1
    assert json.loads(done.output)["ok"]


def test_the_grammar_can_be_had_by_itself() -> None:
    """For a model runtime of the user's."""
    done = CliRunner().invoke(grammar_command, ["--robot", "cube"])
    assert (done.exit_code, done.output) == (0, grammar(load_manifest("cube").limits))


def test_the_way_can_be_chosen() -> None:
    """A kernel that ships chooses by itself; what it chose is named."""
    done = CliRunner().invoke(write, ["turn right by 60 degrees", "--kernel", "random"])
    assert done.exit_code == 0, done.output
    assert "chosen: turn angle_deg=-60 rate_deg_s=40" in done.output
    done = CliRunner().invoke(write, ["turn", "--kernel", "random", "--way", "choose3", "--json"])
    assert json.loads(done.output)["chosen"]
    done = CliRunner().invoke(write, ["turn", "--kernel", "random", "--attempts", "2"])
    assert (done.exit_code, "--attempts goes with --way write" in done.output) == (2, True)
