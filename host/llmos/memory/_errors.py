"""What memory refuses."""

from llmos.errors import LlmosError


class RecallError(LlmosError):
    """Something that cannot be remembered or found."""


class IllegalLink(RecallError):
    """A trace that may not hang where it should."""


class MemoryDamaged(RecallError):
    """A memory file that is broken; it was put aside."""


class MemoryFromLater(RecallError):
    """A memory file that a later LLMos has written."""
