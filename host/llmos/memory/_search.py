"""Search by words and by meaning, fused by rank."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from llmos.memory._errors import RecallError
from llmos.memory._items import Item, unpacked
from llmos.memory._store import Store
from llmos.memory._words import terms
from llmos.memory.rules import Query

SCOPES = ("project", "global", "similar")


@dataclass(frozen=True)
class Found:
    """A memory that answers a question.

    Args:
        item: the memory.
        score: how well it answers, by both rankings, from 0 to 1.
        words: the share of the question's words that it has, the rare ones counting most.
        meaning: the cosine of the two texts' vectors, at least 0; 0 where there are no vectors.
    """

    item: Item
    score: float
    words: float
    meaning: float

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

    def find(self, wish: Wish, rules: Query) -> list[Found]:
        """Return the memories that answer, the best first."""
        if wish.scope not in SCOPES:
            raise RecallError(f"a scope {wish.scope!r}: there are {', '.join(SCOPES)}")
        if wish.scope != "global" and not wish.project:
            raise RecallError(f"scope {wish.scope} is about a project: name one")
        asked = list(dict.fromkeys(terms(wish.question[: rules.query_words * 64])))[: rules.query_words]
        projects = None if wish.scope == "global" else [wish.project]
        where, values = _filter(wish, rules, projects)
        weights = self._weights(asked)
        ranked = self._by_words(weights, rules, where, values)
        return self._fused([(ranked, rules.words)], weights, wish, rules)

    def _weights(self, asked: Sequence[str]) -> dict[str, tuple[float, int]]:
        """Return each word's weight, its inverse document frequency (Spärck Jones, 1972), and count."""
        with self._store.reading() as db:
            (count,) = db.execute("SELECT count(*) FROM items").fetchone()
            marks = ",".join("?" * len(asked))
            rows = db.execute(f"SELECT term, doc FROM vocabulary WHERE term IN ({marks})", asked)  # noqa: S608
            have = dict(rows.fetchall())
        return {
            word: (math.log(1 + count / max(have.get(word, 0), 0.5)), have.get(word, 0)) for word in asked
        }

    def _by_words(
        self, weights: Mapping[str, tuple[float, int]], rules: Query, where: str, values: Mapping[str, Any]
    ) -> list[int]:
        """Return the rows of the memories that share words with a question, by BM25 (Robertson et al., 1994).

        Its commonest words are left out where the rarer ones lead to enough memories already. Where even the
        rarest is common, it tells little, and the newest memories that have it stand for all.
        """
        chosen: list[str] = []
        left = rules.matches
        for word, (_, have) in sorted(weights.items(), key=lambda one: one[1][1]):
            if have and (not chosen or have <= left):
                chosen.append(word)
                left -= have
        if not chosen:
            return []
        order = "rowid DESC" if left < 0 else "rank"
        with self._store.reading() as db:
            rows = db.execute(
                "SELECT words.rowid FROM words JOIN items ON items.n = words.rowid "  # noqa: S608
                f"WHERE words MATCH :match AND {where} ORDER BY words.{order} LIMIT :depth",
                {**values, "match": " OR ".join(f'"{word}"' for word in chosen), "depth": rules.depth},
            )
            return [row[0] for row in rows.fetchall()]

    def _fused(
        self,
        rankings: Sequence[tuple[Sequence[int], float]],
        weights: Mapping[str, tuple[float, int]],
        wish: Wish,
        rules: Query,
    ) -> list[Found]:
        """Fuse rankings: the sum of weight / (constant + rank), Cormack et al. 2009; a share of its most."""
        scores: dict[int, float] = {}
        for rows, weight in rankings:
            for rank, row in enumerate(rows, 1):
                scores[row] = scores.get(row, 0.0) + weight / (rules.rank + rank)
        most = sum(weight for _, weight in rankings) / (rules.rank + 1)
        total = sum(weight for weight, _ in weights.values())
        least = rules.least if wish.least is None else wish.least
        found = []
        for row, item in self._items(sorted(scores, key=lambda row: (-scores[row], -row))):
            own = set(terms(item.text))
            share = (
                sum(weight for word, (weight, _) in weights.items() if word in own) / total if total else 0.0
            )
            if share >= least:
                found.append(Found(item, round(scores[row] / most, 4), round(share, 4), 0.0))
            if len(found) == (wish.limit or rules.limit):
                break
        return found

    def _items(self, rows: Sequence[int]) -> list[tuple[int, Item]]:
        names = ", ".join(Item.COLUMNS)
        marks = ",".join("?" * len(rows))
        with self._store.reading() as db:
            got = db.execute(f"SELECT n, {names}, own FROM items WHERE n IN ({marks})", rows).fetchall()  # noqa: S608
        read = {row[0]: unpacked(dict(zip(Item.COLUMNS, row[1:-1], strict=True)), row[-1]) for row in got}
        return [(row, read[row]) for row in rows if row in read]


def _filter(wish: Wish, rules: Query, projects: Sequence[str] | None) -> tuple[str, dict[str, Any]]:
    """Return the condition on items that a wish means, in SQL, and its values."""
    tests, values = ["forgotten = ''"], dict[str, Any]()

    def one_of(column: str, some: Sequence[str]) -> str:
        names = {f"{column}{index}": value for index, value in enumerate(some)}
        values.update(names)
        return f"{column} IN ({', '.join(f':{name}' for name in names)})"

    if projects is not None:
        tests.append(one_of("project", projects))
    if wish.kinds:
        named = one_of("kind", [kind for kind in wish.kinds if kind != "trace"])
        tests.append(f"({named} OR kind NOT IN ('experience', 'fact'))" if "trace" in wish.kinds else named)
    if not wish.archived:
        tests.append(one_of("lifecycle", rules.lifecycles))
    if wish.since is not None:
        tests.append("at >= :since")
        values["since"] = wish.since
    if wish.until is not None:
        tests.append("at <= :until")
        values["until"] = wish.until
    return " AND ".join(tests), values
