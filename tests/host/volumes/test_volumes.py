"""Volumes: found by name, written as commits, edited by hand, and closed to paths that lead out."""

import os
import subprocess
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmos.resources import system_volume
from llmos.volumes import (
    AccessDenied,
    Change,
    Diverged,
    DocumentError,
    NoEntry,
    PathEscape,
    Tier,
    VolumeError,
    Volumes,
)
from llmos.volumes.paths import checked

USER, TEAM, SYSTEM = Tier.USER, Tier.TEAM, Tier.SYSTEM
ANN = Change("ann", "try it", run="20261121-1540")
PROMOTE = Change("promote", "it proved itself")
SKILL = "---\nname: a\ntype: physical\ndescription: Does a thing.\n---\nText.\n"


@pytest.fixture
def volumes(state_folder: Path) -> Volumes:
    """Fresh volumes in the test's own state folder."""
    return Volumes()


def git(volumes: Volumes, tier: Tier, *words: str) -> str:
    """What git's own program says of a volume."""
    command = ["git", "-C", str(volumes.folder(tier)), *words]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def by_hand(volumes: Volumes, tier: Tier, path: str, text: str) -> Path:
    """Save a file as an editor does."""
    file = volumes.folder(tier) / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


def test_a_write_is_a_commit_that_git_shows(volumes: Volumes) -> None:
    """Author, reason, run and agent stand in the commit; git finds nothing to add, and nothing broken."""
    by_hand(volumes, USER, "agents/helper.md", "---\nname: helper\nwrites: ['user:skills/*']\n---\n")
    first = volumes.write(USER, "skills/a.md", SKILL, ANN._replace(agent="helper"))
    assert git(volumes, USER, "log", "-1", "--format=%H|%an|%s|%(trailers:separator=%x2C)").strip() == (
        f"{first}|ann|skills/a.md: try it|Tier: user,Agent: helper,Run: 20261121-1540"
    )
    assert git(volumes, USER, "status", "--porcelain") == ""
    assert git(volumes, USER, "fsck", "--strict", "--no-dangling") == ""
    newest = volumes.log(USER)[0]
    assert (newest.id, newest.author, newest.run, newest.agent, newest.paths) == (
        first,
        "ann",
        "20261121-1540",
        "helper",
        ("skills/a.md",),
    )
    assert volumes.write(USER, "skills/a.md", SKILL, ANN) == first  # nothing new, no commit


def test_a_new_volume_begins_with_what_it_is_for(volumes: Volumes) -> None:
    """The first change makes the repository; README says what it is for, and stays away once removed."""
    assert volumes.log(USER) == []
    volumes.write(USER, "skills/a.md", SKILL, ANN)
    assert "User volume" in volumes.read(USER, "README.md").text
    volumes.write_all(USER, {"README.md": None}, ANN)
    volumes.write(USER, "skills/b.md", SKILL, ANN)
    assert [entry.path for entry in volumes.tier_entries(USER)] == ["skills/a.md", "skills/b.md"]


def test_the_users_comes_before_the_teams_before_the_systems(volumes: Volumes) -> None:
    """A name is found where it comes first; the others are told as shadowed."""
    assert volumes.find("kernel", "goal").tier is SYSTEM
    volumes.write(TEAM, "kernel/goal.md", SKILL, ANN)
    volumes.write(USER, "kernel/goal.md", SKILL, ANN)
    volumes.write(USER, "projects/garden/kernel/goal.md", SKILL, ANN)
    found = [entry for entry in volumes.entries("kernel", shadowed=True) if entry.name == "goal"]
    assert [(entry.tier, entry.shadowed) for entry in found] == [(USER, False), (TEAM, True), (SYSTEM, True)]
    assert volumes.find("kernel", "goal").tier is USER
    assert volumes.find("kernel", "goal", "garden").path == "projects/garden/kernel/goal.md"
    names = [entry.name for entry in volumes.entries("kernel", "garden")]
    assert len(names) == len(set(names))
    with pytest.raises(NoEntry, match=r"kernel: none is called 'confg'; there are config"):
        volumes.find("kernel", "confg")


