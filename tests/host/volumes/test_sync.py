"""A volume exchanged with a git remote: joined, ahead, behind, diverged, gone, and hostile."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from llmos.document import LARGEST
from llmos.volumes import Change, Diverged, PathEscape, RemoteGone, Tier, VolumeError, Volumes

TEAM = Tier.TEAM
ANN, BOB = Change("ann", "try it"), Change("bob", "mend it")
Remote = Callable[..., str]


@pytest.fixture
def remote(tmp_path: Path) -> str:
    """An empty git repository elsewhere."""
    git(tmp_path, "init", "-q", "--bare", "remote.git")
    return str(tmp_path / "remote.git")


@pytest.fixture
def ann(tmp_path: Path) -> Volumes:
    """The volumes of one person."""
    return Volumes(tmp_path / "ann")


@pytest.fixture
def bob(tmp_path: Path) -> Volumes:
    """The volumes of another."""
    return Volumes(tmp_path / "bob")


def git(folder: Path, *words: str, text: str | None = None) -> str:
    """Run git's own program."""
    who = {
        "GIT_AUTHOR_NAME": "x",
        "GIT_AUTHOR_EMAIL": "x@x",
        "GIT_COMMITTER_NAME": "x",
        "GIT_COMMITTER_EMAIL": "x@x",
    }
    run = subprocess.run(
        ["git", "-C", str(folder), *words],
        check=True,
        capture_output=True,
        text=True,
        input=text,
        env={**os.environ, **who},
    )
    return run.stdout.strip()


def files(volumes: Volumes) -> dict[str, str]:
    """What a team volume holds, beside what it says of itself."""
    found = {entry.path: entry.document().text for entry in volumes.tier_entries(TEAM)}
    return {path: text for path, text in found.items() if path != "README.md"}


def test_two_people_share_a_volume(ann: Volumes, bob: Volumes, remote: str) -> None:
    """One brings it, the other joins; ahead, behind and apart on different files, both end with the same."""
    ann.write(TEAM, "skills/a.md", "one\n", ANN)
    done = ann.sync(TEAM, remote)
    assert (done.received, done.sent, done.branch, done.remote) == (0, 2, "main", remote)
    bob.sync(TEAM, remote)
    assert files(bob) == {"skills/a.md": "one"}
    bob.write(TEAM, "skills/b.md", "bob's\n", BOB)
    assert bob.sync(TEAM)[2:4] == (0, 1)
    ann.write_all(TEAM, {"skills/c.md": "ann's\n", "skills/a.md": None}, ANN)
    assert ann.sync(TEAM)[2:4] == (1, 2)
    assert bob.sync(TEAM)[2:4] == (2, 0)
    assert files(ann) == files(bob) == {"skills/b.md": "bob's", "skills/c.md": "ann's"}
    assert ann.log(TEAM)[0].id == bob.log(TEAM)[0].id == git(Path(remote), "rev-parse", "main")
    for volumes in (ann, bob):
        assert git(volumes.folder(TEAM), "status", "--porcelain") == ""
        assert git(volumes.folder(TEAM), "fsck", "--strict", "--no-dangling") == ""
    assert bob.sync(TEAM)[2:4] == (0, 0)


def test_one_who_joins_keeps_his_own(ann: Volumes, bob: Volumes, remote: str) -> None:
    """Volumes that began apart become one; what each brought is there, edits by hand included."""
    ann.write(TEAM, "README.md", "Ours.\n", ANN)
    ann.sync(TEAM, remote)
    bob.write(TEAM, "skills/b.md", "bob's\n", BOB)
    (bob.folder(TEAM) / "skills" / "hand.md").write_text("by hand\n")
    bob.sync(TEAM, remote)
    ann.sync(TEAM)
    assert files(ann) == files(bob) == {"skills/b.md": "bob's", "skills/hand.md": "by hand"}
    assert bob.read(TEAM, "README.md").text == "Ours."


def test_the_same_file_changed_twice_is_refused(ann: Volumes, bob: Volumes, remote: str) -> None:
    """Nothing changes here or there; theirs is on a branch, and after a merge by hand all goes on."""
    ann.write(TEAM, "skills/a.md", "one\n", ANN)
    ann.sync(TEAM, remote)
    bob.sync(TEAM, remote)
    ann.write(TEAM, "skills/a.md", "ann's\n", ANN)
    bob.write(TEAM, "skills/a.md", "bob's\n", BOB)
    bob.write(TEAM, "skills/b.md", "bob's\n", BOB)
    bob.sync(TEAM)
    before = ann.log(TEAM)
    with pytest.raises(
        Diverged, match=r"remote \(origin/main\) and this volume both changed skills/a\.md; neither"
    ):
        ann.sync(TEAM)
    assert ann.log(TEAM) == before
    assert files(ann) == {"skills/a.md": "ann's"}
    assert "+bob's" in ann.diff(TEAM, "HEAD", "origin/main")
    folder = ann.folder(TEAM)
    git(folder, "merge", "-q", "-X", "ours", "-m", "mine", "origin/main")
    ann.sync(TEAM)
    bob.sync(TEAM)
    assert files(ann) == files(bob) == {"skills/a.md": "ann's", "skills/b.md": "bob's"}


