"""`llmos train data`, and what every `llmos train` refuses."""

import json
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from click.testing import CliRunner, Result
from tests.tiny_training import write_examples

from llmos.cli.train import train
from llmos.training import data

pytest.importorskip("llguidance")
LITTLE = ["--decisions", "0", "--programs", "4", "--subgoals", "0"]


class Disk(NamedTuple):
    """What shutil says of one."""

    total: int
    used: int
    free: int


@pytest.fixture(name="work")
def _work(tmp_path: Path) -> Path:
    return tmp_path / "training"


def run(work: Path, *words: str) -> Result:
    """Run `llmos train`."""
    return CliRunner().invoke(train, [words[0], "--work", str(work), *words[1:]], standalone_mode=True)


def test_data_are_made_once_and_what_is_damaged_again(work: Path) -> None:
    """A second call finds all there; the command is noted as it is repeated."""
    tried = run(work, "data", *LITTLE, "--dry-run")
    assert tried.output.splitlines()[0].split()[:3] == ["programs", "4", "pairs"]
    assert not (work / "data").exists()
    first = run(work, "data", *LITTLE)
    (made,) = (work / "data").glob("*.jsonl")
    assert first.output.startswith(f"1/1, 0 s left  {made.name}: ")
    before = made.read_bytes()
    assert run(work, "data", *LITTLE).output == first.output.splitlines()[-1] + "\n"
    made.write_bytes(before[:-20])
    mended = run(work, "data", *LITTLE)
    assert f"{made} was damaged: removed" in mended.output
    assert made.read_bytes() == before
    assert json.loads((work / "commands.json").read_text()) == {
        "data": f"llmos train data {' '.join(LITTLE)} --seed 0"
    }


def test_a_disk_that_is_too_small_is_refused_first(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is begun."""
    monkeypatch.setattr("shutil.disk_usage", lambda place: Disk(10, 9, 1))
    refused = run(work, "data")
    assert isinstance(refused.exception, data.TrainingError)
    assert "0 MB are free: make room, or name a folder on another disk by --work" in str(refused.exception)
    assert not (work / "data").exists()


def test_a_disk_that_fills_keeps_what_is_whole(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The line says where; the same command goes on."""
    write_examples(work, 4)
    whole, real = data.write_whole, data.write_whole

    def full(path: Path, content: bytes) -> Any:
        if path.suffix == ".jsonl":
            raise OSError(28, "No space left on device")
        return real(path, content)

    monkeypatch.setattr(data, "write_whole", full)
    stopped = run(work, "data", *LITTLE)
    assert str(stopped.exception) == f"{work / 'data'}: No space left on device; what is whole is kept"
    monkeypatch.setattr(data, "write_whole", whole)
    assert run(work, "data", *LITTLE).exit_code == 0
    assert len(list((work / "data").glob("*.jsonl"))) == 2


def test_without_pytorch_a_sentence_says_how_to_have_it(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything else happens."""
    monkeypatch.setattr("llmos.cli.train.find_spec", lambda name: None)
    for words in (["fit"], ["export"]):
        said = run(work, *words).output
        assert "torch and gguf missing: pip install 'llmos[train]'" in said
        assert "PyTorch's CPU build is enough" in said
    assert not work.exists()
