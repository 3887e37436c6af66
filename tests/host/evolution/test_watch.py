"""The watch: what gets worse after its promotion comes down by itself, and what does not stays."""

import random
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from llmos.evolution import ledger
from llmos.evolution.promotion import OwnTest, promote
from llmos.evolution.rules import load_evolution
from llmos.evolution.watch import ReleaseError, Verdict, quarantined, release, watched
from llmos.memory import Memory
from llmos.resources import system_volume
from llmos.skills import read_shelf
from llmos.volumes import Change, Tier, Volumes, version_of

PATH = "skills/square.md"
SHIPPED = (system_volume() / PATH).read_text(encoding="utf-8")
GOOD = SHIPPED.replace("45mm/s", "44mm/s")
POISONED = GOOD.replace("TURN    90deg", "TURN    70deg")
ANN, EVE = Change("ann", "it works well"), Change("eve", "a small change")


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    """An empty memory."""
    with Memory(tmp_path / "memory.sqlite") as opened:
        yield opened


@pytest.fixture
def volumes(state_folder: Path, memory: Memory) -> Volumes:
    """A team's volume with a skill that was promoted after 20 good uses, and nothing of it elsewhere."""
    made = Volumes()
    made.write(Tier.USER, PATH, GOOD, ANN)
    for _ in range(20):
        memory.end(
            memory.begin("square", kind="skill", skill="square", version=version_of(GOOD)), "success", ""
        )
    promote(made, memory, "skill", "square", "team", ANN, tests=lambda *_: [OwnTest("one")])
    made.write_all(Tier.USER, {PATH: None}, ANN)
    return made


def use(volumes: Volumes, memory: Memory, good: bool) -> Verdict:
    """One use of the version that counts now."""
    version = volumes.find("skills", "square").version
    trace = memory.begin("square", kind="skill", skill="square", version=version)
    memory.end(trace, "success" if good else "failure", "")
    return watched(volumes, memory, "skill", "square")


def test_a_poisoned_version_is_rolled_back(volumes: Volumes, memory: Memory) -> None:
    """A file changed by hand after its promotion is on probation, and gone after three failures."""
    volumes.write(Tier.TEAM, PATH, POISONED, EVE)
    verdicts = [use(volumes, memory, False) for _ in range(3)]
    assert [one.status for one in verdicts] == ["probation"] * 2 + ["quarantined"]
    assert volumes.read(Tier.TEAM, PATH).source == GOOD
    newest = volumes.log(Tier.TEAM, PATH)[0]
    assert newest.author == "watch"
    assert "0 of 3 uses went well" in newest.subject
    assert quarantined()[version_of(POISONED)].name == "square"
    assert "taken back from the team volume" in verdicts[-1].line
    assert not "".join(one.line for one in verdicts[:-1])


def test_a_promoted_version_that_gets_worse_is_rolled_back(volumes: Volumes, memory: Memory) -> None:
    """Twenty good uses later it fails: taken back after as many uses as stated, with nothing in its place."""
    assert {use(volumes, memory, True).status for _ in range(20)} == {"watched"}
    within = next(number for number in range(1, 20) if use(volumes, memory, False).status == "quarantined")
    assert within == 7  # 86 % were proved by 20 of 20
    assert not (volumes.folder(Tier.TEAM) / PATH).exists()
    assert version_of(SHIPPED) == volumes.find("skills", "square").version


def test_the_version_before_comes_back(volumes: Volumes, memory: Memory) -> None:
    """Of a second promotion that got worse the first is what is restored."""
    better = GOOD.replace("44mm/s", "43mm/s")
    volumes.write(Tier.USER, PATH, better, ANN)
    for _ in range(20):
        memory.end(
            memory.begin("square", kind="skill", skill="square", version=version_of(better)), "success", ""
        )
    promote(volumes, memory, "skill", "square", "team", ANN, tests=lambda *_: [OwnTest("one")])
    volumes.write_all(Tier.USER, {PATH: None}, ANN)
    while use(volumes, memory, False).status != "quarantined":
        pass
    assert volumes.read(Tier.TEAM, PATH).source == GOOD


def test_what_is_as_good_stays(volumes: Volumes, memory: Memory) -> None:
    """Eighty uses of which 95 % go well, and it is still there."""
    rng = random.Random(1)
    assert {use(volumes, memory, rng.random() < 0.95).status for _ in range(80)} == {"watched"}


def test_a_good_version_by_hand_settles(volumes: Volumes, memory: Memory) -> None:
    """After its probation a version that nobody promoted is watched as others are."""
    volumes.write(Tier.TEAM, PATH, POISONED, EVE)
    found = [use(volumes, memory, True).status for _ in range(load_evolution().probation_uses)]
    assert found == ["probation"] * (len(found) - 1) + ["watched"]
    assert [use(volumes, memory, False).status for _ in range(5)] == ["watched"] * 5


