"""What volumes refuse, by name."""

from llmos.errors import LlmosError


class VolumeError(LlmosError):
    """A volume that cannot be read or written as asked."""


class AccessDenied(VolumeError):
    """Somebody writes where he may not; names who, the path and the rule."""


class Diverged(VolumeError):
    """Two states of a volume changed the same path differently; both are kept."""


class NoEntry(VolumeError):
    """A file, a name or a commit that a volume does not have."""


class PathEscape(VolumeError):
    """A path that is none of a volume's: it leaves it, follows a link, or cannot be a markdown file's."""


class RemoteGone(VolumeError):
    """A git remote that cannot be reached."""
