"""Volumes: a commit against git's own program, a listing against reading every file, and git libraries.

tools/bench_volumes.py            as `make bench` has it
tools/bench_volumes.py libraries  the comparison by which pygit2 was chosen
"""

import itertools
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchlib import Row, print_table, race

from llmos.volumes import Change, Tier, Volumes, read_document

COMMITTED, LISTED = 1_000, 10_000  # files
ROUNDS = 21
CHANGE = Change("bench", "measure a commit")
WHO = ("-c", "user.name=bench", "-c", "user.email=bench@localhost")


def text(number: int) -> str:
    """A file such as skills are."""
    head = f"name: skill{number}\ntype: physical\ndescription: Drives a square, number {number}.\n"
    values = "".join(f"  - {{name: value{one}, least: 0, most: {number + one}}}\n" for one in range(3))
    return f"---\n{head}parameters:\n{values}---\n" + "A line of text about what it does.\n" * 30


def filled(folder: Path, count: int) -> Path:
    """Put files into a folder's skills/, and return it."""
    (folder / "skills").mkdir(parents=True)
    for number in range(count):
        (folder / "skills" / f"s{number:05}.md").write_text(text(number))
    return folder


def repository(folder: Path, count: int) -> Path:
    """Make a git repository of files, and return it."""
    filled(folder, count)
    git(folder, "init", "-q")
    git(folder, "config", "gc.auto", "0")
    git(folder, "add", ".")
    git(folder, *WHO, "commit", "-q", "-m", "begin")
    return folder


def git(folder: Path, *words: str) -> None:
    """Run git's program in a folder."""
    subprocess.run(["git", "-C", str(folder), *words], check=True, capture_output=True)


def changing(folder: Path, commit: Callable[[str], Any]) -> Callable[[], None]:
    """Return what changes one file of a repository and commits it."""
    numbers = itertools.count(1)

    def change() -> None:
        path = f"skills/s{next(numbers) % 100:05}.md"
        (folder / path).write_text(text(next(numbers)))
        commit(path)

    return change


def by_git(folder: Path, fsync: str = "default") -> Callable[[], None]:
    """Commit by git's program, one process."""
    return changing(
        folder, lambda path: git(folder, "-c", f"core.fsync={fsync}", *WHO, "commit", "-qm", "x", "--", path)
    )


def by_dulwich(folder: Path) -> Callable[[], None]:
    """Commit by dulwich."""
    from dulwich.repo import Repo

    tree = Repo(str(folder)).get_worktree()

    def commit(path: str) -> None:
        tree.stage([path])
        tree.commit(message=b"x", committer=b"b <b@l>", author=b"b <b@l>")

    return changing(folder, commit)


def by_pygit2(folder: Path) -> Callable[[], None]:
    """Commit by pygit2, as its documentation does."""
    import pygit2

    repo, who = pygit2.Repository(str(folder)), pygit2.Signature("b", "b@l")

    def commit(path: str) -> None:
        repo.index.add(path)
        repo.index.write()
        repo.create_commit("HEAD", who, who, "x", repo.index.write_tree(), [repo.head.target])

    return changing(folder, commit)


def by_volumes(home: Path) -> Callable[[], None]:
    """Commit as the program does: checked, locked, crash-safe, on the disk."""
    volumes, numbers = Volumes(home, 10**6), itertools.count(1)
    filled(volumes.folder(Tier.USER), COMMITTED)
    volumes.write(Tier.USER, "skills/first.md", "first\n", CHANGE)

    def change() -> None:
        path = f"skills/s{next(numbers) % 100:05}.md"
        volumes.write(Tier.USER, path, text(next(numbers)), CHANGE)

    return change


def plainly(folder: Path) -> list[str]:
    """List what a folder holds by reading every file."""
    return [str(read_document(path).values["description"]) for path in sorted(folder.glob("skills/*.md"))]


def libraries() -> list[Row]:
    """Git libraries in a repository of 1,000 files; none of them waits for the disk here."""
    import pygit2

    pygit2.settings.enable_fsync_gitdir(False)
    with tempfile.TemporaryDirectory() as name:
        homes = {peer: repository(Path(name, peer), COMMITTED) for peer in ("git", "dulwich", "pygit2")}
        best = race(
            {
                "git": by_git(homes["git"]),
                "dulwich": by_dulwich(homes["dulwich"]),
                "pygit2": by_pygit2(homes["pygit2"]),
            },
            ROUNDS,
        )
    return [Row("commit, pygit2", best["pygit2"], peer, best[peer]) for peer in ("git", "dulwich")]


def run() -> list[Row]:
    """Commits and listings; `ours` is a new process's first listing, with the cache of one before."""
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        ours = by_volumes(place / "home")
        rivals = {"ours": ours, "git": by_git(repository(place / "git", COMMITTED), "all")}
        commit = race(rivals, ROUNDS)
        folder = filled(place / "many" / "user", LISTED)
        time.sleep(0.2)  # a file that was written just now is read again
        Volumes(folder.parent).entries("skills")
        listing = race(
            {
                "first": lambda: Volumes(folder.parent).entries("skills"),
                "plain": lambda: plainly(folder),
            },
            5,
        )
        known = Volumes(folder.parent)
        known.entries("skills")
        again = race({"again": lambda: known.entries("skills")}, 9)["again"]
    note = f"again in the same process {again:.0f} ms"
    return [
        Row("commit, 1,000 files", commit["ours"], "git commit, core.fsync=all", commit["git"]),
        Row("list 10,000 files", listing["first"], "glob and read", listing["plain"], wanted=5, note=note),
    ]


if __name__ == "__main__":
    which = libraries if sys.argv[1:] == ["libraries"] else run
    sys.exit(not print_table("Volumes", which()))
