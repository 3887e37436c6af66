"""A person's own kernel files."""

from pathlib import Path
from typing import Any

from llmos.resources import system_volume
from llmos.volumes import read_document


def own_rules(state_folder: Path, name: str, **changed: Any) -> None:
    """Write a kernel file into the user volume that says as the one that ships, but for some keys."""
    folder = state_folder / "volumes" / "user" / "kernel"
    folder.mkdir(parents=True, exist_ok=True)
    ships = read_document(system_volume() / "kernel" / f"{name}.md")
    (folder / f"{name}.md").write_text(ships.changed(**changed).source, encoding="utf-8")
