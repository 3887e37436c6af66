"""The file of memory: opened, brought up to date, written by one at a time, put aside when broken."""

import contextlib
import fcntl
import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from llmos.memory._errors import MemoryDamaged, MemoryFromLater, RecallError

APPLICATION = 0x4C4C4D4D  # "LLMM", in the file's header
MAPPED = 1 << 30  # bytes of the file that are read without copying
BUSY_S = 10.0  # how long one writer waits for another
# What brings a file from each version to the next. An item's own fields are JSON, some of them columns.
MIGRATIONS = (
    """
    CREATE TABLE items (
        n INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, kind TEXT NOT NULL, at REAL NOT NULL,
        project TEXT NOT NULL, run TEXT NOT NULL, lifecycle TEXT NOT NULL, forgotten TEXT NOT NULL,
        rev INTEGER NOT NULL, text TEXT NOT NULL, terms TEXT NOT NULL, mark TEXT NOT NULL, own TEXT NOT NULL,
        status TEXT AS (json_extract(own, '$.status')), parent TEXT AS (json_extract(own, '$.parent')),
        skill TEXT AS (json_extract(own, '$.skill')), version TEXT AS (json_extract(own, '$.version')),
        agent TEXT AS (json_extract(own, '$.agent')), key TEXT AS (json_extract(own, '$.key')));
    CREATE INDEX items_rev ON items (rev, at, kind, project, lifecycle, forgotten, status);
    CREATE INDEX items_age ON items (at);
    CREATE INDEX items_project ON items (project, kind, at);
    CREATE INDEX items_run ON items (run) WHERE run != '';
    CREATE INDEX items_parent ON items (parent) WHERE parent != '';
    CREATE INDEX items_skill ON items (skill, version) WHERE skill != '';
    CREATE INDEX items_key ON items (key) WHERE key != '';
    CREATE INDEX items_running ON items (n) WHERE status = 'running';
    CREATE INDEX items_forgotten ON items (n) WHERE forgotten != '';
    CREATE INDEX items_lifecycle ON items (lifecycle, kind);
    CREATE VIRTUAL TABLE words USING fts5 (
        terms, mark, content='items', content_rowid='n', tokenize='unicode61');
    INSERT INTO words (words, rank) VALUES ('rank', 'bm25(1.0, 0.0)');
    CREATE VIRTUAL TABLE vocabulary USING fts5vocab ('words', 'row');
    CREATE TRIGGER items_put AFTER INSERT ON items BEGIN
        INSERT INTO words (rowid, terms, mark) VALUES (new.n, new.terms, new.mark); END;
    CREATE TRIGGER items_changed AFTER UPDATE OF terms, mark ON items
        WHEN (old.terms, old.mark) != (new.terms, new.mark) BEGIN
        INSERT INTO words (words, rowid, terms, mark) VALUES ('delete', old.n, old.terms, old.mark);
        INSERT INTO words (rowid, terms, mark) VALUES (new.n, new.terms, new.mark); END;
    CREATE TRIGGER items_reworded AFTER UPDATE OF text ON items WHEN old.text != new.text BEGIN
        DELETE FROM coarse WHERE n = old.n; END;
    CREATE TABLE coarse (n INTEGER PRIMARY KEY, maker TEXT NOT NULL, coarse BLOB NOT NULL);
    CREATE TABLE fine (n INTEGER PRIMARY KEY, fine BLOB NOT NULL);
    """,
)


