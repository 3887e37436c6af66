"""Search in 100,000 memories: against plain SQLite, against FTS5 alone, and against all vectors in numpy.

The memories are sentences of some seventy common words and 20,000 rare names, of 200 projects. A figure is
the median over 60 questions of two to six words. sqlite-vec, the nearest peer, needs a Python whose
sqlite3 loads extensions; many are built without, so it is none here.
"""

import os
import random
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from benchlib import Row, print_table

from llmos.memory import Experience, Fact, Memory, Trace
from llmos.memory._meaning import SIZE, open_embedder
from llmos.memory._scope import Scope
from llmos.memory._words import terms

MEMORIES = 100_000
QUESTIONS = 60
WANTED_MS = 20.0  # median of a search
WORDS = """
    drive go find explore follow push carry avoid measure watch count circle reach leave approach
    red green blue yellow grey white black orange purple brown
    ball box cone wall door chair table plant lamp corridor corner window shelf mat charger
    kitchen office hall lab garage attic cellar porch garden library studio workshop
    reached collided stuck lost slipped refused completed stalled covered missed
    ba be bi bo da de di do ka ke ki ko la le li lo ma me mi mo na ne ni no ra re ri ro
"""
VERBS, COLOURS, THINGS, PLACES, ENDS, SYLLABLES = (line.split() for line in WORDS.strip().splitlines())


def fill(memory: Memory, rng: random.Random) -> list[str]:
    """Write the memories, in one transaction, and return the rare names in them."""
    names = ["".join(rng.choices(SYLLABLES, k=4)) for _ in range(20_000)]
    with memory.store.writing():
        for number in range(MEMORIES):
            thing = f"{rng.choice(COLOURS)} {rng.choice(THINGS)} in the {rng.choice(PLACES)}"
            name = names[int(rng.paretovariate(1)) % len(names)]
            goal, end = f"{rng.choice(VERBS)} to the {thing} of {name}", rng.choice(ENDS)
            common = {"id": f"m{number:011x}", "project": f"p{rng.randrange(200)}", "at": float(number)}
            match number % 4:
                case 0:
                    memory.table.put(Fact(statement=f"the {thing} is {name}'s", said_by="a person", **common))
                case 1:
                    memory.table.put(Experience(primary_goal=goal, final_outcome=end, **common))
                case _:
                    memory.table.put(
                        Trace(kind="mission", goal=goal, outcome=end, status="success", **common)
                    )
    return names


def questions(names: Sequence[str], rng: random.Random) -> list[str]:
    """Return questions of common words, and every other time of a rare one, too."""
    common = [*VERBS, *COLOURS, *THINGS, *PLACES, *ENDS, "sphere", "crash", "room", "narrow", "lights"]
    asked = [rng.sample(common, rng.randrange(2, 7)) for _ in range(QUESTIONS)]
    return [" ".join(words + ([rng.choice(names)] if odd % 2 else [])) for odd, words in enumerate(asked)]


def median_ms(
    ask: Callable[[str], object], asked: Sequence[str], clock: Callable[[], float] = time.perf_counter
) -> float:
    """Return the median time of a question."""
    times = []
    for question in asked:
        start = clock()
        ask(question)
        times.append(1000 * (clock() - start))
    return statistics.median(times)


def like(db: sqlite3.Connection) -> Callable[[str], object]:
    """The peer that needs no index: read all texts, and count the words that each has."""

    def ask(question: str) -> object:
        words = question.split()
        score = " + ".join("(text LIKE ?)" for _ in words)
        return db.execute(
            f"SELECT id, {score} AS score FROM items ORDER BY score DESC LIMIT 5",
            [f"%{word}%" for word in words],
        ).fetchall()

    return ask


def full_text(db: sqlite3.Connection) -> Callable[[str], object]:
    """The peer that has FTS5's index, and ranks whatever has any of the words."""

    def ask(question: str) -> object:
        match = " OR ".join(f'"{word}"' for word in terms(question))
        return db.execute(
            "SELECT rowid FROM words WHERE words MATCH ? ORDER BY rank LIMIT 5", (match,)
        ).fetchall()

    return ask


