"""The data: shards of examples in a folder, each made by one worker from a seed, whole or not at all.

A shard that is there is not made again, so that what was interrupted goes on where it stopped, and the same
amounts and seed give the same files whatever the number of workers.
"""

import json
import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llmos.disk import write_whole
from llmos.manifest import load_manifest
from llmos.training import DATA, TrainingError, decisions
from llmos.workers import workers

PER_SHARD = {"decisions": 20, "programs": 1000, "subgoals": 250}  # arenas, pairs, seeds
VALIDATION = {"decisions": 0.05, "programs": 0.0, "subgoals": 0.1}  # added; programs split themselves
APART, SEEDS = 100_000, 40  # arenas and rooms of one seed of the whole; so many seeds have their own


@dataclass(frozen=True)
class Amounts:
    """How much to make for training; validation comes on top.

    Args:
        decisions: arenas, each driven through once.
        programs: pairs of English and LLMBytecode.
        subgoals: rooms of BabyAI.
    """

    decisions: int = 2000
    programs: int = 12_000
    subgoals: int = 2000


@dataclass(frozen=True)
class Shard:
    """One file of examples to be made."""

    folder: Path
    kind: str
    split: str
    number: int
    count: int  # of arenas, pairs or rooms
    seed: int

    @property
    def path(self) -> Path:
        """The file."""
        return self.folder / f"{self.kind}-{self.split}-{self.number:04}.jsonl"

    @property
    def first(self) -> int:
        """The number of the first arena, pair or room of it."""
        return self.number * PER_SHARD[self.kind]


def shards(work: Path, what: Amounts, seed: int) -> list[Shard]:
    """Return the shards that amounts come to."""
    folder, found = work / DATA, list[Shard]()
    for kind, per in PER_SHARD.items():
        train = getattr(what, kind)
        for split, count in (("train", train), ("val", math.ceil(train * VALIDATION[kind]))):
            for number in range(-(-count // per)):
                size = min(per, count - number * per)
                found.append(Shard(folder, kind, split, number, size, seed))
    return found


def missing(work: Path, what: Amounts, seed: int) -> list[Shard]:
    """Return the shards that are not there yet."""
    return [shard for shard in shards(work, what, seed) if not shard.path.exists()]


def make(
    work: Path,
    what: Amounts,
    seed: int = 0,
    jobs: int = 1,
    tell: Callable[[Shard, int], None] = lambda shard, count: None,
) -> list[Path]:
    """Make what is missing of the data, and return all files.

    Args:
        work: the folder of the training; the data come into `data` in it.
        what: how much.
        seed: of everything; files of another seed in the folder are refused.
        jobs: processes.
        tell: called with each shard that is made and its number of examples.

    Raises:
        TrainingError: the folder cannot be written, or holds data of another seed.
        WorkersError: a worker was killed.
    """
    folder = work / DATA
    try:
        folder.mkdir(parents=True, exist_ok=True)
        settle_seed(folder / "seed", seed)
        todo = missing(work, what, seed)
        with workers(max(1, min(jobs, len(todo)))) as pool:
            for place, count in pool.in_turn(make_shard, todo):
                tell(todo[place], count)
    except OSError as error:
        raise TrainingError(f"{error.filename or folder}: {error.strerror}; what is whole is kept") from None
    return [shard.path for shard in shards(work, what, seed)]


def settle_seed(path: Path, seed: int) -> None:
    """Note the data's seed, or refuse another one."""
    if path.exists() and path.read_text().strip() != str(seed):
        raise TrainingError(
            f"{path.parent} holds data of seed {path.read_text().strip()}, not {seed}: "
            "name another folder by --work"
        )
    write_whole(path, f"{seed}\n".encode())


def make_shard(shard: Shard) -> int:
    """Make a shard, and return how many examples it has."""
    lines = [json.dumps(example, ensure_ascii=False) for example in examples(shard)]
    write_whole(shard.path, "".join(f"{line}\n" for line in lines).encode())
    return len(lines)


def examples(shard: Shard) -> Iterator[dict[str, Any]]:
    """Yield a shard's examples."""
    return MAKERS[shard.kind](shard)


def of_decisions(shard: Shard) -> Iterator[dict[str, Any]]:
    """Yield the examples of a shard of arenas, the families in turn."""
    manifest = load_manifest("cube")
    for number in range(shard.first, shard.first + shard.count):
        family = decisions.FAMILIES[number % len(decisions.FAMILIES)]
        place = f"{family}:{first_of(decisions, shard) + number}"
        yield from decisions.examples(place, shard.split, manifest, shard.seed)


def of_programs(shard: Shard) -> Iterator[dict[str, Any]]:
    """Yield the examples of a shard of programs that are not for tests."""
    from llmos.training import programs  # it reads the whole grammar

    found = programs.examples(shard.seed * 100_000 + shard.number, shard.count)
    yield from (example for example in found if example["split"] != "test")


def of_subgoals(shard: Shard) -> Iterator[dict[str, Any]]:
    """Yield the examples of a shard of BabyAI's rooms."""
    from llmos.training import subgoals  # it needs the package minigrid

    yield from subgoals.examples(first_of(subgoals, shard) + shard.first, shard.count, shard.split)


def first_of(kind: Any, shard: Shard) -> int:
    """Return the first of the arenas or rooms to make examples from; all validate with the same."""
    start: int = kind.VALIDATE if shard.split == "val" else kind.TRAIN + shard.seed % SEEDS * APART
    return start


MAKERS: dict[str, Callable[[Shard], Iterator[dict[str, Any]]]] = {
    "decisions": of_decisions,
    "programs": of_programs,
    "subgoals": of_subgoals,
}


def files(work: Path) -> list[Path]:
    """Return the shards of a folder, by name."""
    found: Iterable[Path] = (work / DATA).glob("*.jsonl")
    return sorted(found)
