"""Search by words and by meaning, fused by rank."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from llmos.memory._errors import RecallError
from llmos.memory._items import Item, unpacked
from llmos.memory._scope import Scope
from llmos.memory._store import Store
from llmos.memory._words import mark, terms
from llmos.memory.rules import Query

if TYPE_CHECKING:
    from llmos.memory._matrix import Matrix

SCOPES = ("project", "global", "similar")
LIFECYCLES = ("active", "consolidated", "archived")
_LETTERS = 64  # of a word of a question, on average, that are read


@dataclass(frozen=True)
class Found:
    """A memory that answers a question.

    Args:
        item: the memory.
        score: how well it answers, by both rankings, from 0 to 1.
        words: the share of the question's words that it has, the rare ones counting most.
        meaning: the cosine of the two texts' vectors; 0 where there are no vectors.
        times: how many memories say the same, of those that were ranked; the newest of them answers for all.
    """

    item: Item
    score: float
    words: float
    meaning: float
    times: int = 1

    @property
    def source(self) -> str:
        """Where it is from."""
        return self.item.source


@dataclass(frozen=True)
class Wish:
    """What is asked of memory; see `Memory.search`."""

    question: str
    kinds: tuple[str, ...] = ()
    scope: str = "global"
    project: str = ""
    since: float | None = None
    until: float | None = None
    limit: int | None = None
    least: float | None = None
    archived: bool = False
    OWN_KINDS: ClassVar[tuple[str, ...]] = ("experience", "fact")


class Search:
    """Answers questions to one store."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._read: Matrix | None = None

    @property
    def matrix(self) -> "Matrix | None":
        """All memories as vectors; None where nothing makes vectors."""
        if self._read is None:
            from llmos.memory._matrix import Matrix
            from llmos.memory._meaning import open_embedder

            embedder = open_embedder()
            self._read = Matrix(self._store, embedder) if embedder else None
        return self._read

    def find(self, wish: Wish, rules: Query) -> list[Found]:
        """Return the memories that answer, the best first."""
        question = wish.question[: rules.query_words * _LETTERS]
        asked = list(dict.fromkeys(terms(question)))[: rules.query_words]
        if not asked:
            return []
        with self._store.reading():  # so that other threads wait
            scope = self._scope(wish, question, rules)
            have, count, share = self._count(asked, scope)
            weights = {
                word: math.log(1 + count / max(have[word], 0.5)) for word in asked
            }  # Spärck Jones, 1972
            match = expression({word: share * have[word] for word in asked}, share * count, rules)
            by_words = self._by_words(*match, scope, rules)
            by_meaning, cosines = self._by_meaning(" ".join(question.split()), scope, by_words, rules)
            rankings = [(by_words, rules.words), (by_meaning, rules.meaning)]
            scores = fused([one for one in rankings if one[1] and (one[0] or self.matrix)], rules.rank)
            return self._answers(scores, weights, cosines, wish, rules)

    def _scope(self, wish: Wish, question: str, rules: Query) -> Scope:
        if wish.scope not in SCOPES:
            raise RecallError(f"a scope {wish.scope!r}: there are {', '.join(SCOPES)}")
        if wish.scope != "global" and not wish.project:
            raise RecallError(f"scope {wish.scope} is about a project: name one")
        projects: tuple[str, ...] | None = None if wish.scope == "global" else (wish.project,)
        if projects and wish.scope == "similar" and self.matrix:
            least = rules.similar_least
            projects += tuple(self.matrix.similar(wish.project, question, rules.similar_projects, least))
        lifecycles = LIFECYCLES if wish.archived else rules.lifecycles
        return Scope(lifecycles, wish.kinds, projects, wish.since, wish.until)

    def _count(self, words: Sequence[str], scope: Scope) -> tuple[dict[str, int], int, float]:
        """Return how many memories have each word, how many there are, and the scope's share."""
        marks = [mark(project) for project in scope.projects or ()]
        with self._store.reading() as db:
            (count,) = db.execute("SELECT coalesce(max(n), 0) FROM items").fetchone()
            places = ",".join("?" * (len(words) + len(marks)))
            rows = db.execute(
                f"SELECT term, doc FROM vocabulary WHERE term IN ({places})",  # noqa: S608
                [*words, *marks],
            )
            have: dict[str, int] = dict(rows.fetchall())
        share = sum(have.get(one, 0) for one in marks) / max(count, 1) if scope.projects else 1.0
        return {word: have.get(word, 0) for word in words}, count, share

    def _by_words(self, match: str, ranked: bool, scope: Scope, rules: Query) -> list[int]:
        """Return the memories that have the words, by BM25 (Robertson et al. 1994), or the newest first."""
        if not match:
            return []
        if scope.projects is not None:
            match = f"mark : ({' OR '.join(mark(project) for project in scope.projects)}) AND ({match})"
        where, values = scope.sql()
        order = "rank" if ranked else "rowid DESC"
        with self._store.reading() as db:
            rows = db.execute(
                "SELECT words.rowid FROM words CROSS JOIN items ON items.n = words.rowid "  # noqa: S608
                f"WHERE words MATCH :match AND {where} ORDER BY words.{order} LIMIT :depth",
                {**values, "match": match, "depth": rules.depth},
            )
            return [row[0] for row in rows.fetchall()]

    def _by_meaning(
        self, question: str, scope: Scope, by_words: Sequence[int], rules: Query
    ) -> tuple[list[int], dict[int, float]]:
        """Return the memories nearest to a question, and the cosines of these and of those found by words."""
        if not rules.meaning or self.matrix is None:
            return [], {}
        return self.matrix.nearest(question, scope, rules.depth, by_words)

    def _answers(
        self,
        scores: Mapping[int, float],
        weights: Mapping[str, float],
        cosines: Mapping[int, float],
        wish: Wish,
        rules: Query,
    ) -> list[Found]:
        """Return what is relevant of what was ranked."""
        total = sum(weights.values())
        least_words = rules.least if wish.least is None else wish.least
        least_meaning = rules.least_meaning if wish.least is None else wish.least
        limit = rules.limit if wish.limit is None else wish.limit
        order = sorted(scores, key=lambda n: (-scores[n], -n))
        said: dict[str, list[int]] = {}
        shares: dict[int, tuple[float, float]] = {}
        for n, own in self._terms(order):
            words = own.split()
            share = sum(weight for word, weight in weights.items() if word in words) / total
            meaning = cosines.get(n, 0.0)
            if share >= least_words or meaning >= least_meaning:
                said.setdefault(own, []).append(n)
                shares[n] = (round(share, 4), round(meaning, 4))
        best = list(said.values())[:limit]
        items = self._items([max(same) for same in best])
        return [
            Found(items[max(same)], round(scores[same[0]], 4), *shares[same[0]], len(same)) for same in best
        ]

    def _terms(self, rows: Sequence[int]) -> list[tuple[int, str]]:
        with self._store.reading() as db:
            marks = ",".join(map(str, rows))
            got = dict(db.execute(f"SELECT n, terms FROM items WHERE n IN ({marks})").fetchall())  # noqa: S608
        return [(n, got[n]) for n in rows if n in got]

    def _items(self, rows: Sequence[int]) -> dict[int, Item]:
        names, marks = ", ".join(Item.COLUMNS), ",".join(map(str, rows))
        with self._store.reading() as db:
            got = db.execute(f"SELECT n, {names}, own FROM items WHERE n IN ({marks})").fetchall()  # noqa: S608
        return {row[0]: unpacked(dict(zip(Item.COLUMNS, row[1:-1], strict=True)), row[-1]) for row in got}


