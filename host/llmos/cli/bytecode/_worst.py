"""The worst case line by line, as `llmos bytecode validate` prints it."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import click

from llmbytecode import Limits, Op, Program
from llmbytecode.account import Account, Measures, Share
from llmbytecode.disassembler import word_texts
from llmbytecode.program import OPCODE_MASK
from llmos.cli.bytecode._io import BUDGETS, Input

MOST_LINES = 12
LEAST_WEIGHT = 0.01  # of the heaviest line's; what weighs less is folded
LONGEST_LINE = 110
LONGEST_TEXT = 36
BAR = 10  # characters
EIGHTHS = " ▏▎▍▌▋▊▉█"
COLUMNS = {"ms": 9, "path_mm": 9, "rotation_mrad": 9, "reports": 9, "fuel": 8}
TITLES = {"path_mm": "mm", "rotation_mrad": "mrad"}


class Row(NamedTuple):
    """A line of the listing; `runs` and `dim` are of one word."""

    number: str
    text: str
    runs: str
    cost: Measures
    dim: bool = False


def source_texts(given: Input) -> list[str]:
    """Return each word as it was written, without its comment; disassembled where it came in a container."""
    if not given.text:
        return [" ".join(text.split()) for text in word_texts(given.program)]
    lines = given.text.split("\n")
    written = [lines[given.program.line(word) - 1] for word in range(len(given.program.words))]
    return [" ".join(line.partition(";")[0].partition("#")[0].split()) for line in written]


def account_rows(told: Account, texts: Sequence[str]) -> list[dict[str, Any]]:
    """Return an account for --json: a row for each word, and one for the time that executing them takes."""
    rows: list[dict[str, Any]] = [
        {
            "word": share.word,
            "line": share.line or None,
            "text": text,
            "runs": share.runs._asdict(),
            "cost": share.cost._asdict(),
        }
        for share, text in zip(told.shares, texts, strict=True)
    ]
    cost = Measures(0, told.executing_ms, 0, 0, 0)._asdict()
    return [*rows, {"word": None, "line": None, "text": _executing(told), "runs": None, "cost": cost}]


def worst_listing(told: Account, program: Program, texts: Sequence[str], limits: Limits, whole: bool) -> str:
    """Return the lines that account for the most of a worst case, or all; their columns add up to it."""
    weights = [_weight(share.cost, limits) for share in told.shares]
    depths, around = _structure(program)
    shown = set(range(len(weights))) if whole else _heaviest(weights, around)
    rows = [
        Row(
            str(share.line or share.word),
            "  " * depths[share.word] + texts[share.word],
            _runs(share),
            share.cost,
            dim=not any(share.cost[1:]),
        )
        for share in told.shares
        if share.word in shown
    ]
    rest = [share.cost for share in told.shares if share.word not in shown]
    if rest:
        count = f"{len(rest)} other word{'s' if len(rest) > 1 else ''}"
        rows.append(Row("", count, "", Measures(*map(sum, zip(*rest, strict=True))), dim=True))
    rows.append(Row("", _executing(told), "", Measures(0, told.executing_ms, 0, 0, 0), dim=True))
    head = "line" if any(program.lines) else "word"
    note = [_NOTE] if _ways_differ(told, shown) else []
    return "\n".join([_caption(told, texts, weights, head), *_table(rows, told.total, head), *note])


_NOTE = "Each column follows its own worst way through the branches; × is of the first that the line adds to."


def _executing(told: Account) -> str:
    return f"executing {told.total.fuel} word{'s' if told.total.fuel > 1 else ''}"


def _weight(cost: Measures, limits: Limits) -> float:
    """Return how much of one of the robot's limits a word takes, at most."""
    budgets = [max(1, int(getattr(limits, BUDGETS[name]))) for name in cost._fields]
    return max(part / budget for part, budget in zip(cost, budgets, strict=True))


def _heaviest(weights: list[float], around: list[list[int]]) -> set[int]:
    """Return the words that weigh the most, with the loops and procedures that they stand in."""
    order = sorted(range(len(weights)), key=lambda word: -weights[word])[:MOST_LINES]
    heavy = {word for word in order if weights[word] >= LEAST_WEIGHT * weights[order[0]]}
    return heavy.union(*(around[word] for word in heavy))


def _structure(program: Program) -> tuple[list[int], list[list[int]]]:
    """Return how deep each word is indented, and the heads of the loops and the PROC around it."""
    depths, around, heads = [], [], list[int]()
    for word, code in enumerate(word & OPCODE_MASK for word in program.words):
        if code == Op.PROC:
            heads = []
        elif code == Op.ENDLOOP:
            heads = heads[:-1]
        depths.append(len(heads))
        around.append(heads)
        if code in (Op.LOOP, Op.LOOPR, Op.PROC):
            heads = [*heads, word]
    return depths, around


def _runs(share: Share) -> str:
    """Return how often a word runs, on the path of the first measure that it adds to."""
    counts = [runs for runs, cost in zip(share.runs[1:], share.cost[1:], strict=True) if cost]
    return str(next(iter(counts), share.runs.fuel))


def _ways_differ(told: Account, shown: set[int]) -> bool:
    """Say whether a word that is shown runs more often on one measure's worst way than on another's."""
    used = [number for number, cost in enumerate(told.total) if cost]
    return any(len({told.shares[word].runs[number] for number in used}) > 1 for word in shown)


def _caption(told: Account, texts: Sequence[str], weights: list[float], head: str) -> str:
    heaviest = told.shares[weights.index(max(weights))]
    cost = heaviest.cost
    amounts = [f"{cost.ms / 1000:.1f} s"] if cost.ms else []
    amounts += [
        f"{amount} {unit}" for amount, unit in zip(cost[2:], ("mm", "mrad", "reports"), strict=True) if amount
    ]
    text = texts[heaviest.word].rpartition(":")[2].strip()  # without its label
    start = f"worst case, most of it from {head} {heaviest.line or heaviest.word}, "
    end = f" ×{_runs(heaviest)}: {', '.join(amounts or [f'{cost.fuel} fuel'])}"
    return f"{start}{_cut(text, LONGEST_LINE - len(start) - len(end))}{end}"


def _table(rows: list[Row], total: Measures, head: str) -> list[str]:
    columns = [name for name in COLUMNS if getattr(total, name)]
    width = min(LONGEST_TEXT, max(len(row.text) for row in rows))
    titles = "".join(
        f"{TITLES.get(name, name):>{COLUMNS[name]}}{'   %' if name == 'ms' else ''}" for name in columns
    )
    lines = [f"{head:>5}  {'':<{width}} {'×':>6}{titles}"]
    long = any(row.cost.ms and row.runs for row in rows)  # else only executing takes time
    for row in rows:
        cells = "".join(_cell(row.cost, total, name) for name in columns)
        line = f"{row.number:>5}  {_cut(row.text, width):<{width}} {row.runs:>6}{cells}"
        share = row.cost.ms / total.ms if long else row.cost.fuel / total.fuel
        dim = row.dim and long
        lines.append(click.style(line.rstrip(), dim=True) if dim else f"{line} {_bar(share)}".rstrip())
    return lines


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"


def _cell(cost: Measures, total: Measures, name: str) -> str:
    value = getattr(cost, name)
    percent = (f"{100 * value / total.ms:>4.0f}" if value else "    ") if name == "ms" else ""
    return f"{value or '':>{COLUMNS[name]}}{percent}"


def _bar(share: float) -> str:
    eighths = round(share * BAR * 8)
    return EIGHTHS[8] * (eighths // 8) + EIGHTHS[eighths % 8].strip()
