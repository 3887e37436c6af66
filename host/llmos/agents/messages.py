"""Messages between agents: kept in one SQLite file, read once by each reader, in order of priority.

A message is never deleted by reading: who read it is written beside it, so that a broadcast reaches everyone
and a person can look at all of it later. One that has outlived its time to live is shown as expired and
delivered to nobody.
"""

import json
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from llmos.errors import LlmosError
from llmos.inference import Estimating
from llmos.resources import state_dir
from llmos.text import plain

EVERYBODY = "broadcast"  # the address of all agents
CONTROLLER = "controller"  # the address of a person or the program
KEPT, KEPT_SHARE = 3, 0.3  # of a thread's newest messages that its summary leaves alone: at least, and of all
VERSION = 1  # of the tables
_SUMMED = 80  # characters of a message in a summary
_WAIT_S = 10.0  # for another writer
_TABLES = """
CREATE TABLE messages (
    id INTEGER PRIMARY KEY, correlation INTEGER NOT NULL, sender TEXT NOT NULL, receiver TEXT NOT NULL,
    type TEXT NOT NULL, priority INTEGER NOT NULL, project TEXT NOT NULL, sent REAL NOT NULL, expires REAL,
    message TEXT NOT NULL
) STRICT;
CREATE INDEX by_receiver ON messages (receiver, priority DESC, id);
CREATE INDEX by_thread ON messages (correlation, id);
CREATE TABLE readings (
    message INTEGER NOT NULL REFERENCES messages (id), reader TEXT NOT NULL, at REAL NOT NULL,
    PRIMARY KEY (message, reader)
) STRICT, WITHOUT ROWID;
"""

Address = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
Type = Literal[
    "task_request", "task_response", "delegation", "delegation_result", "status_update", "error", "query",
    "query_response", "broadcast", "sync",
]  # fmt: skip
ANSWERS: dict[str, Type] = {
    "task_request": "task_response",
    "delegation": "delegation_result",
    "query": "query_response",
    "sync": "status_update",
    "broadcast": "status_update",
}
Text = Annotated[str, Field(max_length=8000)]


class MessageError(LlmosError):
    """A message that is wrong, is not there, or cannot be kept."""


class Priority(StrEnum):
    """How urgent a message is."""

    LOW = "low"
    NORMAL = "normal"
    HIGH = "high"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """The more urgent, the higher."""
        return list(Priority).index(self)


class Content(BaseModel):
    """What a message says."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    text: Text = ""
    data: Any = None
    task: Text = ""
    error: Text = ""
    attachments: Annotated[tuple[Annotated[str, Field(max_length=200)], ...], Field(max_length=16)] = ()


class Message(BaseModel):
    """One message, by the protocol's names in JSON.

    Args:
        id: its number; 0 before it is sent.
        sender: `from` in JSON: an agent's name, or `controller` for a person or the program.
        receiver: `to` in JSON: an agent's name, `controller`, or `broadcast`.
        type: what kind it is.
        content: what it says.
        priority: the more urgent ones are read first.
        reply_to: the message that it answers.
        correlation: the first message of its thread.
        ttl: seconds from sending for which it is delivered; None for ever.
        context_summary: what came before in its thread, once that is long.
        token_estimate: tokens of its content, by the model's own tokenizer where there is one.
        project: whose it is.
        sent: seconds since 1970.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    id: int = 0
    sender: Annotated[Address, Field(alias="from")]
    receiver: Annotated[Address, Field(alias="to")]
    type: Type
    content: Content
    priority: Priority = Priority.NORMAL
    reply_to: Annotated[int | None, Field(alias="replyTo")] = None
    correlation: Annotated[int, Field(alias="correlationId")] = 0
    ttl: Annotated[float, Field(gt=0, le=10**9, allow_inf_nan=False)] | None = None
    context_summary: Annotated[str, Field(alias="contextSummary")] = ""
    token_estimate: Annotated[int, Field(alias="tokenEstimate")] = 0
    project: str = ""
    sent: float = 0.0

    def line(self) -> str:
        """Return it on one line: who to whom, what, and the beginning of what it says."""
        said = self.content.error or self.content.text or self.content.task
        return f"{self.sender} > {self.receiver} {self.type}: {plain(said)[:_SUMMED]}"


