"""From a fit to an adapter in use: what its card says of how it was made, and what its word is worth."""

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from llmos.disk import write_whole
from llmos.document import read_document
from llmos.resources import state_dir
from llmos.training import FIT, TrainingError, folder
from llmos.training.calibrate import calibrated
from llmos.training.data import files
from llmos.training.examples import read_examples
from llmos.training.export import NAME, export
from llmos.training.fit import BEST, read_log

TEXT = """
# What it was taught

LoRA on all matrices of the model's layers, fitted with `llmos train` to {examples} examples. The best of
{validations} validations, at step {step}, is kept.

{kinds}

# How to repeat it

{commands}

# Limits

It was taught on simulated arenas of two families, or on the runs of one robot; elsewhere it may know less.
The figures of `scores` are PyTorch's on arenas of validation; `llmos eval` measures the runtime's.
"""


def own_models() -> Path:
    """Return the folder of this user's own adapter, which takes the place of the one that ships."""
    return state_dir() / "volumes" / "user" / "models"


def exported(work: Path, out: Path) -> Path:
    """Write the best adapter of a fit with its card, and return the card.

    Raises:
        TrainingError: there is no fit, or a file cannot be written.
    """
    checkpoint = work / FIT / BEST
    if not checkpoint.exists():
        raise TrainingError(f"{checkpoint} is not there: llmos train fit makes it, at its first validation")
    folder.note_command(work, "export", {})
    facts = about(work)
    try:
        export(checkpoint, out, facts, prose(facts))
    except OSError as error:
        raise TrainingError(
            f"{error.filename or out}: {error.strerror}; make room, then export again"
        ) from None
    return out / f"{NAME}.md"


def about(work: Path) -> dict[str, Any]:
    """Return what a card says of the data, the commands and the validation."""
    paths = files(work)
    found = Counter(f"{one.system}, {one.split}" for one in read_examples(paths))
    digest = hashlib.sha256()
    for path in paths:
        digest.update(path.read_bytes())
    judged = [line for line in read_log(work / FIT) if "val_score" in line]
    best = max(judged, key=lambda line: float(line["val_score"]), default={})
    return {
        "commands": list(folder.commands(work).values()),
        "data": {"examples": dict(sorted(found.items())), "sha256": digest.hexdigest()},
        "scores": {"validation": dict(best), "validations": len(judged)},
    }


def prose(facts: Mapping[str, Any]) -> str:
    """Return the text of a card."""
    examples, best = facts["data"]["examples"], facts["scores"]["validation"]
    return TEXT.format(
        examples=sum(examples.values()),
        kinds="\n".join(f"- {name}: {count}" for name, count in examples.items()),
        validations=facts["scores"]["validations"],
        step=best.get("step", "–"),
        commands="\n".join(f"    {command}" for command in facts["commands"]),
    )


def calibrate(card: Path, say: Callable[[str], None]) -> None:
    """Measure how much an adapter's word counts, and put it on its card.

    Raises:
        EvaluationError: the adapter cannot be asked.
        TrainingError: the card cannot be written.
    """
    trust = calibrated(f"smollm2:{card.with_suffix('.gguf')}", tell=say)
    taught = trust.model_copy(update={"verbs": {}})  # it has learnt when to say which
    changed = read_document(card).changed(calibration=taught.model_dump(mode="json"))
    try:
        write_whole(card, changed.source.encode())
    except OSError as error:
        raise TrainingError(
            f"{card} cannot be written: {error.strerror}; make room, then export again"
        ) from None
