"""`llmos volume`: what a user sees of the volumes, and what he is told."""

import json
import subprocess
from pathlib import Path

import pytest

from llmos.__main__ import main
from llmos.volumes import Change, Tier, Volumes

ANN = Change("ann", "try it", run="20261121-1540")


def volume(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    """Run a command; return its status and all that it printed."""
    with pytest.raises(SystemExit) as end:
        main(["volume", *words])
    printed = capsys.readouterr()
    return int(end.value.code or 0), printed.out + printed.err


@pytest.fixture
def volumes() -> Volumes:
    """A user volume with two commits, a proposal, and an edit by hand."""
    found = Volumes()
    text = "---\nname: a\ndescription: Drives \x07 on.\n---\nOne.\n".replace("\x07", "far")
    found.write(Tier.USER, "skills/a.md", text, ANN)
    found.write(Tier.USER, "skills/a.md", text.replace("One", "Two"), ANN)
    found.branch(Tier.USER, "dream/a", {"skills/a.md": text.replace("One", "Three")}, ANN)
    return found


def test_listing_and_showing(volumes: Volumes, capsys: pytest.CaptureFixture[str]) -> None:
    """Files with what they are for; a file as it is and as it was."""
    status, said = volume(capsys, "ls", "user", "skills")
    assert (status, said.split()[:2], said.split()[3:]) == (
        0,
        ["user", "skills/a.md"],
        ["Drives", "far", "on."],
    )
    assert volume(capsys, "show", "user", "skills/a.md")[1].endswith("Two.\n")
    assert volume(capsys, "show", "user", "skills/a.md", "--at", "HEAD~1")[1].endswith("One.\n")
    found = json.loads(volume(capsys, "ls", "system", "kernel", "--json")[1])
    assert "kernel/config.md" in [entry["path"] for entry in found]


def test_history(volumes: Volumes, capsys: pytest.CaptureFixture[str]) -> None:
    """The log names author, reason, run, proposals and edits by hand; a rollback is a commit."""
    status, said = volume(capsys, "log", "user", "skills")
    assert status == 0
    assert "proposal dream/a: skills/a.md: try it (ann)" in said
    assert said.count("ann       skills/a.md: try it  [20261121-1540]") == 2
    assert "+Three." in volume(capsys, "diff", "user", "HEAD", "dream/a")[1]
    assert volume(capsys, "diff", "user") == (0, "")
    (volumes.folder(Tier.USER) / "skills/a.md").write_text("\x1b[2Jmine\n")
    assert "skills/a.md: edited by hand" in volume(capsys, "log", "user")[1]
    assert "\x1b" not in volume(capsys, "diff", "user")[1]
    status, said = volume(capsys, "rollback", "user", "HEAD~1", "skills/a.md", "--json")
    assert volumes.log(Tier.USER)[0].id == json.loads(said)["commit"]
    assert volumes.read(Tier.USER, "skills/a.md").text == "One."
    status, said = volume(capsys, "merge", "user", "dream/a")
    assert (status, "both changed skills/a.md" in said) == (1, True)


def test_syncing(volumes: Volumes, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """What came and went is counted."""
    subprocess.run(["git", "init", "-q", "--bare", str(tmp_path / "remote")], check=True)
    status, said = volume(capsys, "sync", "user", "--remote", str(tmp_path / "remote"))
    assert (status, said[: said.index(";")]) == (0, "user: 0 commits received, 3 sent")
    assert json.loads(volume(capsys, "sync", "user", "--json")[1])["sent"] == 0


def test_auditing(capsys: pytest.CaptureFixture[str]) -> None:
    """A skill that ships passes; the six categories are told."""
    status, said = volume(capsys, "audit", "square", "--json")
    assert (status, json.loads(said)["passed"], len(json.loads(said)["scores"])) == (0, True, 6)


WRONG = [
    (["show", "user", "../x.md"], 1, "leaves its volume"),
    (["show", "user", "skills/none.md"], 1, "has no file 'skills/none.md'"),
    (["log", "nobody"], 2, "is not one of"),
    (["diff", "user", "zzzz"], 1, "no commit is called 'zzzz'"),
    (["diff", "team"], 1, "has no history yet"),
    (["rollback", "user", "zzzz"], 1, "no commit is called"),
    (["merge", "user", "none"], 1, "no proposal is called 'none': there are dream/a"),
    (["sync", "team"], 1, "no remote yet"),
    (["sync", "system"], 2, "is not one of"),
    (["audit", "none"], 1, "skills: none is called 'none'"),
    (["promote", "none", "--to", "user"], 2, "is not one of"),
]


def test_wrong_usage_is_told_in_a_line(volumes: Volumes, capsys: pytest.CaptureFixture[str]) -> None:
    """1 for what fails, 2 for what is wrongly written; no traceback."""
    for words, status, message in WRONG:
        found, said = volume(capsys, *words)
        assert (found, message in said) == (status, True), said
        assert status == 2 or said.count("\n") == 1