def test_what_was_promoted_shadows_what_ships(volumes: Volumes) -> None:
    """The system volume is what ships, untouched, and above it what `promote` wrote."""
    before = (system_volume() / "kernel" / "config.md").read_bytes()
    volumes.write(USER, "skills/a.md", SKILL, ANN)
    volumes.copy(USER, "skills/a.md", SYSTEM, PROMOTE)
    entry = next(entry for entry in volumes.entries("skills", shadowed=True) if entry.tier is SYSTEM)
    assert entry.file == volumes.folder(SYSTEM) / "skills/a.md"
    assert volumes.read(SYSTEM, "kernel/config.md").values["name"] == "config"
    assert (system_volume() / "kernel" / "config.md").read_bytes() == before
    for change, path in ((ANN, "skills/b.md"), (PROMOTE, "kernel/config.md")):
        with pytest.raises(AccessDenied, match=f"{change.author} may not write system:{path}"):
            volumes.write(SYSTEM, path, SKILL, change)


def test_entries_tell_what_their_front_matter_says(volumes: Volumes) -> None:
    """Type and description are listed; of a broken file, why it cannot be read, with its line."""
    volumes.write(USER, "skills/a.md", SKILL, ANN)
    by_hand(volumes, USER, "skills/b.md", "---\nname: [\n---\n")
    by_hand(volumes, USER, "skills/c.txt", "no markdown")
    good, bad = (entry for entry in volumes.entries("skills") if entry.tier is USER)
    assert (good.name, good.type, good.description, good.problem) == ("a", "physical", "Does a thing.", "")
    assert (good.document().text, good.size, len(good.version)) == ("Text.", len(SKILL), 16)
    assert "skills/b.md:3: this is no YAML" in bad.problem
    with pytest.raises(DocumentError, match=r"b\.md:3"):
        bad.document()


def test_an_edit_by_hand_works_at_once_and_is_kept(volumes: Volumes) -> None:
    """It is listed by the next call, committed before the next change, and never lost."""
    volumes.write_all(USER, {"skills/a.md": SKILL, "skills/b.md": SKILL}, ANN)
    before = volumes.find("skills", "a").version
    file = by_hand(volumes, USER, "skills/a.md", SKILL.replace("Text", "Mine"))
    assert volumes.find("skills", "a").version != before
    by_hand(volumes, USER, "skills/new.md", SKILL)
    (volumes.folder(USER) / "skills/b.md").unlink()
    assert volumes.edited(USER) == ["skills/a.md", "skills/b.md", "skills/new.md"]
    volumes.write(USER, "skills/a.md", SKILL.replace("Text", "Program"), ANN)
    newest, hand, *_ = volumes.log(USER)
    assert (hand.author, hand.paths) == ("by hand", ("skills/a.md", "skills/b.md", "skills/new.md"))
    assert volumes.read_at(USER, "skills/a.md", hand.id).text == "Mine."
    assert file.read_text() == SKILL.replace("Text", "Program")
    assert newest.paths == ("skills/a.md",)
    assert git(volumes, USER, "status", "--porcelain") == ""


def test_what_a_person_puts_there_may_be_anything(volumes: Volumes) -> None:
    """Binary and huge files are listed with what is wrong, and keep no one from writing beside them."""
    volumes.write(USER, "skills/a.md", SKILL, ANN)
    folder = volumes.folder(USER) / "skills"
    (folder / "binary.md").write_bytes(b"\xff\xfe\0")
    (folder / "huge.md").write_bytes(b"x" * (2 << 20))
    (folder / "picture.png").write_bytes(b"\x89PNG")
    (folder / "odd\x07name.md").write_text(SKILL)
    problems = {entry.name: entry.problem for entry in volumes.entries("skills") if entry.tier is USER}
    assert list(problems) == ["a", "binary", "huge"]
    assert ("no UTF-8 text" in problems["binary"], "longer than" in problems["huge"]) == (True, True)
    volumes.write(USER, "skills/b.md", SKILL, ANN)
    assert volumes.log(USER)[1].paths == ("skills/binary.md",)
    assert (folder / "binary.md").read_bytes() == b"\xff\xfe\0"
    with pytest.raises(VolumeError, match=r"huge\.md is longer than"):
        volumes.write(USER, "skills/huge.md", SKILL, ANN)
    volumes.write(USER, "skills/binary.md", SKILL, ANN)
    assert volumes.find("skills", "binary").problem == ""


@pytest.mark.parametrize(
    ("kind", "project"), [("..", ""), ("skills", ".."), ("skills", "a/../.."), ("", ""), ("/", "")]
)
def test_kinds_and_projects_stay_in_the_volume(volumes: Volumes, kind: str, project: str) -> None:
    """Neither leads out of it."""
    with pytest.raises(PathEscape):
        volumes.entries(kind, project)