def test_a_poisoned_version_that_a_sync_brought(volumes: Volumes, memory: Memory, tmp_path: Path) -> None:
    """A colleague's bad change is taken back here, and the next sync tells the others."""
    remote = tmp_path / "remote.git"
    subprocess.run(["git", "init", "--quiet", "--bare", str(remote)], check=True)
    volumes.sync(Tier.TEAM, str(remote))
    others = Volumes(tmp_path / "other" / "volumes")
    others.sync(Tier.TEAM, str(remote))
    others.write(Tier.TEAM, PATH, POISONED, EVE)
    others.sync(Tier.TEAM)
    volumes.sync(Tier.TEAM)
    assert volumes.read(Tier.TEAM, PATH).source == POISONED
    assert [use(volumes, memory, False).status for _ in range(3)][-1] == "quarantined"
    volumes.sync(Tier.TEAM)
    others.sync(Tier.TEAM)
    assert others.read(Tier.TEAM, PATH).source == GOOD


def test_the_system_volume_is_watched_too(volumes: Volumes, memory: Memory) -> None:
    """What was promoted above the system's comes down to what shipped."""
    for _ in range(30):
        use(volumes, memory, True)
    promote(volumes, memory, "skill", "square", "system", ANN, True, lambda *_: [OwnTest("one")])
    volumes.write_all(Tier.TEAM, {PATH: None}, ANN)
    while use(volumes, memory, False).status != "quarantined":
        pass
    assert volumes.read(Tier.SYSTEM, PATH).source == SHIPPED


def test_nobody_offers_a_quarantined_version(volumes: Volumes, memory: Memory) -> None:
    """Not from another volume either, until a person releases it; then its uses count anew."""
    volumes.write(Tier.TEAM, PATH, POISONED, EVE)
    for _ in range(3):
        use(volumes, memory, False)
    volumes.write(Tier.USER, PATH, POISONED, EVE)
    assert read_shelf(volumes).skills["square"].version == version_of(GOOD)
    assert watched(volumes, memory, "skill", "square").status == "watched"  # the one that is offered
    release("skill", "square", "ann", "the wheels were loose")
    assert read_shelf(volumes).skills["square"].version == version_of(POISONED)
    volumes.write_all(Tier.USER, {PATH: None}, ANN)
    volumes.write(Tier.TEAM, PATH, POISONED, ANN)
    assert [use(volumes, memory, False).status for _ in range(3)][-1] == "quarantined"


def test_release_says_what_there_is(volumes: Volumes) -> None:
    """Nothing else is released."""
    with pytest.raises(ReleaseError, match="'square' is not quarantined; nothing is"):
        release("skill", "square", "ann", "why not")


def test_nobody_watches_what_is_ones_own(state_folder: Path, memory: Memory) -> None:
    """A skill of the user's volume, one that ships, and one that is not there may fail as they like."""
    volumes = Volumes()
    assert {use(volumes, memory, False).status for _ in range(12)} == {"unwatched"}
    volumes.write(Tier.USER, PATH, GOOD, ANN)
    assert {use(volumes, memory, False).status for _ in range(12)} == {"unwatched"}
    assert watched(volumes, memory, "skill", "nothing").status == "unwatched"


def test_a_torn_line_costs_nothing_else(volumes: Volumes) -> None:
    """A ledger that a kill cut off keeps what was before, and what comes after."""
    before = ledger.events()
    with ledger.ledger_path().open("a") as file:
        file.write('{"what": "quaran')
    event = before[0].model_copy(update={"what": "quarantined"})
    ledger.add(event)
    assert ledger.events() == [*before, event]


def test_without_the_ledger_a_promoted_version_is_on_probation(volumes: Volumes, memory: Memory) -> None:
    """As after a kill between commit and ledger: less sure, not less watched."""
    ledger.ledger_path().unlink()
    for trace in memory.traces():
        memory.forget(trace.id, "another robot's")
    assert use(volumes, memory, True).status in ("probation", "watched")


def test_line_ends_make_no_other_version(volumes: Volumes, memory: Memory) -> None:
    """What an editor changes unseen: uses count, and a quarantine holds, whatever lines end by."""
    file = volumes.folder(Tier.TEAM) / PATH
    volumes.write(Tier.TEAM, PATH, POISONED, EVE)
    file.write_bytes(b"\xef\xbb\xbf" + POISONED.replace("\n", "\r\n").encode())
    entry = volumes.find("skills", "square")
    assert entry.version == read_shelf(volumes).skills["square"].version == version_of(POISONED)
    assert [use(volumes, memory, False).status for _ in range(3)][-1] == "quarantined"
    file.write_bytes(POISONED.replace("\n", "\r\n").encode())
    assert read_shelf(volumes).skills["square"].version != version_of(POISONED)