class Messages:
    """The file of messages; one writer at a time, any number of readers, also from several processes."""

    def __init__(
        self,
        path: Path | None = None,
        *,
        count: Callable[[str], int] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Open it, or make it.

        Args:
            path: where; `messages.sqlite` in the state folder where none is named.
            count: tells the tokens of a text, `Kernel.count`.
            clock: seconds since 1970.

        Raises:
            MessageError: it cannot be used.
        """
        self.path = path or state_dir() / "messages.sqlite"
        self._count, self._clock = count or Estimating().count, clock
        with self._sound():
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._base = sqlite3.connect(self.path, timeout=_WAIT_S, isolation_level=None)
            self._base.execute("PRAGMA journal_mode=WAL")
            with self._writing():
                (version,) = self._base.execute("PRAGMA user_version").fetchone()
                if version == 0:
                    for statement in filter(str.strip, _TABLES.split(";")):
                        self._base.execute(statement)
                    self._base.execute(f"PRAGMA user_version={VERSION}")
        if version > VERSION:
            raise MessageError(f"{self.path} is of a newer LLMos (version {version}): install that one")

    def __enter__(self) -> Self:
        """Return it."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file."""
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._base.close()

    def send(self, message: Message) -> Message:
        """Keep a message, and return it with its number, thread, time, tokens and summary.

        Raises:
            MessageError: it answers a message that is not there.
        """
        with self._writing():
            correlation = message.correlation
            if message.reply_to is not None:
                correlation = self.message(message.reply_to).correlation
            (last,) = self._base.execute("SELECT coalesce(max(id), 0) FROM messages").fetchone()
            sent = message.model_copy(
                update={
                    "id": last + 1,
                    "correlation": correlation or last + 1,
                    "sent": self._clock(),
                    "token_estimate": self._count(message.content.model_dump_json(exclude_defaults=True)),
                    "context_summary": self.summary(correlation) if correlation else "",
                }
            )
            expires = None if sent.ttl is None else sent.sent + sent.ttl
            self._base.execute(
                "INSERT INTO messages VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (sent.id, sent.correlation, sent.sender, sent.receiver, sent.type, sent.priority.rank,
                 sent.project, sent.sent, expires, sent.model_dump_json(by_alias=True)),
            )  # fmt: skip
        return sent

    def reply(self, to: Message, content: Content) -> Message:
        """Answer a message: to its sender, in its thread, as urgent as it was.

        Raises:
            MessageError: it is of a kind that nobody answers.
        """
        kind: Type | None = "error" if content.error else ANSWERS.get(to.type)
        if kind is None:
            raise MessageError(f"message {to.id}: a {to.type} is not answered; send a query or task_request")
        sender = to.receiver if to.receiver != EVERYBODY else CONTROLLER
        return self.send(
            Message(
                sender=sender, receiver=to.sender, type=kind, content=content, priority=to.priority,
                reply_to=to.id, project=to.project,
            )
        )  # fmt: skip

    def waiting(self, reader: str) -> list[Message]:
        """Return what somebody has not read yet and is not expired, the most urgent first, then the oldest.

        What one sends to everybody is not delivered to oneself.
        """
        return self._found(
            "SELECT id, message FROM messages WHERE (receiver = ?1 OR (receiver = ?2 AND sender != ?1))"
            " AND (expires IS NULL OR expires > ?3)"
            " AND NOT EXISTS (SELECT 1 FROM readings WHERE message = messages.id AND reader = ?1)"
            " ORDER BY priority DESC, id",
            (reader, EVERYBODY, self._clock()),
        )

    def take(self, reader: str) -> Message | None:
        """Return the next message for somebody, and note that it was read; None where nothing waits."""
        with self._writing():
            found = next(iter(self.waiting(reader)), None)
            if found:
                self._read(found, reader)
        return found

    def read(self, message: Message, reader: str) -> None:
        """Note that somebody has read a message that was handed over in another way."""
        with self._writing():
            self._read(message, reader)

    def _read(self, message: Message, reader: str) -> None:
        values = (message.id, reader, self._clock())
        self._base.execute("INSERT OR IGNORE INTO readings VALUES (?, ?, ?)", values)

    def thread(self, correlation: int) -> list[Message]:
        """Return a thread's messages in order, expired ones too."""
        return self._found(
            "SELECT id, message FROM messages WHERE correlation = ? ORDER BY id", (correlation,)
        )

    def latest(self, limit: int = 100, project: str | None = None) -> list[Message]:
        """Return the newest messages in order, of one project or of all."""
        return self._found(
            "SELECT id, message FROM messages WHERE ?1 IS NULL OR project = ?1 ORDER BY id DESC LIMIT ?2",
            (project, limit),
        )[::-1]

    def state(self, message: Message) -> str:
        """Say what became of a message: `read by NAME, ...`, `expired` or `waiting`."""
        with self._sound():
            rows = self._base.execute(
                "SELECT reader FROM readings WHERE message = ? ORDER BY at, reader", (message.id,)
            ).fetchall()
        readers = [name for (name,) in rows]
        if readers:
            return f"read by {', '.join(readers)}"
        return "expired" if message.ttl and self._clock() >= message.sent + message.ttl else "waiting"

    def summary(self, correlation: int) -> str:
        """Return the older part of a thread, one line for each message; empty while it is short."""
        return summed(self.thread(correlation))

    def message(self, number: int) -> Message:
        """Return a message by its number.

        Raises:
            MessageError: there is none.
        """
        found = self._found("SELECT id, message FROM messages WHERE id = ?", (number,))
        if not found:
            raise MessageError(f"message {number}: there is none; see `llmos agent messages`")
        return found[0]

    def _found(self, query: str, values: tuple[Any, ...]) -> list[Message]:
        with self._sound():
            return [_message(row) for row in self._base.execute(query, values).fetchall()]

    @contextmanager
    def _writing(self) -> Iterator[None]:
        with self._sound():
            self._base.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._base.execute("ROLLBACK")
                raise
            self._base.execute("COMMIT")

    @contextmanager
    def _sound(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise MessageError(f"{self.path} cannot be used ({error}): move it away") from None


def summed(thread: Sequence[Message]) -> str:
    """Return all but a thread's newest messages, one line each."""
    kept = max(KEPT, round(KEPT_SHARE * len(thread)))
    return "\n".join(message.line() for message in thread[:-kept])


def _message(row: tuple[int, str]) -> Message:
    try:
        return Message.model_validate(json.loads(row[1]))
    except (ValidationError, ValueError):
        raise MessageError(f"message {row[0]} cannot be read: it was changed by hand") from None
