"""What a user sees of promotion, of the watch and of patterns."""

import json
from pathlib import Path

import pytest

from llmos.__main__ import main
from llmos.memory import Memory
from llmos.resources import system_volume
from llmos.volumes import Change, Tier, Volumes, version_of

ANN = Change("ann", "it works well")
LIGHT = (system_volume() / "skills" / "light.md").read_text(encoding="utf-8")
OWN = LIGHT.replace("description: ", "description: Ann's own. ", 1)


def said(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    """Run a command; return its status and all that it printed."""
    with pytest.raises(SystemExit) as end:
        main(list(words))
    printed = capsys.readouterr()
    return int(end.value.code or 0), printed.out + printed.err


def used(skill: str, version: str, count: int, goal: str = "light") -> None:
    """Good uses of a skill."""
    with Memory() as memory:
        for _ in range(count):
            trace = memory.begin(goal, kind="skill", skill=skill, version=version)
            memory.end(trace, "success", "", data={"values": {"side_cm": 40}})


@pytest.fixture
def shared(state_folder: Path, capsys: pytest.CaptureFixture[str]) -> Volumes:
    """A team's skill, promoted by command."""
    volumes = Volumes()
    volumes.write(Tier.USER, "skills/light.md", OWN, ANN)
    used("light", version_of(OWN), 14)
    status, text = said(capsys, "volume", "promote", "light", "--to", "team")
    assert status == 0
    assert text.startswith(f"skill light {version_of(OWN)} moved from user to team (commit ")
    volumes.write_all(Tier.USER, {"skills/light.md": None}, ANN)
    return volumes


def test_a_refusal_says_by_how_much(state_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One line, status 1, and nothing is written."""
    Volumes().write(Tier.USER, "skills/light.md", OWN, ANN)
    used("light", version_of(OWN), 5)
    status, text = said(capsys, "volume", "promote", "light", "--to", "team")
    assert (status, text.count("\n")) == (1, 1)
    assert text.endswith("80% are asked: 9 more successes without a failure are wanted\n")
    assert Volumes().log(Tier.TEAM) == []


def test_a_poisoned_skill_is_taken_back_by_its_uses(
    shared: Volumes, capsys: pytest.CaptureFixture[str]
) -> None:
    """Edited by hand in the team's volume: real runs fail, and the good version is back by itself."""
    file = shared.folder(Tier.TEAM) / "skills" / "light.md"
    file.write_text(OWN.replace("        END\n", "        FAIL 1\n"), encoding="utf-8")
    poisoned = version_of(file.read_text(encoding="utf-8"))
    texts = []
    while file.read_text(encoding="utf-8") != OWN:
        assert len(texts) < 4  # the stated number of uses
        texts.append(said(capsys, "skill", "run", "light")[1])
    assert "skill light got worse and was taken back from the team volume: 0 of 4 uses went well" in texts[-1]
    assert "got worse" not in "".join(texts[:-1])
    assert "quarantined: 0 of 4 uses went well" in said(capsys, "skill", "list")[1]
    assert "take " + poisoned in said(capsys, "volume", "log", "team", "skills/light.md")[1]
    assert said(capsys, "skill", "run", "light")[0] == 0
    released = json.loads(
        said(capsys, "volume", "release", "light", "--reason", "a loose cable", "--json")[1]
    )
    assert (released["what"], released["version"]) == ("released", poisoned)


def test_patterns_are_listed_and_proposed(state_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """First none, then one, then a branch that a person merges."""
    assert said(capsys, "evolution", "patterns") == (0, "nothing came back often enough, and well\n")
    used("square", "0" * 16, 3, "square side_cm=40")
    status, text = said(capsys, "evolution", "patterns", "--propose")
    rows = text.splitlines()
    assert status == 0
    assert rows[0].endswith("'square side_cm {}': 3 of 3 went well, by square side_cm=40; confidence 0.80")
    branch = rows[1].split()[1].removesuffix(":")
    assert rows[2] == f"llmos volume merge user {branch} takes it over"
    assert said(capsys, "volume", "merge", "user", branch)[0] == 0
    assert "square_40" in said(capsys, "skill", "list")[1]
    found = json.loads(said(capsys, "evolution", "patterns", "--json")[1])
    assert [one["values"] for one in found["patterns"]] == [[{"side_cm": 40}]]
