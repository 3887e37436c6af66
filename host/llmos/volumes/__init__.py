"""Volumes: the markdown that the robot's operating system consists of, in three tiers, each a git repository.

Errors: `LlmosError` <- `DocumentError`.
"""

from .document import Document, DocumentError, FrontMatter, parse, read_document, written

__all__ = ["Document", "DocumentError", "FrontMatter", "parse", "read_document", "written"]
