"""Rows as a table for a terminal."""

from collections.abc import Collection, Sequence

from ._jobs import Row


def as_text(lines: Sequence[Row], shares: Collection[str] = ()) -> str:
    """Return rows of the same keys as a table; the columns named in `shares` are given in percent."""
    head = list(lines[0])
    cells = [head] + [[_cell(row[key], key in shares) for key in head] for row in lines]
    widths = [max(len(row[i]) for row in cells) for i in range(len(head))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in cells
    )


def _cell(value: object, share: bool) -> str:
    if value is None:
        return "–"
    return f"{value:.0%}" if share else str(value)