def expression(have: Mapping[str, float], within: float, rules: Query) -> tuple[str, bool]:
    """Return what FTS5 is to match, and whether that leads to few enough memories to rank them.

    Rare words match by themselves, until `matches` memories have them. The commoner ones match together: the
    rarest of them, as many as it takes to be rare if they fall independently.

    Args:
        have: of each word, how many memories have it.
        within: how many memories there are.
        rules: `matches` and `depth`.
    """
    known = sorted((count, word) for word, count in have.items() if count)
    rare: list[str] = []
    left = float(rules.matches)
    while known and known[0][0] <= left:
        count, word = known.pop(0)
        rare.append(f'"{word}"')
        left -= count
    both: list[str] = []
    expected = within
    while known and expected > rules.depth:
        count, word = known.pop(0)
        expected *= count / within
        both.append(f'"{word}"')
    common = [f"({' AND '.join(both)})"] if len(both) > 1 or not rare else []
    return " OR ".join(rare + [one for one in common if both]), not common or expected <= rules.matches


def fused(rankings: Sequence[tuple[Sequence[int], float]], constant: int) -> dict[int, float]:
    """Fuse weighed rankings by reciprocal rank, as a share of what the first of all of them has.

    An item's score is the sum of weight / (constant + rank): Cormack, Clarke and Büttcher 2009, "Reciprocal
    rank fusion outperforms Condorcet and individual rank learning methods".
    """
    scores: dict[int, float] = {}
    most = sum(weight for _, weight in rankings) / (constant + 1)
    for rows, weight in rankings:
        for rank, row in enumerate(rows, 1):
            scores[row] = scores.get(row, 0.0) + weight / (constant + rank) / most
    return scores
