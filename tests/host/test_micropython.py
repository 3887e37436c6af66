"""Which MicroPython is found, and what is said where there is none."""

from pathlib import Path

import pytest

from llmos.micropython import MicroPythonNotFound, find, recent, version, word_size


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without any MicroPython; returns its cache folder."""
    for variable in ("LLMOS_MICROPYTHON", "LLMOS_MICROPYTHON32"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    return tmp_path / "cache"


def program(path: Path, script: str = "true") -> Path:
    """Write a program."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def test_the_real_one_is_known(micropython: Path) -> None:
    """A real MicroPython reports a version that serves, and its word size."""
    assert recent(micropython)
    assert word_size(micropython) in (32, 64)
    assert version(micropython)[:2] == "1."


def test_none_says_what_to_do(nowhere: Path) -> None:
    """Nothing found: the places that were looked in, and the remedy."""
    with pytest.raises(MicroPythonNotFound, match=r"no 32-bit .*run `make setup`.*LLMOS_MICROPYTHON32"):
        find(32)
    with pytest.raises(MicroPythonNotFound, match=str(nowhere)):
        find()


def test_environment_before_cache_before_path(nowhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment wins over the cache, the cache over PATH."""
    on_path = program(nowhere.parent / "bin" / "micropython", "echo 1.25.0 9223372036854775807")
    with pytest.raises(MicroPythonNotFound):
        find(32)
    cached = program(nowhere / "llmos" / "micropython-1.25-board-x64")
    assert find(64) == cached
    cached.unlink()
    chosen = program(nowhere / "chosen", "echo 1.25.0 9223372036854775807")
    monkeypatch.setenv("LLMOS_MICROPYTHON", str(chosen))
    assert find(64) == chosen
    assert on_path.exists()


def test_a_broken_override_is_not_passed_over(nowhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An override that is no program is an error, not a reason to look elsewhere."""
    monkeypatch.setenv("LLMOS_MICROPYTHON", str(nowhere / "gone"))
    with pytest.raises(MicroPythonNotFound, match=r"LLMOS_MICROPYTHON is .*gone, which is no program"):
        find(64)


def test_on_path_only_where_it_serves(
    micropython64: Path, nowhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one on PATH is taken where it is recent and of the right word size, and only there."""
    folder = nowhere.parent / "bin"
    folder.mkdir()
    (folder / "micropython").symlink_to(micropython64)
    assert find(64) == folder / "micropython"
    with pytest.raises(MicroPythonNotFound):
        find(32)
    (folder / "micropython").unlink()
    program(folder / "micropython", "echo 1.19.1")
    with pytest.raises(MicroPythonNotFound):
        find(64)


def test_what_does_not_run_is_neither_recent_nor_of_a_size(tmp_path: Path) -> None:
    """A file that is no MicroPython gives empty answers, never an exception."""
    broken = program(tmp_path / "micropython", "exit 3")
    assert (version(broken), word_size(broken), recent(broken)) == ("", 0, False)
    assert (version(tmp_path / "gone"), word_size(tmp_path / "gone")) == ("", 0)


@pytest.mark.parametrize("script", ["exit 3", "echo garbage", "echo 1.20.0 9223372036854775807"])
def test_an_override_that_is_no_micropython_is_refused(
    script: str, nowhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program of another kind, or one too old, is named before anything is run on it."""
    monkeypatch.setenv("LLMOS_MICROPYTHON", str(program(nowhere / "other", script)))
    with pytest.raises(MicroPythonNotFound, match=r"does not run as MicroPython 1\.22 or newer"):
        find()


def test_a_relative_override_is_found_from_elsewhere(nowhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The firmware runs in a folder of its own."""
    chosen = program(nowhere / "chosen", "echo 1.25.0 9223372036854775807")
    monkeypatch.chdir(nowhere)
    monkeypatch.setenv("LLMOS_MICROPYTHON", "chosen")
    assert find() == chosen
