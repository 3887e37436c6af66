"""The table of memories: rows in and out."""

import sqlite3
from collections.abc import Mapping
from functools import cached_property
from typing import Any

from llmos.memory._errors import RecallError
from llmos.memory._items import Item, Trace, packed, unpacked
from llmos.memory._store import Store
from llmos.memory._words import clean, mark, terms
from llmos.memory.rules import Schema, load_schema

COLUMNS = ", ".join(Item.COLUMNS)


class Table:
    """The memories of one store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    @cached_property
    def schema(self) -> Schema:
        """What memory holds."""
        return load_schema()

    def items(self, where: str, values: Mapping[str, Any]) -> list[Item]:
        """Return the memories that a condition of SQL holds for."""
        with self._store.reading() as db:
            rows = db.execute(f"SELECT {COLUMNS}, own FROM items WHERE {where}", clean(values)).fetchall()  # noqa: S608
        return [unpacked(dict(zip(Item.COLUMNS, row, strict=False)), row[-1]) for row in rows]

    def trace(self, trace: Trace | str) -> Trace:
        """Return a trace as it is now.

        Raises:
            RecallError: there is none.
        """
        name = trace.id if isinstance(trace, Trace) else trace
        found = self.items("id = :id", {"id": name})
        if not found or not isinstance(found[0], Trace):
            raise RecallError(f"there is no trace {str(name)[:40]!r}")
        return found[0]

    def children(self, name: str) -> list[Trace]:
        """Return the traces right below one, the oldest first."""
        found = self.items("parent = :id AND parent != '' ORDER BY n", {"id": name})
        return [one for one in found if isinstance(one, Trace)]

    def count_children(self, name: str) -> int:
        """Return how many traces hang right below one."""
        with self._store.reading() as db:
            row = db.execute(
                "SELECT count(*) FROM items WHERE parent = ? AND parent != ''", (name,)
            ).fetchone()
        return int(row[0])

    def put(self, item: Item) -> None:
        """Add a memory."""
        with self._store.writing() as db:
            db.execute(
                f"INSERT INTO items ({COLUMNS}, rev, text, terms, mark, own) VALUES "  # noqa: S608
                "(:id, :kind, :at, :project, :run, :lifecycle, :forgotten, :rev, :text, :terms, :mark, :own)",
                {**self._row(item), "rev": _next(db)},
            )

    def change(self, item: Item) -> None:
        """Put a memory in the place of the one of its id."""
        with self._store.writing() as db:
            db.execute(
                "UPDATE items SET at = :at, project = :project, run = :run, lifecycle = :lifecycle, "
                "forgotten = :forgotten, rev = :rev, text = :text, terms = :terms, mark = :mark, own = :own "
                "WHERE id = :id",
                {**self._row(item), "rev": _next(db)},
            )

    def _row(self, item: Item) -> dict[str, Any]:
        text, own, most = item.text, packed(item), self.schema
        if len(text) > most.text_chars:
            raise RecallError(
                f"a memory of {len(text)} characters; {most.text_chars} are the most: shorten it"
            )
        if len(own) > most.data_bytes:
            raise RecallError(f"a memory that carries {len(own)} bytes; {most.data_bytes} are the most")
        row = {name: getattr(item, name) for name in Item.COLUMNS}
        row |= {"text": text, "terms": " ".join(terms(text)), "mark": mark(item.project), "own": own}
        return clean(row)


def _next(db: sqlite3.Connection) -> int:
    """Return the number of the next change; within a transaction, so that it follows the order of commits."""
    (last,) = db.execute("SELECT coalesce(max(rev), 0) FROM items").fetchone()
    return int(last) + 1
