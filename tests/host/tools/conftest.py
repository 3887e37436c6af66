"""A caller with permissions, and kernel files of a person's own."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from llmos.resources import system_volume
from llmos.volumes import read_document


@dataclass(frozen=True)
class Caller:
    """An agent, as far as a session needs it."""

    name: str = "tester"
    category: str = "robot"
    tools: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()


Change = Callable[..., None]


@pytest.fixture
def change_kernel(state_folder: Path) -> Change:
    """Return what puts a kernel file with other values into the user volume."""

    def change(name: str, **values: Any) -> None:
        own = state_folder / "volumes" / "user" / "kernel" / f"{name}.md"
        own.parent.mkdir(parents=True, exist_ok=True)
        document = read_document(system_volume() / "kernel" / f"{name}.md")
        own.write_text(document.changed(**values).source, encoding="utf-8")

    return change
