"""Fitting: gradient descent on the adapter, with checkpoints, a log, and an end where nothing gets better.

Which examples a step learns from follows from the seed and the step's number alone, so that a fit that was
interrupted goes on exactly as it would have gone. Files are written beside their places and moved there; of
the two newest checkpoints one can be read at any moment.
"""

import io
import json
import math
import random
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

from llmos.babyai.choosing import prompt
from llmos.disk import write_whole
from llmos.errors import LlmosWarning
from llmos.inference._session import Session
from llmos.inference._weights import packaged_weights
from llmos.link.interrupts import deferred_interrupts
from llmos.training import DATA, FIT, TrainingError
from llmos.training.data import files
from llmos.training.examples import Example, read_examples
from llmos.training.lessons import Batch, Tokenizer, batch, lesson, studied
from llmos.training.model import Model
from llmos.training.settings import Settings

BATCH_TOKENS = 1536  # about, of what is not shared
WINDOW = 8  # batches that are sorted by length together, to spare padding
# Of the steps, by kernel file.
SHARES = {"instinct": 0.55, "navigator": 0.08, "correction": 0.01, "programmer": 0.29, "babyai": 0.07}
VALIDATED = {
    "instinct": 320
}  # examples at most: many of the kind by which the best adapter is told, and of others
USUALLY_VALIDATED = 64
KEEP_EVERY = 50  # steps between two checkpoints
TELL_EVERY = 10  # steps between two lines of the log
LAST, EARLIER, BEST = "last.pt", "earlier.pt", "best.pt"
LOG = "log.jsonl"


@dataclass
class State:
    """How far a fit has come."""

    step: int = 0
    best: float = -math.inf  # validation's log score of the choices
    since: int = 0  # validations since the best
    judged: int = 0  # the step of the last validation
    tokens: int = 0
    seconds: float = 0.0
    losses: list[float] = field(default_factory=list)  # since the last line of the log


Told = Mapping[str, Any]