def all_vectors(db: sqlite3.Connection) -> Callable[[str], object]:
    """The peer that has vectors only: a product with all of them, in all dimensions."""
    embedder = open_embedder()
    if embedder is None:
        raise SystemExit("bench_memory needs the extra [memory]: pip install llmos[memory]")
    blob = b"".join(row[0] for row in db.execute("SELECT fine FROM fine ORDER BY n"))
    vectors = np.frombuffer(blob, "<f2").reshape(-1, SIZE).astype(np.float32)

    def ask(question: str) -> object:
        return -np.partition(-(vectors @ embedder.of([question])[0]), 5)[:5]

    return ask


def recall(memory: Memory, peer: Callable[[str], object], asked: Sequence[str]) -> float:
    """Return how many of the five nearest, equals aside, are found by a look at the first dimensions."""
    matrix = memory._search.matrix
    found = []
    for question in asked if matrix else ():
        near, cosines = matrix.nearest(question, Scope(("active",)), 100)
        least = float(np.min(np.asarray(peer(question)))) - 1e-3
        found += [cosines[n] >= least for n in near[:5]]
    return statistics.fmean(found) if found else 0.0


def start_ms(command: Sequence[str], home: Path) -> float:
    """Return the median time of five starts of a program."""
    times = []
    for _ in range(5):
        start = time.perf_counter()
        subprocess.run(
            command, check=True, stdout=subprocess.DEVNULL, env={**os.environ, "LLMOS_HOME": str(home)}
        )
        times.append(1000 * (time.perf_counter() - start))
    return statistics.median(times)


def run() -> list[Row]:
    """Fill a memory, ask it and its peers, and start the command on it."""
    rng = random.Random(0)
    with tempfile.TemporaryDirectory() as folder, Memory(Path(folder) / "memory.sqlite") as memory:
        names = fill(memory, rng)
        start = time.perf_counter()
        memory.search("anything at all")
        first_s = time.perf_counter() - start
        asked = questions(names, rng)
        with memory.store.reading() as db:
            peers = {
                "LIKE scan": like(db),
                "FTS5, any word": full_text(db),
                "all vectors, numpy": all_vectors(db),
            }
            theirs = {name: median_ms(ask, asked) for name, ask in peers.items()}
        ours = median_ms(memory.search, asked)
        scoped = median_ms(lambda question: memory.search(question, scope="similar", project="p7"), asked)
        near = recall(memory, peers["all vectors, numpy"], asked)
        busy = median_ms(memory.search, asked, time.process_time)
        note = f"{busy:.1f} ms of a processor; vectors made at first, {first_s:.1f} s"
        rows = [
            Row("search, hybrid", ours, name, peer, wanted=0.0 if "vectors" in name else 1.0)
            for name, peer in theirs.items()
        ]
        rows.append(Row("search, hybrid", ours, "what is promised", WANTED_MS, note=note))
        rows.append(
            Row("search, similar projects", scoped, "LIKE scan", theirs["LIKE scan"], wanted=0.0,
                note=f"{near:.0%} of the five nearest of all vectors are ours")
        )  # fmt: skip
        scan = f"import sqlite3; print(sqlite3.connect({str(memory.path)!r}).execute(" \
            "\"SELECT text FROM items WHERE text LIKE '%red ball%' LIMIT 5\").fetchall())"  # fmt: skip
        command = [str(Path(sys.executable).with_name("llmos")), "memory", "search", "red ball"]
        rows.append(
            Row("llmos memory search, from cold", start_ms(command, Path(folder)), "python, LIKE scan",
                start_ms([sys.executable, "-c", scan], Path(folder)), wanted=0.0)
        )  # fmt: skip
        return rows


if __name__ == "__main__":
    sys.exit(0 if print_table("Memory: one question to 100,000 memories, median", run()) else 1)