def test_a_save_of_the_same_size_in_the_same_moment_is_seen(volumes: Volumes) -> None:
    """A file that changes right after it was read, with the same size and time, is read again."""
    file = by_hand(volumes, USER, "skills/a.md", SKILL)
    version, seen = volumes.find("skills", "a").version, file.stat()
    file.write_text(SKILL.replace("Text", "Mine"))
    os.utime(file, ns=(seen.st_atime_ns, seen.st_mtime_ns))
    assert volumes.find("skills", "a").version != version


@pytest.mark.parametrize("damage", [b"", b"no cache", b"1 00\n[]", b'{"a": 1}', None])
def test_a_damaged_cache_is_made_again(volumes: Volumes, damage: bytes | None) -> None:
    """Listings are the same, whatever the cache holds."""
    file = by_hand(volumes, USER, "skills/a.md", SKILL)
    os.utime(file, (1_000_000_000, 1_000_000_000))
    expected = volumes.find("kernel", "config"), volumes.find("skills", "a")
    for cache in (volumes.home / ".state").glob("*.index"):
        cache.write_bytes(cache.read_bytes()[:-1] + b"!" if damage is None else damage)
    again = Volumes()
    assert (again.find("kernel", "config"), again.find("skills", "a")) == expected


WRONG_PATHS = [
    "../x.md", "a/../../x.md", "/etc/x.md", "a//x.md", "./x.md", "", ".git/x.md", "a/.git/hooks.md", ".x.md",
    "a\\..\\x.md", "a\nb.md", "a\0.md", "a\u202e.md", "x.txt", "x", "a.md/b.md", "x" * 200 + ".md",
]  # fmt: skip


@pytest.mark.parametrize("path", WRONG_PATHS)
def test_paths_that_are_none_of_a_volumes(volumes: Volumes, path: str) -> None:
    """Each is refused by name, for reading and for writing, and nothing is written."""
    with pytest.raises(PathEscape) as told:
        volumes.write_all(USER, {"good.md": "x", path: "x"}, ANN)
    assert str(told.value).isprintable()
    with pytest.raises(PathEscape):
        volumes.read(USER, path)
    with pytest.raises(PathEscape):
        volumes.branch(USER, "p/a", {path: "x"}, ANN)
    assert not volumes.folder(USER).exists()


@given(st.text(max_size=30).map(lambda text: f"{text}.md") | st.text(max_size=30))
def test_a_path_that_is_taken_stays_in_its_folder(path: str) -> None:
    """Whatever passes names a visible markdown file below the volume."""
    try:
        checked(path)
    except PathEscape:
        return
    place = os.path.normpath(f"/volume/{path}")
    assert place == f"/volume/{path}"
    assert "/." not in place