class Store:
    """A connection to the file, for all threads of a process; other processes have their own.

    Write-ahead logging: readers never wait, writers wait for each other, and a process that is killed leaves
    what it had committed. After a failure of power the last commits may be missing, and nothing else.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.RLock()
        self._depth = 0
        with self.minded(), _alone(path):
            self._db = self._opened()

    def _opened(self) -> sqlite3.Connection:
        db = sqlite3.connect(self.path, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
        try:
            self._check(db)
            db.execute("PRAGMA journal_mode = wal")
            db.execute("PRAGMA synchronous = normal")
            db.execute(f"PRAGMA mmap_size = {MAPPED}")
            self._migrate(db)
        except BaseException:
            db.close()
            raise
        return db

    def _check(self, db: sqlite3.Connection) -> None:
        """Refuse a file that is not ours, or that we know too little of, before anything of it changes."""
        (version,) = db.execute("PRAGMA user_version").fetchone()
        (application,) = db.execute("PRAGMA application_id").fetchone()
        (tables,) = db.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        if application != APPLICATION and (version or tables):
            raise RecallError(f"{self.path} is some other database; move it away, or set LLMOS_HOME")
        if version > len(MIGRATIONS):
            raise MemoryFromLater(
                f"{self.path} has version {version}, this LLMos knows {len(MIGRATIONS)}: install a newer one"
            )

    def _migrate(self, db: sqlite3.Connection) -> None:
        (version,) = db.execute("PRAGMA user_version").fetchone()
        for number in range(version, len(MIGRATIONS)):
            db.executescript(
                f"BEGIN IMMEDIATE; {MIGRATIONS[number]} PRAGMA application_id = {APPLICATION};"
                f"PRAGMA user_version = {number + 1}; COMMIT;"
            )

    @contextmanager
    def minded(self) -> Iterator[None]:
        """Turn what SQLite raises into errors of ours; put a broken file aside."""
        try:
            yield
        except (sqlite3.OperationalError, sqlite3.DatabaseError) as error:
            if _broken(error):
                raise self._aside(error) from None
            if "locked" in str(error):
                raise RecallError(
                    f"{self.path} is being written by another process since {BUSY_S:g} s: try again"
                ) from None
            raise RecallError(f"{self.path} cannot be used ({error}): see that you may write there") from None
        except OSError as error:
            raise RecallError(
                f"{self.path} cannot be used ({error.strerror}): set LLMOS_HOME to a folder of yours"
            ) from None

    def _aside(self, error: Exception) -> MemoryDamaged:
        """Rename the file and what belongs to it, unless another process has done so already."""
        told = f"{self.path} is damaged ({error})"
        with _alone(self.path):
            if not _truly_broken(self.path):
                return MemoryDamaged(f"{told}; it was read again and is whole: try again")
            kept = self.path.with_name(
                f"{self.path.name}.damaged-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}"
            )
            for tail in ("", "-wal", "-shm"):
                with contextlib.suppress(FileNotFoundError):
                    Path(f"{self.path}{tail}").rename(f"{kept}{tail}")
        return MemoryDamaged(f"{told}: it is kept as {kept.name}, and the next command begins a new one")

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Give the connection to one thread."""
        with self._lock, self.minded():
            yield self._db

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Give the connection to one thread, in a transaction: all of it happens, or nothing."""
        with self._lock, self.minded():
            if self._depth:  # a part of the transaction around it
                yield self._db
                return
            self._db.execute("BEGIN IMMEDIATE")
            self._depth += 1
            try:
                yield self._db
                self._db.execute("COMMIT")
            except BaseException:
                with contextlib.suppress(sqlite3.Error):
                    self._db.execute("ROLLBACK")
                raise
            finally:
                self._depth -= 1

    def close(self) -> None:
        """Let the file go."""
        with self._lock, contextlib.suppress(sqlite3.Error):
            self._db.close()


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Keep other processes from opening the file or putting it aside meanwhile."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_name(f"{path.name}.lock").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _broken(error: Exception) -> bool:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    return code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def _truly_broken(path: Path) -> bool:
    """Whether the file as it lies there now is damaged."""
    if not path.exists():
        return False
    try:
        with contextlib.closing(sqlite3.connect(path, timeout=BUSY_S)) as db:
            if db.execute("PRAGMA integrity_check(1)").fetchone() != ("ok",):
                return True
            db.execute("INSERT INTO words (words) VALUES ('integrity-check')")
            return False
    except sqlite3.DatabaseError as error:
        return _broken(error)
