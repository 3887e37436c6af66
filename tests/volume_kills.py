"""Writers of a volume that are killed at random moments, and what has to be true of the volume then."""

import json
import os
import random
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple, TextIO

from llmos.volumes import Change, Tier, Volumes

TIER = Tier.TEAM
FILES = 6  # of each writer
WRITES = 6  # of each of several writers that nobody kills
State = dict[str, str | None]  # the files' texts by path; None where it is not there
STRETCH = 40  # kills of one volume


class Wrong(AssertionError):
    """What a kill broke."""


class Killed(NamedTuple):
    """What the writers had said when they were killed.

    Args:
        done: the operations that were acknowledged: their number, and the files they wrote, None for removed.
        begun: the one that was not; None between two.
    """

    done: list[tuple[int, State]]
    begun: tuple[int, State] | None


def write_some(home: Path, name: str) -> None:
    """Write as one of several."""
    volumes = Volumes(home, 10**6)
    for number in range(WRITES):
        text = f"{name} {number}\n"
        files = {f"skills/{name}.md": text, "skills/shared.md": text}
        volumes.write_all(Tier.USER, files, Change(name, text))


def campaign(folder: Path, kills: int, seed: int, longest_s: float = 0.4) -> Iterator[str]:
    """Kill writers so many times; yield what each was killed in.

    Args:
        longest_s: from the first operation to the kill, at most.

    Raises:
        Wrong: a change is lost or half there, a repository is damaged, or the volume cannot be written after.
    """
    for first in range(0, kills, STRETCH):
        home = folder / f"{seed}-{first}"
        subprocess.run(["git", "init", "-q", "--bare", str(home / "remote")], check=True)
        state: State = {}
        for number in range(first, min(first + STRETCH, kills)):
            yield one_kill(home, number, random.Random(f"{seed} {number}"), state, longest_s)


def one_kill(home: Path, number: int, rng: random.Random, state: State, longest_s: float) -> str:
    """Start one writer or two, kill them, and look; `state`, what the files held, is brought up to date."""
    names = ["a", "b"][: rng.randint(1, 2)]
    logs = {name: home / f"{number}-{name}.log" for name in names}
    children = [started(home, name, logs[name], rng.randrange(2**32)) for name in names]
    end = time.monotonic() + 20
    while not all(log.exists() for log in logs.values()) and time.monotonic() < end:
        time.sleep(0.001)
    time.sleep(rng.uniform(0, longest_s))
    for child in children:
        os.killpg(child, signal.SIGKILL)
    for child in children:
        os.waitpid(child, 0)
    killed = {name: read_log(log) for name, log in logs.items()}
    check(home, number, state, list(killed.values()))
    return ", ".join(word(one) for one in killed.values())


def started(home: Path, name: str, log: Path, seed: int) -> int:
    """Start a writer as a process group of its own; return its number."""
    child = os.fork()
    if child:
        return child
    try:
        os.setsid()
        with log.open("w", buffering=1) as file:
            Writer(home, name, random.Random(seed), file).write_on()
    except BaseException as error:
        log.with_suffix(".error").write_text(repr(error))
    finally:
        os._exit(1)


class Writer:
    """Does one thing with a volume after the other, and says in a log what it begins and what it has done."""

    def __init__(self, home: Path, name: str, rng: random.Random, log: TextIO) -> None:
        self.volumes, self.name, self.rng, self.log = Volumes(home / "volumes", 10**6), name, rng, log
        self.remote = str(home / "remote")
        self.paths = [f"skills/{name}{one}.md" for one in range(FILES)]
        self.number = 0

    def write_on(self) -> None:
        """Go on until killed, or until nobody is there to do it."""
        parent = os.getppid()
        while os.getppid() == parent:
            kinds = [self.write, self.write, self.write_all, self.edit, self.propose, self.restore, self.sync]
            self.rng.choice(kinds)()

    def say(self, word: str, what: Any) -> None:
        """Write a line that outlives the process."""
        self.log.write(json.dumps([word, self.number, what]) + "\n")

    def text(self) -> str:
        """Return a text that nothing else holds."""
        return f"---\nname: x\n---\n{self.name} {self.rng.getrandbits(64)}\n" * self.rng.choice([1, 1, 60])

    def begin(self, files: State) -> Change:
        """Say what comes, and return the change for it."""
        self.number += 1
        self.say("begin", files)
        return Change(self.name, f"change {self.rng.getrandbits(64):x}")

    def write(self) -> None:
        """Write one file."""
        path, text = self.rng.choice(self.paths), self.text()
        change = self.begin({path: text})
        self.volumes.write(TIER, path, text, change)
        self.say("done", None)

    def write_all(self) -> None:
        """Write several files, and remove some."""
        some = self.rng.sample(self.paths, 4)
        files = {path: self.text() if index < 3 else None for index, path in enumerate(some)}
        change = self.begin(files)
        self.volumes.write_all(TIER, files, change)
        self.say("done", None)

    def edit(self) -> None:
        """Save a file as an editor does."""
        path, text = self.rng.choice(self.paths), self.text()
        file = self.volumes.folder(TIER) / path
        self.begin({path: text})
        file.parent.mkdir(parents=True, exist_ok=True)
        beside = file.with_name(f".{file.name}.swp")
        beside.write_text(text)
        beside.replace(file)
        self.say("done", None)

    def propose(self) -> None:
        """Propose two files, and merge them."""
        files = {path: self.text() for path in self.rng.sample(self.paths, 2)}
        change = self.begin(dict(files))
        name = f"p/{self.name}-{self.rng.getrandbits(64):x}"
        self.volumes.branch(TIER, name, files, change)
        self.volumes.merge(TIER, name, change)
        self.say("done", None)

    def restore(self) -> None:
        """Restore a file as it was some commits ago."""
        path, commits = self.rng.choice(self.paths), self.volumes.log(TIER)
        if len(commits) > 1:
            to = self.rng.choice(commits[:20]).id
            trees = self.volumes.diff(TIER, to, "HEAD", path)
            if trees:
                text = as_it_was(self.volumes, path, to)
                self.volumes.rollback(TIER, to, self.begin({path: text}), path)
                self.say("done", None)

    def sync(self) -> None:
        """Exchange the volume with the remote."""
        if self.rng.random() < 0.2:
            self.begin({})
            self.volumes.sync(TIER, self.remote)
            self.say("done", None)


