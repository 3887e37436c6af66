"""The context window: what a model reads at a time, kept within a budget of tokens.

What leaves, and when. Pinned items never leave: the system's text, the goal, what safety says, the newest
three faults, and whatever was added as pinned. Of the rest nothing leaves while all fits. Where it does not,
items leave one by one until what is left takes four fifths of the room beside the pinned ones, so that the
beginning, whose evaluation models keep, changes seldom. The next to leave has the largest product of its age
(how many items came after it) and its kind's weight in `WEIGHTS`; of equal ones, the older. What has left
stays out; one line at the place of the first that left says how to have it back. An item longer than a third
of the budget (a fault: a ninth) is shown by its beginning, unless it is pinned as more than a fault. All that
ever came in can be recalled and searched.
"""

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from llmos.errors import LlmosError

Kind = Literal["system", "goal", "safety", "fault", "tool", "message", "note"]
PINNED: frozenset[Kind] = frozenset({"system", "goal", "safety"})
FAULTS = 3  # the newest ones are pinned
WEIGHTS: dict[Kind, int] = {"fault": 1, "tool": 2, "message": 3, "note": 4}  # the heavier leave sooner
KEPT = 0.8  # of the room beside what is pinned, once something has to leave
LONGEST = 1 / 3  # of the budget, for one item; for the pinned faults together
_CHARACTERS = 8  # of a token at most, usually: what is cut before it is counted
_MARK = "… ({} more characters: recall {})"


class ContextError(LlmosError):
    """What is pinned needs more tokens than the context has, or an item that is asked for is not there."""


@dataclass(frozen=True)
class Item:
    """One thing that a model may read.

    Args:
        id: its number, from 1, in the order in which items came.
        kind: what it is.
        text: all of it.
        pinned: never leaves; those of some kinds need not say so, see above.
    """

    id: int
    kind: Kind
    text: str
    pinned: bool = False


class Context:
    """Items in their order, and what of them is shown within the budget."""

    def __init__(self, budget: int, count: Callable[[str], int]) -> None:
        """Begin empty.

        Args:
            budget: tokens of all that is shown; what the chat template and the answer need comes on top.
            count: tells the tokens of a text, `Kernel.count`.
        """
        self.budget = budget
        self._count = count
        self._items: list[Item] = []
        self._shown: dict[int, str] = {}  # by id, each as it is shown

    def add(self, kind: Kind, text: str, *, pinned: bool = False) -> Item:
        """Take an item in, and let others leave where it needs their room.

        Raises:
            ContextError: with it, what is pinned would not fit; the context stays as it was.
        """
        item = Item(len(self._items) + 1, kind, text, pinned)
        items = [*self._items, item]
        shown = self._shown | {item.id: self._cut(item)}
        if not self._fits(items, shown, self.budget):
            shown = self._fewer(items, shown)
        self._items, self._shown = items, shown
        return item

    @property
    def items(self) -> list[Item]:
        """All that ever came in, in order."""
        return list(self._items)

    @property
    def left(self) -> list[Item]:
        """What is shown no more, in order."""
        return [item for item in self._items if item.id not in self._shown]

    @property
    def system(self) -> str:
        """What is shown of the system's items: the part of a request that stays the same."""
        return _joined([self._shown[item.id] for item in self._items if item.kind == "system"])

    @property
    def user(self) -> str:
        """What is shown of all others, in order."""
        return _joined(_rows([item for item in self._items if item.kind != "system"], self._shown))

    def render(self) -> str:
        """Return all that is shown: `system`, an empty line, `user`."""
        return _rendered(self._items, self._shown)

    @property
    def tokens(self) -> int:
        """How many tokens that has."""
        return self._count(self.render())

    def recall(self, number: int) -> Item:
        """Return an item, shown or not, with its whole text.

        Raises:
            ContextError: none has this number.
        """
        if not 1 <= number <= len(self._items):
            raise ContextError(f"there is no item {number}: they are numbered 1 to {len(self._items)}")
        return self._items[number - 1]

    def search(self, text: str, limit: int = 5) -> list[Item]:
        """Return the items with the most of a text's words, shown or not; of equal ones, the newer first."""
        wanted = _words(text)
        found = [(len(wanted & _words(item.text)), item.id, item) for item in self._items]
        return [item for share, _, item in sorted(found, reverse=True)[:limit] if share]

    def _fewer(self, items: list[Item], shown: dict[int, str]) -> dict[int, str]:
        """Return what is shown once enough has left."""
        fixed = _fixed(items)
        least = self._count(_rendered(items, {number: shown[number] for number in sorted(fixed)}))
        if least > self.budget:
            raise ContextError(
                f"what is pinned needs {least} tokens, and the context has {self.budget}: shorten the goal, "
                "or raise context_tokens in the kernel's config"
            )
        rest, target = dict(shown), least + KEPT * (self.budget - least)
        for number in self._leaving(items, set(shown) - fixed):
            if self._fits(items, rest, target):
                break
            del rest[number]
        return rest

    def _leaving(self, items: list[Item], free: set[int]) -> list[int]:
        """Return the ids of what may leave, what goes first in front."""
        worth = [((len(items) - one.id) * WEIGHTS[one.kind], -one.id) for one in items if one.id in free]
        return [-number for _, number in sorted(worth, reverse=True)]

    def _fits(self, items: list[Item], shown: dict[int, str], tokens: float) -> bool:
        return self._count(_rendered(items, shown)) <= tokens

    def _cut(self, item: Item) -> str:
        """Return an item as it is shown: all of it, or its beginning."""
        if item.pinned or item.kind in PINNED:
            return item.text
        most = max(1, int(LONGEST * self.budget / (FAULTS if item.kind == "fault" else 1)))
        size = min(len(item.text), _CHARACTERS * most)
        while size:
            left = len(item.text) - size
            shown = item.text[:size] + (_MARK.format(left, item.id) if left else "")
            if self._count(shown) <= most:
                return shown
            size = size * 7 // 8
        return _MARK.format(len(item.text), item.id)


def _fixed(items: list[Item]) -> set[int]:
    """Return the ids of what is pinned."""
    faults = [item.id for item in items if item.kind == "fault"][-FAULTS:]
    return {item.id for item in items if item.pinned or item.kind in PINNED} | set(faults)


def _rendered(items: list[Item], shown: dict[int, str]) -> str:
    head = [shown[item.id] for item in items if item.kind == "system"]
    return _joined([*head, *_rows([item for item in items if item.kind != "system"], shown)])


def _rows(items: list[Item], shown: dict[int, str]) -> list[str]:
    """Return what is shown, with one line in the place of the first that is not."""
    gone = [item for item in items if item.id not in shown]
    rows = []
    for item in items:
        if item.id in shown:
            rows.append(shown[item.id])
        elif item is gone[0]:
            rows.append(_gone(gone))
    return rows


def _gone(items: list[Item]) -> str:
    """Say what has left, and how to have it back."""
    counts = sorted(Counter(item.kind for item in items).items())
    kinds = ", ".join(f"{count} {kind}" for kind, count in counts)
    numbers = f"{items[0].id} to {items[-1].id}"
    return f"[left out: {kinds}, numbers {numbers}; recall NUMBER or search WORDS shows them]"


def _joined(rows: list[str]) -> str:
    return "\n\n".join(rows)


def _words(text: str) -> set[str]:
    return set(re.findall(r"\w+", text.lower()))
