"""What LLMos remembers: traces of what was done, experiences, and facts with their provenance."""

from llmos.memory._errors import IllegalLink, MemoryDamaged, MemoryFromLater, RecallError
from llmos.memory._items import Dependency, Experience, Fact, Item, Trace
from llmos.memory._memory import Memory
from llmos.memory._search import Found
from llmos.memory._short import ShortTerm

__all__ = [
    "Dependency",
    "Experience",
    "Fact",
    "Found",
    "IllegalLink",
    "Item",
    "Memory",
    "MemoryDamaged",
    "MemoryFromLater",
    "RecallError",
    "ShortTerm",
    "Trace",
]
