"""Rows as a table: for a terminal, and as CSV."""

import csv
import io
import json
from collections.abc import Collection, Sequence

from ._jobs import Row


def as_text(lines: Sequence[Row], shares: Collection[str] = (), columns: Sequence[str] = ()) -> str:
    """Return rows of the same keys as a table.

    Args:
        lines: the rows.
        shares: columns that are given in percent.
        columns: the columns to give; all where there are none.
    """
    if not lines:
        return "nothing"
    head = list(columns or lines[0])
    cells = [head] + [[_cell(row[key], key in shares) for key in head] for row in lines]
    widths = [max(len(row[i]) for row in cells) for i in range(len(head))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in cells
    )


def _cell(value: object, share: bool) -> str:
    if value is None:
        return "–"
    if isinstance(value, dict):
        return " ".join(f"{key}:{count}" for key, count in value.items()) or "–"
    return f"{value:.0%}" if share else str(value)


def as_csv(rows: Sequence[Row], without: Collection[str] = ()) -> str:
    """Return rows as CSV; a table in a row becomes columns such as `llm.calls`, a list JSON."""
    flat = [_flat({key: value for key, value in row.items() if key not in without}) for row in rows]
    head = list(dict.fromkeys(key for row in flat for key in row))
    out = io.StringIO()
    writer = csv.DictWriter(out, head, lineterminator="\n")
    writer.writeheader()
    writer.writerows(flat)
    return out.getvalue()


def _flat(row: Row, prefix: str = "") -> Row:
    found: Row = {}
    for key, value in row.items():
        if isinstance(value, dict):
            found |= _flat(value, f"{prefix}{key}.")
        else:
            found[prefix + key] = json.dumps(value) if isinstance(value, list) else value
    return found
