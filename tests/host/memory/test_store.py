"""The file: shared by processes, whole after a kill, brought up to date, and put aside when it is broken."""

import multiprocessing
import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from llmos.memory import Memory, MemoryDamaged, MemoryFromLater, RecallError, Trace
from llmos.memory._store import MIGRATIONS

WRITER = """
import sys
from llmos.memory import Memory
with Memory() as memory:
    print("open", flush=True)
    for number in range(10**6):
        with memory.store.writing():
            trace = memory.begin(f"pair {number}", run=sys.argv[1])
            memory.end(trace, "success")
            memory.learn(f"pair {number}", trace)
        print(number, flush=True)
"""


def learn_some(name: str, count: int) -> None:
    """Write facts, from a process of its own."""
    with Memory() as memory:
        for number in range(count):
            memory.learn(f"{name} knows {number}", name)
            memory.search(f"knows {number}")


def check(path: Path) -> None:
    """The tables agree with each other."""
    with sqlite3.connect(path) as db:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        db.execute("INSERT INTO words (words) VALUES ('integrity-check')")
    db.close()


def test_two_processes_write_at_once() -> None:
    """Neither loses anything, and revision numbers are nobody's twice."""
    context = multiprocessing.get_context("fork")
    others = [context.Process(target=learn_some, args=(name, 40)) for name in ("anna", "bert")]
    for other in others:
        other.start()
    for other in others:
        other.join()
    assert [other.exitcode for other in others] == [0, 0]
    with Memory() as memory:
        assert {one.text for one in memory.newest(1000)} == {
            f"{name} knows {number}" for name in ("anna", "bert") for number in range(40)
        }
        with memory.store.reading() as db:
            assert db.execute("SELECT count(DISTINCT rev) FROM items").fetchone() == (80,)
    check(memory.path)


def test_threads_share_a_memory() -> None:
    """What several write while several search is all there."""
    with Memory() as memory:

        def work(name: str) -> None:
            for number in range(25):
                memory.learn(f"{name} knows {number}", name)
                assert memory.search(f"{name} {number}")

        threads = [threading.Thread(target=work, args=(name,)) for name in ("anna", "bert", "cora")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(memory.newest(1000)) == 75
    check(memory.path)


def test_a_kill_leaves_all_or_nothing(state_folder: Path) -> None:
    """What was told as written is there; a trace and its fact come together."""
    rng = random.Random(1)
    told = {}
    for run in ("a", "b", "c"):
        writer = subprocess.Popen([sys.executable, "-c", WRITER, run], stdout=subprocess.PIPE, text=True)
        assert writer.stdout
        assert writer.stdout.readline() == "open\n"
        for _ in range(rng.randrange(1, 60)):
            told[run] = int(writer.stdout.readline())
        os.kill(writer.pid, signal.SIGKILL)
        rest = [line for line in writer.communicate()[0].splitlines() if line]
        told[run] = int(rest[-1]) if rest else told[run]
    with Memory() as memory:
        for run, last in told.items():
            traces = memory.traces(run=run, status="success")
            facts = [one for one in memory.newest(10_000) if one.kind == "fact" and one.run == run]
            assert len(traces) == len(facts) == len(memory.traces(run=run))
            assert last + 1 <= len(traces) <= last + 2
    check(memory.path)


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"no database at all, but text of some length" * 30,
        lambda data: data[:100] + bytes(len(data) - 100),
        lambda data: data[: len(data) // 2],
        lambda data: data[:4096] + bytes(255 - byte for byte in data[4096:]),
    ],
    ids=["text", "zeroed", "cut", "inverted"],
)
def test_a_broken_file_is_kept_aside(damage: Callable[[bytes], bytes], state_folder: Path) -> None:
    """One clear line; the file is kept as it was, and the next command begins anew."""
    with Memory() as memory:
        for number in range(300):
            memory.learn(f"fact {number}", "a person")
    memory.path.write_bytes(damage(memory.path.read_bytes()))
    broken = memory.path.read_bytes()
    with pytest.raises(MemoryDamaged) as told:
        use_all()
    (kept,) = (path for path in state_folder.glob("*.damaged-*") if path.name[-4:] not in ("-wal", "-shm"))
    assert kept.name in str(told.value)
    assert "\n" not in str(told.value)
    assert kept.read_bytes()[:4096] == broken[:4096]
    assert len(kept.read_bytes()) >= len(broken)
    use_all()
    with Memory() as again:
        assert [one.text for one in again.newest()] == ["a new beginning"]


def use_all() -> None:
    """Search, list and write."""
    with Memory() as memory:
        memory.search("beginning")
        memory.newest(1000)
        memory.learn("a new beginning", "a person")


def test_another_program_s_database_is_left_alone(state_folder: Path) -> None:
    """It is refused, and not a byte of it changes."""
    state_folder.mkdir()
    path = state_folder / "memory.sqlite"
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE cats (name)")
    db.close()
    before = path.read_bytes()
    with pytest.raises(RecallError, match="some other database"):
        Memory()
    assert path.read_bytes() == before


def test_a_newer_file_is_refused() -> None:
    """In one line that says what to do."""
    with Memory() as memory:
        memory.learn("x", "a person")
    with sqlite3.connect(memory.path) as db:
        db.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    db.close()
    with pytest.raises(MemoryFromLater, match="install a newer one") as refused:
        Memory()
    assert "\n" not in str(refused.value)


def test_an_older_file_is_brought_up_to_date(monkeypatch: pytest.MonkeyPatch) -> None:
    """Step by step, all of a step or nothing of it; what it holds is kept."""
    with Memory() as memory:
        memory.learn("the lamp is on", "a person")
    later = (*MIGRATIONS, "CREATE TABLE extra (n INTEGER PRIMARY KEY);", "CREATE TABLE extra (again);")
    monkeypatch.setattr("llmos.memory._store.MIGRATIONS", later)
    with pytest.raises(RecallError):
        Memory()
    monkeypatch.setattr("llmos.memory._store.MIGRATIONS", later[:-1])
    with Memory() as again:
        assert len(again.search("lamp")) == 1
        with again.store.reading() as db:
            assert db.execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS) + 1,)


def test_a_file_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    """In a folder that is a file, or one that is a folder itself."""
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file" / "memory.sqlite", tmp_path):
        with pytest.raises(RecallError, match="cannot be used"):
            Memory(path)


def test_a_failure_in_a_transaction_leaves_nothing_of_it() -> None:
    """An error takes back all that was written before it in the same block."""
    with Memory() as memory:

        def write() -> None:
            with memory.store.writing():
                memory.learn("x", "a person")
                with memory.store.writing():
                    memory.begin("y")
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            write()
        assert memory.newest() == []
        assert isinstance(memory.begin("z"), Trace)