def as_it_was(volumes: Volumes, path: str, commit: str) -> str | None:
    """Return what a file held at a commit."""
    folder = volumes.folder(TIER)
    run = subprocess.run(
        ["git", "-C", str(folder), "show", f"{commit}:{path}"], capture_output=True, text=True
    )
    return run.stdout if run.returncode == 0 else None


def read_log(log: Path) -> Killed:
    """Return what a writer said; its last line may be cut."""
    if log.with_suffix(".error").exists():
        raise Wrong(f"{log}: the writer failed: {log.with_suffix('.error').read_text()}")
    done: list[tuple[int, State]] = []
    begun = None
    for line in log.read_text().splitlines(keepends=True) if log.exists() else []:
        if not line.endswith("\n"):
            break
        word, number, what = json.loads(line)
        if word == "begin":
            begun = (number, what)
        elif begun:
            done.append(begun)
            begun = None
    return Killed(done, begun)


def word(killed: Killed) -> str:
    """Return what a writer was killed in."""
    return f"{len(killed.done)} done, " + ("in a change" if killed.begun else "between two")


def check(home: Path, number: int, state: State, killed: list[Killed]) -> None:
    """Look at a volume after a kill, as git and as a new process see it."""
    folder = home / "volumes" / TIER
    if (folder / ".git").exists():
        sound(folder, f"kill {number}")
    sound(home / "remote", f"kill {number}, the remote")
    volumes = Volumes(home / "volumes", 10**6)
    listed = {entry.path for entry in volumes.entries("skills") if entry.tier is TIER}
    for one in killed:
        for _, files in one.done:
            state.update(files)
        if one.begun:
            settle(volumes, number, state, one.begun[1])
    for path, text in state.items():
        if held(volumes, path) != text or (path in listed) != (text is not None):
            raise Wrong(f"kill {number}: {path} holds {held(volumes, path)!r}, not {text!r}")
    last = f"---\nname: last\n---\n{number}\n"
    volumes.write(TIER, "skills/last.md", last, Change("check", "write after a kill"))
    state["skills/last.md"] = last
    left = git(folder, "status", "--porcelain", "--untracked-files=all")
    if any(not line.endswith(".swp") for line in left.splitlines()):
        raise Wrong(f"kill {number}: git status is not clean: {left}")
    for path in folder.rglob(".*.swp"):
        path.unlink()  # of the editor that was killed
    for path, text in state.items():
        if text is not None and git(folder, "show", f"HEAD:{path}") != text:
            raise Wrong(f"kill {number}: HEAD does not hold {path} as it lies there")
    sound(folder, f"after kill {number}")


def settle(volumes: Volumes, number: int, state: State, files: State) -> None:
    """Find whether a change that was not acknowledged is there: all of it, or nothing."""
    new = [path for path, text in files.items() if held(volumes, path) == text]
    old = [path for path in files if held(volumes, path) == state.get(path)]
    if len(new) == len(files):
        state.update(files)
    elif len(old) != len(files):
        raise Wrong(f"kill {number}: half of a change is there: of {sorted(files)} {new} are new")


def held(volumes: Volumes, path: str) -> str | None:
    """Return what a file holds."""
    file = volumes.folder(TIER) / path
    return file.read_text() if file.exists() else None


def sound(folder: Path, when: str) -> None:
    """Have git look at every object of a repository."""
    said = git(folder, "fsck", "--strict", "--no-dangling", "--no-progress")
    if any(not line.startswith("notice:") for line in said.splitlines()):  # of an empty remote
        raise Wrong(f"{when}: git fsck says of {folder}: {said}")


def git(folder: Path, *words: str) -> str:
    """Return all that git prints."""
    run = subprocess.run(["git", "-C", str(folder), *words], capture_output=True, text=True)
    if run.returncode:
        raise Wrong(f"git {' '.join(words)} in {folder}: {run.returncode} {run.stdout} {run.stderr}")
    return run.stdout + run.stderr