def test_a_remote_that_is_gone(ann: Volumes, remote: str, tmp_path: Path) -> None:
    """It is told in one line, without a password; the one that was kept stays."""
    with pytest.raises(VolumeError, match="no remote yet: name one with --remote"):
        ann.sync(TEAM)
    ann.write(TEAM, "skills/a.md", "one\n", ANN)
    ann.sync(TEAM, remote)
    for url in (str(tmp_path / "nowhere"), "http://ann:secret@127.0.0.1:9/x.git"):
        with pytest.raises(RemoteGone, match="cannot be used") as told:
            ann.sync(TEAM, url)
        assert "secret" not in str(told.value)
        assert str(told.value).isprintable()
    for url in ("", "-x", "--upload-pack=touch x", "ext::sh -c 'touch x'", "a\nb"):
        with pytest.raises(VolumeError, match="is no remote"):
            ann.sync(TEAM, url)
    ann.sync(TEAM)
    Path(remote).rename(tmp_path / "moved.git")
    with pytest.raises(RemoteGone):
        ann.sync(TEAM)
    assert files(ann) == {"skills/a.md": "one"}


def test_a_remote_of_another_branch_and_with_other_files(ann: Volumes, tmp_path: Path) -> None:
    """Its own branch is used; files that are no markdown travel with it and stay."""
    git(tmp_path, "init", "-q", "-b", "trunk", "work")
    (tmp_path / "work" / "LICENSE").write_text("free\n")
    (tmp_path / "work" / "run.sh").write_text("#!/bin/sh\n")
    (tmp_path / "work" / "run.sh").chmod(0o755)
    git(tmp_path / "work", "add", ".")
    git(tmp_path / "work", "commit", "-q", "-m", "begin")
    git(tmp_path, "clone", "-q", "--bare", "work", "remote.git")
    ann.write(TEAM, "skills/a.md", "one\n", ANN)
    done = ann.sync(TEAM, str(tmp_path / "remote.git"))
    assert done.branch == "trunk"
    assert (ann.folder(TEAM) / "LICENSE").read_text() == "free\n"
    assert os.access(ann.folder(TEAM) / "run.sh", os.X_OK)
    listed = git(tmp_path / "remote.git", "ls-tree", "-r", "--name-only", "trunk").split()
    assert listed == ["LICENSE", "README.md", "run.sh", "skills/a.md"]
    assert git(ann.folder(TEAM), "status", "--porcelain") == ""
    ann.rollback(TEAM, "HEAD^1", ANN)
    assert not (ann.folder(TEAM) / "LICENSE").exists()
    ann.rollback(TEAM, "HEAD~1", ANN)
    assert (ann.folder(TEAM) / "LICENSE").read_text() == "free\n"


def tree(folder: Path, rows: list[tuple[str, str]]) -> str:
    """Write a tree with what no `git add` would put there: (mode, name) of the same small file."""
    blob = git(folder, "hash-object", "-w", "--stdin", text="/etc/passwd")
    git(folder, "update-index", "--add", "--cacheinfo", f"100644,{blob},good.md")
    inner = git(folder, "mktree", text=f"100644 blob {blob}\tx.md\n")
    lines = "".join(
        f"{mode} {'tree' if mode == '040000' else 'commit' if mode == '160000' else 'blob'} "
        f"{inner if mode == '040000' else '1' * 40 if mode == '160000' else blob}\t{name}\n"
        for mode, name in rows
    )
    return git(folder, "mktree", "--missing", text=lines)


HOSTILE = {
    "link": [("120000", "evil.md")],
    "link of a folder": [("120000", "skills")],
    "another repository": [("160000", "module")],
    "attributes": [("100644", ".gitattributes")],
    "dot dot": [("040000", "..")],
    "git": [("040000", ".git")],
    "git by another name": [("040000", ".GIT")],
    "control character": [("100644", "a\x1b.md")],
}


@pytest.mark.parametrize("case", HOSTILE)
def test_what_no_volume_may_hold_is_refused(ann: Volumes, remote: str, case: str) -> None:
    """Nothing of such a state is taken, and the volume goes on."""
    ann.write(TEAM, "skills/a.md", "one\n", ANN)
    commit = git(Path(remote), "commit-tree", "-m", "evil", tree(Path(remote), HOSTILE[case]))
    git(Path(remote), "update-ref", "refs/heads/main", commit)
    before = ann.log(TEAM)
    with pytest.raises((PathEscape, RemoteGone)):  # git's own check of what it fetches refuses some
        ann.sync(TEAM, remote)
    assert ann.log(TEAM) == before
    assert sorted(path.name for path in ann.folder(TEAM).iterdir()) == [".git", "README.md", "skills"]
    ann.write(TEAM, "skills/a.md", "two\n", ANN)


def test_a_file_that_no_document_is_as_long_as_is_refused(ann: Volumes, remote: str) -> None:
    """Before anything is taken: what is too long here would stop every later write."""
    ann.write(TEAM, "skills/a.md", "one\n", ANN)
    blob = git(Path(remote), "hash-object", "-w", "--stdin", text="x" * (LARGEST + 1))
    tree_id = git(Path(remote), "mktree", text=f"100644 blob {blob}\tlong.md\n")
    commit = git(Path(remote), "commit-tree", "-m", "long", tree_id)
    git(Path(remote), "update-ref", "refs/heads/main", commit)
    before = ann.log(TEAM)
    with pytest.raises(VolumeError, match=r"long\.md of the remote is longer .* nothing was taken"):
        ann.sync(TEAM, remote)
    assert ann.log(TEAM) == before
    ann.write(TEAM, "skills/a.md", "two\n", ANN)
