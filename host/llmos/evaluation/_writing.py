"""Behaviours by kernels by ways by seeds: every program made, run in its arena and judged."""

import statistics
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import product

from llmbytecode import assemble
from llmos.behaviours import load_behaviours
from llmos.errors import LlmosError
from llmos.inference import DeadlineExpired
from llmos.manifest import load_manifest
from llmos.text import plain
from llmos.trial import try_block
from llmos.writing import WAYS, Draft, make_program

from ._jobs import EvaluationError, Row, kept_open
from ._kind import Kind, Tables, names

REFERENCE = "reference"  # in a kernel's place: the program that ships beside a behaviour
NO_WAY = "-"
ATTEMPTS = 3  # of writing
ROBOT = "cube"  # whose arenas and bounds the behaviours are made for
_DECIDERS = ("rule", "replay")  # kernels that make no programs


@dataclass(frozen=True)
class Wanted:
    """One program to make and to judge."""

    kernel: str
    way: str
    behaviour: str
    seed: int
    deadline_s: float


@dataclass(frozen=True)
class Programs:
    """What to evaluate; every combination is one program."""

    kernels: tuple[str, ...]
    ways: tuple[str, ...] = ("write", "choose")
    behaviours: tuple[str, ...] = ()  # none: all that ship
    seeds: int = 1
    deadline_s: float = 120.0

    def __post_init__(self) -> None:
        """Refuse what cannot be evaluated, before the first program."""
        for way in self.ways:
            if way not in WAYS:
                raise EvaluationError(f"way {way!r}: unknown; name one of {', '.join(WAYS)}")
        for kernel in self.kernels:
            if kernel.partition(":")[0] in _DECIDERS:
                raise EvaluationError(
                    f"kernel {kernel!r} makes no programs; name smollm2, gguf:PATH, openai:URL or random"
                )
        load_behaviours(self.behaviours)

    def tasks(self) -> Iterator[Wanted]:
        """Return a task for each program, each kernel's together, the references last."""
        names = [behaviour.name for behaviour in load_behaviours(self.behaviours)]
        for kernel, way, name, seed in product(self.kernels, self.ways, names, range(self.seeds)):
            yield Wanted(kernel, way, name, seed, self.deadline_s)
        for name in names:
            yield Wanted(REFERENCE, NO_WAY, name, 0, self.deadline_s)


def one_program(wanted: Wanted) -> Row:
    """Have one program made, run it and judge it; what could not begin ends the evaluation."""
    (behaviour,) = load_behaviours((wanted.behaviour,))
    try:
        if wanted.kernel == REFERENCE:
            made, text, trouble = _made(None), behaviour.reference, ""
        else:
            made, text, trouble = _drafted(wanted, behaviour.wish)
        faults, collisions = ([trouble], 0) if trouble else _judged(text, wanted.behaviour, wanted.seed)
    except LlmosError as error:
        where = f"{wanted.kernel}, {wanted.way}, {wanted.behaviour}, seed {wanted.seed}"
        raise EvaluationError(f"{where}: {error}") from None
    asked = {key: value for key, value in vars(wanted).items() if key != "deadline_s"}
    end = {"accepted": not trouble, "right": not faults, "faults": list(faults), "collisions": collisions}
    return {**asked, "wish": behaviour.wish, **made, **end, "text": text}


def _drafted(wanted: Wanted, wish: str) -> tuple[Row, str, str]:
    """Have a program made; return what it cost, its text, and why it is refused, empty where it is not."""
    try:
        draft = make_program(
            wish,
            kept_open(wanted.kernel),
            load_manifest(ROBOT),
            wanted.way,
            attempts=ATTEMPTS,
            seed=wanted.seed * ATTEMPTS,  # each attempt adds one
            deadline_s=wanted.deadline_s,
        )
    except DeadlineExpired as error:
        return _made(None), "", str(error)
    return _made(draft), draft.text, draft.attempts[-1].refusal


