"""All memories as arrays: vectors, and what a search is narrowed by; kept fresh across processes."""

import contextlib
import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from llmos.memory._errors import RecallError
from llmos.memory._meaning import COARSE, SIZE, Embedder, Vectors, coarse
from llmos.memory._scope import Scope
from llmos.memory._store import Store

_BATCH = 1000  # texts embedded in one transaction, about 20 ms
_LOOKED = 2  # times as many are looked at closely as are wanted


class Matrix:
    """The arrays of one store; row i of each belongs to the memory `n[i]`, rising.

    A change of a memory gets the next revision number, so that what another process has written is what lies
    above the last revision that was read. Vectors are made when they are first needed, and kept in the file.
    """

    def __init__(self, store: Store, embedder: Embedder) -> None:
        self._store = store
        self._embedder = embedder
        self._rev = 0
        self._codes: dict[str, int] = {}  # of kinds, projects and life cycles
        self._size = 0
        self._n = np.zeros(0, np.int64)
        self._at = np.zeros(0)
        self._marks = np.zeros((4, 0), np.int32)  # kind, project, lifecycle, hidden
        self._coarse = np.zeros((0, COARSE), np.float32)
        self._centres: tuple[int, dict[str, Vectors]] = (0, {})

    def nearest(
        self, question: str, scope: Scope, wanted: int, others: Sequence[int] = ()
    ) -> tuple[list[int], dict[int, float]]:
        """Return the memories nearest to a question, the nearest first, and the cosines of these and others.

        All are compared in the first dimensions, and the best of them in all.
        """
        self.refresh()
        asked = self._embedder.of([question])
        if not self._size or not asked.any():
            return [], {}
        # Not by `@`: what BLAS does with several threads takes ten times as long where the cores are busy.
        scores = np.einsum("ij,j->i", self._coarse[: self._size], coarse(asked)[0])
        scores[~self._mask(scope)] = -2.0
        looked = min(_LOOKED * wanted, self._size)
        best = np.argpartition(-scores, looked - 1)[:looked]
        near = [int(n) for n in self._n[best[scores[best] > -1.5]]]
        cosines = self._cosines(asked[0], {*near, *others})
        order = sorted((n for n in near if n in cosines), key=lambda n: (-cosines[n], -n))[:wanted]
        return order, cosines

    def _cosines(self, asked: Vectors, rows: Iterable[int]) -> dict[int, float]:
        """Return the cosines of memories to a vector, in all dimensions."""
        with self._store.reading() as db:
            marks = ",".join(map(str, rows))
            got = db.execute(f"SELECT n, fine FROM fine WHERE n IN ({marks})").fetchall()  # noqa: S608
        vectors = _floats(b"".join(blob for _, blob in got), SIZE)
        cosines = np.einsum("ij,j->i", vectors, asked)
        return dict(zip((n for n, _ in got), map(float, cosines), strict=True))

    def similar(self, project: str, question: str, count: int, least: float) -> list[str]:
        """Return the projects whose memories are most like a project's, or a question where it has none."""
        self.refresh()
        if self._centres[0] != self._rev:
            self._centres = (self._rev, self._averages())
        centres = self._centres[1]
        own = centres.get(project)
        if own is None:
            own = coarse(self._embedder.of([question]))[0]
        likeness = {
            name: float(own @ centre) for name, centre in centres.items() if name not in ("", project)
        }
        best = sorted(likeness, key=lambda name: -likeness[name])[:count]
        return [name for name in best if likeness[name] >= least]

    def _averages(self) -> dict[str, Vectors]:
        """Return the mean direction of each project's memories."""
        projects, vectors = self._marks[1, : self._size], self._coarse[: self._size]
        alive = self._marks[3, : self._size] == 0
        names = {code: name for name, code in self._codes.items()}
        found = {}
        for code in np.unique(projects[alive]):
            mean = vectors[alive & (projects == code)].mean(axis=0)
            length = float(np.linalg.norm(mean))
            found[names[int(code)][1:]] = mean / (length or 1.0)
        return found

    def _mask(self, scope: Scope) -> npt.NDArray[np.bool_]:
        kinds, projects, lifecycles, hidden = self._marks[:, : self._size]
        mask: npt.NDArray[np.bool_] = hidden == 0
        mask &= np.isin(lifecycles, self._known("l", scope.lifecycles))
        if scope.projects is not None:
            mask &= np.isin(projects, self._known("p", scope.projects))
        if scope.kinds:
            mask &= np.isin(kinds, self._known("k", scope.kinds))
        if scope.since is not None:
            mask &= self._at[: self._size] >= scope.since
        if scope.until is not None:
            mask &= self._at[: self._size] <= scope.until
        return mask

    def _known(self, letter: str, names: Iterable[str]) -> list[int]:
        return [self._codes.get(letter + name, -1) for name in names]

    def refresh(self) -> None:
        """Read what was written since the last time, by whomever."""
        with self._store.reading() as db:
            (newest,) = db.execute("SELECT coalesce(max(rev), 0) FROM items").fetchone()
            if newest == self._rev:
                return
            rows = db.execute(
                "SELECT i.n, i.at, i.kind, i.project, i.lifecycle, "
                "i.forgotten != '' OR i.status IS 'running', c.coarse "
                "FROM items i LEFT JOIN coarse c ON c.n = i.n AND c.maker = ? "
                "WHERE i.rev > ? AND i.rev <= ? ORDER BY i.n",
                (self._embedder.maker, self._rev, newest),
            ).fetchall()
        self._take(rows)
        missing = [row[0] for row in rows if row[-1] is None]
        for begin in range(0, len(missing), _BATCH):
            self._embed(missing[begin : begin + _BATCH])
        self._rev = newest

    def _take(self, rows: Sequence[tuple[Any, ...]]) -> None:
        """Put rows of the file into the arrays, new ones behind the others."""
        if not rows:
            return
        ns, at, *marks, hidden, blobs = zip(*rows, strict=True)
        numbers = np.array(ns, np.int64)
        last = int(self._n[self._size - 1]) if self._size else 0
        fresh = numbers[numbers > last]
        self._room(self._size + len(fresh))
        self._n[self._size : self._size + len(fresh)] = fresh
        self._size += len(fresh)
        places = np.searchsorted(self._n[: self._size], numbers)
        self._at[places] = at
        for mark, (letter, names) in enumerate(zip("kpl", marks, strict=True)):
            codes = {name: self._codes.setdefault(letter + name, len(self._codes)) for name in set(names)}
            self._marks[mark, places] = [codes[name] for name in names]
        self._marks[3, places] = hidden
        blank = bytes(2 * COARSE)
        self._coarse[places] = _floats(b"".join([blob or blank for blob in blobs]), COARSE)

    def _room(self, size: int) -> None:
        more = max(size, 2 * len(self._n)) - len(self._n)
        if size > len(self._n):
            self._n = np.pad(self._n, (0, more))
            self._at = np.pad(self._at, (0, more))
            self._marks = np.pad(self._marks, ((0, 0), (0, more)))
            self._coarse = np.pad(self._coarse, ((0, more), (0, 0)))

    def _embed(self, numbers: Sequence[int]) -> None:
        """Make the vectors of memories, and keep them where the file can be written."""
        made: dict[int, Vectors] = {}
        with contextlib.suppress(RecallError), self._store.writing() as db:
            made = self._made(db, numbers)
            maker = self._embedder.maker
            whole = [(n, vector.astype("<f2").tobytes()) for n, vector in made.items()]
            first = [
                (n, maker, coarse(vector[None])[0].astype("<f2").tobytes()) for n, vector in made.items()
            ]
            db.executemany("INSERT OR REPLACE INTO fine (n, fine) VALUES (?, ?)", whole)
            db.executemany("INSERT OR REPLACE INTO coarse (n, maker, coarse) VALUES (?, ?, ?)", first)
        if made:
            places = np.searchsorted(self._n[: self._size], numbers)
            self._coarse[places] = coarse(np.array(list(made.values())))

    def _made(self, db: sqlite3.Connection, numbers: Sequence[int]) -> dict[int, Vectors]:
        marks = ",".join(map(str, numbers))
        texts = dict(db.execute(f"SELECT n, text FROM items WHERE n IN ({marks})").fetchall())  # noqa: S608
        return dict(zip(numbers, self._embedder.of([texts[n] for n in numbers]), strict=True))


def _floats(blob: bytes, columns: int) -> Vectors:
    return np.frombuffer(blob, "<f2").reshape(-1, columns).astype(np.float32)
