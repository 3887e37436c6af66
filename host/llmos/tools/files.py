"""Files in the volumes: listed, read and written with the permissions of the agent that calls."""

from typing import Annotated, Any, Literal

from pydantic import Field

from llmos.tools.session import Session
from llmos.tools.tool import Arguments, ToolError, tool
from llmos.volumes import Tier

Path = Annotated[str, Field(min_length=1, max_length=200)]
AnyTier = Literal["system", "team", "user"]


class Folder(Arguments):
    """A folder of a volume; an empty path is all of it."""

    tier: AnyTier
    path: Annotated[str, Field(max_length=200)] = ""


class Lines(Arguments):
    """Lines of a file, counted from 1."""

    tier: AnyTier
    path: Path
    first_line: Annotated[int, Field(ge=1, le=1_000_000)] = 1
    lines: Annotated[int, Field(ge=1, le=1000)] = 200


class Writing(Arguments):
    """A file's whole text, and why it is written."""

    tier: Literal["team", "user"]
    path: Path
    text: Annotated[str, Field(max_length=100_000)]
    reason: Annotated[str, Field(min_length=3, max_length=200)]


@tool("files", "read", {"tier": "system", "path": "kernel"}, {"tier": "user"})
def list_directory(session: Session, arguments: Folder) -> dict[str, Any]:
    """List the files below a folder."""
    inside = f"{arguments.path.strip('/')}/".removeprefix("/")
    found = [one.path for one in session.volumes.tier_entries(Tier(arguments.tier))]
    return {"files": [path for path in found if path.startswith(inside)]}


@tool("files", "read", {"tier": "system", "path": "kernel/config.md"})
def read_file(session: Session, arguments: Lines) -> dict[str, Any]:
    """Read a file."""
    source = session.volumes.read(Tier(arguments.tier), arguments.path).source
    size, most = len(source.encode()), session.config.file_bytes
    if size > most:
        raise ToolError(f"{arguments.path} has {size} bytes; a tool reads {most} at most (kernel/config.md)")
    rows = source.split("\n")
    first = arguments.first_line - 1
    return {"text": "\n".join(rows[first : first + arguments.lines]), "lines": len(rows)}


@tool(
    "files",
    "write",
    {"tier": "user", "path": "projects/demo/memory/notes.md", "text": "# Notes\n", "reason": "Begin notes."},
)
def write_file(session: Session, arguments: Writing) -> dict[str, Any]:
    """Write a file; a git commit says who, why and from which run."""
    size, most = len(arguments.text.encode("utf-8", "surrogatepass")), session.config.file_bytes
    if size > most:
        raise ToolError(
            f"{arguments.path}: {size} bytes, and a tool writes {most} at most (kernel/config.md)"
        )
    change = session.change(arguments.reason)
    commit = session.volumes.write(Tier(arguments.tier), arguments.path, arguments.text, change)
    return {"commit": commit, "bytes": size}
