"""The words of volumes: tiers, changes, commits and entries."""

import time
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from llmos.document import Document
from llmos.text import plain


class Tier(StrEnum):
    """Whose a volume is: the system's as it ships, a team's, or a person's own."""

    USER = "user"
    TEAM = "team"
    SYSTEM = "system"


class Change(NamedTuple):
    """Who changes a volume, why, and what caused it; a git commit keeps all of it.

    Args:
        author: a person, or a command such as `promote`.
        reason: one sentence.
        run: the run's folder name, where one caused it.
        agent: the agent that writes; empty for persons and commands. Its permissions apply.
        project: the project that the agent works in.
    """

    author: str
    reason: str
    run: str = ""
    agent: str = ""
    project: str = ""


class Commit(NamedTuple):
    """One change as the volume's history has it.

    Args:
        id: 40 hex digits.
        time_s: seconds since 1970.
        subject: `path: reason`.
        paths: the files that it changed, relative to the volume.
    """

    id: str
    time_s: int
    author: str
    subject: str
    run: str
    agent: str
    paths: tuple[str, ...]

    @property
    def line(self) -> str:
        """The commit in a line; whatever it holds commands no terminal."""
        when = time.strftime("%Y-%m-%d %H:%M", time.localtime(self.time_s))
        cause = ", ".join(part for part in (self.agent and f"agent {self.agent}", self.run) if part)
        line = f"{self.id[:10]}  {when}  {plain(self.author):<8}  {plain(self.subject)}"
        return f"{line}  [{plain(cause)}]" if cause else line


class Entry(NamedTuple):
    """A markdown file of a volume.

    Args:
        tier: the volume.
        path: where it lies in the volume, with `/`.
        name: its file's name without `.md`.
        file: where it lies on disk.
        version: of its text, see `version_of`; of its bytes where it is none.
        mtime_ns: when it was changed last, nanoseconds since 1970.
        size: bytes.
        type: `type:` of its front matter; empty where it has none.
        description: `description:` of its front matter; empty where it has none.
        problem: why its front matter cannot be read; empty where it can.
        shadowed: another entry of the same name comes before it.
    """

    tier: Tier
    path: str
    name: str
    file: Path
    version: str
    mtime_ns: int
    size: int
    type: str = ""
    description: str = ""
    problem: str = ""
    shadowed: bool = False

    def document(self) -> Document:
        """Read the file.

        Raises:
            DocumentError: it cannot be read, or its front matter is wrong.
            PathEscape: a link stands on the way to it.
        """
        from .paths import read_file

        root = Path(str(self.file)[: -len(self.path) - 1])
        return read_file(root, self.path)
