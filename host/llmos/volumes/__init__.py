"""Volumes: the markdown of the robot's operating system, in three tiers, each a git repository.

Errors: `LlmosError` <- `DocumentError`; `LlmosError` <- `VolumeError` <- `AccessDenied`, `Diverged`,
`NoEntry`, `PathEscape`, `RemoteGone`.
"""

from llmos.document import Document, DocumentError, FrontMatter, parse, read_document, version_of, written

from .errors import AccessDenied, Diverged, NoEntry, PathEscape, RemoteGone, VolumeError
from .tiers import Change, Commit, Entry, Tier
from .volumes import Volumes

__all__ = [
    "AccessDenied",
    "Change",
    "Commit",
    "Diverged",
    "Document",
    "DocumentError",
    "Entry",
    "FrontMatter",
    "NoEntry",
    "PathEscape",
    "RemoteGone",
    "Tier",
    "VolumeError",
    "Volumes",
    "parse",
    "read_document",
    "version_of",
    "written",
]
