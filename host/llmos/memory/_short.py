"""Short-term memory: what one run has in mind, until it ends."""

from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING

from llmos.memory._errors import RecallError

if TYPE_CHECKING:
    from llmos.memory._items import Fact
    from llmos.memory._memory import Memory


@dataclass(frozen=True)
class Note:
    """Something to have in mind: what, on whose word, and its weight from 0 to 1."""

    text: str
    source: str
    weight: float


class ShortTerm:
    """The notes of one run, the oldest first; of too many, the oldest of the lightest goes.

    When it is closed, what weighs enough (`keep_above` of memory_schema.md) becomes a fact; the rest is gone.
    """

    def __init__(self, memory: "Memory", run: str) -> None:
        self.run = run
        self.notes: list[Note] = []
        self._memory = memory

    def add(self, text: str, source: str, weight: float = 0.0) -> None:
        """Take a note.

        Raises:
            RecallError: the weight is no share.
        """
        if not 0 <= weight <= 1:
            raise RecallError(f"a note of weight {weight}: give a number from 0 to 1")
        self.notes.append(Note(text, source, weight))
        if len(self.notes) > self._memory.schema.short_items:
            self.notes.remove(min(self.notes, key=lambda note: note.weight))

    def close(self) -> list["Fact"]:
        """End it, and return the facts that it leaves."""
        kept = [note for note in self.notes if note.weight >= self._memory.schema.keep_above]
        self.notes = []
        with self._memory.store.writing():
            return [
                self._memory.learn(note.text, note.source, confidence=note.weight, run=self.run)
                for note in kept
            ]

    def __enter__(self) -> "ShortTerm":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