def test_links_are_not_followed(volumes: Volumes, tmp_path: Path) -> None:
    """A link in any component is refused for reading and writing, is not listed, and stays what it is."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.md").write_text("secret")
    volumes.write(USER, "skills/a.md", SKILL, ANN)
    folder = volumes.folder(USER)
    (folder / "linked").symlink_to(outside)
    (folder / "skills" / "link.md").symlink_to(outside / "secret.md")
    os.mkfifo(folder / "skills" / "pipe.md")
    for path in ("linked/secret.md", "linked/new.md", "skills/link.md", "skills/pipe.md", "skills/a.md/b.md"):
        with pytest.raises(PathEscape):
            volumes.write(USER, path, "x", ANN)
    for path in ("linked/secret.md", "skills/link.md", "skills/pipe.md"):
        with pytest.raises(PathEscape):
            volumes.read(USER, path)
    assert [entry.path for entry in volumes.tier_entries(USER)] == ["README.md", "skills/a.md"]
    assert volumes.entries("linked") == []
    assert sorted(path.name for path in outside.iterdir()) == ["secret.md"]
    assert "secret" not in git(volumes, USER, "log", "-p")


WRONG_TEXTS = {
    "broken YAML": ("---\na: [\n---\n", DocumentError, r"skills/a\.md:3: this is no YAML"),
    "zero byte": ("a\0b", DocumentError, "holds a zero byte"),
    "half a character": ("a\ud800", VolumeError, "half a character"),
    "too long": ("x" * 2_000_000, VolumeError, r"2000000 bytes, and 1000000 is the limit"),
}


@pytest.mark.parametrize("case", WRONG_TEXTS)
def test_texts_that_no_volume_holds(volumes: Volumes, case: str) -> None:
    """Each is refused by name, and no file of the change is written."""
    text, error, message = WRONG_TEXTS[case]
    with pytest.raises(error, match=message):
        volumes.write_all(USER, {"skills/good.md": SKILL, "skills/a.md": text}, ANN)
    assert not volumes.folder(USER).exists()


def test_the_longest_file_is_the_kernels_rule(volumes: Volumes, state_folder: Path) -> None:
    """`file_bytes` of config.md holds, also where a person changed it."""
    rules = (system_volume() / "kernel" / "config.md").read_text()
    by_hand(volumes, USER, "kernel/config.md", rules.replace("file_bytes: 1000000", "file_bytes: 50"))
    with pytest.raises(VolumeError, match="51 bytes, and 50 is the limit"):
        volumes.write(USER, "skills/a.md", "x" * 51, ANN)
    volumes.write(USER, "skills/a.md", "x" * 50, ANN)


def test_rolling_back_is_a_new_commit(volumes: Volumes) -> None:
    """A file, a folder or all is restored; what stood there since stays in the history."""
    first = volumes.write_all(USER, {"skills/a.md": "one\n", "agents/b.md": "one\n"}, ANN)
    volumes.write_all(USER, {"skills/a.md": "two\n", "agents/b.md": "two\n", "skills/c.md": "two\n"}, ANN)
    volumes.rollback(USER, first, ANN, "skills")
    assert {
        entry.path: entry.document().text for entry in volumes.tier_entries(USER) if "/" in entry.path
    } == {
        "agents/b.md": "two",
        "skills/a.md": "one",
    }
    volumes.rollback(USER, "HEAD~1", ANN)
    assert volumes.read(USER, "skills/c.md").text == "two"
    assert [len(volumes.log(USER, path)) for path in ("skills/a.md", "agents", None)] == [4, 2, 5]
    by_hand(volumes, USER, "skills/c.md", "by hand\n")
    volumes.rollback(USER, "HEAD", ANN)  # the newest commit, not the edit by hand
    assert volumes.read(USER, "skills/c.md").text == "two"
    assert volumes.log(USER)[1].author == "by hand"
    for to, path in (("zzzz", None), ("main@{yesterday}", None), (":/x", None), (first, "skills/none.md")):
        with pytest.raises(NoEntry):
            volumes.rollback(USER, to, ANN, path)


def test_differences(volumes: Volumes) -> None:
    """Between commits, and against the files as they are; of one path."""
    volumes.write(USER, "skills/a.md", "one\n", ANN)
    volumes.write_all(USER, {"skills/a.md": "two\n", "skills/b.md": "two\n"}, ANN)
    assert "-one\n+two\n" in volumes.diff(USER, "HEAD~1", "HEAD")
    assert "b.md" not in volumes.diff(USER, "HEAD~1", "HEAD", "skills/a.md")
    assert volumes.diff(USER) == ""
    by_hand(volumes, USER, "skills/new.md", "mine\n")
    assert "+mine\n" in volumes.diff(USER)


def test_a_proposal_waits_until_it_is_merged(volumes: Volumes) -> None:
    """It changes no file before; merging keeps what changed elsewhere, and says who did it."""
    volumes.write_all(USER, {"skills/a.md": "one\n", "skills/b.md": "one\n"}, ANN)
    volumes.branch(USER, "dream/a", {"skills/a.md": "dreamt\n", "skills/c.md": "dreamt\n"}, ANN)
    assert volumes.read(USER, "skills/a.md").text == "one"
    assert volumes.branches(USER)["dream/a"].paths == ("skills/a.md", "skills/c.md")
    assert "+dreamt" in volumes.diff(USER, "HEAD", "dream/a")
    with pytest.raises(VolumeError, match="is there already"):
        volumes.branch(USER, "dream/a", {"skills/a.md": "again\n"}, ANN)
    volumes.write(USER, "skills/b.md", "two\n", ANN)
    volumes.merge(USER, "dream/a", Change("ann", "took it over"))
    assert [volumes.read(USER, f"skills/{name}.md").text for name in "abc"] == ["dreamt", "two", "dreamt"]
    assert (volumes.branches(USER), volumes.log(USER)[0].author) == ({}, "ann")
    assert git(volumes, USER, "status", "--porcelain") == ""


def test_a_proposal_that_collides_is_kept(volumes: Volumes) -> None:
    """Where the volume changed the same file since, both stay; so does a name that is no branch's."""
    volumes.write(USER, "skills/a.md", "one\n", ANN)
    volumes.branch(USER, "dream/a", {"skills/a.md": "dreamt\n"}, ANN)
    by_hand(volumes, USER, "skills/a.md", "mine\n")
    with pytest.raises(Diverged, match=r"proposal dream/a and this volume both changed skills/a\.md"):
        volumes.merge(USER, "dream/a", ANN)
    assert volumes.read(USER, "skills/a.md").text == "mine"
    assert list(volumes.branches(USER)) == ["dream/a"]
    volumes.drop(USER, "dream/a")
    for name in ("main", "../x", "a..b", "-x", "a.lock", "a b", "", "x" * 200):
        with pytest.raises((VolumeError, NoEntry)):
            volumes.branch(USER, name, {"skills/b.md": "x\n"}, ANN)
        with pytest.raises(NoEntry):
            volumes.merge(USER, name, ANN)
    assert volumes.branches(USER) == {}


