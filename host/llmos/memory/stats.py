"""How much memory there is."""

from typing import Any

from llmos.memory._memory import Memory


def stats(memory: Memory) -> dict[str, Any]:
    """Return how much there is of each kind and life cycle, what is forgotten, and how it is searched."""
    with memory.store.reading() as db:
        kinds = dict(db.execute("SELECT kind, count(*) FROM items GROUP BY kind ORDER BY kind").fetchall())
        lives = dict(db.execute("SELECT lifecycle, count(*) FROM items GROUP BY lifecycle").fetchall())
        (vectors,) = db.execute("SELECT count(*) FROM coarse").fetchone()
        (forgotten,) = db.execute("SELECT count(*) FROM items WHERE forgotten != ''").fetchone()
    return {
        "file": str(memory.path),
        "bytes": memory.path.stat().st_size,
        "kinds": kinds,
        "lifecycles": lives,
        "forgotten": forgotten,
        "vectors": vectors,
        "search": "words and meaning" if memory.by_meaning else "words only",
    }
