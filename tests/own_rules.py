"""A person's own kernel files."""

from pathlib import Path
from typing import Any

from llmos.resources import state_dir, system_volume
from llmos.volumes import read_document


def own_rules(name: str, **changed: Any) -> Path:
    """Write a kernel file into the user volume that says as the one that ships, but for some keys."""
    own = state_dir() / "volumes" / "user" / "kernel" / f"{name}.md"
    own.parent.mkdir(parents=True, exist_ok=True)
    shipped = read_document(system_volume() / "kernel" / f"{name}.md")
    own.write_text(shipped.changed(**changed).source, encoding="utf-8")
    return own