def test_a_person_in_the_middle_of_a_merge_is_not_disturbed(volumes: Volumes) -> None:
    """The program refuses to write, and says what to do."""
    volumes.write(USER, "skills/a.md", "one\n", ANN)
    git(volumes, USER, "checkout", "-q", "--detach")
    with pytest.raises(VolumeError, match="finish that with git"):
        volumes.write(USER, "skills/b.md", "two\n", ANN)
    git(volumes, USER, "checkout", "-q", "main")
    volumes.write(USER, "skills/b.md", "two\n", ANN)


def test_a_damaged_index_and_left_locks_do_no_harm(volumes: Volumes) -> None:
    """git's index is made again from the commit; a note of a change that did not happen is cleared away."""
    volumes.write(USER, "skills/a.md", "one\n", ANN)
    folder = volumes.folder(USER) / ".git"
    (folder / "index").write_bytes(b"DIRC damaged")
    (folder / "llmos" / "pending").write_text(
        f'["refs/heads/main", "{"0" * 40}", "{"1" * 40}", ["skills/a.md"]]'
    )
    for lock in ("index.lock", "HEAD.lock", "refs/heads/main.lock"):
        (folder / lock).write_bytes(b"")
    assert volumes.find("skills", "a").document().text == "one"
    volumes.write(USER, "skills/b.md", "two\n", ANN)
    assert git(volumes, USER, "status", "--porcelain") == ""
    assert git(volumes, USER, "fsck", "--strict", "--no-dangling") == ""


def test_git_at_work_is_waited_for(volumes: Volumes) -> None:
    """While a person's git holds its lock, a change waits, and does not take the lock away."""
    volumes.write(USER, "skills/a.md", "one\n", ANN)
    folder = volumes.folder(USER) / ".git"
    writer = threading.Thread(target=lambda: Volumes().write(USER, "skills/a.md", "two\n", ANN))
    for lock in (folder / "index.lock", folder / "refs/heads/main.lock"):
        lock.write_bytes(b"")
    writer.start()
    while not (folder / "llmos" / "pending").exists():
        assert writer.is_alive()
    for lock in (folder / "refs/heads/main.lock", folder / "index.lock"):
        assert lock.exists()
        lock.unlink()
    writer.join()
    assert volumes.read(USER, "skills/a.md").text == "two"
    assert git(volumes, USER, "status", "--porcelain") == ""


def test_a_repository_that_lost_an_object_is_told(volumes: Volumes) -> None:
    """Reading its history is an error of one line; its files still work."""
    commit = volumes.write(USER, "skills/a.md", "one\n", ANN)
    (volumes.folder(USER) / ".git" / "objects" / commit[:2] / commit[2:]).unlink()
    for refused in (lambda: volumes.log(USER), lambda: volumes.write(USER, "skills/b.md", "two\n", ANN)):
        with pytest.raises(VolumeError, match="is no git repository in order"):
            refused()
    assert volumes.find("skills", "a").document().text == "one"


def test_folders_that_are_no_repositories_are_told(volumes: Volumes) -> None:
    """A folder with a broken repository, or one that cannot be written, is an error of one line."""
    folder = volumes.folder(USER)
    (folder / ".git").mkdir(parents=True)
    with pytest.raises(VolumeError, match="is no git repository"):
        volumes.write(USER, "skills/a.md", "one\n", ANN)
