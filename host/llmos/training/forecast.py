"""How long a training will take on this machine, and how much disk, by a few seconds' try of each part."""

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from llmos.scratch import scratch_folder
from llmos.training import DATA
from llmos.training.data import PER_SHARD, Shard, examples
from llmos.training.settings import Settings

TRIED = {"decisions": 2, "programs": 300, "subgoals": 30}  # arenas, pairs, rooms
UNITS = {"decisions": "arenas", "programs": "pairs", "subgoals": "rooms"}
FORWARD = 0.4  # of a step's time; the rest goes back through the model
CHECKPOINTS = (
    11  # times what is learnt: two with the optimizer's two moments, the best, and room to write one
)


@dataclass(frozen=True)
class Part:
    """What a part of a training takes: of `count` `unit`s, wall time in s, and bytes on disk."""

    name: str
    count: int
    unit: str
    seconds: float
    bytes: float


def of_data(todo: Sequence[Shard], jobs: int) -> Iterator[Part]:
    """Yield what making some shards will take, by making a little of each kind."""
    for kind in PER_SHARD:
        mine = [shard for shard in todo if shard.kind == kind]
        if not mine:
            continue
        count, tried = sum(shard.count for shard in mine), min(TRIED[kind], mine[0].count)
        first = replace(mine[0], count=tried)
        next(examples(first), None)  # the first one has much to load
        began = time.monotonic()
        size = sum(len(json.dumps(one, ensure_ascii=False).encode()) + 1 for one in examples(first))
        each = (time.monotonic() - began) / tried
        yield Part(kind, count, UNITS[kind], each * count / min(jobs, len(mine)), size / tried * count)


def of_fit(work: Path, settings: Settings, device: str) -> Iterator[Part]:
    """Yield what all steps of a fit, and its validations, will take at most, by a step of each kind.

    Raises:
        TrainingError: no data.
        InferenceError: the model's weights are missing.
    """
    from llmos.training.fit import Fit  # late: it needs PyTorch

    with scratch_folder() as folder:
        (folder / DATA).symlink_to((work / DATA).resolve())
        fit = Fit(folder, settings, device)
        a_step = a_validation = 0.0
        for name, share, given in fit.course.one_of_each():
            if not a_step:
                fit.step(given)  # the first one is slow
            began = time.monotonic()
            fit.step(given)
            seconds = time.monotonic() - began
            a_step += share * seconds
            a_validation += FORWARD * seconds * len(fit.validation.get(name, ())) / len(given.rest)
        learnt = fit.bytes
    yield Part("learning", settings.steps, "steps", a_step * settings.steps, CHECKPOINTS * learnt)
    validations = -(-settings.steps // settings.every)
    yield Part("validating", validations, "times", a_validation * validations, 0.0)
