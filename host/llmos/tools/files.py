"""Files in the volumes: listed, read and written with the permissions of the agent that calls."""

from typing import Annotated, Any, Literal

from pydantic import Field

from llmos.tools.session import Session
from llmos.tools.tool import Arguments, tool

TierName = Literal["system", "team", "user"]
Path = Annotated[str, Field(min_length=1, max_length=200)]


class Folder(Arguments):
    """A folder of a volume; an empty path is all of it."""

    tier: TierName
    path: Annotated[str, Field(max_length=200)] = ""


class File(Arguments):
    """A file of a volume."""

    tier: TierName
    path: Path


@tool("files", "read", {"tier": "system", "path": "kernel"}, {"tier": "user"})
def list_directory(session: Session, arguments: Folder) -> dict[str, Any]:
    """List the files below a folder."""
    from llmos.volumes.tiers import Tier

    inside = f"{arguments.path.strip('/')}/".removeprefix("/")
    found = [one.path for one in session.volumes.tier_entries(Tier(arguments.tier))]
    return {"files": [path for path in found if path.startswith(inside)]}


@tool("files", "read", {"tier": "system", "path": "kernel/config.md"})
def read_file(session: Session, arguments: File) -> dict[str, Any]:
    """Read a file."""
    from llmos.volumes.tiers import Tier

    return {"text": session.volumes.read(Tier(arguments.tier), arguments.path).source}
