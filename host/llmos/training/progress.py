"""A fit as a person runs it: settings given or kept, the device, lines of progress, a page of curves."""

import ctypes
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import torch

from llmos.text import span
from llmos.training import FIT, TrainingError, folder, forecast
from llmos.training.curves import NAMES, write_page
from llmos.training.fit import Fit, State, Told, newest, read_log
from llmos.training.settings import Settings

DEVICES = ("cpu", "cuda", "auto")
PREPARED = "20000"  # matrix products of one shape each; its own 1,024 are fewer than a fit has
TRIM, MAPPED, KEPT = (
    -1,
    -3,
    32 << 20,
)  # of mallopt in glibc's malloc.h: two parameters, and the most of the second


def settings_for(work: Path, given: Mapping[str, Any]) -> Settings:
    """Return the settings of a fit: what is given, else those of the fit that is there, else the usual ones.

    Raises:
        TrainingError: no checkpoint of the fit that is there can be read.
    """
    found = newest(work / FIT)
    kept = found[1]["settings"] if found else {}
    known = {field.name for field in fields(Settings)}
    said = {name: value for name, value in given.items() if value is not None}
    settings = Settings(**{name: value for name, value in (kept | said).items() if name in known})
    if "rank" in said and not kept and "alpha" not in said:
        settings = Settings(**asdict(settings) | {"alpha": 2.0 * settings.rank})
    return settings


def device_for(name: str, threads: int | None) -> str:
    """Return where PyTorch computes, with what it needs there set.

    Raises:
        TrainingError: there is no such device.
    """
    if name not in DEVICES:
        raise TrainingError(f"device {name!r}: unknown; name one of {', '.join(DEVICES)}")
    there = bool(torch.cuda.is_available())
    if name == "cuda" and not there:
        raise TrainingError("device cuda: PyTorch finds no GPU here; take --device cpu")
    if threads:
        torch.set_num_threads(threads)
    if there and name != "cpu":
        return "cuda"
    keep_freed_memory()
    return "cpu"


def keep_freed_memory() -> None:
    """Have the C library keep what PyTorch frees for its next step, where the library is glibc.

    Else each step gives its memory back and has the kernel fill new pages with zeros. oneDNN, too, is to keep
    what it has prepared for each shape.
    """
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", PREPARED)
    with suppress(AttributeError, OSError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(MAPPED, KEPT)
        mallopt(TRIM, -1)


def foretell(work: Path, settings: Settings, device: str) -> Iterator[forecast.Part]:
    """Yield what is left of a fit will take here at most.

    Raises:
        TrainingError: no data.
    """
    return forecast.of_fit(work, settings, device)


def opened(work: Path, settings: Settings, device: str) -> Fit:
    """Return a fit that is ready to go on; its checkpoints have room on the disk.

    Raises:
        TrainingError: no data, no room, or a fit with other settings is there.
    """
    fit = Fit(work, settings, device)
    kept = sum(path.stat().st_size for path in fit.folder.glob("*.pt"))
    folder.require_room(work, fit.bytes * forecast.CHECKPOINTS - kept, "a fit")
    options = asdict(settings)
    folder.note_command(work, "fit", {name: options[name] for name in options if name != "alpha"})
    return fit


def carry_on(fit: Fit, seconds: float, say: Callable[[str], None]) -> State:
    """Go on with a fit; each line of its log is said, and its page is written after each validation."""
    first, began, best = fit.state.step, time.monotonic(), fit.state.best

    def tell(told: Told) -> None:
        nonlocal best
        spent = (time.monotonic() - began) / max(1, told["step"] - first)
        left = spent * (fit.settings.steps - told["step"])
        say(line(told, fit.settings.steps, left, better=told.get("val_score", best) > best))
        if "val_score" in told:
            best = max(best, told["val_score"])
            try:
                write_page(fit.folder, read_log(fit.folder))
            except OSError as error:
                raise TrainingError(f"{fit.folder}: {error.strerror}; make room, then go on") from None

    return fit.run(tell, seconds)


def line(told: Told, steps: int, left_s: float, *, better: bool) -> str:
    """Return a line of the log for a person."""
    step = f"step {told['step']:{len(str(steps))}}/{steps}"
    if "val_score" in told:
        start = "val_choice_"
        right = (
            f"{NAMES.get(name, name)} {told[start + name]:.1%}"
            for name in (key.removeprefix(start) for key in told if key.startswith(start))
        )
        return (
            f"{step}  right: {', '.join(right) or '–'}; loss {told['val_loss']:.3f}"
            + ", the best so far" * better
        )
    rate = told["tokens"] / max(1e-9, told["seconds"])
    return f"{step}  loss {told['loss']:.3f}  {rate:.0f} tokens/s  {span(left_s)} left"