class Course:
    """All lessons, and which of them each step takes."""

    def __init__(self, examples: Iterable[Example], tokenizer: Tokenizer, seed: int) -> None:
        self._tokenizer, self._seed = tokenizer, seed
        self._groups: dict[str, list[Example]] = {}
        for example in examples:
            self._groups.setdefault(example.system, []).append(example)
        self._shares = {name: SHARES.get(name, 0.1) for name in sorted(self._groups)}
        self._sizes = {name: self._size(group) for name, group in self._groups.items()}
        self._orders: dict[tuple[str, int], list[list[int]]] = {}

    def _size(self, group: Sequence[Example]) -> int:
        """Return how many lessons of a group make a batch."""
        some = group[:: max(1, len(group) // 20)]
        shared = len(self._tokenizer.prompt(some[0].model_copy(update={"user": ""})))
        lengths = [len(lesson(one, self._tokenizer, random.Random(0)).tokens) - shared for one in some]
        return max(4, min(64, round(BATCH_TOKENS / (sum(lengths) / len(lengths) + 1))))

    def batches(self, first: int = 0) -> Iterator[Batch]:
        """Yield the batch of each step from a step on, without end."""
        taken = dict.fromkeys(self._groups, 0)
        step = 0
        while True:
            chance = random.Random(f"{self._seed} {step}")
            name = chance.choices(list(self._shares), list(self._shares.values()))[0]
            if step >= first:
                yield self._batch(name, taken[name], chance)
            taken[name] += 1
            step += 1

    def one_of_each(self) -> Iterator[tuple[str, float, Batch]]:
        """Yield a batch of each kind, with its name and its share of the steps."""
        whole = sum(self._shares.values())
        for name, share in self._shares.items():
            yield name, share / whole, self._batch(name, 0, random.Random(0))

    def _batch(self, name: str, number: int, chance: random.Random) -> Batch:
        """Return a group's batch of a number, which counts on over its epochs."""
        group, per = self._groups[name], -(-len(self._groups[name]) // self._sizes[name])
        order = self._order(name, number // per)
        return batch([lesson(group[which], self._tokenizer, chance) for which in order[number % per]])

    def _order(self, name: str, epoch: int) -> list[list[int]]:
        """Return the batches of a group's epoch: shuffled, those near to each other of like lengths."""
        if (name, epoch) not in self._orders:
            chance = random.Random(f"{self._seed} {name} {epoch}")
            group, size = self._groups[name], self._sizes[name]
            order = chance.sample(range(len(group)), len(group))
            found: list[list[int]] = []
            for start in range(0, len(order), size * WINDOW):
                window = sorted(order[start : start + size * WINDOW], key=lambda n: length(group[n]))
                parts = [window[at : at + size] for at in range(0, len(window), size)]
                found += chance.sample(parts, len(parts))
            self._orders = {key: value for key, value in self._orders.items() if key[0] != name}
            self._orders[name, epoch] = found
        return self._orders[name, epoch]


def length(example: Example) -> int:
    """Return about how long an example is."""
    return len(example.user) + len(example.answers[0])


class Fit:
    """A fit under way in a folder.

    Args:
        work: the folder of the training, with `data`; checkpoints and log come into `fit` in it.
        settings: how; a fit that goes on must have the same.
        device: where PyTorch computes.

    Raises:
        TrainingError: no data, or a fit with other settings is there already.
        InferenceError: the model's weights are missing.
    """

    def __init__(self, work: Path, settings: Settings, device: str = "cpu") -> None:
        self.folder, self.settings = work / FIT, settings
        self.folder.mkdir(parents=True, exist_ok=True)
        examples = list(read_examples(files(work)))
        train = [one for one in examples if one.split == "train"]
        if not train:
            raise TrainingError(f"{work / DATA}: no examples to learn from; make some: llmos train data")
        weights = packaged_weights()
        self._tokenizer = Tokenizer(Session(weights), prompt)
        self.course = Course(train, self._tokenizer, settings.seed)
        self.validation = some_of_each(one for one in examples if one.split == "val")
        if not self.validation:
            raise TrainingError(f"{work / DATA}: no examples to validate with; make more: llmos train data")
        torch.manual_seed(settings.seed)
        dtype = torch.bfloat16 if device == "cpu" or torch.cuda.is_bf16_supported() else torch.float32
        self.model = Model(weights, settings.rank, settings.alpha, dtype).to(device)
        self.optimizer = torch.optim.AdamW(
            self.model.parameters(), lr=settings.rate, betas=(0.9, 0.95), weight_decay=0.01
        )
        self.state, self._whole = State(), True
        self._resume()
        self._trim_log()

    @property
    def bytes(self) -> int:
        """Size of what is learnt."""
        return sum(value.numel() * value.element_size() for value in self.model.state_dict().values())

    @property
    def ended(self) -> bool:
        """Whether all steps are done, or nothing gets better any more."""
        state, settings = self.state, self.settings
        return self.judged and (state.step >= settings.steps or state.since >= settings.patience)

    @property
    def judged(self) -> bool:
        """Whether no validation is due."""
        state, settings = self.state, self.settings
        due = state.step and (state.step % settings.every == 0 or state.step >= settings.steps)
        return not due or state.judged == state.step

    def run(self, tell: Callable[[Told], None] = lambda told: None, seconds: float = math.inf) -> State:
        """Go on to the end, or for some time; each line of the log is told as well.

        Ctrl-C is obeyed between two steps; what was learnt until then is kept.

        Args:
            tell: called with each line.
            seconds: after which to stop.

        Raises:
            TrainingError: a file cannot be written, or the loss is no number any more.
        """
        until = time.monotonic() + seconds
        batches = self.course.batches(self.state.step)
        try:
            while not self.ended and time.monotonic() < until:
                if not self.judged:
                    tell(self.judge())
                    continue
                given = next(batches)
                with deferred_interrupts():
                    told = self.advance(given)
                if told:
                    tell(told)
        except KeyboardInterrupt:
            if self._whole:
                self.keep(LAST)
            raise
        self.keep(LAST)
        return self.state

    def advance(self, given: Batch) -> Told | None:
        """Take a step, and keep what is due; return the log's line where there is one."""
        began, self._whole = time.monotonic(), False
        loss, old = self.step(given), self.state
        step, losses = old.step + 1, [*old.losses, loss]
        due = step % TELL_EVERY == 0
        self.state = replace(
            old,
            step=step,
            tokens=old.tokens + given.rest.numel() + len(given.head),
            seconds=old.seconds + time.monotonic() - began,
            losses=[] if due else losses,
        )
        self._whole = True
        told = self._log(loss=round(sum(losses) / len(losses), 4)) if due else None
        if self.judged and step % KEEP_EVERY == 0:
            self.keep(LAST)
        return told

    def step(self, given: Batch) -> float:
        """Learn from a batch; return its loss."""
        for group in self.optimizer.param_groups:
            group["lr"] = self.rate(self.state.step)
        learnt = studied(self.model, given)
        loss: float = learnt.loss.item()
        if not math.isfinite(loss):
            raise TrainingError(
                f"step {self.state.step + 1}: the loss is {loss}; fit again at a lower --rate, "
                "in another folder (--work)"
            )
        learnt.loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad()
        return loss

    def rate(self, step: int) -> float:
        """Return the learning rate of a step."""
        settings = self.settings
        rising = min(1.0, (step + 1) / settings.warm)
        falling = 0.5 * (1 + math.cos(math.pi * min(1.0, step / settings.steps)))
        return settings.rate * rising * (0.05 + 0.95 * falling)

    def judge(self) -> Told:
        """Validate, and keep the adapter where it is the best so far; return the log's line."""
        began = time.monotonic()
        figures = self.validate()
        with deferred_interrupts():
            old, quality = self.state, figures["val_score"]
            better = quality > old.best
            state = replace(
                old,
                best=max(quality, old.best),
                since=0 if better else old.since + 1,
                judged=old.step,
                seconds=old.seconds + time.monotonic() - began,
            )
            if better:
                self.keep(BEST, state)
            self.state = state
            told = self._log(**figures)
            self.keep(LAST)
        return told

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        """Return the loss of each kind of example, and how often the likeliest choice is a best one.

        `val_score` tells the best adapter: the log score of the choices in one pass, where there are any. It
        tells finer than their share among some hundred frames.
        """
        found: dict[str, float] = {}
        chosen: dict[str, list[bool]] = {}
        for name, group in self.validation.items():
            chance, losses = random.Random(0), list[float]()
            for start in range(0, len(group), 32):
                part = [lesson(one, self._tokenizer, chance) for one in group[start : start + 32]]
                given = batch(part)
                learnt = studied(self.model, given)
                losses.append(float(learnt.loss) * len(part))
                chosen.setdefault(name, []).extend(rights(given, learnt.shares))
            found[f"val_loss_{name}"] = round(sum(losses) / len(group), 4)
        for name, right in chosen.items():
            if right:
                found[f"val_choice_{name}"] = round(sum(right) / len(right), 4)
        losses = [value for key, value in found.items() if key.startswith("val_loss")]
        found["val_loss"] = round(sum(losses) / max(1, len(losses)), 4)
        found["val_score"] = -found.get("val_loss_instinct", found["val_loss"])
        return found

    def keep(self, name: str, state: State | None = None) -> None:
        """Write a checkpoint; of the last one, the one before stays.

        Raises:
            TrainingError: it cannot be written.
        """
        buffer = io.BytesIO()
        torch.save(
            {
                "settings": asdict(self.settings),
                "state": asdict(state or self.state),
                "learnt": self.model.state_dict(),
                "optimizer": self.optimizer.state_dict() if name == LAST else None,
            },
            buffer,
        )
        path = self.folder / name
        try:
            if name == LAST and path.exists():
                path.replace(self.folder / EARLIER)
            write_whole(path, buffer.getvalue())
        except OSError as error:
            raise self._unwritten(path, error) from None

    def _unwritten(self, path: Path, error: OSError) -> TrainingError:
        """Return the error for a file that cannot be written."""
        return TrainingError(
            f"{path} cannot be written ({error.strerror or error}): make room; the last checkpoint is kept, "
            "and the same command goes on from there"
        )

    def _resume(self) -> None:
        """Go on from the newest checkpoint that can be read, where there is one."""
        found = newest(self.folder)
        if found is None:
            return
        name, kept = found
        if kept["settings"] != asdict(self.settings):
            other = different(kept["settings"], asdict(self.settings))
            raise TrainingError(
                f"{self.folder} was fitted with {other}: go on with that, or name another folder by --work"
            )
        if name != LAST:
            (self.folder / LAST).unlink(missing_ok=True)  # it cannot be read
        self.model.load_state_dict(kept["learnt"])
        self.optimizer.load_state_dict(kept["optimizer"])
        self.state = State(**kept["state"])

    def _trim_log(self) -> None:
        """Leave out of the log what comes again, and what was torn."""
        lines = [line for line in read_log(self.folder) if line["step"] <= self.state.step]
        try:
            write_whole(self.folder / LOG, "".join(f"{json.dumps(line)}\n" for line in lines).encode())
        except OSError as error:
            raise self._unwritten(self.folder / LOG, error) from None

    def _log(self, **figures: float) -> Told:
        state = self.state
        line = {"step": state.step, "tokens": state.tokens, "seconds": round(state.seconds, 1), **figures}
        path = self.folder / LOG
        try:
            with path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
        except OSError as error:
            raise self._unwritten(path, error) from None
        return line


def rights(given: Batch, shares: Sequence[Sequence[float]]) -> Iterator[bool]:
    """Tell of each place where choices part whether the likeliest one is among the best."""
    for (_, place), said in zip(given.asked, shares, strict=False):
        if place.options:
            taken = max(range(len(said)), key=lambda number: said[number])
            yield place.wanted[taken] >= max(place.wanted) - 1e-3


def some_of_each(examples: Iterable[Example]) -> dict[str, list[Example]]:
    """Return as many examples of each kind as a validation takes, always the same."""
    groups: dict[str, list[Example]] = {}
    for example in examples:
        groups.setdefault(example.system, []).append(example)
    return {
        name: random.Random(name).sample(group, min(len(group), VALIDATED.get(name, USUALLY_VALIDATED)))
        for name, group in sorted(groups.items())
    }


def newest(folder: Path) -> tuple[str, dict[str, Any]] | None:
    """Return the newest checkpoint of a fit that can be read, with its name; None where there is none at all.

    Raises:
        TrainingError: there are some, and none can be read.
    """
    problem = None
    for name in (LAST, EARLIER):
        path = folder / name
        if not path.exists():
            continue
        try:
            return name, read_checkpoint(path)
        except TrainingError as error:
            warnings.warn(LlmosWarning(f"{error}; going on from the one before"), stacklevel=2)
            problem = error
    if problem:
        raise TrainingError(f"{problem}, nor one before it: delete {folder} and fit again")
    return None


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Return a checkpoint.

    Raises:
        TrainingError: it cannot be read.
    """
    try:
        kept: dict[str, Any] = torch.load(path, weights_only=True, map_location="cpu")
        if not {"settings", "state", "learnt", "optimizer"} <= kept.keys():
            raise KeyError("parts are missing")
    except Exception as error:  # PyTorch raises what it likes on damaged files
        raise TrainingError(f"the checkpoint {path} cannot be read ({type(error).__name__})") from None
    return kept


def read_log(folder: Path) -> list[dict[str, Any]]:
    """Return the lines of a fit's log; what is torn or damaged is left out."""
    path, found = folder / LOG, []
    text = path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
    for line in text.splitlines():
        try:
            told = json.loads(line)
        except ValueError:
            continue
        if isinstance(told, dict) and isinstance(told.get("step"), int):
            found.append(told)
    return found


def different(one: Mapping[str, Any], other: Mapping[str, Any]) -> str:
    """Return the settings of one that another has otherwise."""
    names = [name for name in one if one[name] != other.get(name)]
    return ", ".join(f"{name} {one[name]}, not {other.get(name)}" for name in names)
