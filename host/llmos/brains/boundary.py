"""The model-size boundary: who answers at each point where a run thinks, a rule, the instinct or the planner.

Below it everything is computed: mapping, planning a way, proving a block. Above it are these points; a file
gives each of them to somebody, so that a small model is asked little and a large one much.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Literal

from llmos.brains import rsa
from llmos.inference import Answer, Kernel, Request
from llmos.kernel.prompt import PromptError, kernel_path
from llmos.text import plain
from llmos.volumes import Document, read_document

Who = Literal["off", "rule", "instinct", "planner"]
SOMEBODY: tuple[Who, ...] = ("rule", "instinct", "planner")
NO_RULE: tuple[Who, ...] = ("off", "instinct", "planner")
ABOUT = ("name", "type", "description")  # keys of every kernel file


@dataclass(frozen=True)
class Boundary:
    """Who answers at each point."""

    goal: Who = "rule"
    strategy: Who = "rule"
    recovery: Who = "instinct"
    correction: Who = "off"
    exploration: Who = "instinct"
    navigation: Who = "instinct"

    def who(self, point: str) -> Who:
        """Return who answers at a point, which is one of the fields."""
        if point not in POINTS:
            raise ValueError(f"{point!r} is no point of the boundary; there are {', '.join(POINTS)}")
        answerer: Who = getattr(self, point)
        return answerer


POINTS = tuple(one.name for one in fields(Boundary))
# Somebody has to say where to go, and no rule corrects a map.
ALLOWED: dict[str, tuple[Who, ...]] = dict.fromkeys(POINTS, SOMEBODY) | {"correction": NO_RULE}


def load_boundary(path: Path | None = None) -> Boundary:
    """Return the boundary that a file sets, the system volume's where none is named.

    Raises:
        DocumentError: the file cannot be read.
        PromptError: it names no such point, or gives a point to nobody who can answer.
    """
    file = read_document(path or kernel_path("boundary"))
    given = [key for key in file.values if key not in ABOUT]
    return Boundary(**{key: read_entry(file, key) for key in given})


def read_entry(file: Document, key: str) -> Who:
    """Return who answers at the point that one line names."""
    where, value = f"{file.path}:{file.lines[key]}", str(file.values[key])
    if key not in POINTS:
        raise PromptError(f"{where}: {plain(key)[:60]} is no point; there are {', '.join(POINTS)}")
    for who in ALLOWED[key]:
        if value == who:
            return who
    raise PromptError(f"{where}: {key}: {plain(value)[:60]} is not one of {', '.join(ALLOWED[key])}")


@dataclass(frozen=True)
class Chosen:
    """An answer at a point: the choice, and how likely the model, or a share of its answers, found each."""

    choice: str
    probabilities: dict[str, float]
    calls: tuple[Answer, ...]


def ask_point(
    kernel: Kernel,
    who: Who,
    system: str,
    text: str,
    choices: Sequence[str],
    *,
    turns: tuple[tuple[str, str], ...] = (),
    preset: str = "quick",
    deadline_s: float = 2.0,
    seed: int = 0,
) -> Chosen:
    """Have the model choose one of a few words.

    Args:
        kernel: who is asked.
        who: `instinct` for one pass; `planner` for recursive self-aggregation, waited for.
        system: what the point decides, and what each choice means.
        text: the case.
        choices: the words.
        turns: worked examples, pairs of case and choice.
        preset: how much thought the planner spends.
        deadline_s: wall time for all of it.
        seed: fixes every chance.

    Raises:
        InferenceError: no answer was had; the caller's rule then answers.
    """
    request = Request(
        system, text, turns=turns, choices=tuple(choices), deadline_s=deadline_s, seed=seed
    )  # fmt: skip
    if who == "planner":
        found = rsa.run(kernel, request, rsa.PRESETS[preset], rsa.Reading())
        return Chosen(found.text, {one: found.shares.get(one.lower(), 0.0) for one in choices}, found.calls)
    answer = kernel(request)
    return Chosen(answer.text, dict(zip(choices, answer.probabilities, strict=False)), (answer,))
