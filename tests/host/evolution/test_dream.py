"""A dream on the real board: a skill that falls short is mended, on a branch, with its evidence."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from tests.own_rules import own_rules

from llmos.cli import cli
from llmos.document import next_version
from llmos.evolution.dream import Dream, Plan, Sleeper
from llmos.evolution.journal import Dreamed, DreamError, Journal, dreams
from llmos.evolution.rollouts import rollouts
from llmos.evolution.story import page, story, text
from llmos.memory import Memory
from llmos.skills import Skill, find_skill
from llmos.volumes import Change, Tier, Volumes

ANN = Change("ann", "a skill of mine")
PATH = "skills/step.md"
STEP = """---
name: step
type: physical
description: Drive one step ahead, of three to eight centimetres.
version: "1.0"
tests:
  - check: {ahead_mm: [28, 82]}
---
```lasm
.const far 2cm                  ; 1cm..8cm: how far

        GUARD   g0, front < 18cm
        MOVE    far, 40mm/s
        END
```
"""
RULES = {"training": 2, "held_out": 8, "offers": 1, "generations": 4, "population": 4}


@pytest.fixture
def memory(state_folder: Path) -> Iterator[Memory]:
    """An empty memory."""
    state_folder.mkdir(exist_ok=True)
    with Memory() as opened:
        yield opened


@pytest.fixture
def volumes(state_folder: Path) -> Volumes:
    """A user's volume with a skill that falls short, and rules for a short night."""
    own_rules("evolution", **RULES)
    made = Volumes()
    made.write(Tier.USER, PATH, STEP, ANN)
    return made


def use(memory: Memory, skill: Skill, good: bool = False, seed: int = 0) -> None:
    """A use that is remembered."""
    trace = memory.begin("step", kind="skill", skill=skill.name, version=skill.version)
    data = {"arena": "empty", "seed": seed, "values": {}, "faults": [] if good else ["ahead_mm 10"]}
    memory.end(trace, "success" if good else "failure", "", data=data)


def dreamt(volumes: Volumes, memory: Memory, **plan: object) -> list[Dream]:
    """Dream in this process, by chance alone."""
    with rollouts() as pool:
        return Sleeper(volumes, memory, pool, Plan(**plan)).dream()  # type: ignore[arg-type]


def test_a_skill_that_fails_is_mended_on_a_branch(volumes: Volumes, memory: Memory) -> None:
    """The proposal holds version, ancestor, history and evidence; nothing is merged; the story tells it."""
    skill = find_skill("step", volumes)
    for seed in (3, 3, 5):
        use(memory, skill, seed=seed)
    (night,) = dreamt(volumes, memory)
    verdict = night.verdict
    assert verdict is not None
    assert (night.outcome, night.replayed) == ("proposed", (2, 2))
    assert (verdict.before, verdict.after, verdict.mended, verdict.p) == (0.0, 1.0, 8, 2 / 2**8)
    assert volumes.read(Tier.USER, PATH).source == STEP
    proposal = volumes.branches(Tier.USER)[night.branch]
    assert (proposal.author, proposal.run, proposal.paths) == ("dream", night.journal.stamp, (PATH,))
    assert "0% -> 100% of 8 held-out runs (8 mended, 0 broken), p 0.008" in proposal.subject
    volumes.merge(Tier.USER, night.branch, ANN)
    mended = find_skill("step", volumes)
    assert mended.front.version == "1.1"
    assert mended.document.values["evolved_from"] == f"step@{skill.version}"
    assert "- 1.1 (2" in mended.document.source.partition("# Evolution history\n\n")[2]
    assert 3 <= mended.parameters[0].default <= 8
    changed = (
        [line for line in night.winner.variant.diff(skill) if line.startswith("+")] if night.winner else []
    )
    assert len(changed) == 1, "what mends nothing is taken back"
    told = story(volumes, "step")
    assert f"proposed as {night.branch}" in text(told)
    assert f"dream     {PATH}: 0% -> 100%" in text(told)
    assert page(told).count("<svg") == 2


def test_the_journal_keeps_what_was_tried_and_refused(volumes: Volumes, memory: Memory) -> None:
    """Every variant with its parents, every refusal, every verdict; the same seed dreams the same."""
    (night,) = dreamt(volumes, memory, skills=("step",), seed=2, generations=1)
    kept = dreams("step")[0]
    assert night.bred is not None
    assert [one["id"] for one in kept.all("variant")] == [one.variant.id for one in night.bred.rated]
    known = {one["id"] for one in kept.all("variant")}
    assert all(set(one["parents"]) <= known for one in kept.all("variant"))
    assert kept.one("refused")["reasons"] == night.bred.refusals
    assert [one["id"] for one in kept.all("offered")] == list(night.verdicts)
    begin = kept.one("begin")
    assert (len(begin["training"]), len(begin["held_out"])) == (RULES["training"], RULES["held_out"])
    assert not set(begin["training"]) & set(begin["held_out"])
    kept.path.unlink()  # or it would be the second dream, which has other seeds
    again = dreamt(volumes, memory, skills=("step",), seed=2, generations=1)[0].bred
    assert again is not None
    assert [one.fitness for one in again.rated] == [one.fitness for one in night.bred.rated]
    assert [one.variant.id for one in again.rated] == [one.variant.id for one in night.bred.rated]


