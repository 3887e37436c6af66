"""The doctor's findings on a sound machine and on ones that lack something."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from llmos.doctor import PROBES, examine, healthy


def run_doctor(*options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command as a user would, in an environment of its own."""
    command = [sys.executable, "-m", "llmos", "doctor", *options]
    return subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True)


def test_every_probe_answers_in_one_line() -> None:
    """Each finding is one line, and each thing that is missing has a remedy."""
    checks = examine()
    assert [check.name for check in checks] == [name for name, *_ in PROBES]
    assert [check for check in checks if "\n" in check.found or not check.found] == []
    assert [check.name for check in checks if check.ok == bool(check.remedy)] == []


def test_json_says_what_the_screen_says() -> None:
    """`--json` is one object, its `ok` is the exit status."""
    done = run_doctor("--json")
    report = json.loads(done.stdout)
    assert set(report) == {"ok", "checks"}
    assert set(report["checks"][0]) == {"name", "ok", "required", "found", "remedy"}
    assert done.returncode == (0 if report["ok"] else 1)
    assert report["ok"] == all(check["ok"] for check in report["checks"] if check["required"])


def test_without_micropython_it_is_not_ready(tmp_path: Path) -> None:
    """No MicroPython anywhere: exit 1, and the remedy stands beside it."""
    nothing = {"XDG_CACHE_HOME": str(tmp_path), "PATH": str(tmp_path), "LLMOS_MICROPYTHON": ""}
    done = run_doctor(**nothing, LLMOS_MICROPYTHON32="")
    assert done.returncode == 1
    assert "FAIL  micropython " in done.stdout
    assert "-> run `make setup`" in done.stdout


def test_state_folder_that_cannot_be_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file where the folder should be is found out before anything is lost."""
    (tmp_path / "file").touch()
    monkeypatch.setenv("LLMOS_HOME", str(tmp_path / "file" / "llmos"))
    found = {check.name: check for check in examine()}["state folder"]
    assert (found.ok, found.required) == (False, True)
    assert found.remedy == "set LLMOS_HOME to a folder that you may write"


def test_an_adapter_that_cannot_be_used_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It hinders nothing: the untaught model stands in."""
    monkeypatch.setenv("LLMOS_HOME", str(tmp_path))
    adapter = tmp_path / "volumes" / "user" / "models" / "robot.gguf"
    adapter.parent.mkdir(parents=True)
    adapter.write_bytes(b"none")
    found = {check.name: check for check in examine()}["model adapter"]
    assert (found.ok, found.required) == (False, False)
    assert found.found.startswith(f"adapter {adapter}: its card {adapter.with_suffix('.md')} is missing")
    assert "llmos train" in found.remedy


def test_only_required_findings_decide() -> None:
    """The virtual robot with `--kernel rule` needs no model, no board and no compiler."""
    checks = [check._replace(ok=check.required) for check in examine()]
    assert healthy(checks)
    assert not healthy([check._replace(ok=not check.required) for check in checks])
