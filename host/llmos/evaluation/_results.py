"""Running an evaluation into a folder: rows as they come, at the end the tables and the page."""

import hashlib
import json
from collections.abc import Callable, Mapping
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

from llmos.disk import write_whole
from llmos.resources import state_dir

from ._jobs import Row, evaluate
from ._journal import Journal, fingerprint, key_of
from ._kind import Kind, Plan, Tables
from ._table import as_csv

Watch = Callable[[Row, int, int, int], None]  # a row, how many are done, of how many, how many of them before
NOT_IN_CSV = ("way", "thought_ms", "stops", "program", "key", "code")


def usual_folder(kind: Kind, options: Mapping[str, Any]) -> Path:
    """Return the folder of an evaluation that names none: the same for the same options."""
    text = json.dumps(options, sort_keys=True)
    return state_dir() / "evals" / f"{kind.name}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"


def run(kind: Kind, plan: Plan, jobs: int, folder: Path, watch: Watch) -> list[Row]:
    """Carry out all tasks that the folder has no rows of yet; return the rows of all, in the tasks' order.

    Raises:
        EvaluationError: a task could not begin, or the folder cannot be used.
        KeyboardInterrupt: stopped from outside; what has come is kept.
    """
    tasks = {key_of(task): task for task in plan.tasks()}
    with closing(Journal(folder, fingerprint())) as journal:
        before = sum(key in journal.rows for key in tasks)

        def keep(row: Row) -> None:
            journal.add(row)
            watch(row, sum(key in journal.rows for key in tasks), len(tasks), before)

        todo = [task for key, task in tasks.items() if key not in journal.rows]
        evaluate(todo, partial(keyed, kind.one), jobs, keep)
        return [journal.rows[key] for key in tasks]


def keyed(one: Callable[[Any], Row], task: Any) -> Row:
    """Carry out a task; its row bears its key."""
    return {"key": key_of(task), **one(task)}


def write(kind: Kind, rows: list[Row], options: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Write tables, CSV and page; return what `table.json` says."""
    tables: Tables = kind.tables(rows)
    facts = {"kind": kind.name, "options": dict(options), "runs": len(rows), "code": fingerprint(), **tables}
    write_whole(folder / "table.json", f"{json.dumps(facts, indent=1)}\n".encode())
    write_whole(folder / "runs.csv", as_csv(rows, NOT_IN_CSV).encode())
    for name, lines in tables.items():
        if lines:
            write_whole(folder / f"{name}.csv", as_csv(lines).encode())
    if kind.page:
        said = ", ".join(f"{name} {value}" for name, value in options.items())
        write_whole(folder / "report.html", kind.page(f"llmos eval: {said}", rows, tables).encode())
    return {"folder": str(folder), **facts}