def _made(draft: Draft | None) -> Row:
    """Return what a draft cost, nothing where there is none."""
    attempts = draft.attempts if draft else ()
    return {
        "attempts": len(attempts),
        "well_formed": sum(attempt.well_formed for attempt in attempts),
        "accepted_first": bool(attempts) and not attempts[0].refusal,
        "chosen": draft.chosen if draft else "",
        "seconds": round(draft.seconds, 3) if draft else 0.0,
        "tokens_out": sum(attempt.answer.tokens_out for attempt in attempts),
    }


@cache
def _judged(text: str, name: str, seed: int) -> tuple[tuple[str, ...], int]:
    """Run a program in a behaviour's arena; return what is wrong with it, and how often it hit something."""
    (behaviour,) = load_behaviours((name,))
    trial = try_block(assemble(text), arena=behaviour.place, robot=ROBOT, seed=seed)
    return tuple(behaviour.faults(trial, load_manifest(ROBOT).radius_m)), trial.truth.collisions


def program_table(rows: Iterable[Row]) -> list[Row]:
    """Sum the programs up by kernel and way."""
    makers: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        makers.setdefault((row["kernel"], row["way"]), []).append(row)
    return [_line(kernel, way, mine) for (kernel, way), mine in makers.items()]


def _line(kernel: str, way: str, rows: list[Row]) -> Row:
    """Sum up the programs of one kernel and way; nobody made the references."""
    attempts, count = sum(row["attempts"] for row in rows), len(rows)
    right = sum(row["right"] for row in rows)
    made = kernel != REFERENCE
    return {
        "kernel": kernel,
        "way": way,
        "programs": count,
        "well_formed": sum(row["well_formed"] for row in rows) / attempts if attempts else None,
        "accepted_first": sum(row["accepted_first"] for row in rows) / count if made else None,
        "accepted": sum(row["accepted"] for row in rows) / count,
        "right": right,
        "right_share": right / count,
        "collisions": sum(row["collisions"] for row in rows),
        "p50_s": round(statistics.median(row["seconds"] for row in rows), 2) if made else None,
        "tokens": round(statistics.mean(row["tokens_out"] for row in rows), 1) if made else None,
    }


def right_table(rows: Iterable[Row]) -> list[Row]:
    """Count the right programs by behaviour, a column for each kernel and way."""
    lines: dict[str, Row] = {}
    for row in rows:
        maker = row["kernel"] if row["way"] == NO_WAY else f"{row['kernel']} {row['way']}"
        line = lines.setdefault(row["behaviour"], {"behaviour": row["behaviour"]})
        line[maker] = line.get(maker, 0) + row["right"]
    return list(lines.values())


def plan(*, behaviours: str, kernels: str, ways: str, seeds: int, deadline: float) -> Programs:
    """Return the programs that the options ask for; raises as `Programs` does."""
    some = () if behaviours == "all" else names(behaviours)
    return Programs(names(kernels), names(ways), some, seeds, deadline)


def line(row: Row) -> str:
    """Return one program's line of progress."""
    verdict = "right" if row["right"] else "; ".join(row["faults"])
    return (
        f"{row['kernel']:9} {row['way']:7} {row['behaviour']:20} seed {row['seed']}: {plain(verdict):.120} "
        f"({row['attempts']} attempts, {row['seconds']:.1f} s)"
    )


def tables(rows: list[Row]) -> Tables:
    """Return the sums by kernel and way, and what was right by behaviour."""
    return {"table": program_table(rows), "right": right_table(rows)}


WRITING = Kind(
    name="writing",
    help="Have every kernel make a program for every behaviour in every way, run it in the behaviour's arena "
    "and judge it; the programs that ship beside the behaviours are judged, too.",
    options={
        "behaviours": "all", "kernels": "random,smollm2", "ways": "write,choose", "seeds": 1,
        "deadline": 120.0,
    },
    plan=plan,
    one=one_program,
    line=line,
    tables=tables,
    shares=("well_formed", "accepted_first", "accepted", "right_share"),
)  # fmt: skip