def test_who_dreams_of_what(volumes: Volumes, memory: Memory, state_folder: Path) -> None:
    """Of skills that failed often enough in this very version; of those that do well nothing is bred."""
    skill = find_skill("step", volumes)
    for _ in range(2):
        use(memory, skill)
    use(memory, skill, good=True)
    assert dreamt(volumes, memory) == []
    own_rules("evolution", **RULES, failures=2, stop=0.0)
    assert [night.outcome for night in dreamt(volumes, memory)] == ["well"]
    volumes.write(Tier.USER, PATH, STEP.replace("2cm  ", "1cm  "), ANN)
    assert dreamt(volumes, memory) == []
    volumes.write(Tier.USER, PATH, STEP.replace("tests:\n  - check: {ahead_mm: [28, 82]}\n", ""), ANN)
    assert [night.outcome for night in dreamt(volumes, memory, skills=("step",))] == ["untested"]
    with pytest.raises(DreamError, match="skill 'stepp': no physical skill is called so"):
        dreamt(volumes, memory, skills=("stepp",))


def test_what_is_not_better_enough_is_refused_and_told(
    volumes: Volumes, memory: Memory, state_folder: Path
) -> None:
    """Held-out runs too few for the level: no branch, and the story says why."""
    own_rules("evolution", **{**RULES, "held_out": 4})
    (night,) = dreamt(volumes, memory, skills=("step",))
    assert (night.outcome, night.branch, volumes.branches(Tier.USER)) == ("refused", "", {})
    assert "p is 0.12 over all that were offered, it must be below 0.01" in text(story(volumes))


def test_the_commands(volumes: Volumes, tmp_path: Path) -> None:
    """`llmos dream --apply` merges; `llmos evolution log` tells it, as text, page and JSON."""
    run = CliRunner().invoke
    command = ["dream", "--skill", "step", "--dev-model", "none", "--apply", "--json"]
    told = run(cli, command)
    (night,) = json.loads(told.stdout)["dreams"]
    assert (told.exit_code, night["outcome"]) == (0, "merged")
    assert any(line.startswith("+.const far") for line in night["diff"])
    assert find_skill("step", volumes).front.version == "1.1"
    assert volumes.branches(Tier.USER) == {}
    log = run(cli, ["evolution", "log", "step", "--html", str(tmp_path / "story.html")])
    assert "begot: " in log.stdout
    assert (tmp_path / "story.html").read_text().startswith("<!DOCTYPE html>")
    facts = json.loads(run(cli, ["evolution", "log", "step", "--json"]).stdout)
    assert [one["skill"] for one in facts["dreams"]] == ["step"]
    assert {one["author"] for one in facts["commits"]} == {"ann", "dream"}
    assert "nothing has evolved yet" in run(cli, ["evolution", "log", "square"]).stdout


def test_a_journal_that_was_cut_off_can_be_read(state_folder: Path) -> None:
    """What was written whole is there; two dreams of one second have files of their own."""
    journal, other = Journal("step"), Journal("step")
    assert journal.path != other.path
    journal.add("begin", skill="step")
    with journal.path.open("a") as file:
        file.write('{"event": "varia')
    assert [one["event"] for one in Dreamed(journal.path).events] == ["begin"]
    assert [one.path for one in dreams("step")] == [journal.path, other.path]


@pytest.mark.parametrize(
    ("old", "new"), [("1", "2"), ("1.0.9", "1.0.10"), ("2.3 beta", "2.4 beta"), ("draft", "draft.1")]
)
def test_versions_go_on(old: str, new: str) -> None:
    """The last number is one more."""
    assert next_version(old) == new


def test_a_page_takes_the_place_of_a_page_only(tmp_path: Path) -> None:
    """Not of another file, and of nothing that is git's."""
    config, notes, story_file = tmp_path / ".git" / "config", tmp_path / "notes.txt", tmp_path / "story.html"
    config.parent.mkdir()
    notes.write_text("mine")
    for path, said in ((config, "is git's own"), (notes, "is there and is no page")):
        refused = CliRunner().invoke(cli, ["evolution", "log", "--html", str(path)])
        assert (refused.exit_code, said in refused.output.replace("\n", " ")) == (2, True)
    assert (config.exists(), notes.read_text()) == (False, "mine")
    for _ in range(2):
        assert CliRunner().invoke(cli, ["evolution", "log", "--html", str(story_file)]).exit_code == 0
