"""Writers beside each other, and writers that are killed: a sample of `tools/campaign_volumes.py`."""

import multiprocessing
import subprocess
import threading
from pathlib import Path

from tests.volume_kills import WRITES, campaign, write_some

from llmos.volumes import Change, Tier, VolumeError, Volumes

KILLS = 20
LONGEST_S = 0.1


def test_writers_beside_each_other_wait_for_each_other(tmp_path: Path) -> None:
    """Two processes and two threads: each change is one commit, complete, and none is lost."""
    spawn = multiprocessing.get_context("spawn")
    homes = [(tmp_path, name) for name in ("p0", "p1", "t0", "t1")]
    writers: list[multiprocessing.process.BaseProcess | threading.Thread] = []
    writers += [spawn.Process(target=write_some, args=each) for each in homes[:2]]
    writers += [threading.Thread(target=write_some, args=each) for each in homes[2:]]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    volumes = Volumes(tmp_path)
    log = volumes.log(Tier.USER)
    for name in ("p0", "p1", "t0", "t1"):
        mine = [commit for commit in log if commit.author == name]
        assert [commit.subject.split()[-1] for commit in mine] == [
            str(one) for one in reversed(range(WRITES))
        ]
        assert {commit.paths for commit in mine} == {tuple(sorted([f"skills/{name}.md", "skills/shared.md"]))}
        assert volumes.read(Tier.USER, f"skills/{name}.md").text == f"{name} {WRITES - 1}"
    status = ["git", "-C", str(volumes.folder(Tier.USER)), "status", "--porcelain"]
    assert subprocess.run(status, check=True, capture_output=True, text=True).stdout == ""


def test_one_of_two_merges_comes_second(tmp_path: Path) -> None:
    """Two proposals for the same file, merged at once: one is taken, the other refused by name, and stays."""
    change = Change("ann", "try it")
    volumes = Volumes(tmp_path)
    for name in ("a", "b"):
        volumes.branch(Tier.USER, f"p/{name}", {"skills/x.md": f"{name}\n"}, change)
    ends: dict[str, str] = {}

    def merge(name: str) -> None:
        try:
            Volumes(tmp_path).merge(Tier.USER, f"p/{name}", change)
            ends[name] = "merged"
        except VolumeError as error:
            ends[name] = type(error).__name__

    threads = [threading.Thread(target=merge, args=(name,)) for name in ("a", "b")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(ends.values()) == ["Diverged", "merged"]
    winner = next(name for name, end in ends.items() if end == "merged")
    assert volumes.read(Tier.USER, "skills/x.md").text == winner
    assert list(volumes.branches(Tier.USER)) == [f"p/{name}" for name in ends if name != winner]


def test_killed_writers_leave_the_old_or_the_new(tmp_path: Path) -> None:
    """After each kill: every object is sound, each acknowledged change is there, and the next one works."""
    assert len(list(campaign(tmp_path, KILLS, 20261121, LONGEST_S))) == KILLS
